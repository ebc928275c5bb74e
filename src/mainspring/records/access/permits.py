"""What is assigned to someone at this moment, as the data layer asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.db.models import Q, QuerySet

from mainspring.core.errors import LimitExceeded
from mainspring.records.access.assignment import Assignment
from mainspring.records.business.calendar import worked_shifts
from mainspring.records.defined.access import Doing, Permit
from mainspring.records.defined.fields import Grade
from mainspring.records.people.credential import Credential
from mainspring.records.people.user import User
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import Tenant, now_ms

ASSIGNMENTS_MAX = 200
"""Of one person; further ones give nothing."""


def user_of(id: UUID) -> str:
    """Return how a person is named as one to whom something is assigned."""
    return f"user:{id}"


def token_of(id: UUID) -> str:
    """Return how a token or service is named as one to whom something is assigned."""
    return f"credential:{id}"


def permits_of(tenant: Tenant, assignee: str) -> tuple[Permit, ...]:
    """Return what is assigned to someone and holds now."""
    kind, _, id = assignee.partition(":")
    if not id:
        return ()
    if kind == "user":
        return held(Assignment.objects.of(tenant).filter(person_id=UUID(id)))
    tokens = Credential.objects.of(tenant).select_related("tenant", "user", "scope_place")
    token = tokens.filter(pk=id, revoked_ms=None).first()
    return permits_of_token(token) if token is not None else ()


def permits_of_token(token: Credential) -> tuple[Permit, ...]:
    """Return what a token may by assignments, those of its service account among them, as far as its scope reaches."""
    whose = Q(service=token)
    if token.user is not None and token.user.service:
        whose |= Q(person=token.user)
    assigned = held(Assignment.objects.of(token.tenant).filter(whose))
    found = (Permit("", token.rights), *assigned) if token.confined else assigned
    return tuple(each for permit in found if (each := confined(permit, token)) is not None)


def rights_of_token(token: Credential) -> frozenset[Right]:
    """Return the rights a token has in the whole plant by its role; confined to some records, it has none there."""
    return token.rights & {Right.SIGN_IN} if token.confined else token.rights


def confined(permit: Permit, token: Credential) -> Permit | None:
    """Return what of a permit lies in a token's scope, None if nothing does."""
    path, below = permit.path, token.scope_place.path if token.scope_place is not None else ""
    if not f"{path}/".startswith(f"{below}/" if below else ""):
        if path and not f"{below}/".startswith(f"{path}/"):
            return None
        path = below
    rights = permit.rights if token.scope is None else permit.rights & token.scope
    only = frozenset(token.scope_kinds)
    records, platform = (rights, frozenset[Right]()) if only else (permit.for_records, rights)
    return replace(permit, rights=platform, for_records=records, path=path, only=only, within=token.scope)


def permits_of_people(people: Iterable[User]) -> dict[UUID, tuple[Permit, ...]]:
    """Return what is assigned to some people and holds now; who is missing has nothing."""
    known = {user.pk: user for user in people}
    # Most people have no assignments: one query tells who has.
    assigned = Assignment.objects.filter(person__in=known).values_list("person_id", flat=True).distinct()
    return {id: permits_of(known[id].tenant, user_of(id)) for id in assigned}


def held(rows: QuerySet[Assignment]) -> tuple[Permit, ...]:
    """Return what some assignments permit now."""
    now = now_ms()
    rows = rows.filter(Q(from_ms__isnull=True) | Q(from_ms__lte=now), Q(until_ms__isnull=True) | Q(until_ms__gt=now))
    chosen = rows.select_related("role", "place", "calendar", "calendar__tenant").order_by("number")[:ASSIGNMENTS_MAX]
    return tuple(permit for row in chosen if on_shift(row, now) for permit in permits(row))


def rights_of(permits: Iterable[Permit]) -> frozenset[Right]:
    """Return the rights that assignments give in the whole plant."""
    return frozenset(right for permit in permits if permit.everywhere for right in permit.rights)


def on_shift(row: Assignment, at_ms: int) -> bool:
    """Tell whether the working time to which an assignment is bound runs."""
    if row.calendar is None:
        return True
    try:
        shifts = worked_shifts(row.calendar, at_ms, at_ms + 1)
        return any(not row.shift or row.shift in shift.name.values() for shift in shifts)
    except LimitExceeded:
        return False


def permits(row: Assignment) -> list[Permit]:
    """Return what an assignment permits while it holds."""
    place, company, source = row.place.path if row.place else "", row.company, str(row.pk)
    if row.role is None:
        return [Permit(source, Role(row.built_in).rights, path=place, company=company)]
    made = [
        Permit(
            source, kinds=frozenset(each["kinds"]), doings=frozenset(Doing(doing) for doing in each["doings"]),
            moves=frozenset(each["moves"]), highest=Grade[each["grade"].upper()], path=place, company=company,
        )
        for each in row.role.permissions
    ]  # fmt: skip
    rights = frozenset(Right(each["right"]) for each in row.role.rights)
    return [Permit(source, rights, path=place, company=company), *made] if rights else made
