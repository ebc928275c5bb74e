"""Entering, correcting and referring to samples, through the API, the bus, the engine and the history."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.answer import Answer
from tests.records.plant import modbus, tag
from tests.waiting import PATIENCE_S
from tests.web.running import Records, Running, now_ms, records, running

from mainspring.core import subjects
from mainspring.core.arrays import WAVEFORM, Waveform
from mainspring.core.history import CORRECTED, LATE
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import GOOD, UNCERTAIN
from mainspring.core.samples import build

WORDS = {"0": {"en": "closed", "zh": "关"}, "1": {"en": "open", "zh": "开"}, "2": {"en": "moving", "zh": "动作中"}}
HOUR = 3_600_000


@pytest.fixture
def kept(database: None) -> Records:
    made = records()
    of, unit = made.plant, made.tags["T1"].asset
    made.tags["E"] = tag(of, "E", unit, kind="enumeration", words=WORDS)
    made.limit("E", "H", 0.5, priority="low")
    made.tags["B"] = tag(of, "B", unit, kind="boolean")
    made.tags["A"] = tag(of, "A", unit, kind="array")
    made.tags["W"] = tag(of, "W", unit, kind="blob")
    source = modbus(of)
    address = {"table": "holding", "register": 0, "type": "float32"}
    made.tags["M"] = tag(of, "M", unit, connection=source.id, address=address)
    return made


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept, historian=True) as made:
        yield made


async def enter(web: Running, name: str, value: Any, who: str = "operator", **more: Any) -> Answer:
    return await web.ask("POST", "/samples", {"tag": web.records.ordinal(name), "value": value, **more}, who)


async def samples(web: Running, name: str) -> list[tuple[Any, ...]]:
    """Return value, quality, origin and flags of a tag's samples."""
    column = {"float64": "float64", "text": "text", "array": "text", "blob": "text"}
    of = web.records.tags[name]
    asked = {
        "tags": [of.ordinal], "start_ms": 1_000_000_000_000, "end_ms": now_ms() + HOUR,
        "column": column.get(of.sample_kind, "int64"),
    }  # fmt: skip
    (found,) = (await web.post("/history/raw", asked))["series"]
    return list(zip(found["value"], found["quality"], found["origin"], found["flags"], strict=True))


async def current(web: Running, name: str) -> Any:
    told = await web.get(f"/current?tags={web.records.ordinal(name)}")
    return told["values"][0], told["origins"][0]


async def test_what_people_enter_goes_the_way_of_what_machines_send(web: Running) -> None:
    _, stream = await web.watch("T1", "N", "E", "B", "S", "A")
    entered = {"T1": 120.5, "N": str(2**60 + 1), "E": "开", "B": True, "S": "批次 8", "A": [1.5, None, -2]}
    for name, value in entered.items():
        assert (await enter(web, name, value, comment="lab")).status == 200
    for _ in range(2):
        # Sent twice with the same id, as after a lost answer: kept once.
        assert (await enter(web, "T2", 7.5, id="0199a000-0000-7000-8000-000000000001")).status == 200
    shown = {"T1": 120.5, "N": str(2**60 + 1), "E": 1, "B": 1, "S": "批次 8", "A": "[1.5,null,-2]"}
    await web.until(lambda: samples(web, "T2"), PATIENCE_S)
    assert [row[0] for row in await samples(web, "T2")] == [7.5]
    for name, value in shown.items():
        assert [row[:3] for row in await samples(web, name)] == [(value, GOOD, Origin.MANUAL)]
    assert [await current(web, name) for name in shown] == [(value, Origin.MANUAL) for value in shown.values()]
    told_live: dict[int, Any] = {}
    while told_live.get(web.records.ordinal("N")) != str(2**60 + 1):
        event = await stream.event(20)
        if event.name in {"snapshot", "values"}:
            told_live |= dict(zip(event.document["tags"], event.document["values"], strict=True))
    alarms = await web.get("/alarms")
    raised = {row["tag_name"]: row["words"] for row in alarms["items"]}
    assert raised == {"T1": None, "E": WORDS}, "an entered value raises alarms"
    await web.until(lambda: _has_history(web))
    told = await web.get(f"/samples/entered?tag={web.records.ordinal('T1')}")
    assert told["items"][0] | {"made_ms": 0, "time_ms": 0} == {
        "made_ms": 0, "time_ms": 0, "by": "Person operator", "value": 120.5, "quality": GOOD, "comment": "lab"
    }  # fmt: skip
    export = await web.ask("POST", "/history/export", {
        "tags": [web.records.ordinal(name) for name in ("N", "E")], "start_ms": now_ms() - HOUR, "end_ms": now_ms() + 1,
        "language": "zh",
    })  # fmt: skip
    assert export.status == 200, export.body
    text = export.body.decode()
    assert str(2**60 + 1) in text, "whole numbers are exact in files"
    assert ',"开",' in text, "states are told in words"
    assert "人工" in text


