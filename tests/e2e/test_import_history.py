"""History from a large file by command, beside a running platform whose processes are killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.e2e.platform import BUS, Person, Platform, command, eventually
from tests.waiting import PATIENCE_S

BEGIN_MS = 1_767_225_600_000
TAGS, ROWS = 20, 120_000


def parquet(file: Path, below: str) -> None:
    times = pa.array(BEGIN_MS + np.arange(ROWS) * 1000, pa.timestamp("ms", "UTC"))
    columns: dict[str, Any] = {f"{below}/IMP_{tag:02}": np.arange(ROWS) * (tag + 1) / 8 for tag in range(TAGS)}
    pq.write_table(pa.table({"time": times} | columns), file, row_group_size=30_000)


def figures(person: Person, tag: int) -> tuple[int, float, float]:
    span = ROWS * 1000
    asked = {
        "tags": [tag], "start_ms": BEGIN_MS, "end_ms": BEGIN_MS + span, "step_ms": span,
        "functions": ["count", "max", "mean"],
    }  # fmt: skip
    answer = person.ask("POST", "/history/aggregate", asked)
    if answer.status >= 300:
        return 0, 0.0, 0.0
    series = answer.json["series"][0]
    return series["count"][0], series["max"][0], series["mean"][0]


def whole(person: Person, tag: int, wanted: tuple[int, float, float]) -> bool:
    return figures(person, tag) == wanted


def test_a_file_is_imported_by_command_although_historian_and_bus_are_killed(demo: Platform) -> None:
    person = demo.administrator()
    above = next(each for each in person.get("/assets", search="Plant 1")["items"] if each["kind"] == "site")
    file = demo.folder / "old.parquet"
    parquet(file, "old/machine")
    arguments = ["--config", str(demo.folder / "demo" / "mainspring.toml"), "import-history", str(file)]
    checked = command(*arguments, "--check", cwd=demo.folder)
    assert checked.returncode == 0, checked.stderr
    assert f"{TAGS * ROWS:,} values of {TAGS} unknown names" in checked.stdout
    with subprocess.Popen(
        [sys.executable, "-m", "mainspring", *arguments, "--create-below", above["path"]],
        cwd=demo.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as loading:  # fmt: skip
        assert loading.stdout is not None
        # The names that the check found are tags now: values go out.
        eventually(lambda: person.get("/tags", search="IMP_19")["total"], PATIENCE_S, "tags are made")
        for role in ("historian", BUS):
            demo.restarted(role, demo.kill(role), 60)
        said = loading.stdout.read()
        assert loading.wait(120) == 0, said
    eventually(lambda: person.ask("GET", "/health").status == 200, PATIENCE_S, "the platform answers again")
    for number in (0, TAGS - 1):
        tag = person.tag(f"IMP_{number:02}")
        assert tag["path"] == f"{above['path']}/old/machine/IMP_{number:02}"
        last = (ROWS - 1) * (number + 1) / 8
        wanted = (ROWS, last, last / 2)
        eventually(partial(whole, person, tag["tag"], wanted), PATIENCE_S, f"{tag['path']} is whole")
    listed = person.get("/history/imports")["items"][0]
    assert (listed["name"], listed["stage"]) == ("old.parquet", "loaded")
    assert listed["report"]["stored"] + listed["report"]["there"] == TAGS * ROWS
    again = command(*arguments, "--create-below", above["path"], cwd=demo.folder)
    assert again.returncode == 0, again.stderr
    assert f"0 values stored, {TAGS * ROWS:,} were there" in again.stdout
