"""Runs each scenario in its own process and writes docs/benchmarks.md; `python -m benchmarks NAME` runs one.

`python -m benchmarks page` only writes the page anew; `python -m benchmarks.NAME --quick` shows that a scenario works.
"""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.plots import svg

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "docs" / "benchmarks.jsonl"
IMAGES = ROOT / "docs" / "images" / "benchmarks"

# name, what it shows, longest time in seconds
SCENARIOS = (
    (
        "flood",
        "500,000 tags at 1 Hz with a limit each for ten minutes, an open page and questions",
        1500,
    ),
    ("flat_out", "As fast as it goes with 500,000 tags and a limit each, beside VictoriaMetrics", 900),
    ("alarm_latency", "From a value leaving a device's socket to the alarm on the page, besides 500,000 values/s", 600),
    (
        "small_messages",
        "5,000 MQTT devices with three values a second each, alarm rules on; then flat out, beside peers",
        900,
    ),
    ("idle", "All roles and the demo plant, left alone", 180),
    ("history_store", "The embedded history store alone", 600),
    ("size", "Bytes per value on disk: kinds of readings, codecs, beside VictoriaMetrics", 900),
    ("growth", "Cost of a value from 50,000 to 1,000,000 tags at 1 Hz", 900),
    (
        "growth_history",
        "Queries and appending by the size of the history, up to 5 GB (`--gigabytes 20` for more)",
        9000,
    ),
    ("queries", "Queries over a year of history, and what its rollups cost at 500,000 tags", 900),
    ("cold", "A day of history moves to Parquet files, and is read from there by the API and by DuckDB", 600),
    ("engine", "The engine's arrays and compiled loops alone", 300),
    ("gateway", "The gateway's path alone: report by exception, segment log, publishing", 300),
    ("modbus", "Modbus TCP, next to pymodbus in the same run", 300),
    ("mqtt", "MQTT devices on the gateway's listener, QoS 1, synced before it is acknowledged: 5,000 connections", 200),
    ("sparkplug", "Sparkplug payloads to batches, without a network", 60),
    ("opcua_subscribe", "OPC UA subscriptions", 300),
    ("acquisition", "A whole gateway: 1,000 Modbus devices, OPC UA, writes while 100,000 tags/s are read", 900),
    ("peers_acquisition", "The same devices read by pymodbus, asyncua and Node-RED, besides our drivers", 200),
    ("commands", "100 tags written by HTTP, selected, executed and read back, on a whole platform", 300),
    ("tag_import", "Tags imported from a workbook, on a whole platform", 400),
    (
        "record_import",
        "100,000 items from a workbook, checked, loaded, exported and taken back, on a whole platform",
        600,
    ),
    ("records_lists", "Lists, searches and the tree among 1,000,000 records, in SQLite and PostgreSQL", 2400),
    ("people_clicking", "200 people signed in who click around on a whole platform", 400),
    ("events", "Events of a plant captured, found and traced, on a whole platform", 200),
    ("history_import", "History imported from Parquet, CSV, line protocol and remote write, on a whole platform", 900),
    ("backup", "A running platform backed up: all of it, what is new, verified, restored", 900),
    ("faults", "Kills, frozen roles and power cuts at random moments; every reading is numbered", 3600),
    ("link", "A gateway beyond a link that is cut, slow and lossy: 50,000 tags catch up while live values go on", 1200),
    ("overload", "Twice what the bus can hold, for ten minutes", 1500),
    ("live_feed", "The live feed: 100 pages of 1,000 tags", 180),
)

Figure = dict[str, object]


def main(arguments: list[str]) -> int:
    """Run the scenarios named, or all, keep their figures and write the page; returns the number that failed.

    What comes from the first option on is passed to the scenario; figures of the quick form are not kept.
    """
    first = next((place for place, word in enumerate(arguments) if word.startswith("--")), len(arguments))
    names, options = arguments[:first], arguments[first:]
    kept = _kept()
    failed = 0
    for name, _words, seconds_max in SCENARIOS:
        if names and name not in names:
            continue
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        told = run(command, seconds_max)
        if told is None:
            failed += 1
            continue
        figures = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        for figure in figures:
            if "plot" not in figure:
                print(f"   {label(name, figure)}: {shown(figure)}", flush=True)
        kept[name] = beside_former(figures, kept.get(name, []))
    if "--quick" in options:
        return failed
    RESULTS.write_text("".join(json.dumps({"run": name, **figure}, ensure_ascii=False) + "\n"
                               for name, figures in kept.items() for figure in figures), encoding="utf-8")  # fmt: skip
    draw(kept)
    PAGE.write_text(page(kept), encoding="utf-8")
    return failed


