"""History from files on a whole platform: Parquet, CSV, line protocol, remote write; and the same file once more.

`python -m benchmarks.history_import [--quick]`; the files are made first and are not part of what is measured.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from benchmarks.figures import QUICK, say
from benchmarks.platform_under_test import Platform, platform
from mainspring.history.importing.prometheus import write_request

PARQUET: Final = 1_000_000 if QUICK else 20_000_000
TEXT: Final = 200_000 if QUICK else 5_000_000
WRITTEN: Final = 100_000 if QUICK else 1_000_000
TAGS: Final = 1000
PART: Final = 8 * 1024 * 1024
SAMPLES_A_REQUEST: Final = 2000
BEGIN_MS: Final = 1_767_225_600_000
DAY_MS: Final = 86_400_000
LIMIT_S: Final = 600


def told(figure: str, value: float, unit: str, wanted: str = "") -> None:
    """Print one figure of this scenario."""
    say("history_import", figure, value, unit, wanted)


def readings(rows: int, start_ms: int) -> pa.Table:
    """Return random walks with two decimals of all tags, second by second."""
    seconds = rows // TAGS
    rng = np.random.default_rng(5)
    values = np.cumsum(rng.normal(0, 0.05, (seconds, TAGS)), axis=0) + 50
    names = pa.array([f"bench/T{tag:04}" for tag in range(TAGS)])
    places = np.tile(np.arange(TAGS, dtype=np.int32), seconds)
    times = pa.array(np.repeat(start_ms + np.arange(seconds) * 1000, TAGS), pa.timestamp("ms", "UTC"))
    path = pa.DictionaryArray.from_arrays(places, names)
    return pa.table({"path": path, "time": times, "value": pa.array(values.round(2).ravel())})


def parquet(file: Path) -> int:
    """Write the long form in order of time."""
    pq.write_table(readings(PARQUET, BEGIN_MS), file, row_group_size=1_000_000)
    return PARQUET


def by_tag(file: Path) -> int:
    """Write the long form tag by tag, over a year: each part of the file has all days."""
    each = PARQUET // TAGS
    step_ms = 365 * DAY_MS // each
    names = pa.array([f"bench/T{tag:04}" for tag in range(TAGS)])
    path = pa.DictionaryArray.from_arrays(np.repeat(np.arange(TAGS, dtype=np.int32), each), names)
    times = np.tile(BEGIN_MS - 400 * DAY_MS + np.arange(each) * step_ms, TAGS)
    values = np.random.default_rng(7).normal(50, 5, PARQUET).round(2)
    table = pa.table({"path": path, "time": pa.array(times, pa.timestamp("ms", "UTC")), "value": pa.array(values)})
    pq.write_table(table, file, row_group_size=1_000_000)
    return PARQUET


def wide(file: Path) -> int:
    """Write a column for each tag."""
    table = readings(PARQUET, BEGIN_MS + DAY_MS)
    values = table["value"].to_numpy().reshape(-1, TAGS)
    columns = {f"bench/T{tag:04}": pa.array(np.ascontiguousarray(values[:, tag])) for tag in range(TAGS)}
    times = pa.array(BEGIN_MS + DAY_MS + np.arange(len(values)) * 1000, pa.timestamp("ms", "UTC"))
    pq.write_table(pa.table({"time": times, **columns}), file, row_group_size=5000)
    return PARQUET


def csv(file: Path) -> int:
    """Write the long form as text."""
    pv.write_csv(readings(TEXT, BEGIN_MS + 2 * DAY_MS), file)
    return TEXT


def line_protocol(file: Path) -> int:
    """Write a line for each reading."""
    table = readings(TEXT, BEGIN_MS + 3 * DAY_MS)
    names, values = table["path"].to_pylist(), table["value"].to_pylist()
    times = table["time"].cast(pa.int64()).to_pylist()
    with file.open("w") as out:
        for start in range(0, TEXT, 100_000):
            some = slice(start, start + 100_000)
            lines = zip(names[some], values[some], times[some], strict=True)
            out.write("".join(f"{name} value={value} {time_ms}000000\n" for name, value, time_ms in lines))
    return TEXT


def until(running: Platform, id: str, stage: str) -> dict[str, Any]:
    """Wait until an import has come to a stage."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        state: dict[str, Any] = running.ask(f"/history/imports/{id}")
        if state["stage"] == stage:
            return state
        if state["stage"] not in {"checking", "loading"}:
            sys.exit(f"the import ended as {state['stage']}: {state['text']}")
        time.sleep(0.1)
    sys.exit("the import did not end")


