"""What is imported, as the historian takes it: `ms.<tenant>.history.import`, a batch of samples at a time.

An answer means that the samples are on the disk. A tag and time that is there already is left out, so that a batch sent
again - after a kill, a lost answer, or by a person who imports a file twice - changes nothing. Batches that
wait are stored together; live readings have a thread of their own and go on meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mainspring.core.errors import LimitExceeded, Rejected, StoreError
from mainspring.core.kinds import Column
from mainspring.core.samples import SampleBatch, decode
from mainspring.core.text import Text
from mainspring.history.importing.store import OLD, STORED, THERE
from mainspring.history.ownership import Ownership
from mainspring.history.settings import HistorianSettings, Store

PIECE_ROWS_MAX: Final = 250_000
"""Rows of one message."""
TOGETHER_ROWS: Final = 1_000_000
"""About so many rows are stored in one go."""
WAITING_MAX: Final = 12
"""Messages that wait, of all tenants; each holds up to 8 MB."""
HOLD_S: Final = 3.0
"""How long samples of tags wait whose definition may be on its way."""
DAY_MS: Final = 86_400_000
_NOT_YOURS: Final = Text(
    "{count} samples are of tags that are not here ({tag} is one). Nothing of this part was stored; check the names.",
    "{count} 条采样值所属测点不在此处（如 {tag}），该部分未存储，请检查名称。",
)
_MANY: Final = Text(
    "Too much is being imported at once. Send it again in a moment.", "正在导入的内容过多，请稍后重发。"
)
_DISK_FULL: Final = Text(
    "The disk of {path} has {free} MB left: nothing is imported until there is space. Free some, then go on.",
    "{path} 所在磁盘仅剩 {free} MB，暂停导入。请释放空间后继续。",
)


@dataclass(slots=True)
class _Waiting:
    tenant: int
    batch: SampleBatch
    answered: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Importing:
    """Takes what is imported, for all tenants, one piece of one kind at a time."""

    def __init__(self, store: Store, owners: Ownership, settings: HistorianSettings) -> None:
        self._store = store
        self._owners = owners
        self._settings = settings
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history-import")

    async def take(self, key: str, payload: bytes) -> bytes:
        """Store one batch of a tenant durably; answers how many were `stored`, were `there` and are too `old`."""
        tenant = self._owners.number(key)
        batch = decode(payload, PIECE_ROWS_MAX)
        await self._require_own(key, batch)
        if len(self._waiting) >= WAITING_MAX:
            raise LimitExceeded(_MANY)
        if tenant is None or not len(batch):
            return json.dumps({"stored": 0, "there": 0, "old": 0}).encode()
        waiting = _Waiting(tenant, batch)
        self._waiting.append(waiting)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._store_waiting())
        return await asyncio.shield(waiting.answered)

    async def close(self) -> None:
        """End the thread; batches that wait are sent again by whoever imports."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for waiting in self._waiting:
            waiting.answered.cancel()
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)

    async def _require_own(self, key: str, batch: SampleBatch) -> None:
        """Refuse samples of tags that are not the tenant's; a tag that was just made is waited for."""
        ends_s = time.monotonic() + HOLD_S
        while not (own := self._owners.of(batch.tag) == self._owners.place(key)).all():
            if self._owners.of(batch.tag[~own]).any() or time.monotonic() > ends_s:
                raise Rejected(_NOT_YOURS, count=int((~own).sum()), tag=int(batch.tag[~own][0]))
            await asyncio.sleep(0.05)

    async def _store_waiting(self) -> None:
        """Store what waits, those of one tenant and kind together."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            first = self._waiting[0]
            some, rows = [], 0
            for each in list(self._waiting):
                if (each.tenant, each.batch.column) == (first.tenant, first.batch.column) and rows < TOGETHER_ROWS:
                    some.append(each)
                    rows += len(each.batch)
                    self._waiting.remove(each)
            try:
                answers = await loop.run_in_executor(self._thread, self._stored, some)
            except Exception as error:
                for each in some:
                    each.answered.set_exception(error)
            else:
                for each, answer in zip(some, answers, strict=True):
                    each.answered.set_result(answer)

    def _stored(self, some: list[_Waiting]) -> list[bytes]:
        free = shutil.disk_usage(self._settings.folder).free
        if free < self._settings.disk_free_min_bytes:
            raise StoreError(_DISK_FULL, path=self._settings.folder, free=free >> 20)
        batch = joined([each.batch for each in some])
        now_ms = time.time_ns() // 1_000_000
        # Whole days are dropped; what would go at once does not come in.
        kept_from = {
            name: (now_ms - days * DAY_MS) // DAY_MS * DAY_MS for name, days in self._settings.retention_days.items()
        }
        became = self._store.place(some[0].tenant, batch, kept_from)
        ends = np.cumsum([len(each.batch) for each in some])
        return [_told(part) for part in np.split(became, ends[:-1])]


def _told(became: npt.NDArray[np.uint8]) -> bytes:
    counts = np.bincount(became, minlength=3).tolist()
    return json.dumps({"stored": counts[STORED], "there": counts[THERE], "old": counts[OLD]}).encode()


def joined(batches: list[SampleBatch]) -> SampleBatch:
    """Lay batches of one column type one after another."""
    if len(batches) == 1:
        return batches[0]
    return SampleBatch(
        Column(batches[0].column),
        *(np.concatenate([getattr(batch, name) for batch in batches])
          for name in ("tag", "time", "value", "quality", "origin")),
    )  # fmt: skip
