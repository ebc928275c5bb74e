"""What someone may see and do among business records; every query and every change begins here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

from django.db.models import Q, QuerySet

from mainspring.core.errors import NotAllowed
from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.defined.fields import Grade
from mainspring.records.defined.kinds import Defined, columns, told
from mainspring.records.defined.shape import Move
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import RIGHT_WORDS, ROLE_WORDS, Right, least_role
from mainspring.records.search_words import below
from mainspring.records.tenant import Tenant

D = TypeVar("D", bound=Defined)
EVERY: Final = "*"
GROUP: Final = "group:"
_MISSING = Text(
    "{many}: this needs the right {right}, which the role {role} has. Ask your administrator.",
    "{many}：此操作需要“{right}”权限（{role}角色具有），请联系管理员。",
)
_ELSEWHERE = Text(
    "{many}: your rights do not reach this part of the plant. Ask your administrator.",
    "{many}：您的权限不包括工厂的这一部分，请联系管理员。",
)
_GRADES: Final = {
    Right.ADMINISTER: Grade.SECRET,
    Right.CONFIGURE: Grade.CONFIDENTIAL,
    Right.VIEW: Grade.INTERNAL,
}
"""How sensitive fields may be that a right shows; the highest comes first."""


class Doing(StrEnum):
    """What can be done with records."""

    VIEW = "view"
    EXPORT = "export"
    COMMENT = "comment"
    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    MOVE = "move"


READS: Final = frozenset({Doing.VIEW, Doing.EXPORT, Doing.COMMENT})


@dataclass(frozen=True, slots=True)
class Permit:
    """What one assignment permits: rights, or doings with some kinds, perhaps in a part of the plant alone."""

    source: str
    """Which assignment it comes from, by its id."""
    rights: frozenset[Right] = frozenset()
    kinds: frozenset[str] = frozenset()
    """Names of kinds, of groups as `group:quality`, or `*`."""
    doings: frozenset[Doing] = frozenset()
    moves: frozenset[str] = frozenset()
    """Names of steps, or `*`."""
    highest: Grade = Grade.INTERNAL
    path: str = ""
    """The asset below which it holds; empty: everywhere."""
    company: str = ""
    """`operator` or `owner`: of the asset, which this company must be."""
    for_records: frozenset[Right] = frozenset()
    """Rights that count for business records, not for the endpoints of the platform."""
    only: frozenset[str] = frozenset()
    """Kinds beyond which nothing is permitted, named as in `kinds`; empty: all."""
    within: frozenset[Right] | None = None
    """Rights beyond which nothing is permitted; None: all."""

    @property
    def everywhere(self) -> bool:
        """Tell whether it holds in the whole plant."""
        return not self.path and not self.company

    def covers(self, kind: type[Defined], doing: Doing, step: Move | None = None) -> bool:
        """Tell whether this may be done with a kind, somewhere."""
        names, wanted = {EVERY, kind.kind, f"{GROUP}{kind.shape.group}"}, needed(kind, doing, step)
        if (self.only and self.only.isdisjoint(names)) or (self.within is not None and wanted not in self.within):
            return False
        if wanted in self.rights | self.for_records:
            return True
        if Right.ADMINISTER in {kind.shape.view, kind.shape.write}:
            # Who may hand out rights is never a matter of kinds.
            return False
        if self.kinds.isdisjoint(names) or doing not in self.doings:
            return False
        return step is None or not self.moves.isdisjoint({EVERY, step.name})

    def where(self, kind: type[Defined], tenant: Tenant) -> Q | None:
        """Return the condition that a record lies within, None if no record of the kind does."""
        place = place_of(kind)
        if self.everywhere or not (place or self.path):
            return Q()
        if not place:
            return None
        assets = Asset.objects.of(tenant)
        if self.path:
            assets = assets.filter(Q(path=self.path) | below(self.path))
        if self.company:
            assets = assets.filter(**{self.company: tenant})
        return Q(**{f"{place}__in": assets.values("pk")})

    def reaches(self, record: Defined) -> bool:
        """Tell whether a record, stored or not, lies within."""
        place = place_of(type(record))
        if self.everywhere or not (place or self.path):
            return True
        if not place:
            return False
        found: Any = record
        for name in place.split("__"):
            found = getattr(found, name) if found is not None else None
        if not isinstance(found, Asset) or not f"{found.path}/".startswith(f"{self.path}/" if self.path else ""):
            return False
        return not self.company or getattr(found, f"{self.company}_id") == record.tenant_id

    def grade(self, kind: type[Defined]) -> Grade:
        """Return how sensitive fields of a kind it shows."""
        by_right = grade_of(self.rights | self.for_records)
        return max(by_right, self.highest) if self.kinds else by_right


@dataclass(frozen=True, slots=True)
class Access:
    """One person, program or company at work: who it is, and what it may do."""

    author: Author
    rights: frozenset[Right]
    """Rights in the whole company."""
    permits: tuple[Permit, ...] = ()
    """What assignments give beside them."""
    assignee: str = ""
    """Whom the assignments name: `user:<id>` or `credential:<id>`."""

    @property
    def tenant(self) -> Tenant:
        """The company whose records these are."""
        return self.author.tenant

    def grade_for(self, kind: type[Defined]) -> Grade:
        """Return how sensitive fields of a kind may be that are shown to it.

        What holds everywhere adds up. Who sees a kind in parts of the plant alone sees in all of them what is seen in
        the one that shows least.
        """
        found = [permit for permit in self.permits if permit.covers(kind, Doing.VIEW)]
        whole = [permit.grade(kind) for permit in found if permit.everywhere]
        if kind.shape.view in self.rights:
            whole.append(grade_of(self.rights))
        return max(whole) if whole else min((permit.grade(kind) for permit in found), default=Grade.PUBLIC)

    def rows(self, kind: type[D], doing: Doing = Doing.VIEW) -> QuerySet[Any]:
        """Return the records of a kind with which this may be done; raises NotAllowed if there can be none."""
        self.require(kind, doing)
        rows = kind.objects.of(self.tenant)
        found = [permit.where(kind, self.tenant) for permit in self.permits if permit.covers(kind, doing)]
        if needed(kind, doing) in self.rights or Q() in found:
            return rows
        within = Q(pk__in=())
        for where in found:
            within |= where or Q(pk__in=())
        return rows.filter(within)

    def require(self, kind: type[Defined], doing: Doing) -> None:
        """Raise NotAllowed unless this may be done with records of a kind, somewhere."""
        wanted = needed(kind, doing)
        if wanted not in self.rights and not any(permit.covers(kind, doing) for permit in self.permits):
            raise _missing(kind, wanted)

    def allow(self, record: Defined, doing: Doing, step: Move | None = None) -> None:
        """Raise NotAllowed unless this may be done with a record as it now is, stored or not."""
        kind = type(record)
        wanted = needed(kind, doing, step)
        if wanted in self.rights:
            return
        found = [permit for permit in self.permits if permit.covers(kind, doing, step)]
        if not found:
            raise _missing(kind, wanted)
        if not any(permit.reaches(record) for permit in found):
            raise NotAllowed(_ELSEWHERE, many=kind.shape.many)

    def hidden(self, kind: type[Defined]) -> frozenset[str]:
        """Return the fields of a kind that are not shown to it."""
        return _above(kind, self.grade_for(kind))

    def shown(self, record: Defined) -> dict[str, Any]:
        """Return a record's document without the fields that are not shown to it."""
        hidden = self.hidden(type(record))
        return {name: value for name, value in record.document().items() if name not in hidden}


