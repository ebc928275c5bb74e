"""Files of history are read as they are: forms, times, kinds, and each bad row by its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainspring.core.errors import Rejected
from mainspring.core.kinds import Column
from mainspring.history.importing.csv_files import CsvReader
from mainspring.history.importing.influx import InfluxReader
from mainspring.history.importing.layout import Layout, check_layout, look
from mainspring.history.importing.parquet_files import ParquetReader
from mainspring.history.importing.rows import FLOAT, NOBODY, REFUSED, TEXT, WHOLE, Target, settle
from mainspring.history.importing.values import times

BEGIN_MS = 1_767_225_600_000
NOW_MS = BEGIN_MS + 10**10
TAGS = {
    "f": Target(1, FLOAT), "n": Target(2, WHOLE), "b": Target(3, WHOLE, {"on": 1, "off": 0, "true": 1, "运行": 1}),
    "t": Target(4, TEXT), "blob": Target(5, REFUSED),
}  # fmt: skip


def read(reader: Any, position: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Read all behind a position; returns samples by tag, faults by line, unknown names, and every position."""
    found: dict[str, Any] = {"samples": {}, "faults": [], "unknown": {}, "empty": 0, "positions": []}
    for rows in reader.rows(position):
        settled = settle(rows, lambda name: TAGS.get(name, NOBODY), NOW_MS)
        for part in settled.parts:
            values = part.value.to_pylist() if part.column is Column.TEXT else part.value.tolist()
            lists = (part.tag.tolist(), part.time.tolist(), values, part.quality.tolist())
            for tag, time, value, quality in zip(*lists, strict=True):
                found["samples"].setdefault(tag, []).append((time - BEGIN_MS, value, quality))
        found["faults"] += [(fault.line, fault.cause) for fault in settled.faults]
        for name, (count, line) in settled.unknown.items():
            before = found["unknown"].get(name, (0, line))
            found["unknown"][name] = (before[0] + count, before[1])
        found["empty"] += settled.empty
        found["positions"].append(rows.position)
    return found


def csv(folder: Path, text: str, encoding: str = "utf-8", **layout: Any) -> tuple[Path, Layout]:
    file = folder / "a.csv"
    file.write_bytes(text.encode(encoding))
    return file, look(file, "a.csv", "Asia/Shanghai").layout.model_copy(update=layout)


def test_each_bad_row_of_a_csv_is_told_by_its_line(tmp_path: Path) -> None:
    file, layout = csv(
        tmp_path,
        "tag,time,value,quality\r\n"
        "f,2026-01-01T00:00:00Z,1.5,\r\n"
        "\r\n"
        "f,2026-02-30T00:00:00Z,1,\r\n"
        'f,2026-01-01T00:00:01Z,"2,5",\r\n'
        'f,2026-01-01T00:00:01Z,"2.5,\r\n'
        "f,2026-01-01T00:00:02Z\r\n"
        "n,2026-01-01T00:00:02Z,2.5,\r\n"
        "n,2026-01-01T00:00:03Z,9007199254740993,192\r\n"
        "b,2026-01-01T00:00:03Z, ON ,\r\n"
        "b,2026-01-01T00:00:04Z,运行,uncertain\r\n"
        "b,2026-01-01T00:00:04Z,gone,\r\n"
        't,2026-01-01T00:00:05Z,"a, ""b""",\r\n'
        "f,2026-01-01T00:00:06Z,,\r\n"
        "f,2026-01-01T00:00:06Z,,bad\r\n"
        "f,2026-01-01T00:00:07Z,inf,\r\n"
        "f,2026-01-01T00:00:07Z,1,so-so\r\n"
        "f,1996-01-01T00:00:07Z,1,\r\n"
        ",2026-01-01T00:00:07Z,1,\r\n"
        "blob,2026-01-01T00:00:07Z,1,\r\n"
        "nobody,2026-01-01T00:00:07Z,1,\r\n"
        "nobody,2026-01-01T00:00:08Z,1,",
    )
    found = read(CsvReader(file, layout))
    assert found["faults"] == [
        (4, "time"), (5, "number"), (6, "quote"), (7, "columns"), (8, "whole"), (12, "whole"), (14, "empty"),
        (16, "number"), (17, "quality"), (18, "range"), (19, "name"), (20, "kind"),
    ]  # fmt: skip
    first, last = found["samples"][1]
    assert first == (0, 1.5, 192)
    assert (last[0], last[2], np.isnan(last[1])) == (6000, 0, True)
    assert found["samples"][2] == [(3000, 2**53 + 1, 192)]
    assert found["samples"][3] == [(3000, 1, 192), (4000, 1, 0x40)]
    assert found["samples"][4] == [(5000, 'a, "b"', 192)]
    assert found["unknown"] == {"nobody": (2, 21)}


def test_a_chinese_spreadsheet_with_a_column_for_each_tag_is_read(tmp_path: Path) -> None:
    text = "时间;f;n;备注\r\n2026/1/1 8:00:00;1,5;;x\r\n2026/1/1 8:00:01;;3;\r\n2026/1/1 8:00:6x;2;3;\r\n"
    file, layout = csv(tmp_path, text, "gb18030", left_out=["备注"])
    assert (layout.form, layout.time, layout.encoding, layout.decimal_comma) == ("wide", "时间", "gb18030", True)
    found = read(CsvReader(file, layout))
    assert found["samples"] == {1: [(0, 1.5, 192)], 2: [(1000, 3, 192)]}
    assert (found["faults"], found["empty"]) == ([(4, "time")], 2)


