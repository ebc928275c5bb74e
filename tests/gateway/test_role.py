"""The whole gateway on a real bus: definitions at run time, answers, commands, health, confirmation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.bus.conftest import BusUnderTest
from tests.gateway.devices import DEVICES, DRIVERS, Device, connection, tag
from tests.gateway.site import Site, now_ms, running_gateway
from tests.waiting import PATIENCE_S

from mainspring.core import quality as q
from mainspring.core import subjects
from mainspring.core.commands import Command, CommandItem
from mainspring.core.definitions import ConnectionDefinition, connection_key
from mainspring.core.errors import Conflict, DecodeError, NotAllowed, Rejected
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.gateway.commands import Journal
from mainspring.gateway.role import run
from mainspring.gateway.settings import GatewaySettings


@pytest.fixture
def device() -> Device:
    DEVICES["d"] = Device()
    DEVICES["d"].values = {"a": 1.5, "b": 2.5, "n": 3, "t": "idle"}
    return DEVICES["d"]


@pytest.fixture
async def site(bus: BusUnderTest, tmp_path: Path, device: Device) -> AsyncIterator[Site]:
    async with running_gateway(bus, tmp_path / "gateway", DRIVERS) as made:
        yield made


async def test_connections_and_tags_come_change_and_go_at_run_time(site: Site, device: Device) -> None:
    of = connection("d")
    one, two = tag(1, of.id), tag(2, of.id, "b")
    await site.define(of, [one])
    await site.until_quality(1, q.GOOD)
    await site.define(tags=[one, two])
    await site.until_quality(2, q.GOOD)
    assert device.connects == 1
    # New settings make the contact anew.
    await site.define(of.model_copy(update={"settings": {"device": "d", "note": "x"}, "revision": 2}))
    await site.until(lambda: device.connects == 2)
    await site.until_quality(1, q.GOOD)
    await site.define(of.model_copy(update={"enabled": False, "revision": 3}))
    await site.until_quality(1, q.BAD_OUT_OF_SERVICE)
    await site.define(of.model_copy(update={"revision": 4}))
    await site.until_quality(1, q.GOOD)
    await site.admin.delete_definition(connection_key("acme", of.id))
    await site.until_quality(2, q.BAD_OUT_OF_SERVICE)
    await site.until(lambda: site.connections is not None and not site.connections.connections)


async def test_a_change_of_one_connection_does_not_touch_another(site: Site, device: Device) -> None:
    DEVICES["e"] = Device()
    DEVICES["e"].values = {"a": 1.0}
    of, other = connection("d"), connection("e", name="press 2")
    await site.define(of, [tag(1, of.id), tag(2, other.id)])
    await site.define(other)
    await site.until_quality(2, q.GOOD)
    await site.define(of.model_copy(update={"settings": {"device": "d", "note": "y"}}))
    await site.until(lambda: device.connects == 2)
    assert DEVICES["e"].connects == 1
    assert site.latest[2][1] == q.GOOD


async def test_a_connection_of_another_gateway_becomes_ours_with_its_tags(site: Site) -> None:
    of = connection("d", gateway="elsewhere")
    ours = connection("e", name="press 2")
    DEVICES["e"] = Device()
    DEVICES["e"].values = {"a": 1.0}
    await site.define(of, [tag(1, of.id), tag(2, ours.id)])
    await site.define(ours)
    await site.until_quality(2, q.GOOD)
    assert 1 not in site.latest
    await site.define(of.model_copy(update={"gateway": "g1"}))
    await site.until_quality(1, q.GOOD)


async def test_health_says_in_words_what_is_wrong(site: Site, device: Device) -> None:
    of = connection("d")
    await site.define(of, [tag(1, of.id)])
    await site.until(lambda: bool(site.connections and site.connections.connections))
    await site.until(lambda: site.connections.connections[0].requests_per_s > 5)  # type: ignore[union-attr]
    assert site.connections is not None
    assert site.connections.connections[0].state == "connected"
    assert site.connections.connections[0].tags_bad == 0
    device.reachable = False
    await site.until(lambda: site.connections.connections[0].text is not None)  # type: ignore[union-attr]
    text = site.connections.connections[0].text
    assert text == {"en": "The device is away.", "zh": "设备不在。"}
    assert site.connections.connections[0].tags_bad == 1
    assert site.health is not None
    assert site.health.state == "running"
    figures = site.health.figures
    assert {"samples_per_s", "spool_batches", "spool_bytes", "lag_ms"} <= figures.keys()
    assert figures["samples_came"] > figures["samples_left_out"] > 0
    assert figures["samples_logged"] > figures["samples_came"] - figures["samples_left_out"]


async def test_test_and_browse(site: Site, device: Device) -> None:
    answer = await site.ask("test", {"driver": "memory", "settings": {"device": "d"}})
    assert [check["ok"] for check in answer["checks"]] == [True, True]
    device.reachable = False
    answer = await site.ask("test", {"driver": "memory", "settings": {"device": "d"}})
    assert [check["ok"] for check in answer["checks"]] == [True, False]
    device.reachable = True
    answer = await site.ask("test", {"driver": "memory", "settings": {"devise": "d"}})
    assert not answer["checks"][0]["ok"]
    assert "devi" in answer["checks"][0]["detail"]["zh"]
    nodes = await site.ask("browse", {"driver": "memory", "settings": {"device": "d"}, "parent": None, "limit": 2})
    assert [node["address"] for node in nodes["nodes"]] == [{"key": "a"}, {"key": "b"}]
    with pytest.raises(Rejected):
        await site.ask("browse", {"driver": "counting", "settings": {"x": 1}})
    with pytest.raises(DecodeError):
        await site.ask("browse", {"driver": "memory", "settings": {}, "limit": 10**9})


async def commanded(site: Site) -> ConnectionDefinition:
    of = connection("d")
    tags = [
        tag(1, of.id, writable=True, gain=0.1, offset=5.0, low=0.0, high=100.0),
        tag(2, of.id, "b"),
        tag(3, of.id, "n", kind=SampleKind.INTEGER, writable=True),
        tag(4, of.id, "t", kind=SampleKind.TEXT, writable=True),
    ]
    await site.define(of, tags)
    await site.until_quality(4, q.GOOD)
    return of


async def test_a_command_is_scaled_back_written_and_read_back(site: Site, device: Device) -> None:
    of = await commanded(site)
    outcome = await site.command(
        of, CommandItem(tag=1, value=72.5), CommandItem(tag=3, value=-7), CommandItem(tag=4, value="run")
    )
    assert [item.outcome for item in outcome.items] == ["done"] * 3
    assert [item.read_back for item in outcome.items] == [pytest.approx(72.5), -7, "run"]
    assert dict(device.writes) == {"a": pytest.approx(675.0), "n": -7, "t": "run"}


async def test_what_a_device_does_not_keep_is_not_confirmed(site: Site, device: Device) -> None:
    of = await commanded(site)
    device.stuck = {"n"}
    outcome = await site.command(of, CommandItem(tag=3, value=9))
    assert outcome.items[0].outcome == "not-confirmed"
    assert outcome.items[0].read_back == 3


@pytest.mark.parametrize(
    ("ordinal", "value"), [(2, 1.0), (99, 1.0), (1, 101.0), (1, "hot"), (3, 1.5), (3, True), (4, 1), (1, float("nan"))]
)
async def test_wrong_items_refuse_the_whole_command(site: Site, device: Device, ordinal: int, value: Any) -> None:
    of = await commanded(site)
    bad = CommandItem.model_construct(tag=ordinal, value=value)
    if value == value:
        outcome = await site.command(of, CommandItem(tag=3, value=1), CommandItem(tag=ordinal, value=value))
        assert [item.outcome for item in outcome.items] == ["refused", "refused"]
        assert all(item.text and item.text["zh"] for item in outcome.items)
    else:
        with pytest.raises(DecodeError):
            await site.ask("command", {"items": [bad.model_dump()]})
    assert device.writes == []


async def test_a_command_is_never_executed_after_its_time_or_twice(site: Site, device: Device) -> None:
    of = await commanded(site)
    late = await site.command(of, CommandItem(tag=3, value=1), expires_ms=now_ms() - 1)
    assert late.items[0].outcome == "expired"
    twice = uuid7()
    first = await site.command(of, CommandItem(tag=3, value=5), id=twice)
    again = await site.command(of, CommandItem(tag=3, value=6), id=twice)
    assert again == first
    assert device.writes == [("n", 5)]
    with pytest.raises(NotAllowed):
        await site.command(of, CommandItem(tag=3, value=1), tenant="other")


async def test_a_command_that_waits_for_a_busy_device_expires(site: Site, device: Device) -> None:
    of = await commanded(site)
    device.hangs = True
    await site.until(lambda: device.hung > 0)
    outcome = await site.command(of, CommandItem(tag=3, value=1), expires_ms=now_ms() + 500)
    assert outcome.items[0].outcome == "expired"
    device.hangs, before = False, device.reads
    await site.until(lambda: device.reads > before)
    assert device.writes == []


async def test_a_command_is_known_after_a_crash(tmp_path: Path) -> None:
    command = Command(
        id=uuid7(), tenant="acme", connection=uuid7(), items=(CommandItem(tag=3, value=1),), by="anna",
        authority="engineer", issued_ms=now_ms(), expires_ms=now_ms() + 5000,
    )  # fmt: skip
    Journal(tmp_path).begin(command)
    seen, outcome = Journal(tmp_path).find(command.id)
    assert seen
    assert outcome is not None
    assert outcome.items[0].outcome == "not-confirmed"
    with (tmp_path / "commands.jsonl").open("ab") as file:
        file.write(b'{"command": {"half')
    assert Journal(tmp_path).find(command.id)[0]


async def test_segments_go_when_the_historian_has_confirmed_them(site: Site, device: Device) -> None:
    of = connection("d")
    await site.define(of, [tag(ordinal, of.id, scan_ms=10) for ordinal in range(1, 200)])

    def grown() -> bool:
        device.values["a"] = time.monotonic()
        return len(list(site.folder.glob("*.log"))) >= 3

    await site.until(grown)
    await site.admin.nc.publish(subjects.position("LIVE"), b"1")
    await asyncio.sleep(0.3)
    assert len(list(site.folder.glob("*.log"))) >= 3
    state = (await site.admin.js.stream_info("LIVE")).state
    await site.admin.nc.publish(subjects.position("LIVE"), str(state.last_seq).encode())
    await site.until(lambda: len(list(site.folder.glob("*.log"))) <= 2)


async def test_a_second_gateway_on_the_same_folder_is_refused(site: Site) -> None:
    settings = GatewaySettings(name="g1", tenant="acme", folder=site.folder)
    with pytest.raises(Conflict):
        await run(site.admin, settings, asyncio.Event(), DRIVERS)


async def test_a_clean_stop_leaves_no_good_value(bus: BusUnderTest, tmp_path: Path, device: Device) -> None:
    admin, own = await bus.connect("admin"), await bus.as_role("gateway-acme-g1")
    site, stop = Site(admin, tmp_path / "gateway"), asyncio.Event()
    await site.listen()
    settings = GatewaySettings(name="g1", tenant="acme", folder=site.folder, disk_free_min_bytes=0)
    task = asyncio.create_task(run(own, settings, stop, DRIVERS))
    of = connection("d", replayed=True)
    await site.define(of, [tag(1, of.id)])
    await site.until_quality(1, q.GOOD)
    stop.set()
    await asyncio.wait_for(task, PATIENCE_S)
    await site.until_quality(1, q.BAD_NOT_CONNECTED)
    assert site.latest[1][0] == 1.5
    await own.close()
    await admin.close()
