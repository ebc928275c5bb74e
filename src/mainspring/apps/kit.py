"""What an app is made of. Apps import this, `mainspring.apps.nouns`, Django and Python's own library; nothing else.

What stands in `__all__` keeps its name and meaning; everything below it may change from one version to the next.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import CASCADE, F, Q, Sum, UniqueConstraint

from mainspring.core.errors import Conflict, LimitExceeded, MainspringError, NotFound
from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.defined import fields
from mainspring.records.defined.access import Access
from mainspring.records.defined.fields import Choices, Grade, cell
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Move, Rule, Shape, States
from mainspring.records.defined.writing import create, modify, move, remove, rework
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant, now_ms

DAY_MS: Final = 86_400_000


def consequence(author: Author) -> Access:
    """Return an access for what follows from a step someone was allowed to take, in that person's name.

    The step asked for its right; what an app does because of it asks for none. Not for what a person asks for directly.
    """
    return Access(author, frozenset(Right))


def today(tenant: Tenant) -> date:
    """Return the day by a company's clock."""
    return datetime.now(ZoneInfo(tenant.zone)).date()


def day_ms(tenant: Tenant, day: date) -> int:
    """Return when a day begins by a company's clock, in milliseconds UTC."""
    return int(datetime.combine(day, time(), ZoneInfo(tenant.zone)).astimezone(UTC).timestamp() * 1000)


def day_of(tenant: Tenant, time_ms: int) -> date:
    """Return the day of an instant by a company's clock."""
    return datetime.fromtimestamp(time_ms / 1000, ZoneInfo(tenant.zone)).date()


__all__ = [
    "CASCADE",
    "DAY_MS",
    "RELEASED",
    "Access",
    "Author",
    "Choices",
    "Conflict",
    "Defined",
    "Draft",
    "F",
    "Grade",
    "Group",
    "Invalid",
    "LimitExceeded",
    "MainspringError",
    "Move",
    "NotFound",
    "Q",
    "Right",
    "Rule",
    "Shape",
    "States",
    "Sum",
    "Tenant",
    "Text",
    "UniqueConstraint",
    "cell",
    "consequence",
    "create",
    "date",
    "day_ms",
    "day_of",
    "fields",
    "modify",
    "move",
    "now_ms",
    "remove",
    "rework",
    "timedelta",
    "today",
]
