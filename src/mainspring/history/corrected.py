"""Which tags have corrections: hardly any, and a query of all others need not look for them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mainspring.core.kinds import Column
from mainspring.history import sql
from mainspring.history.engine import Engine
from mainspring.history.schema import CORRECTION

TAGS_MAX: Final = 100_000
"""Where more tags than this have corrections, every query looks for them."""


class Corrected:
    """What was ever corrected through this process or before it opened the history; nobody else writes there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        every = " union all ".join(f"select tenant, tag from {table}" for table in CORRECTION.values())
        rows = engine.table(f"select distinct tenant, tag from ({every}) limit {TAGS_MAX + 1}").to_pylist()
        self._tags = {(row["tenant"], row["tag"]) for row in rows}

    def note(self, tenant: int, tags: Collection[int]) -> None:
        """Know of corrections of some tags; to be called before they are stored."""
        self._tags.update((tenant, tag) for tag in tags)

    def columns(self, tenant: int, tags: Collection[int], condition: str) -> frozenset[Column]:
        """Return the column types that have corrections under a condition on this tenant and these tags."""
        few = len(self._tags) <= TAGS_MAX
        if few and not any((tenant, tag) in self._tags for tag in tags):
            return frozenset()
        rows = self._engine.table(sql.corrected_columns(condition)).to_pylist()
        return frozenset(Column(row["name"]) for row in rows)
