"""Files of readings: CSV for spreadsheets, Parquet for programs, of any size."""

from __future__ import annotations

import asyncio
import csv
import http.client
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet
import pytest
from tests.waiting import PATIENCE_S
from tests.web.running import Records, Running, floats, running

from mainspring.core import quality
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.records.importing.formulas import neutral
from mainspring.web import exports
from mainspring.web.exports import plant_times

START = 1_750_000_000_000
ROWS = 2_000_000


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept, historian=True, engine=False) as made:
        yield made


async def fill(web: Running) -> None:
    ordinal = web.records.ordinal
    times = START + 1000 * np.arange(3)
    await web.send(floats(ordinal("T1"), times, [1.5, np.nan, -3.0], [0xC0, quality.BAD_NOT_CONNECTED, 0xC0]))
    await web.send(build(Column.INT64, [ordinal("N")], START, [2**62 + 1], 0xC0, Origin.REPLAYED))
    texts = ['=cmd|"x"!A1', "运行,正常", "-5"]
    await web.stored(await web.send(build(Column.TEXT, [ordinal("S")] * 3, times, texts, 0xC0, Origin.MANUAL)))


def question(web: Running, *names: str, **more: Any) -> dict[str, Any]:
    tags = [web.records.ordinal(name) for name in names]
    return {"tags": tags, "start_ms": START, "end_ms": START + 60_000, **more}


async def test_csv_is_for_spreadsheets_in_both_languages(web: Running) -> None:
    await fill(web)
    answer = await web.ask("POST", "/history/export", question(web, "T1", "N", "S", language="zh"), "viewer")
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="history.csv"'
    assert answer.body.startswith(b"\xef\xbb\xbf# ")
    about, *lines = answer.body.decode("utf-8-sig").splitlines()
    assert "工厂; 2025-06-15 23:06:40.000+08:00 - 2025-06-15 23:07:40.000+08:00; " in about
    assert about.endswith("时间为 Asia/Shanghai; 原始样本; 3 个测点")
    rows = list(csv.reader(lines))
    assert rows[0] == ["路径", "时间", "单位", "值", "状态", "质量", "来源", "备注"]
    path = web.records.tags["T1"].path
    assert rows[1] == [path, "2025-06-15 23:06:40.000+08:00", "°C", "1.5", "", "良好", "设备", "迟到"]
    assert rows[2][3:] == ["", "", "坏值：未连接", "设备", "迟到"]
    assert rows[3][3] == "-3"
    assert rows[4][3:] == ["4611686018427387905", "", "良好", "回放", "迟到"]
    assert [row[3] for row in rows[5:]] == ['\'=cmd|"x"!A1', "运行,正常", "'-5"]
    english = await web.ask("POST", "/history/export", question(web, "T1"), "viewer")
    assert english.body.decode("utf-8-sig").splitlines()[1] == "path,time,unit,value,word,quality,origin,remark"
    steps = question(web, "T1", mode="aggregate", step_ms=2000, language="en")
    table = list(csv.reader((await web.ask("POST", "/history/export", steps)).body.decode().splitlines()[1:]))
    assert table[0] == ["path", "time", "unit", *exports.AGGREGATES, "bad"]
    assert table[1][3:6] == ["1.5", "1.5", "1.5"]
    assert (table[1][8], table[1][-1]) == ("1", "1")
    await audited(web)


async def audited(web: Running) -> None:
    entries = (await web.get("/audit?action=export"))["items"]
    assert {entry["object_kind"] for entry in entries} == {"history"}
    assert len(entries) == 3
    assert entries[-1]["changes"]["tags"][1] == [web.records.tags[name].path for name in ("T1", "N", "S")]


async def test_parquet_is_for_programs(web: Running) -> None:
    await fill(web)
    answer = await web.ask("POST", "/history/export", question(web, "T1", format="parquet"))
    table = pyarrow.parquet.read_table(io.BytesIO(answer.body))
    assert table.schema.field("time").type == pa.timestamp("ms", tz="UTC")
    assert table.column("time").cast(pa.int64()).to_pylist() == [START, START + 1000, START + 2000]
    assert table.column("value").to_pylist() == [1.5, None, -3.0]
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert (metadata["plant"], metadata["zone"], metadata["start_ms"]) == ("Acme", "Asia/Shanghai", str(START))
    assert json.loads(metadata["tags"]) == [web.records.tags["T1"].path]
    mixed = await web.ask("POST", "/history/export", question(web, "T1", "N", "S", format="parquet"))
    values = pyarrow.parquet.read_table(io.BytesIO(mixed.body)).column("value").to_pylist()
    assert values == ["1.5", None, "-3", "4611686018427387905", '=cmd|"x"!A1', "运行,正常", "-5"]
    steps = question(web, "T1", "N", format="parquet", mode="aggregate", step_ms=1000)
    wide = pyarrow.parquet.read_table(io.BytesIO((await web.ask("POST", "/history/export", steps)).body))
    assert wide.column("max").to_pylist()[:3] == [1.5, None, -3.0]
    none = question(web, "T2", format="parquet")
    empty = pyarrow.parquet.read_table(io.BytesIO((await web.ask("POST", "/history/export", none)).body))
    assert (empty.num_rows, empty.schema.field("value").type) == (0, pa.float64())


