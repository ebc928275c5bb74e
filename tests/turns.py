"""A network that comes or goes ends a browser's requests: tests of links and tests of pages take turns."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def network(*, changes: bool) -> Iterator[None]:
    """Use the network while nobody changes it, or change it while nobody else uses it; waits for the turn."""
    with (Path(tempfile.gettempdir()) / f"mainspring-tests-{os.getuid()}.network").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if changes else fcntl.LOCK_SH)
        yield
