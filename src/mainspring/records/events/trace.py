"""Where a lot comes from and where it went: one question to the database, whatever the depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from mainspring.records.tenant import Tenant

DEPTH_MAX: Final = 100
STEPS_MAX: Final = 10_000

# Of a process, `one` is the side the way comes from and `other` the side it goes to. Each step is found at the
# least depth alone, but the way may pass a lot at several depths: the depth bounds it.
_SQL: Final = """
WITH RECURSIVE way(origin, process, thing, depth) AS (
    SELECT CAST('' AS text), CAST('' AS text), CAST(%(thing)s AS text), 0
    UNION
    SELECT CAST(one.thing AS text), CAST(one.process AS text), CAST(other.thing AS text), way.depth + 1
    FROM way
    JOIN records_lineage one ON one.tenant_id = %(tenant)s AND one.thing = way.thing AND one.made = %(backward)s
    JOIN records_lineage other
      ON other.tenant_id = one.tenant_id AND other.process = one.process AND other.made <> one.made
    WHERE way.depth < %(depth)s
)
SELECT origin, process, thing, MIN(depth) FROM way WHERE depth > 0
GROUP BY origin, process, thing ORDER BY MIN(depth), origin, process, thing LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step away from the lot asked for: `thing` lies behind `origin` (or ahead of it) by a process."""

    origin: str
    process: str
    thing: str
    depth: int


@dataclass(frozen=True, slots=True)
class Trace:
    """All steps, the nearest first; `more`: there are further ones."""

    steps: list[Step]
    more: bool


def trace(tenant: Tenant, thing: str, *, backward: bool, depth: int = DEPTH_MAX) -> Trace:
    """Follow what a lot or unit is made of (backward), or what is made of it."""
    key = tenant.pk if connection.vendor == "postgresql" else tenant.pk.hex
    parameters = {
        "thing": thing, "tenant": key, "backward": backward, "depth": min(depth, DEPTH_MAX),
        "limit": STEPS_MAX + 1,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SQL, parameters)
        found = [Step(*row) for row in cursor.fetchall()]
    return Trace(found[:STEPS_MAX], len(found) > STEPS_MAX)
