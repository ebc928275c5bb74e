"""In which part of the plant someone has a right of the platform, by role and assignments together."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.records.plant import asset, author, person, tag, tenant

from mainspring.core.errors import NotFound
from mainspring.records.access.assignment import Assignment
from mainspring.records.access.permits import permits_of, permits_of_people, rights_of, user_of
from mainspring.records.access.scope import Part, Scope, scope_of
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people.user import User
from mainspring.records.plant import alarm_definition
from mainspring.records.plant.alarm_definition import AlarmDraft
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import Tenant


@pytest.fixture
def admin(plant: Tenant) -> Access:
    return Access(author(plant), Role.ADMINISTRATOR.rights)


@pytest.fixture
def guest(plant: Tenant) -> User:
    return person(Role.GUEST, plant)


@pytest.fixture
def tree(plant: Tenant) -> dict[str, Any]:
    """Two areas whose names begin alike, each with a unit, a tag and its alarm."""
    made: dict[str, Any] = {}
    for name in ("north", "north-2"):
        area = made[name] = asset(plant, name, kind="area")
        unit = made[f"{name} unit"] = asset(plant, "u", area)
        one = made[f"{name} tag"] = tag(plant, "T", unit)
        draft = AlarmDraft.model_validate({"tag_id": one.id, "condition": "H", "limit": 1})
        made[f"{name} alarm"] = alarm_definition.create(author(plant), draft)
    return made


def assign(admin: Access, to: User, **fields: Any) -> None:
    writing.create(admin, Assignment, {"person": str(to.pk), "reason": "test", **fields})


def scope(of: User, right: Right) -> Scope:
    permits = permits_of(of.tenant, user_of(of.pk))
    return scope_of(of.tenant, Role(of.role).rights | rights_of(permits), permits, right)


def test_a_right_of_the_role_reaches_everything_and_asks_nothing(plant: Tenant) -> None:
    viewer = person(Role.VIEWER, plant)
    assert scope(viewer, Right.VIEW) == Scope(plant)
    assert scope(viewer, Right.VIEW).ordinals([1, 2]) == {1, 2}
    assert scope(viewer, Right.VIEW).reach() is None
    none = scope(viewer, Right.COMMAND)
    assert not none.everywhere
    assert none.parts == frozenset()


def test_role_and_assignments_add_up_each_where_it_holds(admin: Access, plant: Tenant, tree: dict[str, Any]) -> None:
    viewer = person(Role.VIEWER, plant)
    assign(admin, viewer, built_in="operator", place=str(tree["north"].pk))
    assert scope(viewer, Right.VIEW).everywhere
    assert list(scope(viewer, Right.COMMAND).tags()) == [tree["north tag"]]
    assign(admin, viewer, built_in="operator", place=str(tree["north-2"].pk))
    assert scope(viewer, Right.COMMAND).tags().count() == 2
    assign(admin, viewer, built_in="operator")
    assert scope(viewer, Right.COMMAND).everywhere


def test_what_lies_elsewhere_is_as_what_does_not_exist(admin: Access, guest: User, tree: dict[str, Any]) -> None:
    assign(admin, guest, built_in="viewer", place=str(tree["north"].pk))
    seen = scope(guest, Right.VIEW)
    assert set(seen.assets()) == {tree["north"], tree["north unit"]}
    assert list(seen.roots()) == [tree["north"]]
    assert list(seen.alarms()) == [tree["north alarm"]]
    near, far = tree["north tag"], tree["north-2 tag"]
    assert seen.ordinals([near.ordinal, far.ordinal, 9_999]) == {near.ordinal}
    seen.require_tags([near.ordinal])
    seen.require_alarms([tree["north alarm"].pk])
    for ask in (
        lambda: seen.require_tags([near.ordinal, far.ordinal]), lambda: seen.tag(far.pk),
        lambda: seen.asset(tree["north-2"].pk), lambda: seen.asset(uuid4()),
        lambda: seen.require_alarms([tree["north-2 alarm"].pk]),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            ask()
    reach = seen.reach()
    assert reach is not None
    assert reach.holds(near.path, str(near.asset_id))
    assert not reach.holds(far.path, str(far.asset_id))


def test_what_the_company_owns_but_does_not_operate(admin: Access, guest: User, tree: dict[str, Any]) -> None:
    lent, own = tree["north-2 unit"], tree["north unit"]
    Asset.objects.filter(pk=lent.pk).update(operator=tenant("other"))
    assign(admin, guest, built_in="viewer", company="operator")
    seen = scope(guest, Right.VIEW)
    assert seen.parts == frozenset({Part("", "operator")})
    assert list(seen.tags()) == [tree["north tag"]]
    assert set(seen.assets()) == {tree["north"], tree["north-2"], own}
    reach = seen.reach()
    assert reach is not None
    assert reach.holds(tree["north tag"].path, str(own.pk))
    assert not reach.holds(tree["north-2 tag"].path, str(lent.pk))
    assign(admin, guest, built_in="viewer", company="owner", place=str(tree["north-2"].pk))
    assert scope(guest, Right.VIEW).tags().count() == 2


def test_many_ordinals_are_looked_up_in_parts(admin: Access, guest: User, tree: dict[str, Any]) -> None:
    assign(admin, guest, built_in="viewer", place=str(tree["north"].pk))
    ordinal = tree["north tag"].ordinal
    assert scope(guest, Right.VIEW).ordinals(range(ordinal, ordinal + 2500)) == {ordinal}


def test_people_with_assignments_are_found_together(admin: Access, guest: User, plant: Tenant) -> None:
    viewer = person(Role.VIEWER, plant)
    assign(admin, guest, built_in="viewer")
    found = permits_of_people([guest, viewer])
    assert found == {guest.pk: permits_of(plant, user_of(guest.pk))}


def test_another_companys_tags_are_in_no_scope(guest: User, admin: Access, tree: dict[str, Any]) -> None:
    other = tenant("other")
    foreign = tag(other, "X", asset(other, "north", kind="area"))
    assert foreign.path == Tag.objects.get(pk=foreign.pk).path
    assign(admin, guest, built_in="viewer", place=str(tree["north"].pk))
    for right in (Right.VIEW, Right.COMMAND):
        assert foreign not in scope(guest, right).tags()
        with pytest.raises(NotFound):
            Scope(guest.tenant).tag(foreign.pk)