def beside_former(figures: list[Figure], former: list[Figure]) -> list[Figure]:
    """Give each figure what the run before found for it, so that the page shows whether a second run says the same."""
    values = {(each.get("scenario"), each["figure"]): each["value"] for each in former if "plot" not in each}
    for figure in figures:
        if "plot" not in figure and (before := values.get((figure.get("scenario"), figure["figure"]))) is not None:
            figure["before"] = before
    return figures


def run(command: list[str], seconds_max: int) -> str | None:
    """Run a scenario and return what it printed, or None if it failed; one that takes too long may still clean up."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        told, _ = process.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        print(f"   failed: it took more than {seconds_max} s", flush=True)
        return None
    if process.returncode:
        print(f"   failed: it ended with {process.returncode}", flush=True)
        return None
    return told


def draw(kept: dict[str, list[Figure]]) -> None:
    """Draw the plots anew."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for file in IMAGES.glob("*.svg"):
        file.unlink()
    for name, figures in kept.items():
        for figure in figures:
            if "plot" in figure:
                (IMAGES / f"{name}-{figure['plot']}.svg").write_text(svg(figure), encoding="utf-8")


def _kept() -> dict[str, list[Figure]]:
    """Return the figures of earlier runs, so that one scenario can be run again alone."""
    kept: dict[str, list[Figure]] = {}
    known = {name for name, _words, _seconds in SCENARIOS}
    if RESULTS.exists():
        for line in RESULTS.read_text(encoding="utf-8").splitlines():
            figure = json.loads(line)
            name = figure.pop("run")
            if name in known:
                kept.setdefault(name, []).append(figure)
    return kept


def shown(figure: Figure, which: str = "value") -> str:
    """Write a figure with its unit; nothing where it was not measured."""
    value = figure.get(which)
    if value is None:
        return ""
    if isinstance(value, int | float):
        digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.4g}"
        return f"{digits} {figure['unit']}"
    return f"{value} {figure['unit']}"


def label(run: str, figure: Figure) -> str:
    """Name a figure, with the part of the run it belongs to where there are several."""
    part = str(figure.get("scenario", run))
    return str(figure["figure"]) if part == run else f"{part}: {figure['figure']}"


def machine() -> str:
    """Describe this machine in one sentence."""
    name = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        name = next((line.split(":")[1].strip() for line in cpu.read_text().splitlines() if "model name" in line), name)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores ({name}), {memory:.0f} GiB memory, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def page(kept: dict[str, list[Figure]]) -> str:
    """Write the whole page."""
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}. Machine: {machine()}. The load is made on the same",
        "cores. `.venv/bin/python -m benchmarks NAME` runs one scenario and writes this page anew; with `--quick` it",
        "shows in short that it works. *Run before* is what the run before found. `.venv/bin/python -m",
        "benchmarks.peers` says which programs of others are there to be measured beside and how to install the rest.",
        "",
    ]
    notes = PAGE.with_name("benchmarks-notes.md")
    for name, words, _seconds in SCENARIOS:
        if not kept.get(name):
            continue
        lines += [f"## {name}", "", words + ".", "", "| figure | value | run before | wanted |", "|---|---|---|---|"]
        told = [row for row in kept[name] if "plot" not in row]
        lines += [
            f"| {label(name, row)} | {shown(row)} | {shown(row, 'before')} | {row.get('wanted', '')} |" for row in told
        ]
        lines.append("")
        for row in kept[name]:
            if "plot" in row:
                lines += [f"![{row['title']}](images/benchmarks/{name}-{row['plot']}.svg)", ""]
    if notes.exists():
        lines.append(notes.read_text(encoding="utf-8"))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
