"""Whose each tag is: every batch is checked against it, and foreign tags are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from mainspring.core.definitions import PAGE, Definition, TagPage, TenantDefinition

log = structlog.get_logger(__name__)

ORDINALS_MAX: Final = 2**24
"""Most tags of one history; an array of four bytes a tag is as long as the highest ordinal."""
NOBODY: Final = 0


class Ownership:
    """Owners by tag ordinal, fed by the published definitions; `classify` hears each tag's retention class."""

    def __init__(self, classify: Callable[[str, Sequence[int]], None]) -> None:
        self._classify = classify
        self._owner = np.zeros(PAGE, dtype=np.uint32)
        self._places: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._pages: dict[str, npt.NDArray[np.uint32]] = {}

    def changed(self, key: str, definition: Definition | None) -> None:
        """Take one published definition, or its removal."""
        if isinstance(definition, TenantDefinition):
            self._numbers[definition.key] = definition.number
        elif isinstance(definition, TagPage):
            self._take_page(key, definition)
        elif definition is None and key in self._pages:
            self._owner[self._pages.pop(key)] = NOBODY

    def number(self, tenant: str) -> int | None:
        """Return a tenant's number, None for a tenant that is not known."""
        return self._numbers.get(tenant)

    def of(self, tags: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Return the place of each tag's owner, `NOBODY` for tags that are not known."""
        # The last element stands for every ordinal beyond the array and is nobody's.
        return self._owner[np.minimum(tags, len(self._owner) - 1)]

    def place(self, tenant: str) -> int:
        """Return the mark under which a tenant's tags stand in `of`."""
        return self._places.setdefault(tenant, len(self._places) + 1)

    def _take_page(self, key: str, page: TagPage) -> None:
        ordinals = np.array([tag.ordinal for tag in page.tags if tag.ordinal < ORDINALS_MAX], dtype=np.uint32)
        if len(ordinals) < len(page.tags):
            log.error("history.ordinal_too_high", key=key, limit=ORDINALS_MAX)
        before = self._pages.get(key)
        if before is not None:
            self._owner[before] = NOBODY
        self._pages[key] = ordinals
        if not len(ordinals):
            return
        beyond = int(ordinals.max()) + 2
        if beyond > len(self._owner):
            grown = np.zeros(max(beyond, 2 * len(self._owner)), dtype=np.uint32)
            grown[: len(self._owner)] = self._owner
            self._owner = grown
        self._owner[ordinals] = self.place(page.tenant)
        classes: dict[str, list[int]] = {}
        for tag in page.tags:
            classes.setdefault(tag.retention, []).append(tag.ordinal)
        for retention, tags in classes.items():
            self._classify(retention, tags)
