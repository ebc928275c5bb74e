"""The processes that imports are done in: started when there is work, ended when there is none.

Whoever asks stays quick whatever a file holds, and a file that needs more memory than a process may take ends that
process alone. Messages are lines of JSON: on standard input what is to be done, on standard output what changed, and at
the end what came of it. A process whose standard input closes stops after the piece under way.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

IDLE_S: Final = 60.0
"""A process without work ends after this time: a check is mostly followed by its load."""
STOP_S: Final = 2.0

Message = dict[str, Any]


def _ignored(_found: Any) -> None:
    """Do nothing with it."""


@dataclass(slots=True, eq=False)
class Errand:
    """One thing to be done in a process; `answer` stays None if it was not done to its end."""

    task: Message
    heard: Callable[[Message], None] = _ignored
    """Called with what the process says meanwhile."""
    finish: Callable[[Errand], None] = _ignored
    answer: Message | None = None
    cancelled: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class Processes:
    """Lanes with at most one process each; errands wait for a free lane."""

    def __init__(self, command: Sequence[str], greeting: str, lanes: int) -> None:
        self._command, self._greeting, self._count = command, greeting, lanes
        self._lock = threading.Lock()
        self._errands: queue.Queue[Errand | None] = queue.Queue()
        self._lanes: list[_Lane] = []

    def send(self, errand: Errand) -> None:
        """Have something done as soon as a lane is free."""
        with self._lock:
            self._errands.put(errand)
            busy = all(lane.errand is not None for lane in self._lanes)
            if busy and len(self._lanes) < self._count:
                lane = _Lane(self._command, self._greeting, self._errands)
                self._lanes.append(lane)
                lane.start()

    def cancel(self, errand: Errand) -> None:
        """Stop an errand after the piece under way, or before it begins."""
        errand.cancelled = True
        with self._lock:
            for lane in self._lanes:
                if lane.errand is errand:
                    lane.write({"cancel": True})

    def close(self) -> None:
        """End all processes after the piece under way; errands that wait are left."""
        with self._lock:
            lanes, self._lanes = self._lanes, []
            errands, self._errands = self._errands, queue.Queue()
        while not errands.empty():
            with suppress(queue.Empty):
                errand = errands.get_nowait()
                if errand is not None:
                    errand.finish(errand)
                    errand.ended.set()
        for lane in lanes:
            errands.put(None)
            lane.hang_up()
        for lane in lanes:
            lane.join(2 * STOP_S)


class _Lane(threading.Thread):
    """Does one errand after the other, in a process that is started for the first and ended after a pause."""

    def __init__(self, command: Sequence[str], greeting: str, errands: queue.Queue[Errand | None]) -> None:
        super().__init__(name="imports", daemon=True)
        self.errand: Errand | None = None
        self._command, self._greeting, self._errands = command, greeting, errands
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """Work until told to end."""
        while True:
            try:
                errand = self._errands.get(timeout=IDLE_S if self._process else None)
            except queue.Empty:
                self._end()
                continue
            if errand is None:
                self._end()
                return
            self.errand = errand
            try:
                if not errand.cancelled:
                    errand.answer = self._done(errand)
            except OSError as error:
                log.error("imports.no_process", reason=str(error))
            finally:
                self.errand = None
                errand.finish(errand)
                errand.ended.set()

    def write(self, message: Message) -> None:
        """Tell the process something; whether it still listens shows at the next answer."""
        with self._lock, suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()

    def hang_up(self) -> None:
        """Close the process's input: it stops after the piece under way."""
        with self._lock, suppress(OSError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def _done(self, errand: Errand) -> Message | None:
        """Have it done; returns the answer, None if the process ended before."""
        if self._process is None:
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
            )
            with self._lock:
                self._process = process
            self.write(json.loads(self._greeting))
        assert self._process is not None
        assert self._process.stdout is not None
        self.write(errand.task)
        if errand.cancelled:
            self.write({"cancel": True})
        for line in self._process.stdout:
            message: Message = json.loads(line)
            if "done" in message:
                done: Message = message["done"]
                return done
            errand.heard(message)
        log.error("imports.process_ended", code=self._end())
        return None

    def _end(self) -> int:
        """End the process, which has nothing under way; returns its exit code."""
        self.hang_up()
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        if process.stdout is not None:
            process.stdout.close()
        return process.wait()
