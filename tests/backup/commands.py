"""The commands of backups as a person gives them, and what is looked at before and after."""

from __future__ import annotations

import io
import os
import re
import tomllib
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.platform import Person, Platform, command, free_ports

from mainspring import cli
from mainspring.arguments import parser
from mainspring.core import toml
from mainspring.core.errors import MainspringError

COMPARED = ("/assets", "/tags", "/connections", "/devices", "/users", "/alarm-definitions", "/gateways")
OF_THE_MOMENT = {"health", "alive", "listener", "degraded", "release", "last_seen_ms", "last_sign_in_ms"}


def backed_up(folder: Path, *arguments: str) -> str:
    """Back up the platform of a folder by the command, and return what it said."""
    done = command("backup", *arguments, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def said(*arguments: object) -> str:
    """Run a command that asks no platform, in this process, and return what it said."""
    out = io.StringIO()
    mask = os.umask(0o077)
    try:
        with redirect_stdout(out):
            cli.run(parser().parse_args([str(each) for each in arguments]))
    except MainspringError as error:
        error.add_note(out.getvalue())
        raise
    finally:
        os.umask(mask)
    return out.getvalue()


def refused(*arguments: object) -> str:
    """Run a command that has to fail, in words of both languages, and return what it said."""
    with pytest.raises(MainspringError) as caught:
        said(*arguments)
    text = caught.value.text
    assert re.search(r"[一-鿿]", text.zh) and not re.search(r"[一-鿿]", text.en)
    return "\n".join([*caught.value.__notes__, text.en])


def moved(folder: Path) -> tuple[Platform, int]:
    """Give a restored platform other ports; it is not started."""
    web = free_ports(3)
    file = folder / "mainspring.toml"
    settings = tomllib.loads(file.read_text())
    settings["web"]["port"], settings["bus"]["port"] = web, web + 1
    settings["gateways"]["main"]["mqtt_port"] = web + 2
    settings.pop("backup", None)
    file.write_text(toml.written(settings))
    return Platform(folder, ["up"], web), web + 2


def listed(person: Person, path: str) -> Any:
    """Return records without what is told of the moment."""
    answer = person.get(path)
    items = answer["items"] if isinstance(answer, dict) else answer
    return [{name: value for name, value in each.items() if name not in OF_THE_MOMENT} for each in items]
