"""Queries that come over the bus: cut to the subject's tenant, run in a few threads, answered as Arrow streams."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from mainspring.bus.answers import Answer
from mainspring.core import subjects
from mainspring.core.errors import NotFound, Rejected
from mainspring.core.faults import words
from mainspring.core.history import (
    RAW_SCHEMAS,
    AggregateQuery,
    Correction,
    EventQuery,
    HistoryStore,
    RawQuery,
    StateQuery,
    TrendQuery,
)
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.core.text import Text
from mainspring.history.blobs import BlobAnswers
from mainspring.history.importing.intake import Importing
from mainspring.history.ownership import Ownership

CHUNK_BYTES_MIN: Final = 256 * 1024
"""A raw answer goes in chunks of about so much; a shorter one goes in one piece, which needs no confirmation."""
CHUNKS_AHEAD: Final = 4
"""Chunks of a raw answer that wait for an asker who takes them slowly."""
RAW_THREADS: Final = 4
"""Raw answers under way at a time, in threads of their own: a slow asker holds up no other query."""

_UNKNOWN_TENANT: Final = Text(
    "There is no history of {tenant}. Check the tenant's key.",
    "没有 {tenant} 的历史数据，请检查租户标识。",
)
_UNKNOWN_QUERY: Final = Text(
    "The history does not answer {query}. It answers raw, aggregate, trend, states, events, extent, "
    "corrections, correct, import and blob.",
    "历史服务不支持查询 {query}，可用的有 raw、aggregate、trend、states、events、extent、corrections、"
    "correct、import、blob。",
)
_NOT_YOURS: Final = Text("There is no tag {tag} here.", "此处没有测点 {tag}。")
_MALFORMED: Final = Text(
    "The query is not valid: {reason}. Correct it and ask again.",
    "查询无效：{reason}。请更正后重试。",
)


class Answers:
    """Answers one request at a time in each of `threads` threads; further ones wait, in a number the bus bounds."""

    def __init__(
        self, store: HistoryStore, owners: Ownership, threads: int, blobs: BlobAnswers, importing: Importing
    ) -> None:
        self._store = store
        self._owners = owners
        self._blobs = blobs
        self._importing = importing
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="history-query")
        self._raw_pool = ThreadPoolExecutor(RAW_THREADS, thread_name_prefix="history-raw")
        self._closing = threading.Event()

    async def answer(self, subject: str, payload: bytes) -> Answer:
        """Answer one request; raises tree errors, which travel to the asker."""
        key, query = subjects.tenant_of(subject), subject.rsplit(".", 1)[1]
        tenant = self._owners.number(key)
        if tenant is None:
            raise NotFound(_UNKNOWN_TENANT, tenant=key)
        if query == "blob":
            return await self._blobs.content(key, payload)
        if query == "import":
            return await self._importing.take(key, payload)
        try:
            if query == "raw":
                return await self._raw(tenant, RawQuery.model_validate_json(payload))
            if query == "correct":
                correction = Correction.model_validate_json(payload)
                self._require_own(key, correction.tag)
                await asyncio.get_running_loop().run_in_executor(self._pool, self._correct, tenant, correction)
                return b"{}"
            ask = self._asked(query, tenant, payload)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place, said = ".".join(map(str, first["loc"])), words(first)
            at = (f"{place}: ", f"{place}：") if place else ("", "")
            reason = Text(at[0] + said.en.rstrip("."), at[1] + said.zh.rstrip("。"))
            raise Rejected(_MALFORMED, reason=reason) from error
        table = await asyncio.get_running_loop().run_in_executor(self._pool, ask)
        return encode(table)

    async def close(self) -> None:
        """End the threads; waiting requests and long answers are dropped."""
        self._closing.set()
        await self._importing.close()
        for pool in (self._pool, self._raw_pool):
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    def _asked(self, query: str, tenant: int, payload: bytes) -> Callable[[], pa.Table]:
        store = self._store
        if query == "aggregate":
            aggregate = AggregateQuery.model_validate_json(payload)
            return lambda: store.aggregate(tenant, aggregate)
        if query == "trend":
            trend = TrendQuery.model_validate_json(payload)
            return lambda: store.trend(tenant, trend)
        if query == "states":
            states = StateQuery.model_validate_json(payload)
            return lambda: store.states(tenant, states)
        if query == "events":
            events = EventQuery.model_validate_json(payload)
            return lambda: store.events(tenant, events)
        if query == "corrections":
            corrections = RawQuery.model_validate_json(payload)
            return lambda: store.corrections(tenant, corrections)
        if query == "extent":
            return lambda: _extent(store, tenant)
        raise Rejected(_UNKNOWN_QUERY, query=query)

    def _require_own(self, key: str, tag: int) -> None:
        if int(self._owners.of(np.array([tag], dtype=np.uint32))[0]) != self._owners.place(key):
            raise NotFound(_NOT_YOURS, tag=tag)

    def _correct(self, tenant: int, correction: Correction) -> None:
        value: Any = correction.value
        try:
            if correction.column is Column.FLOAT64:
                value = float(value)
            elif correction.column is Column.INT64:
                value = np.int64(int(value))
        except (ValueError, OverflowError) as error:
            raise Rejected(_MALFORMED, reason=f"value: {error}") from error
        batch = build(
            correction.column, [correction.tag], correction.time_ms, [value], correction.quality, Origin.MANUAL
        )
        self._store.correct(tenant, batch, correction.by, correction.reason)

    async def _raw(self, tenant: int, query: RawQuery) -> Answer:
        """Answer a raw query; one thread reads it from start to end and waits for the asker."""
        chunks = _Chunks(asyncio.get_running_loop(), self._closing)

        def read() -> None:
            try:
                sink = _Sink()
                with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), RAW_SCHEMAS[query.column]) as writer:
                    for batch in self._store.raw(tenant, query):
                        if chunks.unwanted():
                            return
                        writer.write_batch(batch)
                        if len(sink.written) >= CHUNK_BYTES_MIN:
                            chunks.hand(sink.taken())
                chunks.hand(sink.taken(), last=True)
            except BaseException as error:
                chunks.hand(error)

        asyncio.get_running_loop().run_in_executor(self._raw_pool, read)
        parts = chunks.parts()
        first = await anext(parts)
        if chunks.ended:
            await parts.aclose()
            return first

        async def whole() -> AsyncIterator[bytes]:
            async with aclosing(parts):
                yield first
                async for part in parts:
                    yield part

        return whole()


class _Chunks:
    """What a thread reads, on its way to the event loop; a bounded number wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, closing: threading.Event) -> None:
        self._loop = loop
        self._closing = closing
        self._gone = threading.Event()
        self._queue: asyncio.Queue[tuple[bytes | BaseException, bool]] = asyncio.Queue(CHUNKS_AHEAD)
        self.ended = False

    def unwanted(self) -> bool:
        """Tell whether nobody takes chunks any more."""
        return self._gone.is_set() or self._closing.is_set()

    def hand(self, chunk: bytes | BaseException, *, last: bool = False) -> None:
        """Wait for a place in the queue, unless nobody takes from it any more; called by the thread."""
        place = asyncio.run_coroutine_threadsafe(self._queue.put((chunk, last)), self._loop)
        while not self.unwanted():
            with suppress(TimeoutError):
                place.result(0.1)
                return
        place.cancel()

    async def parts(self) -> AsyncGenerator[bytes]:
        """Give the chunks as they come; a failure of the thread is raised here."""
        try:
            while not self.ended:
                chunk, self.ended = await self._queue.get()
                if isinstance(chunk, BaseException):
                    raise chunk
                yield chunk
        finally:
            self._gone.set()


class _Sink(io.RawIOBase):
    """Collects what Arrow writes."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self.written += part
        return len(part)

    def taken(self) -> bytes:
        """Return what was written, and begin anew."""
        written = bytes(self.written)
        self.written.clear()
        return written


def encode(table: pa.Table) -> bytes:
    """Return a table as one Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _extent(store: HistoryStore, tenant: int) -> pa.Table:
    extent = store.extent(tenant)
    columns = {
        "samples": extent.samples,
        "bytes_on_disk": extent.bytes_on_disk,
        "oldest_ms": extent.oldest_ms,
        "newest_ms": extent.newest_ms,
    }
    return pa.Table.from_arrays([_cell(value) for value in columns.values()], names=list(columns))


def _cell(value: int | None) -> pa.Array[Any]:
    """Return a column of one cell. `pa.array` would do the same and import pandas, for which the asker would wait."""
    valid = None if value is not None else pa.py_buffer(b"\0")
    return pa.Array.from_buffers(pa.int64(), 1, [valid, pa.py_buffer(np.array([value or 0], dtype=np.int64).data)])
