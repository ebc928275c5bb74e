"""Watching the definitions that records publish, across lost contacts and restarts of the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.kv import KeyValue
from pydantic import ValidationError

from mainspring.core.definitions import BUCKET, Definition, parse
from mainspring.core.errors import NotConnected
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

Changed = Callable[[str, Definition | None], None]
RETRY_S: Final = 1.0
START_TIMEOUT_S: Final = 30.0

_LATE: Final = Text(
    "The definitions did not arrive within {seconds:g} s. The bus is slow or its bucket `definitions` is missing.",
    "配置定义在 {seconds:g} 秒内未到达：总线过慢，或缺少 `definitions` 存储桶。",
)


class Watch:
    """Gives every definition once, then every change; a document that did not change is not given again."""

    def __init__(self, js: JetStreamContext, keys: str, changed: Changed, raw: dict[str, bytes] | None = None) -> None:
        self._js = js
        self._keys = keys
        self._changed = changed
        self._raw = raw
        self._revisions: dict[str, int] = {}
        self._complete = asyncio.Event()
        self._renewed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, and return when everything now published has been given."""
        self._task = asyncio.create_task(self._run())
        try:
            await asyncio.wait_for(self._complete.wait(), START_TIMEOUT_S)
        except TimeoutError as error:
            await self.stop()
            raise NotConnected(_LATE, seconds=START_TIMEOUT_S) from error

    def renew(self) -> None:
        """Ask for everything again and give the differences; called when contact has returned."""
        self._renewed.set()

    async def stop(self) -> None:
        """End watching."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            self._renewed.clear()
            try:
                bucket = await self._js.key_value(BUCKET)
                watcher = await bucket.watch(self._keys)
            except (NatsError, TimeoutError) as error:
                log.warning("watch.waits", keys=self._keys, reason=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._follow(watcher)
            finally:
                with suppress(NatsError, TimeoutError):
                    await watcher.stop()  # type: ignore[no-untyped-call]

    async def _follow(self, watcher: KeyValue.KeyWatcher) -> None:
        """Give entries until contact was lost and has returned."""
        seen: set[str] = set()
        complete = False
        while not self._renewed.is_set():
            entries = asyncio.ensure_future(watcher.updates(timeout=3600))  # type: ignore[no-untyped-call]
            renewed = asyncio.ensure_future(self._renewed.wait())
            try:
                await asyncio.wait({entries, renewed}, return_when=asyncio.FIRST_COMPLETED)
                if not entries.done():
                    return
                try:
                    entry = entries.result()
                except (NatsError, TimeoutError):
                    continue
            finally:
                entries.cancel()
                renewed.cancel()
            if entry is None:
                complete = True
                for key in self._revisions.keys() - seen:
                    self._give(key, None, 0)
                self._complete.set()
                continue
            removed = entry.operation in {"DEL", "PURGE"}
            if not complete and not removed:
                seen.add(entry.key)
            if removed or self._revisions.get(entry.key) != entry.revision:
                self._give(entry.key, None if removed else entry.value, entry.revision or 0)

    def _give(self, key: str, document: bytes | None, revision: int) -> None:
        if document is None:
            if self._revisions.pop(key, None) is None:
                return
            definition = None
        else:
            self._revisions[key] = revision
            if self._raw is not None:
                self._raw[key] = document
            try:
                definition = parse(key, document)
            except (ValueError, ValidationError, IndexError) as error:
                log.error("watch.unreadable", key=key, reason=str(error))
                return
        try:
            self._changed(key, definition)
        except Exception:
            log.exception("watch.callback_failed", key=key)