async def _has_history(web: Running) -> bool:
    """Tell whether the file of transitions says the state in words."""
    file = await web.ask("GET", "/alarms/history?format=csv&language=zh")
    return file.status == 200 and ",开," in file.body.decode()


async def test_what_is_wrong_or_not_allowed_is_refused_in_words(web: Running) -> None:
    wrong = {"T1": "hot", "N": 2**63, "E": 7, "B": 2, "S": "", "A": ["x"], "W": "sha256:00"}
    for name, value in wrong.items():
        answer = await enter(web, name, value)
        assert (answer.status, list(answer.json["fields"])) == (422, ["value"]), name
    answer = await enter(web, "T1", 1.0, time_ms=now_ms() + HOUR)
    assert (answer.status, list(answer.json["fields"])) == (422, ["time_ms"])
    assert (await enter(web, "T1", 1.0, who="viewer")).status == 403
    assert (await enter(web, "M", 1.0)).status == 403, "what a connection reads is not for operators to enter"
    assert (await enter(web, "M", 1.0, who="engineer")).status == 200
    assert (await enter(web, "X", 1.0, who="administrator")).status == 404, "another company's"
    assert (await enter(web, "T1", 1.0, who="stranger")).status == 404
    correction = {"tag": web.records.ordinal("T1"), "time_ms": 5, "value": 1.0, "reason": "typo"}
    assert (await web.ask("POST", "/history/correct", correction, "operator")).status == 403
    assert (await web.ask("POST", "/history/correct", correction, "engineer")).status == 404, "no sample at that time"


async def test_a_correction_shows_in_history_and_now_and_keeps_the_former(web: Running) -> None:
    time_ms = now_ms() - 10 * 60_000
    assert (await enter(web, "T1", 93.0, time_ms=time_ms)).status == 200
    await web.until(lambda: samples(web, "T1"), PATIENCE_S)
    correction = {"tag": web.records.ordinal("T1"), "time_ms": time_ms, "value": 39.0, "reason": "digits swapped"}
    answer = await web.post("/history/correct", correction, "engineer")
    assert (answer["former"], answer["value"]) == (93.0, 39.0)
    assert await samples(web, "T1") == [(39.0, GOOD, Origin.MANUAL, CORRECTED)]

    async def renewed() -> bool:
        return bool((await current(web, "T1"))[0] == 39.0)

    await web.until(renewed)
    doubtful = {"tag": web.records.ordinal("T1"), "time_ms": time_ms, "quality": UNCERTAIN, "reason": "sensor was wet"}
    assert (await web.post("/history/correct", doubtful, "engineer"))["value"] == 39.0
    span = {"tag": web.records.ordinal("T1"), "start_ms": time_ms, "end_ms": time_ms + 1}
    told = (await web.post("/history/corrections", span, "viewer"))["items"]
    assert [(row["value"], row["former"], row["quality"], row["by"], row["reason"]) for row in told] == [
        (39.0, 39.0, UNCERTAIN, "Person engineer", "sensor was wet"),
        (39.0, 93.0, GOOD, "Person engineer", "digits swapped"),
    ]
    assert (await web.ask("POST", "/history/corrections", span, "stranger")).status == 404
    backward = span | {"start_ms": span["end_ms"], "end_ms": span["start_ms"]}
    assert (await web.ask("POST", "/history/corrections", backward)).status == 422
    audit = (await web.get("/audit?action=correct"))["items"]
    assert [entry["changes"]["value"] for entry in audit] == [[39.0, 39.0], [93.0, 39.0]]


