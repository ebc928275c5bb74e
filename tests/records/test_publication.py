"""From records to a real bus: after commit, in time, and repaired where it differs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from nats.aio.msg import Msg
from tests.bus.conftest import BusUnderTest, running_bus
from tests.records.plant import asset, author, modbus, opcua, tag
from tests.records.test_tag_import import rows_of
from tests.waiting import until

from mainspring.bus.credentials import KV
from mainspring.core import definitions, subjects
from mainspring.core.definitions import AlarmPage, ConnectionDefinition, TagPage, TenantDefinition
from mainspring.core.health import Health
from mainspring.records.importing import tag_import
from mainspring.records.outbox import KEYS_MAX, Outbox, outbox
from mainspring.records.plant import alarm_definition, connection
from mainspring.records.plant import tag as tags
from mainspring.records.plant.alarm_definition import AlarmDraft
from mainspring.records.publication import Publication
from mainspring.records.tenant import Tenant
from mainspring.web.audit_heads import HeadKeeper
from mainspring.web.serve import report


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[BusUnderTest]:
    outbox.take()
    async with running_bus(tmp_path) as under_test:
        yield under_test


async def in_thread(work: Any, *arguments: Any) -> Any:
    def closed() -> Any:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(closed)


@asynccontextmanager
async def publishing(publication: Publication) -> AsyncIterator[None]:
    task = asyncio.create_task(publication.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def small_plant(plant: Tenant) -> dict[str, Any]:
    unit, plc = asset(plant, "unit"), modbus(plant)
    reading = tag(plant, "TI-1", unit, connection=plc.id, address={"register": 7}, unit="Cel", low=0, high=100)
    draft = AlarmDraft.model_validate({"tag_id": reading.id, "condition": "H", "limit": 80})
    return {"unit": unit, "plc": plc, "tag": reading, "alarm": alarm_definition.create(author(plant), draft)}


async def test_all_kinds_are_published_and_withdrawn(bus: BusUnderTest, plant: Tenant) -> None:
    made = await in_thread(small_plant, plant)
    client = await bus.connect("web")
    publication = Publication(client)
    async with publishing(publication):
        await until(lambda: _compared(publication, 1))
        lying = {key: definitions.parse(key, raw) for key, raw in (await client.definitions()).items()}
        by_kind = {type(document): document for document in lying.values()}
        assert set(by_kind) == {TenantDefinition, ConnectionDefinition, TagPage, AlarmPage}
        page = lying["plant.tags.0"]
        assert isinstance(page, TagPage)
        assert page.tags[0].ordinal == made["tag"].ordinal
        assert (page.tags[0].path, page.tags[0].connection) == ("unit/TI-1", made["plc"].id)
        await in_thread(tags.delete, author(plant), made["tag"].id, None)
        await in_thread(connection.delete, author(plant), made["plc"].id, None)

        async def withdrawn() -> bool:
            return set(await client.definitions()) == {f"plant.tenant.{plant.number}"}

        await until(withdrawn)
    await client.close()


async def _compared(publication: Publication, times: int) -> bool:
    return publication.compared >= times


async def test_a_secret_reaches_the_gateway_in_clear(bus: BusUnderTest, plant: Tenant) -> None:
    fields: dict[str, Any] = {
        "sign_in": "password",
        "user": "reader",
        "password": "of-device",
        "password_in_clear": True,
    }
    server = await in_thread(lambda: opcua(plant, **fields))
    client = await bus.connect("web")
    await Publication(client).compare()
    raw = (await client.definitions())[definitions.connection_key("plant", server.id)]
    assert ConnectionDefinition.model_validate_json(raw).settings["password"] == "of-device"
    await client.close()


async def test_comparison_repairs_and_leaves_the_rest_alone(bus: BusUnderTest, plant: Tenant) -> None:
    await in_thread(small_plant, plant)
    client = await bus.connect("web")
    first = Publication(client)
    await first.compare()
    assert first.published == 4
    again = Publication(client)
    await again.compare()
    assert again.published == 0
    await client.delete_definition("plant.tags.0")
    await client.put_definition(
        "plant.alarms.7", AlarmPage(revision=1, tenant="plant", page=7, alarms=())
    )  # nobody's: withdrawn
    await again.compare()
    assert again.published == 2
    assert set(await client.definitions()) >= {"plant.tags.0"}
    assert "plant.alarms.7" not in await client.definitions()
    await client.close()


async def test_ten_thousand_imported_tags_arrive(bus: BusUnderTest, plant: Tenant) -> None:
    await in_thread(lambda: (asset(plant, "unit"), modbus(plant)))
    client = await bus.connect("web")
    publication = Publication(client)
    async with publishing(publication):
        await until(lambda: _compared(publication, 1))
        outcome = await in_thread(tag_import.import_tags, author(plant), rows_of(10_000, "unit", "PLC 1"))
        assert outcome.created == 10_000
        committed = time.perf_counter()
        expected = publication.published + 11

        async def arrived() -> bool:
            return publication.published >= expected

        await until(arrived)
        print(f"10,000 tags on the bus {time.perf_counter() - committed:.2f} s after the commit")
        pages = [raw for key, raw in (await client.definitions()).items() if ".tags." in key]
        assert sum(len(TagPage.model_validate_json(raw).tags) for raw in pages) == 10_000
    await client.close()


async def test_a_change_made_while_the_bus_is_away_arrives_later(bus: BusUnderTest, plant: Tenant) -> None:
    made = await in_thread(small_plant, plant)
    client = await bus.connect("web")
    publication = Publication(client)
    async with publishing(publication):
        await until(lambda: _compared(publication, 1))
        await bus.kill()
        await in_thread(tags.modify, author(plant), made["tag"].id, {"high": 200}, 1)
        await asyncio.sleep(0.5)
        await bus.start_again()

        async def arrived() -> bool:
            page = definitions.parse("plant.tags.0", (await client.definitions())["plant.tags.0"])
            return isinstance(page, TagPage) and page.tags[0].high == 200

        await until(arrived)
    await client.close()


def test_nothing_is_published_of_a_write_that_was_rolled_back(plant: Tenant) -> None:
    from django.db import transaction

    outbox.take()
    with pytest.raises(RuntimeError), transaction.atomic():
        asset_ = asset(plant, "unit")
        tag(plant, "TI-1", asset_)
        raise RuntimeError
    assert outbox.take() == (set(), False)


def test_the_outbox_is_bounded() -> None:
    waiting = Outbox()
    waiting.add(f"plant.tags.{number}" for number in range(KEYS_MAX + 1))
    keys, everything = waiting.take()
    assert not keys
    assert everything
    assert waiting.take() == (set(), False)


async def test_a_bucket_that_is_full_is_said_in_words_until_it_has_room(bus: BusUnderTest, plant: Tenant) -> None:
    await in_thread(small_plant, plant)
    admin, web, status = [await bus.connect(name) for name in ("admin", "web", "status")]
    bucket = (await admin.js.stream_info(KV)).config
    bucket.max_bytes, room = 500, bucket.max_bytes
    await admin.js.update_stream(bucket)
    told: list[Health] = []

    async def on_health(message: Msg) -> None:
        told.append(Health.model_validate_json(message.data))

    await status.nc.subscribe(subjects.health("web", "main"), cb=on_health)
    await status.settled()
    publication = Publication(web)
    telling = asyncio.create_task(report(web, "main", publication, HeadKeeper()))
    async with publishing(publication):

        async def full() -> bool:
            return bool(told) and told[-1].state == "degraded"

        await until(full)
        assert told[-1].text is not None
        assert "[bus] disk_bytes_max" in told[-1].text["en"]
        assert "documents (pages of tags" in told[-1].text["en"]
        assert "空间已满" in told[-1].text["zh"]
        bucket.max_bytes = room
        await admin.js.update_stream(bucket)
        await until(lambda: _compared(publication, 1))

        async def well() -> bool:
            return told[-1].state == "running" and told[-1].text is None

        await until(well)
        assert "plant.tags.0" in await web.definitions()
    telling.cancel()
    for each in (admin, web, status):
        await each.close()
