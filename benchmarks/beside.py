"""Simulated equipment in a process of its own, so that it takes no time from what is measured."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

END_S = 10


@contextmanager
def beside(equipment: Callable[[Connection], None]) -> Iterator[Any]:
    """Run `equipment(ready)` until the end; gives what it sends once it is ready. It ends when `ready` can be read."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=equipment, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(END_S)
        if process.is_alive():
            process.kill()
