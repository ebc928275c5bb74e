"""What lies below the areas of a plant and how much of it is bad, kept between requests: a plant has many tags."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from mainspring.bus.connect import Bus
from mainspring.core import quality
from mainspring.core.current import KNOWN
from mainspring.records.access.scope import Part, Scope
from mainspring.records.audit import AuditEntry
from mainspring.records.plant.asset import Asset, AssetKind
from mainspring.records.search_words import below
from mainspring.web.live import ask_current

AREAS_MAX: Final = 200
SCOPES_MAX: Final = 100
SHARE: Final = 20
"""Reading again takes at most a twentieth of the time, however many ask and however much changes."""
Ordinals = npt.NDArray[np.uint32]
_Key = tuple[UUID, frozenset[Part] | None]


@dataclass(frozen=True, slots=True)
class Below:
    """Areas, and the ordinals of the enabled tags below each, by path."""

    areas: list[Asset]
    ordinals: Mapping[str, Ordinals]
    mark: UUID | None
    """The newest audit entry at that time: without another one nothing has changed."""
    until_s: float


@dataclass(frozen=True, slots=True)
class _Counted:
    of: Below
    bad: dict[str, int]
    until_s: float


class Areas:
    """Remembers for each company, and each part of its plant, what was read last."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._below: dict[_Key, Below] = {}
        self._counted: dict[_Key, _Counted] = {}

    def read(self, scope: Scope) -> Below:
        """Return areas and tags within a scope as they are, or as they were a moment ago where reading takes long."""
        began_s = self._clock_s()
        tenant, key = scope.tenant, _key(scope)
        kept = self._below.get(key)
        mark = AuditEntry.objects.of(tenant).order_by("-sequence").values_list("id", flat=True).first()
        if kept is not None and (kept.mark == mark or began_s < kept.until_s):
            return kept
        areas = list(scope.assets().filter(asset_kind=AssetKind.AREA).order_by("path")[:AREAS_MAX])
        if not areas or not scope.everywhere:
            areas += [each for each in scope.roots().order_by("path")[:AREAS_MAX] if not _told(each, areas)]
        tags = scope.tags().filter(enabled=True)
        found = {area.path: tags.filter(below(area.path)).values_list("ordinal", flat=True) for area in areas}
        ordinals = {path: np.fromiter(rows.iterator(), dtype=np.uint32) for path, rows in found.items()}
        made = Below(areas, ordinals, mark, self._until_s(began_s))
        _keep(self._below, key, made)
        return made

    async def bad_counts(self, bus: Bus, scope: Scope, of: Below) -> dict[str, int]:
        """Count the tags of each area whose value is bad; an uncertain one is not, nor one that was never sent."""
        began_s = self._clock_s()
        kept = self._counted.get(_key(scope))
        if kept is not None and kept.of is of and began_s < kept.until_s:
            return kept.bad
        parts = [*of.ordinals.values(), np.empty(0, dtype=np.uint32)]
        columns = await ask_current(bus, scope.tenant.key, np.concatenate(parts))
        bad = _is_bad(columns)
        split = np.split(bad, np.cumsum([len(part) for part in parts])[:-1])
        counted = {path: int(part.sum()) for path, part in zip(of.ordinals, split, strict=False)}
        _keep(self._counted, _key(scope), _Counted(of, counted, self._until_s(began_s)))
        return counted

    def _until_s(self, began_s: float) -> float:
        now_s = self._clock_s()
        return now_s + SHARE * (now_s - began_s)


def _is_bad(columns: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    known = (columns["flags"] & KNOWN) != 0
    return np.asarray(known & ((columns["quality"] & quality.MASK) == quality.BAD), dtype=np.bool_)


def _key(scope: Scope) -> _Key:
    return scope.tenant.pk, scope.parts


def _told(root: Asset, areas: list[Asset]) -> bool:
    """Tell whether areas below a root stand for it."""
    return any(f"{area.path}/".startswith(f"{root.path}/") for area in areas)


def _keep(kept: dict[_Key, Any], key: _Key, value: Any) -> None:
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > SCOPES_MAX:
        kept.pop(next(iter(kept)))


areas: Final = Areas()
"""What this process remembers."""
