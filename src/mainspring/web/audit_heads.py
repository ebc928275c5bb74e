"""Writes down the heads of the audit's chains every minute, and tells when one was lost."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from django.db import DatabaseError

from mainspring.core.text import Text
from mainspring.records.audit import write_heads
from mainspring.web.configure import current
from mainspring.web.lasting import in_thread

log = structlog.get_logger(__name__)
PACE_S: Final = 60.0
# Everyone on the platform may see it: it names no company.
_CUT: Final = Text(
    "The audit lost its last entries, or the records were put back. `mainspring audit verify` tells which.",
    "审计缺失末尾记录，或记录曾被恢复，请用 `mainspring audit verify` 查看。",
)


class HeadKeeper:
    """Keeps heads beside the database for this web process; `trouble` tells what is wrong."""

    def __init__(self) -> None:
        self.trouble: Text | None = None
        self._cut: set[str] = set()

    async def run(self) -> None:
        """Write heads down for ever; what cannot be written now is written a minute later."""
        while True:
            try:
                cut = await in_thread(write_heads, current().data_folder)
            except (DatabaseError, OSError) as error:
                log.warning("audit.heads_waiting", reason=str(error))
            else:
                for tenant in sorted(cut - self._cut):
                    log.error("audit.cut", tenant=tenant)
                self._cut, self.trouble = cut, _CUT if cut else None
            await asyncio.sleep(PACE_S)
