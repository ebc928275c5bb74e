"""The live feed over real HTTP, a real bus and the real engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from tests.web.running import GOOD, Records, Running, now_ms, running

from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.web import live
from mainspring.web.live import Hub, LiveSet, Snapshot, Viewer, hub
from mainspring.web.runtime import runtime


@pytest.fixture
async def plant_runs(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept) as made:
        yield made


async def test_a_snapshot_first_and_then_only_what_changes(plant_runs: Running) -> None:
    web = plant_runs
    first, second = web.records.ordinal("T1"), web.records.ordinal("T2")
    at = now_ms()
    await web.value("T1", 1.5, at)
    await web.value("T2", float("nan"), at, 0x08)
    await web.known("T1", "T2")
    _, stream = await web.watch("T2", "T1")
    snapshot = (await stream.until("snapshot")).document
    assert snapshot["tags"] == [first, second]
    assert snapshot["values"] == [1.5, None]
    assert snapshot["times"] == [at, at]
    assert snapshot["qualities"] == [GOOD, 0x08]
    assert snapshot["origins"] == [0, 0]
    assert snapshot["flags"] == [1, 1]
    await asyncio.sleep(3 * live.INTERVAL_S)
    await web.value("T1", 2.5, at + 10)
    changes = (await stream.until("values")).document
    # The NaN of the other tag, which is not equal to itself, is not sent again.
    assert (changes["tags"], changes["values"], changes["times"]) == ([first], [2.5], [at + 10])
    await web.value("T2", 3.0, at + 20)
    changes = (await stream.until("values")).document
    assert (changes["tags"], changes["values"], changes["qualities"]) == ([second], [3.0], [GOOD])


async def test_integers_are_exact_and_texts_are_texts(plant_runs: Running) -> None:
    web = plant_runs
    await web.value("N", 2**53 + 1)
    await web.value("S", "运行 =1+1")
    await web.value("T1", 7.0)
    await web.known("N", "S", "T1")
    _, stream = await web.watch("T1", "N", "S", "X")
    snapshot = (await stream.until("snapshot")).document
    shown = dict(zip(snapshot["tags"], snapshot["values"], strict=True))
    ordinals = {name: web.records.ordinal(name) for name in ("T1", "N", "S", "X")}
    assert [shown[ordinals[name]] for name in ordinals] == [7.0, "9007199254740993", "运行 =1+1", None]
    # Another company's tag is as one that does not exist.
    assert snapshot["flags"][snapshot["tags"].index(ordinals["X"])] == 0
    await web.value("N", 2**53)
    await web.value("S", "")
    changed: dict[int, Any] = {}
    while len(changed) < 2:
        document = (await stream.until("values")).document
        changed |= dict(zip(document["tags"], document["values"], strict=True))
    assert changed == {ordinals["N"]: 2**53, ordinals["S"]: ""}


async def test_a_changed_set_sends_a_new_snapshot_and_an_empty_one_still_beats(plant_runs: Running) -> None:
    web = plant_runs
    await web.value("T1", 1.0)
    await web.known("T1")
    id, stream = await web.watch()
    assert (await stream.until("snapshot")).document["tags"] == []
    changed = await web.ask("PUT", f"/live/{id}", {"tags": [web.records.ordinal("T1")]})
    assert changed.json == {"id": id}
    assert (await stream.until("snapshot")).document["values"] == [1.0]


async def test_beats_come_once_a_second_and_tell_of_the_engine(plant_runs: Running) -> None:
    web = plant_runs
    _, stream = await web.watch("T1")
    beats = [await stream.until("beat") for _ in range(4)]
    gaps = np.diff([beat.document["now_ms"] for beat in beats])
    assert (gaps > 900).all()
    assert (gaps < 1800).all()
    assert beats[-1].document["engine"] == "ok"
    assert beats[-1].document["lag_ms"] >= 0


async def test_a_killed_engine_is_told_and_the_values_stay(plant_runs: Running) -> None:
    web = plant_runs
    await web.value("T1", 1.0)
    await web.known("T1")
    _, stream = await web.watch("T1")
    assert (await stream.until("roles")).document == {"degraded": []}
    await stream.until("snapshot")
    await web.kill_engine()
    assert (await stream.until("beat", lambda beat: beat["engine"] == "silent")).document
    (silent,) = (await stream.until("roles")).document["degraded"]
    assert (silent["role"], silent["state"]) == ("engine", "silent")
    assert "engine" in silent["text"]["en"]
    assert "引擎" in silent["text"]["zh"]
    overview = await web.get("/overview")
    assert overview["engine"] == "silent"
    assert {area["bad_count"] for area in overview["areas"]} == {None}
    refused = await web.ask("GET", "/current?tags=1")
    assert (refused.status, refused.json["code"]) == (503, "not-connected")
    # Who comes later is told at once.
    _, late = await web.watch("T1", who="viewer")
    assert (await late.until("roles")).document["degraded"][0]["role"] == "engine"


async def test_an_alarm_reaches_every_stream_of_its_company_at_once_with_its_names(plant_runs: Running) -> None:
    web = plant_runs
    _, stream = await web.watch()
    _, stranger = await web.watch("X", who="stranger")
    await stream.until("beat")
    await web.value("T1", 101.0)
    row = (await stream.until("alarm")).document
    assert (row["alarm"], row["transition"], row["state"]) == (
        str(web.records.alarms["T1"].id), "raised", "active-unacknowledged",
    )  # fmt: skip
    tag = web.records.tags["T1"]
    assert (row["tag"], row["tag_id"], row["tag_name"], row["path"]) == (tag.ordinal, str(tag.id), "T1", tag.path)
    assert (row["value"], row["limit"], row["priority"], row["unit"]) == (101.0, 100.0, "critical", "°C")
    assert (row["name"]["zh"], row["consequence"]["zh"], row["response"]) == ("T1 报警", "爆裂", None)
    listed = (await web.get("/alarms"))["items"][0]
    same = set(listed) - {"changed_ms", "since_ms", "active", "suppressed_by", "suppression"}
    assert {key: row[key] for key in same} == {key: listed[key] for key in same}
    await web.value("T1", 50.0)
    cleared = (await stream.until("alarm")).document
    assert (cleared["transition"], cleared["state"]) == ("cleared", "cleared-unacknowledged")
    await web.post("/alarms/acknowledge", {"alarms": [row["alarm"]]}, "operator")
    acknowledged = (await stream.until("alarm")).document
    assert acknowledged["acknowledged_by"] == "Person operator"
    with pytest.raises(TimeoutError):
        await stranger.until("alarm", timeout_s=0.5)


async def test_a_set_is_ones_own(plant_runs: Running) -> None:
    web = plant_runs
    made = await web.post("/live", {"tags": [1]}, "viewer")
    for who in ("colleague", "stranger", "administrator"):
        for method, path in (("GET", f"/live/{made['id']}/stream"), ("PUT", f"/live/{made['id']}")):
            answer = await web.ask(method, path, {"tags": []} if method == "PUT" else None, who)
            assert (answer.status, answer.json["code"]) == (404, "not-found")


async def test_sets_and_streams_have_limits(plant_runs: Running) -> None:
    web = plant_runs
    answer = await web.ask("POST", "/live", {"tags": list(range(live.TAGS_MAX + 1))})
    assert answer.status == 422
    assert "tags" in answer.json["fields"]
    assert (await web.ask("POST", "/live", {"tags": [1], "interval_ms": 10})).status == 422
    for _ in range(live.SETS_OF_ONE_MAX):
        id = (await web.post("/live", {"tags": [1]}, "viewer"))["id"]
    answer = await web.ask("POST", "/live", {"tags": [1]}, "viewer")
    assert (answer.status, answer.json["code"]) == (429, "limit")
    await web.post("/live", {"tags": [1]}, "colleague")
    streams = [await web.stream(id, "viewer") for _ in range(live.STREAMS_OF_ONE_MAX)]
    for stream in streams:
        await stream.until("beat")
    assert (await web.ask("GET", f"/live/{id}/stream", who="viewer")).status == 429
    for stream in streams:
        await stream.close()
    await web.until(lambda: not hub.viewers)
    assert hub.snapshots == {}
    assert {each.streams for each in hub.sets.values()} == {0}


async def test_a_set_expires_a_minute_after_its_stream_ended(plant_runs: Running) -> None:
    web = plant_runs
    id, stream = await web.watch("T1")
    await stream.until("beat")
    idle = await web.post("/live", {"tags": [1]})
    for each in hub.sets.values():
        each.idle_since -= live.SET_IDLE_S + 1
    await web.until(lambda: str(next(iter(hub.sets))) == id and len(hub.sets) == 1)
    assert (await web.ask("GET", f"/live/{idle['id']}/stream")).status == 404
    await stream.until("beat")
    await stream.close()
    await web.until(lambda: not hub.viewers)
    again = await web.stream(id)
    await again.until("snapshot")


async def test_a_longer_interval_is_kept(plant_runs: Running) -> None:
    web = plant_runs
    _, slow = await web.watch("T1", interval_ms=1500)
    await slow.until("snapshot")

    async def change() -> None:
        for value in count():
            await web.value("T1", float(value))
            await asyncio.sleep(0.1)

    changing = asyncio.create_task(change())
    arrived = [(await slow.until("values")).at for _ in range(4)]
    changing.cancel()
    await asyncio.wait({changing})
    # Four and a half seconds, three quarters of one at the usual interval; the first may have come late.
    assert arrived[-1] - arrived[0] > 2


def test_an_interval_is_whole_rounds() -> None:
    own = LiveSet(id=UUID(int=1), tenant="t", holder="h", tags=np.array([1], np.uint32), interval_s=1.5)
    viewer = Viewer(own, _revision=own.revision)
    assert [number for number in range(20) if viewer.is_due(1000 + number * live.INTERVAL_S)] == [0, 6, 12, 18]


async def test_a_slow_viewer_gets_the_newest_and_holds_up_nobody(plant_runs: Running) -> None:
    web = plant_runs
    ordinals = [web.records.ordinal(name) for name in ("T1", "T2", "N")]
    texts = web.records.ordinal("S")
    _, quick = await web.watch("S")
    made = await web.post("/live", {"tags": [*ordinals, texts]}, "viewer")
    slow = await web.stream(made["id"], "viewer", buffer_bytes=1024)
    await quick.until("snapshot")
    # Two megabytes a round: more than sockets and servers hold for a reader who does not read.
    for turn in range(12):
        text = f"{turn}" + "x" * 2_000_000
        await web.send(build(Column.TEXT, [texts], now_ms(), [text], GOOD, Origin.MACHINE))
        shown = (await quick.until("values")).document["values"][-1]
        assert shown == text, shown[:9]
    received: list[str] = []
    while not received or not received[-1].startswith("11x"):
        event = await slow.event(10)
        if event.name in {"snapshot", "values"} and isinstance(event.document["values"][-1], str):
            received.append(event.document["values"][-1])
    assert len(received) < 10


async def test_current_values_once_for_programs(plant_runs: Running) -> None:
    web = plant_runs
    await web.value("T1", 4.25)
    await web.known("T1")
    told = await web.get(f"/current?tags={web.records.ordinal('T2')},{web.records.ordinal('T1')}")
    assert dict(zip(told["tags"], told["values"], strict=True)) == {
        web.records.ordinal("T1"): 4.25, web.records.ordinal("T2"): None,
    }  # fmt: skip
    for wrong in ("a", "1,-2", "4294967296", ",".join(["1"] * 2001)):
        answer = await web.ask("GET", f"/current?tags={wrong}")
        assert answer.status == 422
        assert "tags" in answer.json["fields"]


async def test_more_tags_than_the_engine_answers_at_once_are_asked_in_parts(plant_runs: Running) -> None:
    web = plant_runs
    await web.value("T1", 1.0)
    await web.known("T1")
    wanted = np.arange(1, 120_001, dtype=np.uint32)
    columns = await live.ask_current(runtime.require_bus(), "acme", wanted)
    assert {len(values) for values in columns.values()} == {120_000}
    assert columns["number"][web.records.ordinal("T1") - 1] == 1.0


def test_a_viewer_without_places_waits_for_the_next_round() -> None:
    own = LiveSet(id=None, tenant="t", holder="h", tags=np.array([1, 5], np.uint32))  # type: ignore[arg-type]
    viewer = Viewer(own)
    assert viewer.changes(Snapshot(np.array([1, 2], np.uint32), {})) is None
    assert viewer.changes(Snapshot(np.array([], np.uint32), {})) is None


def test_more_alarms_than_wait_are_told_as_missed() -> None:
    many = Hub()
    viewer = many.open(many.post("t", "h", []))
    for number in range(live.ALARMS_WAITING_MAX + 1):
        many.tell_alarm("t", {"alarm": number})
    assert viewer.alarms_lost
    assert len(viewer.alarms) == live.ALARMS_WAITING_MAX
