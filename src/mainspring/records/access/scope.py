"""Where in the plant someone has a right of the platform: every question about assets and tags begins with a scope."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.defined.access import Permit
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.tag import Tag
from mainspring.records.record import absent
from mainspring.records.rights import Right
from mainspring.records.search_words import below
from mainspring.records.tenant import Tenant

AT_ONCE: Final = 900
_NO_TAGS: Final = Text(
    "There are no tags {missing} here. They may have been deleted; choose them again.",
    "此处没有测点 {missing}，可能已被删除，请重新选择。",
)
_TOLD_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the plant: what lies below an asset, of which this company is operator or owner."""

    path: str = ""
    """The asset; empty: all of the plant."""
    company: str = ""
    """`operator` or `owner`; empty: whosever it is."""

    def of_assets(self, tenant: Tenant) -> Q:
        """Return the condition that an asset lies within."""
        within = Q(path=self.path) | below(self.path) if self.path else Q()
        return within & Q(**{self.company: tenant}) if self.company else within

    def of_tags(self, tenant: Tenant) -> Q:
        """Return the condition that a tag lies within."""
        if not self.company:
            return below(self.path)
        return Q(asset__in=Asset.objects.of(tenant).filter(self.of_assets(tenant)).values("pk"))


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of a company's plant that a right reaches; `None`: all of it."""

    tenant: Tenant
    parts: frozenset[Part] | None = None

    @property
    def everywhere(self) -> bool:
        """Tell whether it is the whole plant, so that nothing has to be looked up."""
        return self.parts is None

    def assets(self) -> QuerySet[Asset]:
        """Return the assets within."""
        rows = Asset.objects.of(self.tenant)
        return rows if self.parts is None else rows.filter(_any(part.of_assets(self.tenant) for part in self.parts))

    def roots(self) -> QuerySet[Asset]:
        """Return the assets with which its tree begins: nothing within lies above them."""
        roots = Q(parent=None) if self.parts is None else Q(parent=None) | ~Q(parent__in=self.assets().values("pk"))
        return self.assets().filter(roots)

    def tags(self) -> QuerySet[Tag]:
        """Return the tags within."""
        rows = Tag.objects.of(self.tenant)
        return rows if self.parts is None else rows.filter(_any(part.of_tags(self.tenant) for part in self.parts))

    def alarms(self) -> QuerySet[AlarmDefinition]:
        """Return the definitions of alarms of tags within."""
        rows = AlarmDefinition.objects.of(self.tenant)
        return rows if self.parts is None else rows.filter(tag__in=self.tags().values("pk"))

    def asset(self, id: UUID) -> Asset:
        """Return an asset within; raises NotFound, as for one that does not exist."""
        found = self.assets().filter(pk=id).first()
        if found is None:
            raise absent("asset", id)
        return found

    def tag(self, id: UUID) -> Tag:
        """Return a tag within; raises NotFound."""
        found = self.tags().filter(pk=id).first()
        if found is None:
            raise absent("tag", id)
        return found

    def ordinals(self, wanted: Collection[int]) -> set[int]:
        """Return which of these tags lie within, by their ordinals."""
        if self.parts is None:
            return set(wanted)
        return set(_looked_up(self.tags(), "ordinal", wanted))

    def alarm_ids(self, wanted: Collection[UUID]) -> set[UUID]:
        """Return which of these definitions of alarms lie within."""
        if self.parts is None:
            return set(wanted)
        return set(_looked_up(self.alarms(), "pk", wanted))

    def require_tags(self, wanted: Collection[int]) -> None:
        """Raise NotFound unless all of these tags lie within; of the whole plant nothing is asked."""
        if self.parts is None:
            return
        within = self.ordinals(wanted)
        outside = [ordinal for ordinal in wanted if ordinal not in within]
        if outside:
            raise NotFound(_NO_TAGS, missing=", ".join(map(str, outside[:_TOLD_MAX])))

    def require_alarms(self, wanted: Collection[UUID]) -> None:
        """Raise NotFound unless all of these definitions of alarms lie within."""
        within = self.alarm_ids(wanted)
        for id in wanted:
            if id not in within:
                raise absent("alarm-definition", id)

    def gateways(self) -> frozenset[str]:
        """Return the names of the gateways that tags within come from: they have no place themselves."""
        rows = Connection.objects.of(self.tenant)
        if self.parts is not None:
            rows = rows.filter(pk__in=self.tags().values("connection"))
        return frozenset(rows.values_list("gateway", flat=True))

    def reach(self) -> Reach | None:
        """Return what can be asked without the database, as the plant is now; None for all of it."""
        if self.parts is None:
            return None
        owned = [part for part in self.parts if part.company]
        rows = Asset.objects.of(self.tenant).filter(_any(part.of_assets(self.tenant) for part in owned))
        ids = frozenset(str(id) for id in rows.values_list("pk", flat=True)) if owned else frozenset()
        return Reach(tuple(f"{part.path}/" for part in self.parts if not part.company), ids, self.gateways())


@dataclass(frozen=True, slots=True)
class Reach:
    """A scope as it was at one moment: paths of assets with a slash, single assets, and gateways."""

    paths: tuple[str, ...]
    assets: frozenset[str]
    gateways: frozenset[str]

    def feeds(self, role: str, name: str) -> bool:
        """Tell whether a role of the platform has to do with it: of gateways, those that tags within come from."""
        return role != "gateway" or name in self.gateways

    def holds(self, path: str, asset: str) -> bool:
        """Tell whether a tag with this path, of this asset, lies within."""
        return path.startswith(self.paths) or asset in self.assets


def scope_of(tenant: Tenant, rights: frozenset[Right], permits: Sequence[Permit], right: Right) -> Scope:
    """Return where someone has a right: `rights` hold in the whole company, permits perhaps in a part of the plant."""
    if right in rights:
        return Scope(tenant)
    # A token that is confined to kinds of records has none of its rights anywhere else.
    found = [permit for permit in permits if right in permit.rights and not permit.only]
    if any(permit.everywhere for permit in found):
        return Scope(tenant)
    return Scope(tenant, frozenset(Part(permit.path, permit.company) for permit in found))


def parts_of(rights: frozenset[Right], permits: Sequence[Permit]) -> dict[Part, frozenset[Right]]:
    """Return the parts of the plant in which someone has other rights than the `rights` they have everywhere."""
    found: dict[Part, frozenset[Right]] = {}
    for permit in permits:
        if not permit.everywhere and not permit.only and (more := permit.rights - rights):
            part = Part(permit.path, permit.company)
            found[part] = found.get(part, frozenset()) | more
    return found


def _any(conditions: Iterable[Q]) -> Q:
    within = Q(pk__in=())
    for condition in conditions:
        within |= condition
    return within


def _looked_up(rows: QuerySet[Any], column: str, wanted: Collection[Any]) -> Iterable[Any]:
    listed = list(wanted)
    for start in range(0, len(listed), AT_ONCE):
        yield from rows.filter(**{f"{column}__in": listed[start : start + AT_ONCE]}).values_list(column, flat=True)
