"""One platform for the tests that harm it in no lasting way; each has numbered readings of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.platform import running
from tests.faults.numbered import Plant, configured, prepared


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Those that share the platform follow each other: it does not run beside others that have one of their own.
    own = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent == own and "plant" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Plant]]:
    """Make further devices on the platform, as many and with as many tags as a test asks for."""
    platform, port = configured(tmp_path_factory.mktemp("faults"))
    with running(platform):
        yield lambda **source: prepared(platform, port, **source)
