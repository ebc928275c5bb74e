"""Tags that belong to nobody: who sends them is not waited for again and again."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

REMEMBERED_S: Final = 30.0
IN_VAIN_MAX: Final = 1000
"""So often within REMEMBERED_S a tenant's strangers are looked up; who sends ever new ones delays nobody longer."""
TAGS_MAX: Final = 100_000


class Strangers:
    """What was nobody's when every definition had been taken, by tenant, for half a minute."""

    def __init__(self) -> None:
        self._tags: dict[str, set[int]] = {}
        self._in_vain: dict[str, int] = {}
        self._ends_s = 0.0

    def worth_asking(self, tenant: str, tags: npt.NDArray[np.uint32], now_s: float) -> bool:
        """Tell whether one of these tags may have a definition that is still on its way."""
        if now_s > self._ends_s:
            self._tags.clear()
            self._in_vain.clear()
            self._ends_s = now_s + REMEMBERED_S
        known = self._tags.get(tenant)
        if known is None:
            return True
        return self._in_vain[tenant] < IN_VAIN_MAX and not known.issuperset(tags.tolist())

    def found(self, tenant: str, tags: npt.NDArray[np.uint32]) -> None:
        """Remember tags that have no definition, or none of a tenant that has none itself."""
        self._in_vain[tenant] = self._in_vain.get(tenant, 0) + 1
        known = self._tags.setdefault(tenant, set())
        known.update(tags[: TAGS_MAX - len(known)].tolist())