async def test_a_file_is_entered_row_by_row_and_late_samples_are_marked(web: Running) -> None:
    paths = {name: of.path for name, of in web.records.tags.items()}
    rows = [
        "路径,时间,值,质量,备注",
        f"{paths['T1']},2026-01-02 08:00,12.5,良好,早班",
        f"{paths['E']},2026-01-02T00:00:00+00:00,动作中,,",
        f"{paths['N']},2026-01-02 08:00,{2**62 + 1},uncertain,",
        f"{paths['T1']},tomorrow,1,,",
        f"{paths['E']},2026-01-02 09:00,burst,,",
        f"{paths['X']},2026-01-02 09:00,1,,",
        f"{paths['T1']}\0,2026-01-02 09:00,1,,",
    ]

    async def send(query: str, who: str = "operator") -> Any:
        return await asyncio.to_thread(post_bytes, web, f"/samples/csv{query}", "\r\n".join(rows).encode(), who)

    tried = await send("?dry_run=true")
    assert (tried.json["entered"], [(row["row"], row["field"]) for row in tried.json["refused"]]) == (
        3, [(3, "time"), (4, "value"), (5, "path"), (6, "path")]
    )  # fmt: skip
    assert (await send("")).json["entered"] == 3
    assert (await send("", "viewer")).status == 403
    await web.until(lambda: samples(web, "N"), PATIENCE_S)
    assert await samples(web, "T1") == [(12.5, GOOD, Origin.MANUAL, LATE)]
    assert await samples(web, "E") == [(2, GOOD, Origin.MANUAL, LATE)]
    assert await samples(web, "N") == [(str(2**62 + 1), UNCERTAIN, Origin.MANUAL, LATE)]


def post_bytes(web: Running, path: str, content: bytes, who: str, media_type: str = "text/csv") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {web.records.tokens[who]}", "Content-Type": media_type}
    connection.request("POST", f"/api/v1{path}", content, headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


async def test_blobs_are_kept_by_hash_for_their_company_alone(web: Running) -> None:
    wave = Waveform(np.sin(np.arange(200_000) / 50), 12_000.0, "m/s2").encode()
    sha = hashlib.sha256(wave).hexdigest()
    assert (await web.ask("GET", f"/blobs/{sha}")).status == 404
    for _ in range(2):
        made = await asyncio.to_thread(post_bytes, web, "/blobs", wave, "operator", WAVEFORM)
        assert made.json["reference"] == f"sha256:{sha};{WAVEFORM};{len(wave)}", made.body
    assert (await enter(web, "W", made.json["reference"])).status == 200
    found = await web.ask("GET", f"/blobs/{sha}", who="viewer")
    assert (found.status, found.body) == (200, wave)
    assert found.headers["Content-Type"] == "application/octet-stream"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in found.headers["Content-Security-Policy"]
    drawn = await web.get(f"/blobs/{sha}/waveform?buckets=100")
    assert (drawn["count"], drawn["sample_rate_hz"], drawn["unit"], len(drawn["min"])) == (
        200_000,
        12_000.0,
        "m/s2",
        100,
    )
    assert max(drawn["max"]) == pytest.approx(1, abs=1e-3)
    assert (await web.ask("GET", f"/blobs/{sha}", who="stranger")).status == 404, "another company's"
    html = await asyncio.to_thread(post_bytes, web, "/blobs", b"<script>", "operator", "text/html")
    shown = await web.ask("GET", f"/blobs/{html.json['sha256']}")
    assert shown.headers["Content-Type"] == "application/octet-stream"
    assert (await web.ask("GET", f"/blobs/{html.json['sha256']}/waveform")).status == 409
    assert (await web.ask("GET", "/blobs/..%2F..%2Fsecrets")).status == 404
    none = await asyncio.to_thread(post_bytes, web, "/blobs", b"", "operator", "image/png")
    assert (none.status, none.json["code"]) == (422, "invalid")
    assert (await asyncio.to_thread(post_bytes, web, "/blobs", b"x", "viewer", "image/png")).status == 403


async def test_web_may_send_readings_as_nobody_else(web: Running) -> None:
    batch = build(Column.FLOAT64, [web.records.ordinal("T2")], now_ms(), [1.0], GOOD, Origin.MACHINE)
    seen = (await web.admin.js.stream_info(subjects.LIVE)).state.messages
    own = await web.server.connect("web")
    try:
        await own.nc.publish(subjects.readings("acme", "g1"), batch.encode())
        await own.nc.flush()
        assert (await web.admin.js.stream_info(subjects.LIVE)).state.messages == seen
        await own.js.publish(subjects.readings("acme", subjects.BY_HAND), batch.encode())
        assert (await web.admin.js.stream_info(subjects.LIVE)).state.messages == seen + 1
    finally:
        await own.close()
    assert json.loads((await web.ask("GET", "/alarms")).body)["total"] == 0
