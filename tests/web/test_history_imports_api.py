"""Importing history through the API: parts, layout, check, load, kills in between, other companies."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.answer import Answer
from tests.e2e.platform import eventually
from tests.records import ground
from tests.records.plant import author
from tests.waiting import PATIENCE_S
from tests.web.dying_import import MOMENTS
from tests.web.dying_import import ROWS as DYING_ROWS
from tests.web.running import Records, Running, running

from mainspring.bus.credentials import seed_file
from mainspring.core.kinds import Origin
from mainspring.records.importing.files import WORKING
from mainspring.records.importing.processes import Processes
from mainspring.web.api import history_imports as api
from mainspring.web.configure import current
from mainspring.web.importing.imports import HistoryImports

BEGIN_MS = 1_767_225_600_000
PART = 64 * 1024


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept, engine=False, historian=True) as up:
        own = seed_file(ground.FOLDER / "secrets", "importer")
        own.parent.mkdir(exist_ok=True)
        shutil.copy(seed_file(up.server.folder / "secrets", "importer"), own)
        yield up
    shutil.rmtree(ground.FOLDER / "history-imports", ignore_errors=True)


def put(web: Running, id: str, offset: int, part: bytes, who: str = "engineer") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {web.records.tokens[who]}", "Content-Type": "application/octet-stream"}
    connection.request("PUT", f"/api/v1/history/imports/{id}/content?offset={offset}", part, headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


async def upload(web: Running, name: str, content: bytes) -> dict[str, Any]:
    made = await web.ask("POST", "/history/imports", {"name": name, "bytes": len(content)}, "engineer")
    assert made.status == 201, made.body
    state: dict[str, Any] = made.json
    id = state["id"]
    for offset in range(0, len(content), PART):
        answer = await asyncio.to_thread(put, web, id, offset, content[offset : offset + PART])
        assert answer.status == 200, answer.body
        state = answer.json
    return state


async def until(web: Running, id: str, *stages: str) -> Any:
    async def there() -> Any:
        state = await web.get(f"/history/imports/{id}", "engineer")
        assert state["stage"] in {*stages, "checking", "loading"}, state
        return state if state["stage"] in stages else None

    return await web.until(there, 180)


async def checked(web: Running, state: dict[str, Any], **layout: Any) -> Any:
    await web.post(f"/history/imports/{state['id']}/check", state["layout"] | layout, "engineer")
    return await until(web, state["id"], "checked")


async def loaded(web: Running, id: str, create_below: str | None = None) -> Any:
    await web.post(f"/history/imports/{id}/load", {"create_below": create_below}, "engineer")
    return await until(web, id, "loaded")


async def series(web: Running, ordinal: int) -> Any:
    asked = {"tags": [ordinal], "start_ms": BEGIN_MS - 10**9, "end_ms": BEGIN_MS + 10**11}
    return (await web.post("/history/raw", asked))["series"][0]


LONG = (
    b"path,time,value,quality\r\n"
    b"Site/a/u/T1,2026-01-01 08:00:00,1.5,\r\n"
    b"T1,2026-01-01T00:00:01Z,2.5,bad\r\n"
    b"Site/a/u/T1,yesterday,3,\r\n"
    b"\r\n"
    b"Site/a/u/T1,2026-01-01 08:00:03,three,\r\n"
    b"Site/a/u/T1,2026-01-01 08:00:03\r\n"
    b"Site/a/u/N,2026-01-01 08:00:04,7,\r\n"
    b'Site/a/u/S,2026-01-01 08:00:05,"stopped, empty",\r\n'
    b"Elsewhere/X,2026-01-01 08:00:05,1,\r\n"
    b"Site/a/u/new,2026-01-01 08:00:06,9,\r\n"
)


async def test_a_file_with_bad_rows_is_checked_and_loaded_and_tells_each_by_its_line(web: Running) -> None:
    state = await upload(web, "long.csv", LONG)
    assert state["stage"] == "columns"
    assert state["columns"] == ["path", "time", "value", "quality"]
    assert (state["layout"]["form"], state["layout"]["zone"]) == ("long", "Asia/Shanghai")
    state = await checked(web, state)
    assert {name: state["counts"][name] for name in ("values", "refused", "unknown_rows")} == {
        "values": 4, "refused": 3, "unknown_rows": 2,
    }  # fmt: skip
    assert {(each["name"], each["count"], each["line"]) for each in state["unknown"]} == {
        ("Elsewhere/X", 1, 10), ("Site/a/u/new", 1, 11),
    }  # fmt: skip
    assert (await series(web, web.records.ordinal("T1")))["time"] == [], "a check writes nothing"
    for language, reason in (("en", "The time cannot be read"), ("zh", "时间无法识别")):
        answer = await web.ask("GET", f"/history/imports/{state['id']}/refused?language={language}", who="engineer")
        rows = answer.body.decode("utf-8-sig").splitlines()
        assert [row.split(",")[0] for row in rows[1:]] == ["4", "6", "7"]
        assert rows[1] == f'4,{reason},"Site/a/u/T1,yesterday,3,"'
    state = await loaded(web, state["id"])
    assert {name: state["report"][name] for name in ("stored", "there", "refused")} == {
        "stored": 4, "there": 0, "refused": 3,
    }  # fmt: skip
    found = await series(web, web.records.ordinal("T1"))
    assert (found["time"], found["value"], found["quality"]) == ([BEGIN_MS, BEGIN_MS + 1000], [1.5, 2.5], [192, 0])
    assert found["origin"] == [Origin.IMPORTED] * 2
    again = await checked(web, await upload(web, "long.csv", LONG))
    again = await loaded(web, again["id"], create_below="")
    assert (again["created"], again["report"]["stored"], again["report"]["there"]) == (2, 2, 4)
    tags = (await web.get("/tags?search=new", "engineer"))["items"]
    assert [tag["path"] for tag in tags] == ["site/a/u/new"]
    entries = (await web.get("/audit?object=history-import"))["items"]
    assert [entry["object_name"] for entry in entries if entry["object_kind"] == "history-import"]


async def test_an_upload_goes_on_where_it_broke_and_a_part_at_another_place_is_refused(web: Running) -> None:
    made = await web.ask("POST", "/history/imports", {"name": "a.csv", "bytes": len(LONG)}, "engineer")
    id = made.json["id"]
    assert (await asyncio.to_thread(put, web, id, 0, LONG[:100])).status == 200
    assert (await asyncio.to_thread(put, web, id, 50, LONG[50:])).status == 409
    assert (await web.get(f"/history/imports/{id}", "engineer"))["received"] == 100
    early = await web.ask("POST", f"/history/imports/{id}/check", {}, "engineer")
    assert early.status == 409
    assert (await asyncio.to_thread(put, web, id, 100, LONG[100:] + b"more")).status == 422
    answer = await asyncio.to_thread(put, web, id, 100, LONG[100:])
    assert answer.json["stage"] == "columns"
    assert (await asyncio.to_thread(put, web, id, len(LONG), b"x")).status == 409


async def test_another_company_finds_none_of_it_and_an_operator_may_not(web: Running) -> None:
    state = await upload(web, "a.csv", LONG)
    assert (await web.ask("GET", f"/history/imports/{state['id']}", who="stranger")).status == 404
    assert (await asyncio.to_thread(put, web, state["id"], 0, b"x", "stranger")).status == 404
    assert (await web.ask("GET", "/history/imports", who="operator")).status == 403
    foreign = b"path,time,value\nSite/a/u/T1,2026-01-01 08:00:00,1\n"
    made = await web.ask("POST", "/history/imports", {"name": "f.csv", "bytes": len(foreign)}, "stranger")
    answer = await asyncio.to_thread(put, web, made.json["id"], 0, foreign, "stranger")
    await web.post(f"/history/imports/{made.json['id']}/check", answer.json["layout"], "stranger")

    async def done() -> Any:
        found = await web.get(f"/history/imports/{made.json['id']}", "stranger")
        return found if found["stage"] == "checked" else None

    state = await web.until(done, 180)
    assert (state["counts"]["values"], state["counts"]["unknown_rows"]) == (0, 1)


def parquet(ordinary: int, rows: int) -> bytes:
    times = BEGIN_MS + np.arange(rows) * 1000
    columns: dict[str, Any] = {"timestamp": pa.array(times, pa.timestamp("ms", "UTC")), "T1": np.arange(rows) / 4}
    table = pa.table(columns)
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=ordinary)
    return out.getvalue()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_at_any_moment_it_goes_on_without_loss_or_double(web: Running, moment: str) -> None:
    rows = 3 * DYING_ROWS + 1
    state = await checked(web, await upload(web, "wide.parquet", parquet(DYING_ROWS, rows)))
    assert (state["layout"]["form"], state["counts"]["values"]) == ("wide", rows)
    id = state["id"]
    dying = Processes([sys.executable, "-m", "tests.web.dying_import", moment], current().for_imports(), 1)
    killed = HistoryImports(ground.FOLDER / "history-imports", dying, dying)
    someone = author(web.records.plant)

    def die() -> None:
        killed.load(someone, UUID(id), None, api._bus())
        eventually(lambda: killed.get(someone, UUID(id))["stage"] not in WORKING, 180, "the process is gone")

    try:
        await asyncio.to_thread(ground.in_thread, die)
    finally:
        await asyncio.to_thread(killed.close)
    state = await web.get(f"/history/imports/{id}", "engineer")
    assert state["stage"] == ("loaded" if moment == MOMENTS[2] else "interrupted")
    if moment == MOMENTS[2]:
        assert (await web.ask("POST", f"/history/imports/{id}/load", {}, "engineer")).status == 409
    else:
        state = await loaded(web, id)
        tasks = await web.get("/tasks", "engineer")
        assert (tasks["items"][0]["id"], tasks["items"][0]["kind"]) == (id, "history")
    assert state["report"]["stored"] + state["report"]["there"] == rows
    assert not (killed.store.find(web.records.plant.key, UUID(id)).upload).exists()
    entries = (await web.get("/audit?object=history-import"))["items"]
    assert len(entries) == 1
    asked = {
        "tags": [web.records.ordinal("T1")], "start_ms": BEGIN_MS, "end_ms": BEGIN_MS + rows * 1000,
        "step_ms": rows * 1000, "functions": ["count", "min", "max", "mean"],
    }  # fmt: skip
    answer = await web.ask("POST", "/history/aggregate", asked)
    assert answer.status == 200, answer.body
    told = json.loads(answer.body)
    found = {name: told["series"][0][name][0] for name in ("count", "min", "max", "mean")}
    assert found == {"count": rows, "min": 0.0, "max": (rows - 1) / 4, "mean": (rows - 1) / 8}
