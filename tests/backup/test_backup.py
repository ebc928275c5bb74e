"""A platform that goes on working is backed up, and another one is made of it in another folder, on other ports."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.backup.commands import COMPARED, backed_up, listed, moved, refused, said
from tests.e2e.platform import Person, Platform, command, eventually, running
from tests.faults.numbered import NumberedSource, Plant, configured, numbered, prepared, settled
from tests.waiting import PATIENCE_S

from mainspring.core.errors import MainspringError
from mainspring.records.heads import HeadFile

BACKUP = '[backup]\nto = "regular"\nrecords_every_s = 1\n'
MINUTE_MS = 60_000
OLD_MINUTES = 10
LIMIT = 5


@dataclass
class Made:
    """A platform under test with two sources: old readings that are rolled up, and a flood of fresh ones."""

    plant: Plant
    old: NumberedSource
    backups: Path
    told: list[str] = field(default_factory=list)

    @property
    def person(self) -> Person:
        return self.plant.person

    def trends(self, person: Person) -> Any:
        """Return the old readings by minutes, which rollups answer."""
        start = self.old.base_ms - self.old.base_ms % MINUTE_MS
        tags = self.old.devices[0].tags
        query = {"tags": tags, "start_ms": start, "end_ms": start + OLD_MINUTES * MINUTE_MS, "step_ms": MINUTE_MS}
        functions = ["min", "max", "mean", "count", "time_weighted"]
        return person.post("/history/aggregate", query | {"functions": functions})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("plant")
    platform, port = configured(folder, BACKUP)
    with running(platform):
        plant = prepared(platform, port)
        old = numbered(plant.person, port, devices=1, tags=2, step_ms=1000)
        old.base_ms -= 3 * OLD_MINUTES * MINUTE_MS
        watched = plant.source.devices[0].tags[0]
        tag = next(each for each in plant.person.get("/tags")["items"] if each["tag"] == watched)
        limit = {"tag_id": tag["id"], "condition": "H", "limit": LIMIT, "priority": "high"}
        plant.person.post("/alarm-definitions", limit)
        asyncio.run(old.run(readings=OLD_MINUTES * 60))
        assert not _lost(platform, old)
        eventually(lambda: _rolled_up(folder), PATIENCE_S, "rollups of the old readings")
        # An alarm that a person has acknowledged stays so.
        asyncio.run(plant.source.run(seconds=2))
        [alarm] = eventually(lambda: plant.person.get("/alarms")["items"], PATIENCE_S, "an alarm")
        plant.person.post("/alarms/acknowledge", {"alarms": [alarm["alarm"]], "comment": "seen"})
        yield Made(plant, old, folder / "backups")


def _lost(platform: Platform, source: NumberedSource) -> int:
    return settled(platform, source, holds=lambda counted: not counted.lost).lost


def _rolled_up(folder: Path) -> bool:
    state = folder / "data" / "history" / "rollups.json"
    return b'"minute": null' not in state.read_bytes()


def alarms_of(person: Person) -> Any:
    """Return alarms that stand, and every transition there was."""
    standing = [(each["alarm"], each["state"], each["raised_ms"]) for each in person.get("/alarms")["items"]]
    return standing, person.get("/alarms/history", limit=100)["items"]


def pieces_of(text: str) -> list[float]:
    """Return megabytes of a backup, and how much of them was new, as the command says them last."""
    return [float(each.replace(",", "")) for each in re.findall(r"([\d.,]+) MB", text.splitlines()[-1])]


def test_what_was_acknowledged_before_a_backup_is_in_the_restored_platform_exactly_once(
    made: Made, tmp_path: Path
) -> None:
    new, source = tmp_path / "new", made.plant.source
    with source.publishing():
        eventually(lambda: source.acknowledged_total > 2000, PATIENCE_S, "readings")
        before = {each.name: bytes(each.kept) for each in source.devices}
        made.told.append(backed_up(made.plant.folder, str(made.backups)))
        total = source.acknowledged_total
        eventually(lambda: source.acknowledged_total > total + 200, PATIENCE_S, "readings go on")
    records = {path: listed(made.person, path) for path in COMPARED}
    trends, alarms = made.trends(made.person), alarms_of(made.person)
    assert trends["source"] == "minute" and alarms
    said("restore", made.backups, "--folder", new)
    keys = list((new / "data" / "secrets").iterdir())
    assert keys and all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in keys)
    assert HeadFile(new / "data", "plant").read().holding
    platform, port = moved(new)
    platform.username, platform.password = made.plant.platform.username, made.plant.platform.password
    with running(platform):
        person = platform.administrator()
        assert {path: listed(person, path) for path in COMPARED} == records
        # A device of the restored platform goes on, with its own password and behind its own numbers.
        copied = NumberedSource(port, source.devices, source.paths, source.token, step_ms=source.step_ms)
        copied.base_ms, copied._began_s = source.base_ms, source._began_s
        for each in copied.devices:
            each.kept = bytearray(before[each.name])
        asyncio.run(copied.run(seconds=2))
        counted = settled(platform, copied)
        assert counted.right, counted
        assert counted.acknowledged > sum(each.count(1) for each in before.values())
        assert not _lost(platform, made.old)
        assert made.trends(person) == trends
        assert alarms_of(person) == alarms
        chain = person.get("/audit/chain")
        assert (chain["broken"], chain["missed"], chain["put_back"]) == (None, None, [])
        assert not (new / "data" / "pending").exists()
        log = (new / "data" / "logs" / "historian-main.log").read_text()
        assert "stream_made_anew" not in log and "messages_missing" not in log


def test_another_backup_copies_little(made: Made) -> None:
    whole, first_new = pieces_of(made.told[0])
    again = backed_up(made.plant.folder, str(made.backups), "--keep", "9")
    size, new = pieces_of(again)
    assert first_new == pytest.approx(whole, rel=0.5)
    assert new < size / 2, again
    lines = said("backup", "--list", made.backups).splitlines()
    assert len(lines) == 2 and all("MB of it new" in line for line in lines)
    assert "2 backups are whole" in said("backup", "--verify", made.backups)


def test_a_backup_that_is_cut_short_leaves_the_former_ones(made: Made) -> None:
    folder = made.plant.folder
    before = said("backup", "--list", made.backups)
    with subprocess.Popen(
        [sys.executable, "-m", "mainspring", "backup", str(made.backups)], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("Gateways")
        process.send_signal(signal.SIGKILL)
    assert said("backup", "--list", made.backups) == before
    assert "are whole" in said("backup", "--verify", made.backups)
    backed_up(folder, str(made.backups), "--keep", "2")
    assert len(said("backup", "--list", made.backups).splitlines()) == 2
    assert not (folder / "data" / "history" / "clickhouse" / "shadow").exists()


def test_a_flipped_bit_is_named_and_refused(made: Made, tmp_path: Path) -> None:
    part = max((made.backups / "pieces").glob("??/*"), key=lambda file: file.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    told = refused("backup", "--verify", made.backups)
    assert f"The piece {part.name} is damaged" in told and "1 pieces or lists" in told
    told = refused("restore", made.backups, "--folder", tmp_path / "new")
    assert f"The piece {part.name}" in told and not (tmp_path / "new").exists()
    part.unlink()
    assert "is missing" in refused("backup", "--verify", made.backups)
    # What the platform still has is taken anew.
    backed_up(made.plant.folder, str(made.backups), "--keep", "1")
    assert "1 backups are whole" in said("backup", "--verify", made.backups)


def test_records_come_back_as_they_were_at_a_time(made: Made, tmp_path: Path) -> None:
    regular = made.plant.folder / "regular"
    eventually(
        lambda: list((regular / "backups").glob("*/manifest.sha256")), PATIENCE_S, "a backup by the platform itself"
    )
    name = {"en": "Kiln", "zh": "窑"}
    asset = made.person.post("/assets", {"parent": None, "kind": "enterprise", "slug": "kiln", "name": name})
    eventually(lambda: _in_states(regular, tmp_path, "kiln", True), PATIENCE_S, "a state of the records with the asset")
    at = datetime.now(UTC).isoformat()
    made.person.delete(f"/assets/{asset['id']}")
    eventually(lambda: _in_states(regular, tmp_path, "kiln", False), PATIENCE_S, "a state of the records without it")
    new = tmp_path / "new"
    told = said("restore", regular, "--folder", new, "--records-at", at)
    assert "Records are those of" in told
    assert _slugs(new, "kiln")
    with closing(sqlite3.connect(new / "data" / "records.sqlite3")) as opened:
        [(following,)] = opened.execute("SELECT following FROM records_counter WHERE name = 'tag-ordinals'")
    assert following > made.person.get("/tags", limit=1000)["items"][-1]["tag"]
    assert "Backup: the last one" in command("status", cwd=made.plant.folder).stdout
    elsewhere = ("--folder", tmp_path / "x", "--records-at")
    assert "not kept as early" in refused("restore", regular, *elsewhere, "2001-01-01")
    assert "is not a time" in refused("restore", regular, *elsewhere, "noon")


def _in_states(backups: Path, work: Path, slug: str, there: bool) -> bool:
    """Tell whether the newest state of the records has an asset, or has it not."""
    new = work / "looked"
    try:
        said("restore", backups, "--folder", new, "--records-at", datetime.now(UTC).isoformat())
    except MainspringError:
        # Another backup has just taken the place of the one that was looked at.
        return False
    found = _slugs(new, slug)
    shutil.rmtree(new)
    return bool(found) == there


def _slugs(folder: Path, slug: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "data" / "records.sqlite3")) as opened:
        return opened.execute("SELECT slug FROM records_asset WHERE slug = ?", (slug,)).fetchall()


def test_what_cannot_be_is_told(made: Made, tmp_path: Path) -> None:
    full, new = tmp_path / "full", ("--folder", tmp_path / "new")
    full.mkdir()
    (full / "mine").write_text("")
    assert "is not empty" in refused("restore", made.backups, "--folder", full)
    assert "There is no backup" in refused("restore", made.backups, *new, "--backup", "../x")
    assert "There are no backups" in refused("restore", tmp_path, *new)
    assert "file of their own" in refused("restore", made.backups, *new, "--records-url", "postgresql://x/y")
    assert [each.name for each in tmp_path.iterdir()] == ["full"]
    for folder, reason in ((made.plant.folder, "other things"), (tmp_path, "does not run")):
        done = command("backup", str(full), cwd=folder)
        assert done.returncode == 2 and reason in done.stderr
    assert [each.name for each in full.iterdir()] == ["mine"]
