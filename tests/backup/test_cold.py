"""A platform whose old days lie as Parquet files, in a folder or in S3, is backed up and restored."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest
from tests.backup.commands import backed_up, moved, said
from tests.e2e.platform import Person, Platform, command, eventually, running
from tests.faults.numbered import NumberedSource, Plant, configured, numbered, prepared, settled
from tests.history import seaweed
from tests.waiting import PATIENCE_S

from mainspring.backup import manifest
from mainspring.core import toml
from mainspring.core.cold import ColdSettings
from mainspring.core.files import replace_file

DAY_MS = 86_400_000
STEP_MS = 600_000
DAYS = 4
READINGS = DAYS * DAY_MS // STEP_MS
WAIT_S = PATIENCE_S


@dataclass
class Cold:
    """A platform with four days behind it, which go cold one after another."""

    plant: Plant
    today_ms: int
    late: NumberedSource
    """Readings of the first day, which come when it is cold."""
    service: ColdSettings | None = None
    """The S3 service that has the cold days; none: a folder."""

    @property
    def folder(self) -> Path:
        return self.plant.folder

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    def asked(self, person: Person) -> Any:
        """Return readings, statistics that no rollup has, and trends of all days."""
        tags = [*self.plant.source.devices[0].tags, *self.late.devices[0].tags]
        span = {"tags": tags, "start_ms": self.today_ms - DAYS * DAY_MS, "end_ms": self.today_ms}
        aggregate = {"step_ms": 7_000_003, "functions": ["min", "max", "mean", "count", "first", "last"]}
        raw = person.ask("POST", "/history/raw", span | {"column": "int64"})
        if raw.status >= 300:
            return raw.status, raw.json
        trend = person.post("/history/trend", span | {"buckets": 40})
        return raw.json, person.post("/history/aggregate", span | aggregate), trend["series"]

    def files(self) -> pyarrow.fs.FileSystem:
        """Return the files of the cold history, as any other program reaches them."""
        if self.service is None:
            return pyarrow.fs.SubTreeFileSystem(str(self.folder / "cold"), pyarrow.fs.LocalFileSystem())
        return pyarrow.fs.SubTreeFileSystem(self.service.place.removeprefix("s3://"), seaweed.bucket(self.service))

    def contents(self) -> dict[str, bytes]:
        """Return all files of the cold history."""
        files = self.files()
        found = files.get_file_info(pyarrow.fs.FileSelector("", recursive=True))
        return {each.path: files.open_input_file(each.path).read() for each in found if each.is_file}

    def put(self, contents: dict[str, bytes]) -> None:
        """Put files into the cold history."""
        files = self.files()
        for path, content in contents.items():
            with files.open_output_stream(path) as out:
                out.write(content)

    def cold_after(self, days: int) -> None:
        """Change the setting, start the historian again, and wait until days are cold and nothing is left to do."""
        file = self.folder / "mainspring.toml"
        settings = tomllib.loads(file.read_text())
        settings["history"] = {"cold": "cold", "cold_after_days": days}
        if self.service is not None:
            settings["history"] |= {"cold": self.service.place, "cold_endpoint": self.service.endpoint}
        replace_file(file, toml.written(settings).encode())
        self.plant.platform.restarted("historian", self.plant.platform.kill("historian"))
        today = {"tags": self.late.devices[0].tags, "start_ms": self.today_ms, "end_ms": self.today_ms + DAY_MS}
        person = self.plant.person
        eventually(lambda: person.ask("POST", "/history/raw", today).status == 200, WAIT_S, "the historian answers")
        frontier = (self.today_ms - days * DAY_MS) // DAY_MS
        eventually(lambda: _at_rest(self.folder, frontier), WAIT_S, f"days before {frontier} are cold")


def _at_rest(folder: Path, frontier: int) -> bool:
    """Tell whether the index says that all days before one are cold, and that nothing is left to do."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/data/history/cold.sqlite?mode=ro", uri=True)) as index:
            reached, newest, *left = index.execute(
                "select frontier_day, (select max(day) from file where code is null), (select count(*) from dropping), "
                "(select count(*) from tidying), (select count(*) from file where code is not null) from state"
            ).fetchone()
    except (sqlite3.Error, TypeError):
        return False
    return reached >= frontier and (newest or 0) >= frontier - 1 and not any(left)


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cold]:
    folder = tmp_path_factory.mktemp("plant")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAINSPRING_COLD_KEY", seaweed.KEY)
        environment.setenv("MAINSPRING_COLD_SECRET", seaweed.SECRET)
        platform, port = configured(folder)
        with running(platform):
            plant = prepared(platform, port, devices=1, tags=2, step_ms=STEP_MS)
            late = numbered(plant.person, port, devices=1)
            made = Cold(plant, time.time_ns() // 1_000_000 // DAY_MS * DAY_MS, late)
            plant.source.base_ms = made.today_ms - DAYS * DAY_MS
            late.base_ms = plant.source.base_ms + 3 * STEP_MS
            asyncio.run(plant.source.run(readings=READINGS))
            assert not _lost(platform, plant.source)
            yield made


def _lost(platform: Platform, source: NumberedSource) -> int:
    return settled(platform, source, holds=lambda counted: not counted.lost).lost


def restored(cold: Cold, into: Path, *arguments: str) -> tuple[str, Platform]:
    """Restore a backup, and return what was said and the platform, not started."""
    told = said("restore", cold.backups, "--folder", into, *arguments)
    platform, _port = moved(into)
    platform.username, platform.password = cold.plant.platform.username, cold.plant.platform.password
    return told, platform


def test_days_that_went_cold_are_there_again(cold: Cold, tmp_path: Path) -> None:
    plant = cold.plant
    cold.cold_after(3)
    then, contents = cold.asked(plant.person), cold.contents()
    assert sum(len(each["time"]) for each in then[0]["series"]) == 2 * READINGS and contents
    backed_up(cold.folder, str(cold.backups))
    # The files of the first day are written again, those of another join them.
    asyncio.run(cold.late.run(readings=50))
    assert not _lost(plant.platform, cold.late)
    cold.cold_after(2)
    lie = set(cold.contents())
    assert [path for path in contents.keys() - lie if path.endswith(".parquet")]
    one = cold.folder / "cold" / next(path for path in lie if path.endswith(".parquet"))
    aside = one.rename(cold.folder / "aside")
    failed = command("backup", str(cold.backups), cwd=cold.folder)
    assert failed.returncode and f"lacks {one.relative_to(cold.folder / 'cold')}" in failed.stderr
    aside.rename(one)
    # What a move that was cut short leaves: who reads the folder straight would find readings twice.
    left = Path(shutil.copy(one, one.with_name(f"{one.stem}9.parquet")))
    backed_up(cold.folder, str(cold.backups))
    left.unlink()
    now = cold.asked(plant.person)
    assert now != then
    first, second = (manifest.read(cold.backups, id) for id in manifest.ids(cold.backups))
    assert {each.path for each in second.files if each.path.startswith("cold/")} == {f"cold/{path}" for path in lie}
    restored(cold, tmp_path / "then", "--backup", first.id)
    there = tmp_path / "then" / "cold"
    assert {str(each.relative_to(there)): each.read_bytes() for each in there.rglob("*") if each.is_file()} == contents
    _told, platform = restored(cold, tmp_path / "now")
    with running(platform):
        assert cold.asked(platform.administrator()) == now
        assert not _lost(platform, plant.source) and not _lost(platform, cold.late)


def test_days_in_a_bucket_answer_while_it_is_as_it_was(cold: Cold, tmp_path: Path) -> None:
    plant = cold.plant
    contents, then = cold.contents(), cold.asked(plant.person)
    with seaweed.running(tmp_path / "weed") as cold.service:
        # To another place: the files are copied, the setting is changed.
        cold.put(contents)
        cold.cold_after(2)
        assert cold.asked(plant.person) == then
        assert "is not part of this backup" in backed_up(cold.folder, str(cold.backups))
        made = manifest.read(cold.backups, manifest.ids(cold.backups)[-1])
        assert made.cold == cold.service.place and not [each for each in made.files if each.path.startswith("cold/")]
        asyncio.run(cold.late.run(readings=50))
        assert not _lost(plant.platform, cold.late)
        cold.cold_after(1)
        gone = contents.keys() - cold.contents().keys()
        assert [path for path in gone if path.endswith(".parquet")]
        # Only one platform may use a bucket.
        plant.platform.stop()
        told, platform = restored(cold, tmp_path / "new")
        assert "Cold history lies in s3://" in told and "MAINSPRING_COLD_SECRET" in told
        with running(platform):
            person = platform.administrator()
            status, why = cold.asked(person)
            assert status >= 500 and "Cold history" in str(why), why
            # The bucket as it was then, which only a copy or its own versions have.
            cold.put({path: contents[path] for path in gone})
            assert cold.asked(person) == then