def imported(running: Platform, file: Path, rule: str = "") -> tuple[float, float, float, dict[str, Any]]:
    """Upload, check and load a file; returns the seconds of each, and the report."""
    began = time.monotonic()
    state = running.ask("/history/imports", {"name": file.name, "bytes": file.stat().st_size})
    address = f"http://127.0.0.1:{running.web_port}/api/v1/history/imports/{state['id']}/content"
    with file.open("rb") as opened:
        for offset in itertools.count(0, PART):
            part = opened.read(PART)
            if not part:
                break
            request = urllib.request.Request(f"{address}?offset={offset}", part, method="PUT")
            request.add_header("Authorization", f"Bearer {running.token}")
            with urllib.request.urlopen(request, timeout=120) as answer:
                state = json.loads(answer.read())
    sent = time.monotonic()
    layout = state["layout"] | ({"rule": rule} if rule else {})
    running.ask(f"/history/imports/{state['id']}/check", layout)
    until(running, state["id"], "checked")
    checked = time.monotonic()
    running.ask(f"/history/imports/{state['id']}/load", {"create_below": None})
    report = until(running, state["id"], "loaded")["report"]
    return sent - began, checked - sent, time.monotonic() - checked, report


def remote_write(running: Platform) -> float:
    """Send remote writes one after another; returns the seconds."""
    codec = pa.Codec("snappy")
    bodies = []
    seconds = SAMPLES_A_REQUEST // TAGS
    for start in range(0, WRITTEN // TAGS, seconds):
        request = write_request()()
        for tag in range(TAGS):
            series = request.timeseries.add()
            series.labels.add(name="__name__", value=f"bench/T{tag:04}")
            for second in range(start, start + seconds):
                series.samples.add(value=tag + second / 8, timestamp=BEGIN_MS + 4 * DAY_MS + second * 1000)
        bodies.append(codec.compress(request.SerializeToString(), asbytes=True))
    began = time.monotonic()
    for body in bodies:
        address = f"http://127.0.0.1:{running.web_port}/api/v1/history/prometheus/write"
        request = urllib.request.Request(address, body, method="POST")
        request.add_header("Authorization", f"Bearer {running.token}")
        request.add_header("Content-Type", "application/x-protobuf")
        request.add_header("Content-Encoding", "snappy")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 204
    return time.monotonic() - began


def main() -> None:
    """Measure each form."""
    with tempfile.TemporaryDirectory() as place, platform(Path(place)) as running:
        folder = Path(place)
        asset = running.ask("/assets", {"kind": "unit", "name": {"en": "bench", "zh": ""}, "parent": None})
        items = [{"name": f"T{tag:04}", "asset": asset["id"]} for tag in range(TAGS)]
        running.ask("/tags/bulk", {"items": items, "dry_run": False})
        forms: tuple[tuple[str, str, Callable[[Path], int], str, str], ...] = (
            ("Parquet, a row for each reading", "long.parquet", parquet, "", ">= 1,000,000"),
            ("Parquet, tag by tag over a year", "by-tag.parquet", by_tag, "", ""),
            ("Parquet, a column for each tag", "wide.parquet", wide, "", ">= 1,000,000"),
            ("CSV", "long.csv", csv, "", ""),
            ("line protocol", "readings.lp", line_protocol, "{measurement}", ""),
        )
        for words, name, make, rule, wanted in forms:
            file = folder / name
            rows = make(file)
            upload, check, load, report = imported(running, file, rule)
            assert (report["stored"], report["refused"]) == (rows, 0), report
            told(f"{words}: loaded", rows / load, "values/s", wanted)
            told(f"{words}: checked", rows / check, "values/s")
            told(f"{words}: uploaded", file.stat().st_size / upload / 1e6, "MB/s")
            if make is parquet:
                *_, load, report = imported(running, file)
                assert report["there"] == rows
                told(f"{words}: loaded once more, nothing stored", rows / load, "values/s")
            file.unlink()
        took = remote_write(running)
        told(f"remote write, {SAMPLES_A_REQUEST:,} samples a request, one after another", WRITTEN / took, "values/s")


if __name__ == "__main__":
    main()