def test_reading_goes_on_behind_any_block(tmp_path: Path) -> None:
    rows = "".join(f"f,{BEGIN_MS + row},{'x' if row % 97 == 5 else row}\n" for row in range(1000))
    file, layout = csv(tmp_path, "tag,time,value\n" + rows)
    whole = read(CsvReader(file, layout, 1000))
    assert len(whole["positions"]) > 10
    assert len(whole["samples"][1]) + len(whole["faults"]) == 1000
    for place in (0, 3, len(whole["positions"]) - 1):
        position = whole["positions"][place]
        rest = read(CsvReader(file, layout, 1000), position)
        kept = [sample for sample in whole["samples"][1] if sample[0] >= position["line"] - 1]
        assert rest["samples"].get(1, []) == kept
        assert rest["faults"] == [fault for fault in whole["faults"] if fault[0] > position["line"]]


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["1767225600", "1767225600.5"], "auto"), (["1767225600000", "1767225600500"], "auto"),
        (["1767225600000000", "1767225600500000"], "auto"), (["1767225600000000000", "1767225600500000000"], "ns"),
        (["2026-01-01 08:00:00", "2026-01-01T08:00:00.5"], "auto"), (["2026-01-01", "2026-01-01T00:00:00.500Z"], "iso"),
        (["2026-01-01T08:00:00+08:00", "2026-01-01 00:00:00.5+00"], "auto"),
        (["2026/1/1 8:00:00", "1767225600.5"], "auto"),
    ],
)  # fmt: skip
def test_times_of_every_form(cells: list[str], unit: str) -> None:
    found, good = times(pa.array(cells), unit, "Asia/Shanghai")
    first = BEGIN_MS - (8 * 3_600_000 if cells[0] == "2026-01-01" else 0)
    assert good.all()
    assert found.tolist() == [first, BEGIN_MS + 500]


def test_an_hour_that_comes_twice_is_taken_for_the_first(tmp_path: Path) -> None:
    found, good = times(pa.array(["2025-10-26 02:30:00", "2025-10-26 03:30:00"]), "auto", "Europe/Berlin")
    assert good.all()
    assert np.diff(found).tolist() == [2 * 3_600_000]


def test_parquet_long_and_wide_and_from_any_row(tmp_path: Path) -> None:
    moments = pa.array([BEGIN_MS + row * 1000 for row in range(10)], pa.timestamp("ms", "UTC"))
    names = pa.array(["f", "n"] * 5).dictionary_encode()
    table = pa.table({"path": names, "time": moments, "value": [float(row) for row in range(10)]})
    long = tmp_path / "long.parquet"
    pq.write_table(table, long, row_group_size=4)
    layout = look(long, "long.parquet", "UTC").layout
    assert (layout.format, layout.form) == ("parquet", "long")
    found = read(ParquetReader(long, layout, 3))
    assert found["samples"][1] == [(row * 1000, float(row), 192) for row in range(0, 10, 2)]
    assert found["samples"][2] == [(row * 1000, row, 192) for row in range(1, 10, 2)]
    for position in filter(None, found["positions"]):
        rest = read(ParquetReader(long, layout, 3), position)
        assert sum(map(len, rest["samples"].values())) == 10 - position["row"]
    wide = tmp_path / "wide.parquet"
    columns: dict[str, Any] = {"when": moments, "f": [1.5, None] * 5, "n": list(range(10)), "t": ["x"] * 10}
    pq.write_table(pa.table(columns), wide)
    found = read(ParquetReader(wide, look(wide, "wide.parquet", "UTC").layout))
    assert found["samples"][1] == [(row * 1000, 1.5, 192) for row in range(0, 10, 2)]
    assert found["samples"][2] == [(row * 1000, row, 192) for row in range(10)]
    assert (len(found["samples"][4]), found["empty"]) == (10, 5)


def test_line_protocol_is_named_by_its_rule(tmp_path: Path) -> None:
    file = tmp_path / "a.lp"
    file.write_text(
        "# readings\n"
        f"line,site=x f=1.5,n=3i,b=true {BEGIN_MS}000000\n"
        f"line,site=x f=2 {BEGIN_MS + 1}000000\n"
        f'line,site=x t="a, \\"b\\" = c",n=4u {BEGIN_MS}000000\n'
        f"line,site=x\\ y f=1 {BEGIN_MS}000000\n"
        "line,site=x f=1\n"
        "no line\n"
        "\n"
        f"line,site=x f=one {BEGIN_MS}000000\n"
    )
    layout = look(file, "a.lp", "UTC").layout
    assert (layout.format, layout.time_unit) == ("influx", "ns")
    found = read(InfluxReader(file, layout.model_copy(update={"rule": "{field}"})))
    assert found["samples"] == {
        1: [(0, 1.5, 192), (1, 2.0, 192), (0, 1.0, 192)], 2: [(0, 3, 192), (0, 4, 192)], 3: [(0, 1, 192)],
        4: [(0, 'a, "b" = c', 192)],
    }  # fmt: skip
    assert sorted(found["faults"]) == [(6, "line"), (7, "line"), (9, "number")]
    named = read(InfluxReader(file, layout.model_copy(update={"rule": "{site}/{measurement}/{field}"})))
    assert "x y/line/f" in named["unknown"]


def test_what_is_no_such_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for content in (b"", b"\x00\x01\x02", b"one column\n1\n", b"PAR1 no parquet"):
        file = tmp_path / "a"
        file.write_bytes(content)
        with pytest.raises(Rejected):
            look(file, "a", "UTC")
    with pytest.raises(Rejected):
        check_layout(Layout(form="long", time="a", tag="b"), ["a", "b"])
    with pytest.raises(Rejected):
        check_layout(Layout(form="wide", time="gone"), ["a", "b"])
