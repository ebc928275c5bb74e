"""Processes forked from one that has imported what they need: importing it takes longer than most tests."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.history import historian_process
from tests.waiting import until
from tests.web import engine_process

_CONTEXT = multiprocessing.get_context("forkserver")
# The engine imports its compiled loops only when it starts.
_LATER = ("mainspring.engine.answers", "mainspring.engine.outbox", "mainspring.engine.state")
_CONTEXT.set_forkserver_preload(["pytest", engine_process.__name__, historian_process.__name__, *_LATER])
Main = Callable[[str, Path, Path], Awaitable[None]]


class Forked:
    """A process that can be waited for, ended and killed as one of asyncio can."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        """Return its exit code when it has ended, below zero for a signal."""
        await until(lambda: self.returncode is not None, math.inf)
        assert self.returncode is not None
        return self.returncode


def forked_engine(url: str, seed: Path, folder: Path, log: Path) -> Forked:
    """Start an engine that writes what it says to `log`."""
    return _forked(engine_process.main, url, seed, folder, log)


def forked_historian(url: str, seed: Path, folder: Path, log: Path) -> Forked:
    """Start a historian that writes what it says to `log`."""
    return _forked(historian_process.main, url, seed, folder, log)


def _forked(main: Main, url: str, seed: Path, folder: Path, log: Path) -> Forked:
    process = _CONTEXT.Process(target=_run, args=(main, url, seed, folder, log), daemon=True)
    process.start()
    return Forked(process)


def _run(main: Main, url: str, seed: Path, folder: Path, log: Path) -> None:
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)

    async def ran() -> None:
        await main(url, seed, folder)

    asyncio.run(ran())
