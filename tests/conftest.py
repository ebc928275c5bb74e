"""One demo platform for all tests that need the whole of it; they run last, so that others have the machine."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from tests.e2e.platform import Platform, demo_platform
from tests.records import postgresql

_LAST = ("e2e", "browser")
MEMORY = Path("/dev/shm")
MEMORY_FREE_BYTES = 4 * 2**30
_held = ExitStack()
"""What runs until the tests end."""
atexit.register(_held.close)
# How long an example takes says how busy the machine is.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--records", choices=("sqlite", "postgresql"), default="sqlite", help="the database that records are kept in"
    )
    if parser.parse_known_args(sys.argv[1:]).records != "postgresql":
        return
    # Now, not when pytest is configured: the `conftest` of a folder named in the command is imported before that, and
    # takes its database from the environment.
    url = _held.enter_context(postgresql.server())
    postgresql.execute(url, "CREATE DATABASE platform")
    # Tests of parts make a database of their own there; whole platforms inherit the setting of theirs.
    os.environ["MAINSPRING_TEST_POSTGRESQL"] = url
    os.environ["MAINSPRING_DATABASE_URL"] = f"{url}/platform"


def pytest_unconfigure() -> None:
    _held.close()


def pytest_report_header(config: pytest.Config) -> str:
    return f"records: {config.getoption('records')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The browser comes last of all: Playwright keeps an event loop running in this thread.
    def place(item: pytest.Item) -> int:
        room = item.path.parent.name
        return _LAST.index(room) + 1 if room in _LAST else 0

    items.sort(key=place)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The demo plant, replayed four times faster; its stop is asserted, too."""
    with ExitStack() as held:
        if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_FREE_BYTES:
            # What is asked of it is not whether it survives a power cut: that is tried on disks of their own.
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-demo-", dir=MEMORY)))
        else:
            folder = tmp_path_factory.mktemp("demo")
        yield held.enter_context(demo_platform(folder, speed=4))
