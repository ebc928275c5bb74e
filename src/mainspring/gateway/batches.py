"""Gathering: readings of all connections by column type, written to the log a few times a second, none while idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

import numpy as np
import structlog

from mainspring.core.errors import StoreError
from mainspring.core.kinds import ROWS_MAX, Column
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.gateway.segments import Entry, SegmentLog

log = structlog.get_logger(__name__)

PAYLOAD_BYTES_MAX: Final = 4 * 1024 * 1024
COMPRESSED_ROWS_MIN: Final = 500
"""Smaller batches are sent as they are: compressing them costs ten times what it saves."""
RETRY_S: Final = 1.0
TOGETHER_S: Final = 0.002
"""Readings of one poll come one after the other: so long the first of them waits."""

_SLOW: Final = Text(
    "{rows} readings wait for the disk: polling pauses. The disk of the segment log is too slow for this gateway.",
    "{rows} 条读数等待写盘：暂停采集。段日志所在磁盘对本网关而言过慢。",
)


class Gate:
    """Whether readings may be taken in; closed while the log is full or cannot be written."""

    def __init__(self) -> None:
        self.text: Text | None = None
        self._opened = asyncio.Event()
        self._opened.set()

    @property
    def open(self) -> bool:
        """Tell whether readings may be taken in."""
        return self.text is None

    def set(self, text: Text | None) -> None:
        """Close the gate with the reason, or open it with None."""
        if text is not None and self.text is None:
            log.warning("gateway.polling_paused", reason=text.en)
        elif text is None and self.text is not None:
            log.info("gateway.polling_resumed")
        self.text = text
        if text is None:
            self._opened.set()
        else:
            self._opened.clear()

    async def wait_open(self) -> None:
        """Wait until readings may be taken in."""
        await self._opened.wait()


class Gatherer:
    """Holds readings until they are written; never more than a limit plus what is on its way."""

    def __init__(self, gate: Gate, rows_max: int) -> None:
        self._gate = gate
        self._rows_max = rows_max
        self._parts: dict[Column, list[SampleBatch]] = {column: [] for column in Column}
        self.stirred = asyncio.Event()
        self.rows = 0
        self.rows_total = 0
        """Readings taken in: those that are reported and the gateway's own."""
        self.came_total = 0
        """Readings that devices sent, of tags that are known."""
        self.left_out_total = 0
        """Of these, what said nothing new and was left out."""

    def put_reported(self, came: int, reported: list[SampleBatch]) -> None:
        """Take in what is reported of `came` readings of devices; the others are counted as left out."""
        self.came_total += came
        self.left_out_total += came - sum(map(len, reported))
        self.put(reported)

    def put(self, batches: list[SampleBatch]) -> None:
        """Take readings in."""
        for batch in batches:
            self._parts[batch.column].append(batch)
            self.rows += len(batch)
            self.rows_total += len(batch)
        if self.rows:
            self.stirred.set()
        if self.rows > self._rows_max and self._gate.open:
            self._gate.set(_SLOW.format(rows=self.rows))

    def take(self) -> list[SampleBatch]:
        """Hand everything out, gathered into batches of at most ROWS_MAX rows."""
        out: list[SampleBatch] = []
        for column, parts in self._parts.items():
            if parts:
                out += _gathered(column, parts)
                self._parts[column] = []
        self.rows = 0
        self.stirred.clear()
        return out


class Writer:
    """Writes what was gathered to the log and wakes the publisher."""

    def __init__(
        self,
        gatherer: Gatherer,
        gate: Gate,
        segment_log: SegmentLog,
        written: Callable[[], None],
        *,
        flush_ms: int,
        compression: Literal["none", "zstd"] = "zstd",
    ) -> None:
        self._gatherer = gatherer
        self._gate = gate
        self._log = segment_log
        self._written = written
        self._flush_s = flush_ms / 1000
        self._compression: Literal["zstd"] | None = "zstd" if compression == "zstd" else None
        self._waiting: list[Entry] = []
        self._kept: list[asyncio.Future[None]] = []
        self._writing = False
        self._ended_s = 0.0
        self.flush_ms = 0.0

    async def run(self) -> None:
        """Write for ever; sleeps while nothing comes."""
        while True:
            # While the gate is closed someone must look whether it may open again.
            if self._gate.open:
                await self._gatherer.stirred.wait()
                # What comes after a pause goes at once, and only what follows closely is gathered.
                rest_s = self._flush_s - (time.monotonic() - self._ended_s)
                await asyncio.sleep(max(TOGETHER_S, rest_s))
            else:
                await asyncio.sleep(RETRY_S)
            await self.flush()

    async def kept(self) -> None:
        """Return once everything gathered before the call is durably in the log."""
        if not self._gatherer.rows and not self._waiting and not self._writing:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept.append(done)
        self._gatherer.stirred.set()
        await done

    async def flush(self) -> None:
        """Write what is gathered now; what cannot be written stays and is tried again."""
        batches, kept = self._gatherer.take(), self._kept
        self._kept, self._writing = [], True
        started = time.monotonic()
        try:
            full = await _to_the_end(asyncio.to_thread(self._write, batches))
        except StoreError as error:
            full = error.text
            self._kept = kept + self._kept
        else:
            self.flush_ms = (time.monotonic() - started) * 1000
            for done in kept:
                if not done.done():
                    done.set_result(None)
            self._written()
        finally:
            self._writing = False
            self._ended_s = time.monotonic()
        if full is not None or not self._gate.open:
            self._gate.set(full)

    def _write(self, batches: list[SampleBatch]) -> Text | None:
        now_ms = time.time_ns() // 1_000_000
        for batch in batches:
            self._waiting += _entries(batch, now_ms, self._compression)
        if self._waiting:
            self._log.append(self._waiting)
            self._waiting = []
        return self._log.full()


async def _to_the_end(work: Coroutine[Any, Any, Text | None]) -> Text | None:
    """Await a thread also when cancelled: two must never write at once."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _gathered(column: Column, parts: list[SampleBatch]) -> list[SampleBatch]:
    whole = (
        parts[0]
        if len(parts) == 1
        else SampleBatch(
            column,
            np.concatenate([part.tag for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.quality for part in parts]),
            np.concatenate([part.origin for part in parts]),
        )
    )
    if len(whole) <= ROWS_MAX:
        return [whole]
    return [whole.take(np.arange(start, min(start + ROWS_MAX, len(whole)))) for start in range(0, len(whole), ROWS_MAX)]


def _entries(batch: SampleBatch, now_ms: int, compression: Literal["zstd"] | None) -> list[Entry]:
    """Encode a batch, in halves while it is too large for a message."""
    payload = batch.encode(compression if len(batch) >= COMPRESSED_ROWS_MIN else None)
    if len(payload) <= PAYLOAD_BYTES_MAX or len(batch) == 1:
        return [Entry(now_ms, len(batch), payload)]
    rows = np.arange(len(batch))
    half = len(batch) // 2
    return [entry for part in (rows[:half], rows[half:]) for entry in _entries(batch.take(part), now_ms, compression)]
