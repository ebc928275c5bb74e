"""One demo platform for all tests that need the whole of it; they run last, so that others have the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.platform import Platform, demo_platform

_LAST = ("e2e", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The browser comes last of all: Playwright keeps an event loop running in this thread.
    def place(item: pytest.Item) -> int:
        room = item.path.parent.name
        return _LAST.index(room) + 1 if room in _LAST else 0

    items.sort(key=place)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The demo plant, replayed four times faster; its stop is asserted, too."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with demo_platform(folder, speed=4) as platform:
        yield platform
