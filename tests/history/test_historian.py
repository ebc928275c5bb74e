"""The historian on a real bus: ownership, answers, what it tells, and what it does when things are missing."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from nats.js.errors import APIError
from tests.history.conftest import ACME, OTHER, Plant
from tests.waiting import PATIENCE_S, until

from mainspring.core import subjects
from mainspring.core.alarms import AlarmEvent, AlarmState, Transition
from mainspring.core.definitions import PAGE, Condition, Definition, Priority, TenantDefinition, Words, tenant_key
from mainspring.core.errors import MainspringError, NotFound, Rejected
from mainspring.core.history import AggregateQuery, EventQuery, RawQuery, StateQuery, TrendQuery
from mainspring.core.ids import uuid7
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.historian import run
from mainspring.history.ownership import Ownership
from mainspring.history.settings import HistorianSettings

NOW = time.time_ns() // 1_000_000
SPAN = {"start_ms": NOW - 86_400_000, "end_ms": NOW + 86_400_000}


@asynccontextmanager
async def at_work(plant: Plant, **options: Any) -> AsyncIterator[ChdbStore]:
    """Run a historian in this process; its store is given for looking into."""
    folder = options.pop("folder", plant.folder)
    store = ChdbStore(folder / "history")
    bus = await plant.server.as_role("historian")
    stop = asyncio.Event()
    settings = HistorianSettings(
        folder / "positions", **{"gather_ms": 50, "disk_free_min_bytes": 0, **options}
    )  # fmt: skip
    running = asyncio.create_task(run(bus, store, settings, stop))
    try:
        yield store
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
        await bus.close()
        store.close()


def numbered(tags: Any, first: int = 0) -> SampleBatch:
    size = len(tags)
    return build(Column.FLOAT64, tags, NOW + np.arange(size), first + np.arange(size), 192, Origin.MACHINE)


async def send(plant: Plant, batch: SampleBatch | bytes, *, late: bool = False) -> int:
    message = batch if isinstance(batch, bytes) else batch.encode()
    acknowledged = await plant.gateway.js.publish(subjects.readings("acme", "g1", late=late), message)
    return int(acknowledged.seq)


async def ask(plant: Plant, tenant: str, query: str, body: Any = None) -> pa.Table:
    payload = b"" if body is None else body.model_dump_json().encode()
    web = await plant.server.connect("web")
    try:
        answer = await web.ask(subjects.history(tenant, query), payload)
    finally:
        await web.close()
    return pa.ipc.open_stream(answer).read_all()


def values(store: ChdbStore, tenant: int, tags: tuple[int, ...]) -> list[float]:
    found = store.raw(tenant, RawQuery(tags=tags, **SPAN))
    return [float(value) for chunk in found for value in chunk["value"].to_numpy()]


async def test_readings_are_stored_and_told(plant: Plant) -> None:
    async with at_work(plant) as store:
        await send(plant, numbered([1, 2, 3]))
        await plant.stored(subjects.LIVE, await send(plant, numbered([1], 9)))
        await plant.stored(subjects.LATE, await send(plant, numbered([2], 20), late=True))
        assert sorted(values(store, ACME, (1, 2, 3))) == [0, 1, 2, 9, 20]
        health = await plant.health(lambda health: health.figures["samples"] == 5)
        assert health.state == "running"
        assert health.memory_bytes > 0
        assert {"samples_per_s", "lag_ms", "set_aside", "refused", "disk_free_bytes", "bytes_on_disk", "insert_ms"} <= (
            health.figures.keys()
        )


async def test_a_batch_that_was_sent_twice_is_stored_once_wherever_its_other_copy_waits(plant: Plant) -> None:
    # All of it waits before the historian looks: neither copy is stored when the other is taken.
    batch = numbered([1, 2, 3]).encode()
    last = {}
    for late in (False, True, False, True):
        subject = subjects.readings("acme", "g1", late=late)
        headers = {subjects.SEQUENCE_HEADER: "41"}
        acknowledged = await plant.gateway.js.publish(subject, batch, headers=headers)
        last[acknowledged.stream] = acknowledged.seq
    async with at_work(plant) as store:
        for stream, sequence in last.items():
            await plant.stored(stream, sequence)
        assert sorted(values(store, ACME, (1, 2, 3))) == [0, 1, 2]
        assert (await plant.health()).figures["repeated"] == 3


async def test_foreign_and_unknown_tags_are_refused_and_counted(plant: Plant) -> None:
    async with at_work(plant) as store:
        sequence = await send(plant, numbered([1, 1000, 2, 1001, 500_000_000, 4_000_000_000]))
        await plant.stored(subjects.LIVE, sequence)
        assert values(store, ACME, (1, 2, 1000, 1001)) == [0, 2]
        assert values(store, OTHER, (1000, 1001)) == []
        assert (await plant.health()).figures["refused"] == 4
        await plant.stored(subjects.LIVE, await send(plant, numbered([1, 600], 10)))
        assert values(store, ACME, (1,)) == [0, 10]
        assert (await plant.health()).figures["refused"] == 5


async def test_readings_wait_for_definitions_that_are_taken_in_slowly(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = Ownership.changed

    def slowly(self: Ownership, key: str, definition: Definition | None) -> None:
        time.sleep(0.2)
        changed(self, key, definition)

    monkeypatch.setattr(Ownership, "changed", slowly)
    async with at_work(plant) as store:
        # A stranger before them changes nothing for those that come.
        await plant.stored(subjects.LIVE, await send(plant, numbered([1, 600])))
        fresh = range(10 * PAGE, 40 * PAGE, PAGE)
        await plant.tags("acme", fresh)
        await plant.stored(subjects.LIVE, await send(plant, numbered(list(fresh))))
        assert values(store, ACME, tuple(fresh)) == [float(place) for place in range(len(fresh))]
        assert (await plant.health()).figures["refused"] == 1


async def test_a_tag_taken_away_or_given_to_another_is_refused(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Ownership.changed
    taken: list[str] = []

    def noted(self: Ownership, key: str, definition: Definition | None) -> None:
        changed(self, key, definition)
        taken.append(key)

    monkeypatch.setattr(Ownership, "changed", noted)
    async with at_work(plant) as store:
        await plant.stored(subjects.LIVE, await send(plant, numbered([1, 2])))
        taken.clear()
        await plant.tags("acme", [2])
        await until(lambda: taken)
        await plant.stored(subjects.LIVE, await send(plant, numbered([1, 2], 10)))
        assert values(store, ACME, (1, 2)) == [0, 1, 11]


async def test_malformed_messages_are_counted_and_others_go_on(plant: Plant) -> None:
    async with at_work(plant) as store:
        await send(plant, b"not arrow")
        await send(plant, b"")
        await plant.stored(subjects.LIVE, await send(plant, numbered([1])))
        assert values(store, ACME, (1,)) == [0]
        assert (await plant.health()).figures["malformed"] == 2


async def test_each_class_is_kept_in_partitions_of_its_own(plant: Plant) -> None:
    await plant.tags("acme", [5], "short")
    async with at_work(plant, retention_days={"standard": 100, "short": 100}) as store:
        await plant.stored(subjects.LIVE, await send(plant, numbered([5])))
        assert {partition.retention for partition in store.partitions()} == {"short"}


def alarm(number: int) -> bytes:
    event = AlarmEvent(
        id=f"e{number}", alarm=uuid7(), tag=number, condition=Condition.HH, priority=Priority.HIGH,
        transition=Transition.RAISED, state=AlarmState.ACTIVE_UNACKNOWLEDGED, time_ms=NOW + number, raised_ms=NOW,
        value=None if number else 1.5, limit=1.0,
    )  # fmt: skip
    return event.model_dump_json().encode()


async def test_alarm_transitions_are_stored_once(plant: Plant) -> None:
    async with at_work(plant):
        for number in (0, 1, 0):
            acknowledged = await plant.admin.js.publish(subjects.alarm("acme"), alarm(number))
        await plant.admin.js.publish(subjects.alarm("acme"), b"{}")
        await plant.stored(subjects.ALARM, acknowledged.seq + 1)
        found = await ask(plant, "acme", "events", EventQuery(**SPAN))
        assert found["id"].to_pylist() == ["e1", "e0"]
        assert found["value"].to_pylist() == [None, 1.5]
        assert (await ask(plant, "other", "events", EventQuery(**SPAN))).num_rows == 0


async def test_every_query_is_answered_for_the_tenant_of_its_subject(plant: Plant) -> None:
    async with at_work(plant):
        whole = build(Column.INT64, [3, 3], [NOW, NOW + 1000], [1, 2], 192, Origin.MACHINE)
        await send(plant, numbered([1, 1]))
        await plant.stored(subjects.LIVE, await send(plant, whole))
        span = {"tags": (1, 3), "start_ms": NOW, "end_ms": NOW + 10_000}
        assert (await ask(plant, "acme", "raw", RawQuery(**span)))["value"].to_pylist() == [0, 1]
        assert (await ask(plant, "acme", "trend", TrendQuery(buckets=1, **span)))["max"].to_pylist() == [1, 2]
        assert (await ask(plant, "acme", "aggregate", AggregateQuery(step_ms=10_000, **span))).num_rows == 2
        states = await ask(plant, "acme", "states", StateQuery(tags=(3,), start_ms=NOW, end_ms=NOW + 1001))
        assert states.to_pylist()[0] == {"tag": 3, "value": 1, "held_ms": 1000}
        assert (await ask(plant, "acme", "extent"))["samples"].to_pylist() == [4]
        assert (await ask(plant, "other", "raw", RawQuery(**span))).num_rows == 0
        assert (await ask(plant, "other", "extent"))["oldest_ms"].to_pylist() == [None]


async def test_wrong_queries_are_refused_in_words(plant: Plant) -> None:
    async with at_work(plant):
        await plant.health()
        web = await plant.server.connect("web")
        with pytest.raises(NotFound, match="nobody"):
            await web.ask(subjects.history("nobody", "extent"))
        with pytest.raises(Rejected, match="trend, states"):
            await web.ask(subjects.history("acme", "everything"))
        with pytest.raises(Rejected, match="end_ms"):
            await web.ask(subjects.history("acme", "raw"), b'{"tags": [1], "start_ms": 5, "end_ms": 5}')
        for body in (b"", b"{", b'{"tags": [1], "start_ms": 5, "end_ms": 6, "tenant": 8}', b'{"tags": []}'):
            with pytest.raises(Rejected):
                await web.ask(subjects.history("acme", "trend"), body)
        await web.close()


async def test_a_long_raw_answer_comes_in_chunks_and_may_be_left(plant: Plant) -> None:
    async with at_work(plant, query_threads=1) as store:
        for first in range(0, 400_000, 50_000):
            sequence = await send(plant, numbered(np.full(50_000, 1), first))
        await plant.stored(subjects.LIVE, sequence)
        body = RawQuery(tags=(1,), **SPAN).model_dump_json().encode()
        web = await plant.server.connect("web")
        chunks = [chunk async for chunk in web.ask_chunks(subjects.history("acme", "raw"), body)]
        assert len(chunks) > 4
        assert pa.ipc.open_stream(b"".join(chunks)).read_all().num_rows == 400_000
        # Left after the first chunk, the only query thread must be free again for the next asker.
        async for _ in web.ask_chunks(subjects.history("acme", "raw"), body):
            break
        await web.close()
        assert (await ask(plant, "acme", "extent"))["samples"].to_pylist() == [400_000]
        assert store.extent(ACME).samples == 400_000


async def test_stored_messages_leave_the_stream_but_the_last_of_each_subject(plant: Plant) -> None:
    async with at_work(plant, replay_keep_s=1):
        for number in range(20):
            sequence = await send(plant, numbered([1], number))
        await plant.stored(subjects.LIVE, sequence)

        async with asyncio.timeout(PATIENCE_S):
            while (state := (await plant.admin.js.stream_info(subjects.LIVE)).state).messages > 1:
                await asyncio.sleep(0.2)
        assert state.last_seq == sequence
        assert await plant.gateway.last_on(subjects.LIVE, subjects.readings("acme", "g1")) is not None


async def test_of_a_stream_with_little_room_what_is_stored_takes_half(plant: Plant) -> None:
    config = (await plant.admin.js.stream_info(subjects.LIVE)).config
    config.max_bytes = 100_000
    await plant.admin.js.update_stream(config)

    async def room() -> int | None:
        """Return how many bytes are left once a good part has gone, little by little."""
        state = (await plant.admin.js.stream_info(subjects.LIVE)).state
        return state.bytes if state.bytes < (config.max_bytes or 0) * 3 // 4 else None

    # What it refuses comes again; here it is left out.
    with suppress(APIError):
        for number in range(1000):
            await send(plant, numbered(range(20), number * 20))
    async with at_work(plant):
        left = await until(room)
    assert left > config.max_bytes // 4


async def test_the_bus_may_go_away_and_come_back(plant: Plant) -> None:
    async with at_work(plant) as store:
        await plant.stored(subjects.LIVE, await send(plant, numbered([1])))
        await plant.server.kill()
        await asyncio.sleep(0.5)
        await plant.server.start_again()
        await until(lambda: plant.gateway.connected and plant.admin.connected)
        await plant.stored(subjects.LIVE, await send(plant, numbered([1], 10)))
        assert values(store, ACME, (1,)) == [0, 10]


async def test_a_stream_made_anew_is_read_from_its_beginning(plant: Plant) -> None:
    async with at_work(plant):
        for number in range(3):
            sequence = await send(plant, numbered([1], number))
        await plant.stored(subjects.LIVE, sequence)
    config = (await plant.admin.js.stream_info(subjects.LIVE)).config
    await plant.admin.js.delete_stream(subjects.LIVE)
    await plant.admin.js.add_stream(config)
    async with at_work(plant) as store:
        batch = build(Column.FLOAT64, [1], [NOW + 5000], [10], 192, Origin.MACHINE)
        assert await send(plant, batch) == 1
        await until(lambda: sorted(values(store, ACME, (1,))) == [0, 1, 2, 10])


async def test_a_tenant_made_while_it_runs_is_served(plant: Plant) -> None:
    async with at_work(plant):
        await plant.health()
        definition = TenantDefinition(key="third", number=9, revision=1, name=Words(en="Third"))
        await plant.admin.put_definition(tenant_key("third", 9), definition)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    assert (await ask(plant, "third", "extent"))["samples"].to_pylist() == [0]
                    break
                except MainspringError:
                    await asyncio.sleep(0.05)


async def test_a_full_disk_stops_storing_in_words_and_loses_nothing(plant: Plant, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    async with at_work(plant, folder=small_disk, disk_free_min_bytes=8 * 1024**2) as store:
        await plant.stored(subjects.LIVE, await send(plant, numbered([1])))
        ballast.write_bytes(bytes(18 * 1024**2))
        sequence = await send(plant, numbered([1], 10))
        health = await plant.health(lambda health: health.state == "degraded")
        assert health.text is not None
        assert "Free some space" in health.text["en"]
        assert "请释放空间" in health.text["zh"]
        assert values(store, ACME, (1,)) == [0]
        ballast.unlink()
        await plant.stored(subjects.LIVE, sequence)
        assert values(store, ACME, (1,)) == [0, 10]
        assert (await plant.health(lambda health: health.state == "running")).text is None


async def test_a_disk_full_amid_an_insert_loses_and_doubles_nothing(plant: Plant, small_disk: Path) -> None:
    """Without a mark the disk fills to the last byte while inserts fail half-way; later all is there once."""
    noise = np.random.default_rng(3)
    async with at_work(plant, folder=small_disk) as store:
        (small_disk / "ballast").write_bytes(bytes(20 * 1024**2))
        sent = 0
        for _ in range(60):
            batch = numbered(np.full(40_000, 1), sent)
            times = NOW - np.arange(40_000) % 8 * 3_600_000 * 24
            batch = build(Column.FLOAT64, batch.tag, times, batch.value + noise.random(40_000), 192, Origin.MACHINE)
            sequence = await send(plant, batch)
            sent += 40_000
        health = await plant.health(lambda health: health.state == "degraded")
        assert health.text is not None
        assert str(small_disk) in health.text["en"]
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
        await plant.stored(subjects.LIVE, sequence)
        query = RawQuery(tags=(1,), start_ms=0, end_ms=2**51, limit=5_000_000)
        found = np.concatenate([chunk["value"].to_numpy() for chunk in store.raw(ACME, query)])
        assert np.array_equal(np.sort(np.floor(found)), np.arange(sent))
