"""Apps at the start of a platform: begun, migrated, refused with a reason, taken out again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring import app_commands
from mainspring.apps.loading import modules_of

Run = Callable[..., subprocess.CompletedProcess[str]]
NAME = "name = fields.words(Text("


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a way to run a command beside a settings file that names the app `tool_box`."""
    settings = tmp_path / "mainspring.toml"
    settings.write_text(
        f'data_folder = "{tmp_path / "data"}"\n[apps]\nfolder = "{tmp_path}"\nmodules = ["tool_box"]\n',
        encoding="utf-8",
    )
    environment = {name: value for name, value in os.environ.items() if name != "MAINSPRING_DATABASE_URL"}

    def ran(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mainspring", "--config", str(settings), *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment | {"LANG": "en_US"}
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return ran


def tables(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "data" / "records.sqlite3") as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_an_app_begins_with_a_command_and_is_there_at_the_next_start(run: Run, tmp_path: Path) -> None:
    begun = run("app", "new", "tool_box")
    assert "mainspring app migrations tool_box" in begun.stdout
    assert "is there already" in run("app", "new", "tool_box", status=2).stderr
    assert "no name for an app" in run("app", "new", "Tool-Box", status=2).stderr
    refused = run("prepare", status=2)
    assert (
        "The app tool_box cannot start: it has no migrations; run `mainspring app migrations tool_box`"
        in refused.stderr
    )
    assert "无法启动" in refused.stderr
    run("app", "migrations", "tool_box")
    migration = tmp_path / "tool_box" / "migrations" / "0001_initial.py"
    right = migration.read_text()
    migration.write_text(right.replace("    operations = [\n", "    operations = [\n migrations.RunSQL('nothing'),\n"))
    assert "its migration 0001_initial failed, OperationalError" in run("prepare", status=2).stderr
    migration.write_text(right)
    run("prepare")
    assert "tool_box_toolbox" in tables(tmp_path)
    definitions = tmp_path / "tool_box" / "models.py"
    definitions.write_text(definitions.read_text().replace(NAME, f"colour = fields.text(Text('a', 'b'))\n    {NAME}"))
    changed = run("prepare", status=2).stderr
    assert "its definitions have changed since its migrations were made (Add field colour to toolbox)" in changed
    run("app", "migrations", "tool_box")
    run("prepare")
    settings = tmp_path / "mainspring.toml"
    settings.write_text(settings.read_text().replace('modules = ["tool_box"]', "modules = []"), encoding="utf-8")
    told = run("prepare")
    assert "The app tool_box is not here any more; its tables stay as they are: tool_box_toolbox." in told.stderr
    assert told.stdout.strip() == "{}"
    assert "tool_box_toolbox" in tables(tmp_path)


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("models.py", (NAME, "name = fields.words(Text"), "SyntaxError: unmatched ')' (models.py, line 12)"),
        ("models.py", ("fields.words(", "fields.wrods("), "AttributeError: module 'mainspring.records.defined.fields'"),
        ("models.py", ('kind = "tool-box"', 'kind = "item"'), "AssertionError: two kinds item"),
        ("models.py", ('title="number"', 'title="titel"'), "names 'titel', which is no field of it"),
        ("models.py", ("(Defined)", "(models.Model)"), "Toolbox is a table but no kind of record"),
        ("__init__.py", ('"""', "import nothing_of_that_name\n'''"), "No module named 'nothing_of_that_name'"),
    ],
)
def test_a_broken_app_is_named_with_its_reason(
    run: Run, tmp_path: Path, file: str, change: tuple[str, str], reason: str
) -> None:
    app_commands.new("tool_box", tmp_path, lambda _told: None)
    path = tmp_path / "tool_box" / file
    text = path.read_text(encoding="utf-8").replace(*change)
    path.write_text(text.replace("'''", '"""') if file == "__init__.py" else f"from django.db import models\n{text}")
    told = run("prepare", status=2).stderr
    assert "The app tool_box cannot start: " in told
    assert reason.replace("Toolbox", "ToolBox") in told
    assert "Traceback" not in told


def test_an_app_that_is_not_there_is_told(run: Run) -> None:
    told = run("prepare", status=2).stderr
    assert "The app tool_box cannot start: ModuleNotFoundError: No module named 'tool_box'." in told


def test_an_installed_package_names_its_app_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "tool_box-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: tool-box\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[mainspring.apps]\ntool-box = tool_box\nsecond = mine.second\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert modules_of(("own", "tool_box")) == ("own", "tool_box", "mine.second")
