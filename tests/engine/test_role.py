"""The engine on a real bus: alarms at once, restarts without doubles or losses, floods, refusals."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bus.conftest import BusUnderTest
from tests.engine.plants import alarm, alarm_id, alarm_page, tag
from tests.engine.running import (
    Running,
    acknowledge,
    current,
    define,
    engine,
    listed,
    now_ms,
    recorded,
    send,
    start,
)
from tests.waiting import PATIENCE_S, until

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import AlarmEvent
from mainspring.core.definitions import alarm_page_key
from mainspring.core.errors import DecodeError, LimitExceeded
from mainspring.core.health import Health
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build


def transitions(events: list[AlarmEvent]) -> list[str]:
    return [event.transition.value for event in events]


def no_doubles(events: list[AlarmEvent]) -> None:
    assert max(Counter(event.id for event in events).values(), default=1) == 1


async def test_a_value_is_current_and_an_alarm_is_told(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])
    told: asyncio.Queue[AlarmEvent] = asyncio.Queue()

    async def on_alarm(message: Any) -> None:
        told.put_nowait(AlarmEvent.model_validate_json(message.data))

    await web.nc.subscribe(subjects.ALARM_ALL, cb=on_alarm)
    async with engine(bus, tmp_path / "e"):
        await send(gateway, 7, 11.5)
        event = await asyncio.wait_for(told.get(), PATIENCE_S)
        assert (event.transition, event.value, event.alarm) == ("raised", 11.5, alarm_id(1))
        row, foreign = await current(web, 7, 8)
        assert (row["number"], row["flags"], foreign["flags"]) == (11.5, 1, 0)
        assert (await current(web, 7, tenant="other"))[0]["flags"] == 0
        assert [each["alarm"] for each in await listed(web)] == [str(alarm_id(1))]
        assert await listed(web, tenant="other") == []
        assert (await acknowledge(web, alarm_id(1), tenant="other"))["acknowledged"] == []
        answer = await acknowledge(web, alarm_id(1), alarm_id(2))
        assert answer["acknowledged"] == [str(alarm_id(1))]
        assert answer["refused"][0]["text"]["zh"]
        assert (await asyncio.wait_for(told.get(), PATIENCE_S)).by == "p-17"
    assert transitions(await recorded(admin)) == ["raised", "acknowledged"]
    for each in (admin, gateway, web):
        await each.close()


async def test_definitions_change_while_it_runs(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway = await bus.connect("admin"), await bus.connect("gateway-acme-g1")
    async with engine(bus, tmp_path / "e") as one:
        await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])

        async def known() -> bool:
            return one.engine.state.alarms.defined == 1

        await until(known)
        await send(gateway, 7, 9.0)

        async def taken() -> bool:
            return bool(one.engine.state.values.tags["known"][7])

        await until(taken)
        await admin.put_definition(alarm_page_key("acme", 0), alarm_page(alarm(1, 7, "H", 8)))
        await until(lambda: _count(admin, 1))
        await admin.delete_definition(alarm_page_key("acme", 0))
        await until(lambda: _count(admin, 2))
    assert transitions(await recorded(admin)) == ["raised", "removed"]
    for each in (admin, gateway):
        await each.close()


async def _count(admin: Bus, wanted: int) -> bool:
    return int((await admin.js.stream_info(subjects.ALARM)).state.messages) >= wanted


async def test_a_clean_restart_knows_everything_and_repeats_nothing(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7), tag(8)], [alarm(1, 7, "H", 10), alarm(2, 8, "H", 10, on_delay_ms=60_000)])
    async with engine(bus, tmp_path / "e") as one:
        await send(gateway, 7, 11.0)
        last = await send(gateway, 8, 12.0)
        await until(lambda: _position(one, last))
        await acknowledge(web, alarm_id(1))
        before = await listed(web)
    # Nothing of LIVE is needed any more.
    await admin.js.purge_stream(subjects.LIVE)
    async with engine(bus, tmp_path / "e") as two:
        assert two.engine.position == last
        assert await listed(web) == before
        assert before[0]["acknowledged_by"] == "p-17"
        assert [row["number"] for row in await current(web, 7, 8)] == [11.0, 12.0]
        since = two.engine.state.alarms.rows["since"][two.engine.state.alarms.find([alarm_id(2)])[0]]
        assert since == two.engine.state.values.tags["time"][8]
    assert transitions(await recorded(admin)) == ["raised", "acknowledged"]
    for each in (admin, gateway, web):
        await each.close()


async def _position(one: Running, wanted: int) -> bool:
    return one.engine.position >= wanted


@pytest.mark.parametrize("snapshot", ["fresh", "none", "torn", "old"])
async def test_a_killed_engine_comes_back_to_the_same_place(bus: BusUnderTest, tmp_path: Path, snapshot: str) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    tags = [tag(ordinal, stale_ms=600) for ordinal in range(6)]
    alarms = [alarm(ordinal, ordinal, "H", 10) for ordinal in range(5)]
    await define(admin, tags, [*alarms, alarm(10, 5, "stale"), alarm(11, 4, "L", -10, on_delay_ms=200)])
    folder = tmp_path / "e"
    file = folder / "engine.snapshot"
    one = await start(bus, folder)
    await send(gateway, 0, 11.0)  # will be acknowledged
    await send(gateway, 1, 11.0)  # will be acknowledged, cleared, raised again
    await send(gateway, 2, 11.0)  # will be cleared
    await send(gateway, 4, -11.0)  # raised by the sweep
    await send(gateway, 5, 1.0)  # turns stale
    await until(lambda: _count(admin, 4))
    if snapshot == "old":
        await one.engine._save()
    await acknowledge(web, alarm_id(0), alarm_id(1))
    await send(gateway, 1, 9.0)
    await send(gateway, 1, 12.0)
    await send(gateway, 2, 9.0)
    await until(lambda: _count(admin, 10))
    if snapshot in {"fresh", "torn"}:
        await one.engine._save()
    before = await listed(web)
    await one.kill()
    if snapshot == "torn":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    if snapshot == "none":
        file.unlink()
    await send(gateway, 3, 13.0)  # raised while nobody ran
    two = await start(bus, folder)
    await until(lambda: _count(admin, 11))
    after = await listed(web)
    assert sorted(map(str, before)) == sorted(map(str, (row for row in after if row["alarm"] != str(alarm_id(3)))))
    assert len(after) == len(before) + 1
    await two.stop()
    events = await recorded(admin)
    no_doubles(events)
    assert Counter(transitions(events)) == {"raised": 7, "cleared": 2, "acknowledged": 2}
    for each in (admin, gateway, web):
        await each.close()


async def test_replays_far_beyond_the_duplicate_window_send_nothing_twice(bus: BusUnderTest, tmp_path: Path) -> None:
    """The server forgets ids after a while: what is recorded already must not even be sent."""
    admin, gateway = await bus.connect("admin"), await bus.connect("gateway-acme-g1")
    await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])
    config = (await admin.js.stream_info(subjects.ALARM)).config
    config.duplicate_window = 0.1
    await admin.js.update_stream(config)
    for turn in range(4):
        one = await start(bus, tmp_path / "e")
        await send(gateway, 7, 11.0)
        await send(gateway, 7, 9.0)
        await until(partial(_count, admin, 2 * turn + 2))
        await one.kill()
        await asyncio.sleep(0.3)
    events = await recorded(admin)
    no_doubles(events)
    assert transitions(events) == ["raised", "cleared"] * 4
    for each in (admin, gateway):
        await each.close()


async def test_transitions_lost_on_the_way_are_sent_after_a_restart(
    bus: BusUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, gateway = await bus.connect("admin"), await bus.connect("gateway-acme-g1")
    await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])
    one = await start(bus, tmp_path / "e")
    await one.engine._save()

    async def stuck(_posts: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(one.engine.outbox, "_send", stuck)
    last = await send(gateway, 7, 11.0)
    await until(lambda: _position(one, last))
    await one.kill()
    assert await recorded(admin) == []
    async with engine(bus, tmp_path / "e"):
        await until(lambda: _count(admin, 1))
    no_doubles(await recorded(admin))
    for each in (admin, gateway):
        await each.close()


async def test_a_definition_removed_while_nobody_ran_is_told(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7), tag(8)], [alarm(1, 7, "H", 10), alarm(2, 8, "H", 10)])
    one = await start(bus, tmp_path / "e")
    await send(gateway, 7, 11.0)
    await until(lambda: _count(admin, 1))
    await one.engine._save()
    await send(gateway, 8, 11.0)
    await until(lambda: _count(admin, 2))
    await one.kill()
    await admin.put_definition(alarm_page_key("acme", 0), alarm_page())
    for _ in range(2):
        async with engine(bus, tmp_path / "e"):
            assert await listed(web) == []
    assert transitions(await recorded(admin)) == ["raised", "raised", "removed", "removed"]
    for each in (admin, gateway, web):
        await each.close()


async def test_a_limit_changed_while_nobody_ran_is_judged(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway = await bus.connect("admin"), await bus.connect("gateway-acme-g1")
    await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])
    async with engine(bus, tmp_path / "e") as one:
        last = await send(gateway, 7, 9.0)
        await until(lambda: _position(one, last))
    await define(admin, [tag(7)], [alarm(1, 7, "H", 8)])
    async with engine(bus, tmp_path / "e"):
        await until(lambda: _count(admin, 1))
    for each in (admin, gateway):
        await each.close()


async def test_the_bus_is_killed_and_comes_back(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])
    async with engine(bus, tmp_path / "e") as one:
        await send(gateway, 7, 11.0)
        await until(lambda: _count(admin, 1))
        await bus.kill()
        await asyncio.sleep(0.3)
        await bus.start_again()

        async def sent() -> bool:
            try:
                await send(gateway, 7, 9.0)
            except Exception:
                return False
            return True

        await until(sent)
        await until(lambda: _count(admin, 2))
        assert one.engine.state.values.tags["number"][7] == 9.0
        await until(lambda: _empty_or_error(web))
    no_doubles(await recorded(admin))
    for each in (admin, gateway, web):
        await each.close()


async def _empty_or_error(web: Bus) -> bool:
    row = await listed(web)
    return bool(row) and row[0]["state"] == "cleared-unacknowledged"


async def test_a_flood_loses_nothing_and_memory_stays_bounded(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway = await bus.connect("admin"), await bus.connect("gateway-acme-g1")
    await define(
        admin,
        [tag(ordinal) for ordinal in range(500)],
        [alarm(4 * ordinal + row, ordinal, "H", 10 + row) for ordinal in range(500) for row in range(4)],
    )
    most = 0
    async with engine(bus, tmp_path / "e", transitions_max=3000) as one:
        for turn in range(6):
            number = 0.0 if turn % 2 else 50.0
            batch = build(Column.FLOAT64, np.arange(500), now_ms() + turn, [number] * 500, 0xC0, Origin.MACHINE)
            await gateway.js.publish(subjects.readings("acme", "g1"), batch.encode())
        while (await admin.js.stream_info(subjects.ALARM)).state.messages < 12_000:
            most = max(most, one.engine.outbox.waiting)
            await asyncio.sleep(0.02)
    assert 2000 < most <= 3000 + 2000
    no_doubles(await recorded(admin))
    for each in (admin, gateway):
        await each.close()


async def test_malformed_and_foreign_batches_are_counted_and_reported(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, other, status = [await bus.connect(name) for name in ("admin", "gateway-other-g1", "status")]
    await define(admin, [tag(7)], [alarm(1, 7, "H", 10)])
    reports: asyncio.Queue[Health] = asyncio.Queue()

    async def on_health(message: Any) -> None:
        reports.put_nowait(Health.model_validate_json(message.data))

    await status.nc.subscribe(subjects.HEALTH_ALL, cb=on_health)
    await status.settled()
    async with engine(bus, tmp_path / "e"):
        await other.js.publish(subjects.readings("other", "g1"), b"not a batch")
        foreign = build(Column.FLOAT64, [7], now_ms(), [99.0], 0xC0, Origin.MACHINE)
        await other.js.publish(subjects.readings("other", "g1"), foreign.encode())
        while True:
            health = await asyncio.wait_for(reports.get(), PATIENCE_S)
            if health.figures["samples_refused"]:
                break
        assert (health.state, health.figures["batches_malformed"], health.figures["tags"]) == ("running", 1, 1)
    assert await recorded(admin) == []
    for each in (admin, other, status):
        await each.close()


async def test_odd_requests_are_refused_in_words(bus: BusUnderTest, tmp_path: Path) -> None:
    web = await bus.connect("web")
    async with engine(bus, tmp_path / "e"):
        with pytest.raises(DecodeError, match="uint32"):
            await web.ask(subjects.current("acme"), b"12345")
        with pytest.raises(LimitExceeded, match="at most 100000"):
            await web.ask(subjects.current("acme"), bytes(4 * 100_001))
        with pytest.raises(DecodeError, match="not a request"):
            await web.ask(subjects.alarms("acme", "acknowledge"), b"{}")
        with pytest.raises(DecodeError, match="shelve"):
            await web.ask(subjects.alarms("acme", "shelve"))
        many = json.dumps({"alarms": [str(alarm_id(n)) for n in range(10_001)], "by": "x"}).encode()
        with pytest.raises(LimitExceeded, match="at most 10000"):
            await web.ask(subjects.alarms("acme", "acknowledge"), many)
    await web.close()
