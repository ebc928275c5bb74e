"""Another company's records, as its grants show them; nobody gets them without asking for that company by its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Count, Q, QuerySet, Sum

from mainspring.core.errors import NotAllowed, NotFound
from mainspring.core.text import Text
from mainspring.records.access.grant import Grant, Shows
from mainspring.records.defined import listing
from mainspring.records.defined.access import READS, Access, D, Doing, needed
from mainspring.records.defined.fields import Grade, shown
from mainspring.records.defined.kinds import Defined, columns, kinds, told
from mainspring.records.defined.shape import Move
from mainspring.records.faults import Invalid
from mainspring.records.in_force import for_platform
from mainspring.records.tenant import Tenant, below, now_ms

GRANTS_MAX: Final = 200
"""Of one company to another; further ones give nothing."""
GROUPS_MAX: Final = 100
SUMMED_MIN: Final = 2
"""Sums of fewer records are not told."""
STATE: Final = "state"
_NO_CHOICE: Final = Text("{kind} has no choice {name!r}.", "{kind}没有可选项字段“{name}”。")
_NO_GRANT: Final = Text(
    "No grant shows you {many} of {company!r}. GET /api/v1/grants/received lists yours.",
    "没有授权可让您查看“{company}”的{many}，可用 GET /api/v1/grants/received 查询。",
)
_RECORDS: Final = Text("records", "记录")
_LOOK_ONLY: Final = Text("{many} of {company!r} can only be looked at.", "“{company}”的{many}只能查看。")
_NO_SUM: Final = Text("{kind} has no number {name!r}.", "{kind}没有数值字段“{name}”。")


@dataclass(frozen=True, slots=True)
class Granted(Access):
    """Someone who looks at what another company granted to theirs."""

    owner: Tenant = field(default_factory=Tenant)
    grants: tuple[Grant, ...] = ()

    @property
    def tenant(self) -> Tenant:
        """The company that grants them."""
        return self.owner

    def rows(self, kind: type[D], doing: Doing = Doing.VIEW) -> QuerySet[Any]:
        """Return the granted records with which this may be done."""
        self.require(kind, doing)
        return kind.objects.of(self.tenant).filter(_within(kind, self._of(kind, doing)))

    def require(self, kind: type[Defined], doing: Doing) -> None:
        """Raise NotAllowed for all but looking, NotFound where nothing is granted."""
        if doing not in READS:
            raise NotAllowed(_LOOK_ONLY, many=kind.shape.many, company=self.owner.key)
        # What one does not see in all of one's own plant one does not see elsewhere either.
        own = [permit for permit in self.permits if permit.everywhere]
        Access(self.author, self.rights, tuple(own)).require(kind, doing)
        if not self._of(kind, doing):
            raise NotFound(_NO_GRANT, many=kind.shape.many, company=self.owner.key)

    def allow(self, record: Defined, doing: Doing, step: Move | None = None) -> None:
        """Raise NotAllowed unless it is looked at: nothing of another company is changed."""
        if doing not in READS or not self.rows(type(record), doing).filter(pk=record.pk).exists():
            raise NotAllowed(_LOOK_ONLY, many=record.shape.many, company=self.owner.key)

    def grade_for(self, kind: type[Defined]) -> Grade:
        """Return how sensitive fields may be: of several grants, the one that shows least counts for all rows."""
        granted = min((grant.grade for grant in self._of(kind, Doing.VIEW)), default=Grade.PUBLIC)
        return min(granted, Access.grade_for(self, kind))

    def hidden(self, kind: type[Defined]) -> frozenset[str]:
        """Return the fields that are not shown: those above the grade, whatever tells of persons, and links.

        A link would tell of a record that perhaps nobody granted.
        """
        about = {name: told(kind, name) for name in columns(kind)}
        inner = frozenset(name for name, each in about.items() if each.personal or each.control in {"link", "any"})
        return inner | Access.hidden(self, kind)

    def _of(self, kind: type[Defined], doing: Doing) -> list[Grant]:
        return [grant for grant in self.grants if grant.subject == kind.kind and _lets(grant, doing)]


def granted(access: Access, owner_key: str) -> Granted:
    """Return how someone sees another company's records; raises NotFound, also where there is no such company."""
    with for_platform():
        grants = list(in_force(access.author.tenant).filter(tenant__key=owner_key)[:GRANTS_MAX])
    if not grants:
        raise NotFound(_NO_GRANT, many=_RECORDS, company=owner_key)
    return Granted(
        access.author, access.rights, access.permits, access.assignee, owner=grants[0].tenant, grants=tuple(grants)
    )


def owner_of(tenant: Tenant, key: str) -> Tenant | None:
    """Return the company with this key if it grants anything to a tenant."""
    with for_platform():
        grant = in_force(tenant).filter(tenant__key=key).first()
    return grant.tenant if grant else None


