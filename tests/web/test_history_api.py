"""Trends, raw samples, aggregates and states through web, bus and the real historian."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.web.running import Records, Running, floats, running

from mainspring.core import quality
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.web.api import history

START = 1_750_000_000_000
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept, historian=True, engine=False) as made:
        yield made


async def fill(web: Running) -> None:
    """Ten minutes at 1 Hz of T1, the third minute bad, the fifth missing; an integer, a text, another company's."""
    ordinal = web.records.ordinal
    times = START + 1000 * np.arange(600)
    values, states = np.arange(600, dtype=float), np.full(600, quality.GOOD)
    values[120:180], states[120:180] = np.nan, quality.BAD_NOT_CONNECTED
    there = np.ones(600, dtype=bool)
    there[240:300] = False
    await web.send(floats(ordinal("T1"), times[there], values[there], states[there]))
    counters = [2**53 + 1, 5, 5]
    await web.send(build(Column.INT64, [ordinal("N")] * 3, START + 1000 * np.arange(3), counters, 0xC0, Origin.MACHINE))
    await web.send(build(Column.TEXT, [ordinal("S")], START, ["运行"], 0xC0, Origin.MANUAL))
    await web.send(floats(ordinal("X"), [START], 66.0), "other")
    await web.stored(await web.send(floats(ordinal("T2"), [START, START + 1], [7.5, 8.5])))


async def test_trend_raw_aggregate_and_states(web: Running) -> None:
    await fill(web)
    ordinal = web.records.ordinal
    await trend(web)
    await raw(web)
    span = {"start_ms": START, "end_ms": START + 600_000}
    step = {"tags": [ordinal("T1")], **span, "step_ms": 60_000, "functions": ["mean", "count", "time_weighted"]}
    (steps,) = (await web.post("/history/aggregate", step))["series"]
    assert steps["count"][:4] == [60, 60, 0, 60]
    assert steps["mean"][:4] == [29.5, 89.5, None, 209.5]
    assert steps["bad"][2] == 60
    (held,) = (await web.post("/history/states", {"tags": [ordinal("N")], **span}))["series"]
    assert held["value"] == [5, "9007199254740993"]
    assert held["held_ms"] == [599_000, 1000]
    # Another company's readings are as none.
    for path, more in (("raw", {}), ("trend", {"buckets": 10}), ("aggregate", {"step_ms": 1000})):
        (series,) = (await web.post(f"/history/{path}", {"tags": [ordinal("X")], **span, **more}))["series"]
        assert series["time"] == []


async def trend(web: Running) -> None:
    first, second = web.records.ordinal("T1"), web.records.ordinal("T2")
    question = {"tags": [first, second], "start_ms": START, "end_ms": START + 600_000, "buckets": 10}

    async def told() -> bool:
        """Ask until the trend tells how old the history is, which it does not wait for."""
        return (await web.post("/history/trend", question, "viewer"))["oldest_ms"] is not None

    await web.until(told)
    answer = await web.post("/history/trend", question, "viewer")
    assert (answer["bucket_ms"], answer["zone"], answer["oldest_ms"]) == (60_000, "Asia/Shanghai", START)
    assert answer["took_ms"] > 0
    one, two = answer["series"]
    assert (one["tag"], two["tag"]) == (first, second)
    # The fifth minute is absent: a gap. The third has bad samples alone: nothing to draw, and that is told.
    assert one["time"] == [START + 60_000 * minute for minute in (0, 1, 2, 3, 5, 6, 7, 8, 9)]
    assert (one["min"][:4], one["good"][:4], one["bad"][:4]) == ([0, 60, None, 180], [60, 60, 0, 60], [0, 0, 60, 0])
    assert (one["first"][1], one["last"][1], one["max"][1], one["mean"][1]) == (60, 119, 119, 89.5)
    assert (two["time"], two["first"], two["last"]) == ([START], [7.5], [8.5])
    for wrong in ({"tags": list(range(33))}, {"buckets": 5000}, {"end_ms": START}, {"until_ms": START + 1}):
        refused = await web.ask("POST", "/history/trend", question | wrong)
        assert (refused.status, refused.json["code"]) == (422, "invalid")


async def raw(web: Running) -> None:
    ordinal = web.records.ordinal
    question = {"tags": [ordinal("T1")], "start_ms": START + 119_000, "end_ms": START + 121_000}
    (series,) = (await web.post("/history/raw", question))["series"]
    assert (series["value"], series["quality"]) == ([119.0, None], [0xC0, quality.BAD_NOT_CONNECTED])
    assert (series["time"], series["origin"]) == ([START + 119_000, START + 120_000], [0, 0])
    whole = {"tags": [ordinal("N")], "start_ms": START, "end_ms": START + 10_000, "column": "int64"}
    (counts,) = (await web.post("/history/raw", whole))["series"]
    assert counts["value"] == ["9007199254740993", 5, 5]
    text = {"tags": [ordinal("S"), ordinal("N")], "start_ms": START, "end_ms": START + 10_000, "column": "text"}
    words, none = (await web.post("/history/raw", text))["series"]
    assert (words["value"], words["origin"], none["value"]) == (["运行"], [1], [])
    answer = await web.ask("POST", "/history/raw", whole, Accept=ARROW)
    assert answer.headers["Content-Type"] == ARROW
    table = pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    assert table.column("value").to_pylist() == [2**53 + 1, 5, 5]


async def test_answers_too_long_for_json_are_for_arrow(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "JSON_ROWS_MAX", 500)
    await fill(web)
    question = {"tags": [web.records.ordinal("T1")], "start_ms": START, "end_ms": START + 600_000}
    refused = await web.ask("POST", "/history/raw", question)
    assert (refused.status, refused.json["code"]) == (429, "limit")
    assert ARROW in refused.json["text"]["en"]
    answer = await web.ask("POST", "/history/raw", question, Accept=ARROW)
    assert pa.ipc.open_stream(io.BytesIO(answer.body)).read_all().num_rows == 540


async def test_without_a_historian_the_answer_says_so(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        question = {"tags": [1], "start_ms": START, "end_ms": START + 1000}
        export = {**question, "tags": [kept.ordinal("T1")]}
        for path, body in (("raw", question), ("trend", question), ("export", export), ("states", question)):
            answer = await web.ask("POST", f"/history/{path}", body)
            assert (answer.status, answer.json["code"]) == (503, "not-connected"), path
            assert "mainspring status" in answer.json["text"]["en"]
        answer = await web.ask("POST", "/history/raw", question, Accept=ARROW)
        assert answer.status == 503
