"""A platform that goes on working is backed up, and another one is made of it in another folder, on other ports."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import stat
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.platform import Platform, command, eventually, free_ports, running
from tests.faults.numbered import Plant, configured, prepared, settled

from mainspring.core import toml

COMPARED = ("/assets", "/tags", "/connections", "/devices", "/people", "/alarm-definitions")
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    platform, port = configured(folder)
    with running(platform):
        yield prepared(platform, port)


def said(*arguments: str, cwd: Path) -> str:
    """Run a command that has to succeed and return what it said."""
    done = command(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def moved(folder: Path) -> tuple[Platform, int]:
    """Give a restored platform other ports; it is not started."""
    web = free_ports(3)
    file = folder / "mainspring.toml"
    settings = tomllib.loads(file.read_text())
    settings["web"]["port"], settings["bus"]["port"] = web, web + 1
    settings["gateways"]["main"]["mqtt_port"] = web + 2
    file.write_text(toml.written(settings))
    return Platform(folder, ["up"], web), web + 2


def states(plant: Plant, path: str) -> Any:
    return plant.person.get(path)


def test_what_was_acknowledged_before_a_backup_is_in_the_restored_platform_exactly_once(
    plant: Plant, tmp_path: Path
) -> None:
    backups, new = tmp_path / "backups", tmp_path / "new"
    source = plant.source
    with source.publishing():
        eventually(lambda: source.acknowledged_total > 2000, 60, "readings")
        before = source.acknowledged
        print(said("backup", str(backups), cwd=plant.folder))
        eventually(lambda: source.acknowledged_total > sum(map(sum, before.values())) + 500, 60, "more readings")
    print(said("restore", str(backups), "--folder", str(new), cwd=tmp_path))
    platform, port = moved(new)
    platform.username, platform.password = plant.platform.username, plant.platform.password
    with running(platform):
        person = platform.administrator()
        time.sleep(20)
        from tests.faults.numbered import count
        import dataclasses
        print(count(platform, source))