def in_force(tenant: Tenant) -> QuerySet[Grant]:
    """Return the grants of others to a company that hold now; to be asked for the platform."""
    held = Grant.objects.filter(company=tenant.key, state="given", until_ms__gt=now_ms())
    return held.select_related("tenant").order_by("tenant__key", "number")


def received(tenant: Tenant) -> list[dict[str, Any]]:
    """Tell which grants a company has from others."""
    with for_platform():
        grants = list(in_force(tenant)[: GRANTS_MAX * 5])
    return [
        {"from": grant.tenant.key, "name": grant.tenant.name, "kind": grant.subject, "purpose": grant.purpose,
         "shows": grant.shows, "may_export": grant.may_export, "may_comment": grant.may_comment,
         "up_to": grant.up_to, "until_ms": grant.until_ms}
        for grant in grants
    ]  # fmt: skip


def figures(access: Access, kind: type[Defined], sums: Iterable[str], by: str = "") -> list[dict[str, Any]]:
    """Return how many records of a kind each company shows that granted them, and the sums of some of their numbers.

    `by` names the state or a choice of which each has figures of its own.
    """
    Access.require(access, kind, Doing.VIEW)
    wanted = list(sums)
    if by and not (by == STATE and kind.shape.states.words) and not (by in columns(kind) and told(kind, by).choices):
        raise Invalid({"by": _NO_CHOICE.format(kind=kind.shape.one, name=by)})
    for name in wanted:
        column = columns(kind).get(name)
        if column is None or told(kind, name).control not in {"exact", "whole"}:
            raise Invalid({"sums": _NO_SUM.format(kind=kind.shape.one, name=name)})
    found: dict[str, list[Grant]] = {}
    with for_platform():
        for grant in in_force(access.author.tenant).filter(subject=kind.kind)[: GRANTS_MAX * 5]:
            found.setdefault(grant.tenant.key, []).append(grant)
        return [_figures(access, kind, wanted, by, grants) for grants in found.values()]


def granting(access: Access) -> list[dict[str, Any]]:
    """Return how many records of each kind other companies show, those below this one in the tree marked as such.

    Kinds that the asker does not see in all of their own company are left out.
    """
    seen = {kind.kind: kind for kind in kinds() if _sees(access, kind)}
    found: dict[tuple[str, str], list[Grant]] = {}
    with for_platform():
        for grant in in_force(access.author.tenant).filter(subject__in=seen)[: GRANTS_MAX * 5]:
            found.setdefault((grant.tenant.key, grant.subject), []).append(grant)
        under = {tenant.pk for tenant in below(access.author.tenant)}
        return [
            _figures(access, seen[subject], [], "", grants) | {
                "kind": subject, "below": grants[0].tenant_id in under,
                "purposes": sorted({grant.purpose for grant in grants}),
                "until_ms": max(grant.until_ms for grant in grants),
            }
            for (_, subject), grants in found.items()
        ]  # fmt: skip


def _sees(access: Access, kind: type[Defined]) -> bool:
    return needed(kind, Doing.VIEW) in access.rights or any(
        permit.everywhere and permit.covers(kind, Doing.VIEW) for permit in access.permits
    )


def _figures(access: Access, kind: type[Defined], wanted: list[str], by: str, grants: list[Grant]) -> dict[str, Any]:
    grade = min(access.grade_for(kind), *(grant.grade for grant in grants))
    open_ = [name for name in wanted if told(kind, name).grade <= grade]
    rows = kind.objects.of(grants[0].tenant).filter(_within(kind, grants))
    totals = {"count": Count("pk"), **{f"sum_{name}": Sum(name) for name in open_}}
    tenant, groups = grants[0].tenant, []
    if by and (by == STATE or told(kind, by).grade <= grade):
        parts = rows.order_by(by).values(by).annotate(**totals)[:GROUPS_MAX]
        groups = [{by: part[by], **_told(part, open_)} for part in parts]
    return {
        "owner": tenant.pk, "from": tenant.key, "name": tenant.name, **_told(rows.aggregate(**totals), open_),
        "groups": groups, "grants": [str(grant.pk) for grant in grants],
    }  # fmt: skip


def _told(totals: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    # The sum of a single record would be that record.
    summed = totals["count"] >= SUMMED_MIN
    sums = {name: shown(totals[f"sum_{name}"]) if summed else None for name in names}
    return {"count": totals["count"], "sums": sums}


def _lets(grant: Grant, doing: Doing) -> bool:
    if grant.shows != Shows.RECORDS:
        return False
    return doing is Doing.VIEW or (grant.may_export if doing is Doing.EXPORT else grant.may_comment)


def _within(kind: type[Defined], grants: Iterable[Grant]) -> Q:
    within = Q(pk__in=())
    for grant in grants:
        if grant.only:
            condition = Q(pk=grant.only.partition(":")[2]) & listing.conditions(kind, grant.where)
        else:
            condition = listing.conditions(kind, grant.where) or ~Q(pk__in=())
        within |= condition
    return within
