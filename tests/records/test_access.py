"""Roles of a company's own and their assignment: what the data layer lets through, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.records.plant import asset, author, person, tenant

from mainspring.core.errors import NotAllowed, NotFound
from mainspring.records import changes
from mainspring.records.access.assignment import Assignment
from mainspring.records.access.passing import passed, taken
from mainspring.records.access.permits import permits_of, rights_of, user_of
from mainspring.records.access.role import CompanyRole
from mainspring.records.audit import AuditEntry
from mainspring.records.business.asset_type import Equipment
from mainspring.records.business.calendar import Calendar
from mainspring.records.business.finding import Finding
from mainspring.records.business.item import Item
from mainspring.records.defined import attached, writing
from mainspring.records.defined.access import Access, Doing, Permit
from mainspring.records.defined.fields import Grade
from mainspring.records.faults import Invalid
from mainspring.records.people.user import User
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import Tenant, now_ms


@pytest.fixture
def admin(plant: Tenant) -> Access:
    return Access(author(plant), Role.ADMINISTRATOR.rights)


@pytest.fixture
def guest(plant: Tenant) -> User:
    return person(Role.GUEST, plant)


def role(admin: Access, code: str = "r", rights: tuple[Right, ...] = (), **permission: Any) -> CompanyRole:
    rows = [permission] if permission else []
    fields = {"code": code, "name": {"en": code}, "rights": [{"right": right} for right in rights], "permissions": rows}
    return writing.create(admin, CompanyRole, fields)


def assign(admin: Access, to: User, **fields: Any) -> Assignment:
    return writing.create(admin, Assignment, {"person": str(to.pk), "reason": "test", **fields})


def access(of: User) -> Access:
    permits = permits_of(of.tenant, user_of(of.pk))
    return Access(author(of.tenant), Role(of.role).rights | rights_of(permits), permits, user_of(of.pk))


def equipment(admin: Access, at: Asset) -> Equipment:
    return writing.create(admin, Equipment, {"asset": str(at.pk)})


def test_nobody_may_anything_unless_it_is_assigned(admin: Access, guest: User) -> None:
    made = writing.create(admin, Item, {"number": "P-1", "name": {"en": "Bearing"}})
    for doing in Doing:
        with pytest.raises(NotAllowed):
            access(guest).rows(Item, doing)
    assign(admin, guest, role=str(role(admin, kinds=["group:material"], doings=["view", "move"], moves=["release"]).pk))
    held = access(guest)
    assert writing.find(held, Item, made.pk) == made
    with pytest.raises(NotAllowed, match="configure"):
        writing.modify(held, Item, made.pk, {"size": "1"}, 1)
    with pytest.raises(NotAllowed):
        writing.move(held, Item, made.pk, "withdraw", 1)
    assert writing.move(held, Item, made.pk, "release", 1).state == "released"
    with pytest.raises(NotAllowed):
        held.rows(Equipment)


def test_several_assignments_add_up(admin: Access, guest: User) -> None:
    assign(admin, guest, role=str(role(admin, "a", kinds=["item"], doings=["view"]).pk))
    assign(admin, guest, role=str(role(admin, "b", kinds=["item"], doings=["create"]).pk))
    assert writing.create(access(guest), Item, {"number": "P-1", "name": {"en": "Bearing"}}).number == "P-1"
    assign(admin, guest, built_in="operator")
    assert access(guest).rights == Role.OPERATOR.rights


@pytest.mark.parametrize("by", ["permission", "right"])
def test_a_part_of_the_plant_is_all_that_is_seen_and_written(admin: Access, guest: User, by: str) -> None:
    area, other = asset(guest.tenant, "north", kind="area"), asset(guest.tenant, "north-2", kind="area")
    near, far, late = (asset(guest.tenant, name, parent) for name, parent in (("u", area), ("v", other), ("w", area)))
    inside, outside = equipment(admin, near), equipment(admin, far)
    made = (
        role(admin, kinds=["equipment"], doings=["view", "create", "change", "remove", "move"], moves=["*"])
        if by == "permission"
        else role(admin, rights=(Right.VIEW, Right.CONFIGURE))
    )
    assign(admin, guest, role=str(made.pk), place=str(area.pk))
    held = access(guest)
    assert Right.VIEW not in held.rights
    assert list(held.rows(Equipment)) == [inside]
    with pytest.raises(NotFound):
        writing.find(held, Equipment, outside.pk)
    with pytest.raises(NotFound):
        writing.remove(held, Equipment, outside.pk, None)
    with pytest.raises(NotFound):
        writing.move(held, Equipment, outside.pk, "scrap", 1)
    assert writing.move(held, Equipment, inside.pk, "put-in-service", 1).state == "in-service"
    free = asset(guest.tenant, "x", other)
    with pytest.raises(NotAllowed, match="part of the plant"):
        writing.create(held, Equipment, {"asset": str(free.pk)})
    with pytest.raises(NotAllowed, match="part of the plant"):
        writing.modify(held, Equipment, inside.pk, {"asset": str(free.pk)}, 2)
    assert writing.modify(held, Equipment, inside.pk, {"asset": str(late.pk)}, 2).asset == late
    assert equipment(held, near).asset == near
    writing.remove(held, Equipment, inside.pk, None)


def test_kinds_without_a_place_are_out_of_reach_of_a_part_of_the_plant(admin: Access, guest: User) -> None:
    area = asset(guest.tenant, "north", kind="area")
    writing.create(admin, Item, {"number": "P-1", "name": {"en": "Bearing"}})
    assign(admin, guest, role=str(role(admin, kinds=["*"], doings=["view", "create"]).pk), place=str(area.pk))
    held = access(guest)
    assert not held.rows(Item).exists()
    with pytest.raises(NotAllowed):
        writing.create(held, Item, {"number": "P-2", "name": {"en": "Bearing"}})


def test_only_assets_that_the_own_company_operates(admin: Access, guest: User) -> None:
    rented = asset(guest.tenant, "rented")
    own, lent = equipment(admin, asset(guest.tenant, "own")), equipment(admin, rented)
    Asset.objects.filter(pk=rented.pk).update(operator=tenant("north"))
    assign(admin, guest, role=str(role(admin, kinds=["equipment"], doings=["view"]).pk), company="operator")
    assert list(access(guest).rows(Equipment)) == [own]
    assign(admin, guest, role=str(role(admin, "o", kinds=["equipment"], doings=["view"]).pk), company="owner")
    assert set(access(guest).rows(Equipment)) == {own, lent}


def test_an_assignment_holds_from_and_until_and_in_its_shift_alone(admin: Access, guest: User) -> None:
    made, now = str(role(admin, kinds=["item"], doings=["view"]).pk), now_ms()
    assign(admin, guest, role=made, until_ms=now - 1)
    assign(admin, guest, role=made, from_ms=now + 3_600_000)
    clock = datetime.now(UTC)

    def calendar(code: str, begins: timedelta) -> str:
        start, end = clock + begins, clock + begins + timedelta(hours=2)
        shift = {
            "name": {"en": "day", "zh": "白班"}, "start": f"{start:%H:%M}", "end": f"{end:%H:%M}",
            "weekdays": [1, 2, 3, 4, 5, 6, 7],
        }  # fmt: skip
        fields = {"code": code, "name": {"en": code}, "zone": "UTC", "shifts": [shift]}
        return str(writing.create(admin, Calendar, fields).pk)

    assign(admin, guest, role=made, calendar=calendar("later", timedelta(hours=3)))
    assert access(guest).permits == ()
    running = calendar("now", -timedelta(hours=1))
    with pytest.raises(Invalid):
        assign(admin, guest, role=made, calendar=running, shift="night")
    assign(admin, guest, role=made, calendar=running, shift="白班")
    assert len(access(guest).permits) == 1


def test_an_assignment_names_one_role_of_one_person(admin: Access, guest: User) -> None:
    made = str(role(admin).pk)
    for wrong in ({}, {"role": made, "built_in": "viewer"}, {"built_in": "viewer", "person": None}):
        with pytest.raises(Invalid):
            assign(admin, guest, **wrong)
    with pytest.raises(Invalid):
        role(admin, "wrong", kinds=["nothing"], doings=["view"])
    with pytest.raises(Invalid):
        role(admin, "wrong", kinds=["item"], doings=["move"], moves=["fly"])


def test_permissions_on_all_kinds_never_hand_out_rights(admin: Access, guest: User) -> None:
    every = role(admin, kinds=["*"], doings=list(Doing), moves=["*"], grade="secret")
    assign(admin, guest, role=str(every.pk))
    with pytest.raises(NotAllowed):
        assign(access(guest), guest, built_in="administrator")
    with pytest.raises(NotAllowed):
        access(guest).rows(CompanyRole)


def test_sensitive_fields_are_shown_up_to_the_grade_of_what_sees_all_of_them(admin: Access, guest: User) -> None:
    area = asset(guest.tenant, "north", kind="area")
    high = role(admin, "high", kinds=["equipment"], doings=["view"], grade="secret")
    low = role(admin, "low", kinds=["equipment"], doings=["view"], grade="public")
    assign(admin, guest, role=str(high.pk), place=str(area.pk))
    assert access(guest).grade_for(Equipment) is Grade.SECRET
    assign(admin, guest, role=str(low.pk))
    # In the whole plant it sees public fields alone, and lists show both.
    assert access(guest).grade_for(Equipment) is Grade.PUBLIC
    assert access(guest).hidden(Equipment) >= {"serial", "number"}
    assert admin.hidden(Equipment) == frozenset()


def test_what_another_process_is_told_makes_the_same_access(admin: Access, guest: User) -> None:
    assign(admin, guest, role=str(role(admin, kinds=["item"], doings=["view"]).pk))
    held = access(guest)
    assert taken(passed(held)) == held


def test_whoever_comments_in_a_part_of_the_plant_says_nothing_of_what_lies_elsewhere(
    admin: Access, plant: Tenant
) -> None:
    here, there = asset(plant, "here"), asset(plant, "there")
    mine, other = (
        writing.create(admin, Finding, {"sort": "fault", "subject": each.path, "asset": str(each.pk)})
        for each in (here, there)
    )
    kinds = frozenset({Finding.kind})
    permits = (
        Permit("", kinds=kinds, doings=frozenset({Doing.VIEW})),
        Permit("", kinds=kinds, doings=frozenset({Doing.COMMENT}), path="here"),
    )
    someone = Access(author(plant), frozenset(), permits)
    assert attached.say(someone, mine, "It leaks").text == "It leaks"
    assert writing.find(someone, Finding, other.pk) == other
    with pytest.raises(NotAllowed):
        attached.say(someone, other, "It leaks, too")


def test_labels_of_who_is_named_by_personal_words_are_kept_in_the_audit_without_them(
    admin: Access, plant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "NAMELESS", {Item.kind})
    made = writing.create(admin, Item, {"number": "P-1", "name": {"en": "Seal"}})
    attached.label(admin, made, {"line": "3"})
    entries = AuditEntry.objects.of(plant).filter(object_id=str(made.pk))
    assert [(entry.object_kind, entry.object_name) for entry in entries.order_by("sequence")] == [
        ("item", ""), ("label", ""),
    ]  # fmt: skip
