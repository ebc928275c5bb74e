"""Who can do what here, and why: the same permits that let through, told with where they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db.models import Q

from mainspring.records.access.assignment import Assignment
from mainspring.records.access.grant import Grant
from mainspring.records.access.permits import confined, on_shift, permits
from mainspring.records.defined import listing
from mainspring.records.defined.access import Doing, Permit, place_of
from mainspring.records.defined.kinds import Defined, kinds, named
from mainspring.records.defined.shape import Move
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.people.user import User
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import Tenant, now_ms

PEOPLE_MAX: Final = 1000
"""So many people and services are told of, by their names."""
ASSIGNMENTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Source:
    """One reason why someone may do something: a built-in role, or an assignment."""

    permits: tuple[Permit, ...]
    role: str
    row: Assignment | None = None
    active: bool = True
    """It holds at this moment."""

    def document(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        row = self.row
        if row is None:
            return {"by": "role", "role": self.role}
        return {
            "by": "assignment", "role": self.role, "id": row.pk, "number": row.number, "reason": row.reason,
            "place": row.place.path if row.place else "", "company": row.company,
            "calendar": row.calendar.code if row.calendar else "", "shift": row.shift, "from_ms": row.from_ms,
            "until_ms": row.until_ms, "active": self.active,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Someone:
    """A person or service, and every reason it may do anything."""

    record: User | Credential
    sources: tuple[Source, ...]

    def document(self) -> dict[str, Any]:
        """Return who it is."""
        return {"id": self.record.pk, "sort": self.record.kind, "name": named(self.record)}


@dataclass(frozen=True, slots=True)
class Here:
    """What is asked about: a kind, or one record of it, or a part of the plant."""

    tenant: Tenant
    kind: type[Defined] | None = None
    record: Defined | None = None
    asset: Asset | None = None

    def reached(self, permit: Permit) -> bool:
        """Tell whether a permit holds here."""
        if self.record is not None:
            return permit.reaches(self.record)
        if self.asset is not None:
            if self.kind is not None and not place_of(self.kind):
                return not permit.path
            below = not permit.path or f"{self.asset.path}/".startswith(f"{permit.path}/")
            return below and (not permit.company or getattr(self.asset, f"{permit.company}_id") == self.tenant.pk)
        return self.kind is None or permit.where(self.kind, self.tenant) is not None


def who_can(here: Here) -> dict[str, Any]:
    """Tell who can do what with a kind, a record or in a place, each with the reasons."""
    people = []
    for someone in everyone(here.tenant):
        found = doings(someone, here)
        if found:
            people.append({**someone.document(), "doings": found})
    return {"items": people, "grants": grants_of(here)}


def doings(someone: Someone, here: Here) -> list[dict[str, Any]]:
    """Return what someone can do here, each with its reasons; without a kind, by the rights of the platform."""
    found = []
    for name, holds in _asked(here.kind):
        sources = [
            source.document()
            for source in someone.sources
            if any(holds(permit) and here.reached(permit) for permit in source.permits)
        ]
        if sources:
            found.append({"doing": name, "because": sources})
    return found


def _asked(kind: type[Defined] | None) -> Iterator[tuple[str, Callable[[Permit], bool]]]:
    """Yield what can be done with a kind, and how a permit is asked for it."""
    if kind is None:
        for right in Right:
            yield str(right), partial(_has, right)
        return
    for doing in Doing:
        if doing is not Doing.MOVE:
            yield str(doing), partial(_covers, kind, doing, None)
    for step in kind.shape.states.moves:
        yield f"move:{step.name}", partial(_covers, kind, Doing.MOVE, step)


def _has(right: Right, permit: Permit) -> bool:
    return right in permit.rights


def _covers(kind: type[Defined], doing: Doing, step: Move | None, permit: Permit) -> bool:
    return permit.covers(kind, doing, step)


def what_can(someone: Someone, tenant: Tenant) -> dict[str, Any]:
    """Tell what someone can do: the rights of the platform, and what with each kind of record."""
    return {
        **someone.document(),
        "sources": [source.document() for source in someone.sources],
        "rights": doings(someone, Here(tenant)),
        "kinds": [
            {"kind": kind.kind, "many": kind.shape.many.document(), "doings": found}
            for kind in kinds() if (found := doings(someone, Here(tenant, kind)))
        ],
    }  # fmt: skip


def everyone(tenant: Tenant) -> Iterator[Someone]:
    """Yield people who may sign in, tokens and services that are not revoked, by their names."""
    assigned: dict[Any, list[Assignment]] = {}
    found = Assignment.objects.of(tenant).select_related("role", "place", "calendar", "calendar__tenant")
    for row in found.order_by("number")[:ASSIGNMENTS_MAX]:
        assigned.setdefault(row.person_id or row.service_id, []).append(row)
    for user in User.objects.filter(tenant=tenant, enabled=True).order_by("username")[:PEOPLE_MAX]:
        yield someone_of(user, assigned.get(user.pk, ()))
    now = now_ms()
    tokens = Credential.objects.of(tenant).filter(
        Q(expires_ms=None) | Q(expires_ms__gt=now), credential_kind=CredentialKind.TOKEN, revoked_ms=None
    )
    for token in tokens.select_related("tenant", "user", "scope_place").order_by("name")[:PEOPLE_MAX]:
        rows = assigned.get(token.pk, [])
        yield someone_of(token, rows + assigned.get(token.user_id, []) if _of_service(token) else rows)


def _of_service(token: Credential) -> bool:
    return token.user is not None and token.user.service


def someone_of(record: User | Credential, rows: Iterable[Assignment] | None = None) -> Someone:
    """Return a person or service with its reasons; assignments are looked up unless they are given."""
    if rows is None:
        whose = Q(person=record) if isinstance(record, User) else Q(service=record)
        if isinstance(record, Credential) and _of_service(record):
            whose |= Q(person=record.user)
        rows = Assignment.objects.of(record.tenant).filter(whose).order_by("number")
    rights = record.rights if isinstance(record, Credential) else Role(record.role).rights
    now, sources = now_ms(), [Source(_held(record, [Permit("", rights)]), record.role)]
    for row in rows:
        begun, over = not row.from_ms or row.from_ms <= now, bool(row.until_ms and row.until_ms <= now)
        role = row.role.code if row.role else row.built_in
        sources.append(Source(_held(record, permits(row)), role, row, begun and not over and on_shift(row, now)))
    return Someone(record, tuple(sources))


def _held(record: User | Credential, found: list[Permit]) -> tuple[Permit, ...]:
    if isinstance(record, User):
        return tuple(found)
    return tuple(each for permit in found if (each := confined(permit, record)) is not None)


def grants_of(here: Here) -> list[dict[str, Any]]:
    """Tell which other companies are granted records of a kind, or this record."""
    if here.kind is None:
        return []
    rows = Grant.objects.of(here.tenant).filter(subject=here.kind.kind, state="given", until_ms__gt=now_ms())
    found = [grant for grant in rows.order_by("number")[:PEOPLE_MAX] if _shows(grant, here.kind, here.record)]
    return [grant.document() for grant in found]


def _shows(grant: Grant, kind: type[Defined], record: Defined | None) -> bool:
    if record is None:
        return True
    if grant.only and grant.only != f"{record.kind}:{record.pk}":
        return False
    return kind.objects.filter(listing.conditions(kind, grant.where), pk=record.pk).exists()