@cache
def _above(kind: type[Defined], grade: Grade) -> frozenset[str]:
    return frozenset(name for name in columns(kind) if told(kind, name).grade > grade)


def grade_of(rights: frozenset[Right]) -> Grade:
    """Return how sensitive fields may be that rights show."""
    return next((grade for right, grade in _GRADES.items() if right in rights), Grade.PUBLIC)


def needed(kind: type[Defined], doing: Doing, step: Move | None = None) -> Right:
    """Return the right that allows this in the whole company."""
    if step is not None:
        return step.right
    if doing is Doing.EXPORT and kind.shape.view is Right.VIEW:
        return Right.EXPORT
    return kind.shape.view if doing in READS else kind.shape.write


def _missing(kind: type[Defined], right: Right) -> NotAllowed:
    return NotAllowed(_MISSING, many=kind.shape.many, right=RIGHT_WORDS[right], role=ROLE_WORDS[least_role(right)])


@cache
def place_of(kind: type[Defined]) -> str:
    """Return the way from a record to the asset it belongs to, as queries name it; empty if it has none."""
    name = kind.shape.place or kind.shape.part_of
    target = columns(kind)[name].related_model if name else None
    if target is Asset:
        return name
    further = place_of(target) if target is not None and issubclass(target, Defined) and target is not kind else ""
    return f"{name}__{further}" if further else ""