async def test_only_ones_own_tags_are_exported(web: Running) -> None:
    answer = await web.ask("POST", "/history/export", question(web, "X"))
    assert (answer.status, answer.json["code"]) == (404, "not-found")
    assert str(web.records.ordinal("X")) in answer.json["text"]["en"]
    wrongs: tuple[dict[str, Any], ...] = ({"format": "xls"}, {"tags": []}, {"mode": "aggregate", "step_ms": 1})
    for wrong in wrongs:
        assert (await web.ask("POST", "/history/export", question(web, "T1", **wrong))).status == 422


async def test_two_million_rows_need_little_memory(web: Running) -> None:
    ordinal, sequence = web.records.ordinal("T1"), 0
    for start in range(0, ROWS, 50_000):
        times = START + 20 * np.arange(start, start + 50_000)
        sequence = await web.send(floats(ordinal, times, np.arange(start, start + 50_000) / 7))
    await web.stored(sequence, timeout_s=60)
    asked = {"tags": [ordinal], "start_ms": START, "end_ms": START + 20 * ROWS}
    process = psutil.Process()
    for form in ("csv", "parquet"):
        # Once before, so that what is loaded on first use does not count.
        await web.ask("POST", "/history/export", asked | {"format": form, "end_ms": START + 1000})
        before, most, size = process.memory_info().rss, 0, 0
        with (web.folder / form).open("wb") as file:
            async for part in download(web, asked | {"format": form}):
                file.write(part)
                size += len(part)
                most = max(most, process.memory_info().rss - before)
        assert most < 120 * 2**20, f"{form}: {most >> 20} MB for {size >> 20} MB"
    rows = pyarrow.parquet.ParquetFile(web.folder / "parquet")
    assert rows.metadata.num_rows == ROWS
    assert rows.metadata.num_row_groups < 50
    with (web.folder / "csv").open("rb") as file:
        assert sum(1 for _ in file) == ROWS + 2


async def download(web: Running, asked: dict[str, Any]) -> AsyncIterator[bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {web.records.tokens['viewer']}", "Content-Type": "application/json"}
    await asyncio.to_thread(connection.request, "POST", "/api/v1/history/export", json.dumps(asked).encode(), headers)
    response = await asyncio.to_thread(connection.getresponse)
    try:
        assert response.status == 200
        while part := await asyncio.to_thread(response.read, 1_000_000):
            yield part
    finally:
        response.close()
        connection.close()


async def test_an_export_nobody_takes_any_more_ends_and_frees_its_place(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "EXPORTS_MAX", 1)
    ordinal, sequence = web.records.ordinal("T1"), 0
    for start in range(0, 1_000_000, 50_000):
        sequence = await web.send(floats(ordinal, START + 20 * np.arange(start, start + 50_000), 1.0))
    await web.stored(sequence)
    asked = {"tags": [ordinal], "start_ms": START, "end_ms": START + 20_000_000}
    parts = download(web, asked)
    await anext(parts)
    busy = await web.ask("POST", "/history/export", asked)
    assert (busy.status, busy.json["code"]) == (429, "limit")
    await parts.aclose()  # type: ignore[attr-defined]
    await web.until(lambda: exports.exporter.running == 0)
    again = await web.ask("POST", "/history/export", asked | {"end_ms": START + 1000})
    assert again.status == 200


def test_plant_times_know_summer_and_half_hours() -> None:
    def shown(zone: str, *times: int) -> list[str]:
        return list(plant_times(np.array(times, np.int64), zone).to_pylist())

    before = 1_761_440_399_999
    assert shown("Europe/Berlin", before, before + 1) == [
        "2025-10-26 02:59:59.999+02:00", "2025-10-26 02:00:00.000+01:00",
    ]  # fmt: skip
    assert shown("Asia/Kolkata", 0) == ["1970-01-01 05:30:00.000+05:30"]
    assert shown("America/St_Johns", 1_750_000_000_000) == ["2025-06-15 12:36:40.000-02:30"]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\tx", "\rx"])
def test_formulas_are_neutral(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"
    assert neutral(f"a{cell}") == f"a{cell}"
    assert neutral(-1.5) == -1.5
