"""Rights over the API: what guests reach, previews, why someone may do something, grants and their uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from tests.records.plant import asset, person, tenant
from tests.web.asking import DAY_MS, Asking, grant, item, role

from mainspring.records.access import use
from mainspring.records.access.use import MINUTE_MS, RecordUse
from mainspring.records.audit import AuditEntry, first_broken, write_heads
from mainspring.records.heads import HeadFile, PutBack, note_put_back
from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms
from mainspring.web.api import audit
from mainspring.web.configure import current


@pytest.fixture
def north(plant: Tenant) -> Tenant:
    return tenant("north")


@pytest.fixture
def partner(signed_in: Callable[..., Any], north: Tenant) -> Asking:
    return Asking(signed_in(Role.ENGINEER, of=north))


def test_a_guest_reaches_what_is_assigned_and_nothing_else(
    admin: Asking, signed_in: Callable[..., Any], plant: Tenant
) -> None:
    unit = asset(plant, "unit")
    made = admin("post", "/records/equipment", {"asset": str(unit.pk)}, 201)
    item(admin, "P-1")
    guest = Asking(signed_in(Role.GUEST))
    guest.get("/records/equipment", 403)
    guest.get("/assets", 403)
    user = User.objects.get(username="guest")
    body = {"person": str(user.pk), "reason": "shift", "place": str(unit.pk)}
    body["role"] = role(admin, "watch", kinds=["equipment"], doings=["view"])
    assigned = admin("post", "/records/assignment", body, 201)
    assert [row["id"] for row in guest.get("/records/equipment")["items"]] == [made["id"]]
    guest.get("/records/item", 403)
    guest.get("/records/assignment", 403)
    guest("patch", f"/records/equipment/{made['id']}", {"serial": "1", "version": 1}, 403)
    assert guest.get("/session")["user"]["rights"] == ["sign-in"]
    own = guest.get("/access/own")
    assert [(each["kind"], [one["doing"] for one in each["doings"]]) for each in own["kinds"]] == [
        ("equipment", ["view"])
    ]
    admin("patch", f"/records/assignment/{assigned['id']}", {"until_ms": now_ms() - 1, "version": 1})
    guest.get("/records/equipment", 403)


def test_an_assigned_right_of_the_platform_opens_its_endpoints(admin: Asking, signed_in: Callable[..., Any]) -> None:
    guest = Asking(signed_in(Role.GUEST))
    user = User.objects.get(username="guest")
    admin("post", "/records/assignment", {"person": str(user.pk), "built_in": "viewer", "reason": "visit"}, 201)
    guest.get("/assets")
    assert "view" in guest.get("/session")["user"]["rights"]


def test_an_administrator_looks_as_a_role_and_writes_nothing(admin: Asking, plant: Tenant) -> None:
    near, far = asset(plant, "near"), asset(plant, "far")
    made = [admin("post", "/records/equipment", {"asset": str(each.pk)}, 201) for each in (near, far)]
    role(admin, "watch", kinds=["equipment"], doings=["view"])
    as_role = {"X-As-Role": "watch", "X-As-Place": str(near.pk)}
    seen = admin.get("/records/equipment", headers=as_role)
    assert [row["id"] for row in seen["items"]] == [made[0]["id"]]
    admin.get("/records/item", 403, headers=as_role)
    admin.get("/users", 403, headers=as_role)
    refused = admin("patch", f"/records/equipment/{made[0]['id']}", {"serial": "1", "version": 1}, 403, **as_role)
    assert "preview" in refused["text"]["en"]
    assert admin.get("/access/own", headers={"X-As-Role": "viewer"})["kinds"]
    # What only asks is answered, though it is posted; a role may be called by any name.
    admin("post", "/tags/by-path", {"paths": []}, 200, **{"X-As-Role": "viewer"})
    role(admin, "班长", kinds=["equipment"], doings=["view"])
    assert admin.get("/records/equipment", headers={"X-As-Role": quote("班长")})["total"] == 2
    admin.get("/users", 403, headers={"X-As-Role": "viewer"})
    admin.get("/records/item", 404, headers={"X-As-Role": "nothing"})
    assert admin.get("/records/equipment")["total"] == 2


def test_only_administrators_preview(signed_in: Callable[..., Any], plant: Tenant) -> None:
    engineer = Asking(signed_in(Role.ENGINEER))
    engineer.get("/records/item", 403, headers={"X-As-Role": "administrator"})


def test_who_can_do_what_here_is_told_with_the_reason(
    admin: Asking, signed_in: Callable[..., Any], plant: Tenant
) -> None:
    near, far = asset(plant, "near"), asset(plant, "far")
    made = [admin("post", "/records/equipment", {"asset": str(each.pk)}, 201) for each in (near, far)]
    guest = person(Role.GUEST, plant, "li")
    watch = role(admin, "watch", kinds=["equipment"], doings=["view", "move"], moves=["scrap"])
    body = {"person": str(guest.pk), "reason": "audit", "role": watch, "place": str(near.pk)}
    number = admin("post", "/records/assignment", body, 201)["number"]

    def of_guest(**asked: Any) -> dict[str, Any]:
        found = admin.get("/access", **asked)["items"]
        return {one["doing"]: one["because"] for each in found if each["id"] == str(guest.pk) for one in each["doings"]}

    here = of_guest(kind="equipment", id=made[0]["id"])
    assert here.keys() == {"view", "move:scrap"}
    assert {"by": "assignment", "number": number, "role": "watch", "place": "near"}.items() <= here["view"][0].items()
    assert of_guest(kind="equipment", id=made[1]["id"]) == {}
    assert of_guest(kind="equipment").keys() == {"view", "move:scrap"}
    assert of_guest(kind="equipment", asset=str(far.pk)) == {}
    assert of_guest(asset=str(near.pk)).keys() == {"sign-in"}
    administrator = next(each for each in admin.get("/access", kind="item")["items"] if each["name"] != "li")
    assert administrator["doings"][0]["because"] == [{"by": "role", "role": "administrator"}]
    reverse = admin.get(f"/access/people/{guest.pk}")
    assert [each["kind"] for each in reverse["kinds"]] == ["equipment"]


def test_a_grant_shows_what_it_names_until_it_is_revoked(admin: Asking, partner: Asking, plant: Tenant) -> None:
    item(admin, "P-1", weight=5)
    item(admin, "P-2", weight=1)
    own = item(partner, "N-1")
    partner.get("/records/item", 404, from_="plant")
    partner.get("/records/item", 404, from_="nobody")
    made = grant(admin, where='[["weight","ge",2]]', may_export=True)
    assert [row["id"] for row in partner.get("/records/item")["items"]] == [own["id"]]
    shown = partner.get("/records/item", from_="plant")
    assert [row["number"] for row in shown["items"]] == ["P-1"]
    one = f"/records/item/{shown['items'][0]['id']}"
    assert partner.get(one, from_="plant")["number"] == "P-1"
    partner.get(one, 404)
    partner.get(f"{one}/history", 404, from_="plant")
    partner("patch", f"{one}?from=plant", {"size": "1", "version": 1}, 403)
    partner("post", "/records/item?from=plant", {"number": "X", "name": {"en": "X"}}, 403)
    received = partner.get("/grants/received")["items"]
    assert [(each["from"], each["kind"], each["purpose"]) for each in received] == [("plant", "item", "supply")]
    assert partner.client.get("/api/v1/records/item/export?from=plant").status_code == 200
    uses = admin.get(f"/grants/{made['id']}/uses")
    assert {each["doing"]: each["rows"] for each in uses["items"]} == {"view": 2, "export": 1}
    assert {each["company"] for each in uses["items"]} == {"north"}
    partner.get(f"/grants/{made['id']}/uses", 403)
    admin("post", f"/records/grant/{made['id']}/moves/revoke", {"version": 1})
    partner.get("/records/item", 404, from_="plant")
    assert partner.get("/grants/received")["items"] == []


def test_whom_a_grant_lets_comment_sees_their_own_comments_and_the_owner_all(
    admin: Asking, partner: Asking, plant: Tenant, north: Tenant
) -> None:
    one, other = item(admin, "P-1"), item(admin, "P-2")
    path = f"/records/item/{one['id']}/comments"
    made = grant(admin)
    partner("post", f"{path}?from=plant", {"text": "when?"}, 404)
    partner.get(path, 404, from_="plant")
    admin("patch", f"/records/grant/{made['id']}", {"may_comment": True, "only": f"item:{one['id']}", "version": 1})
    admin("post", path, {"text": "among us"}, 201)
    said = partner("post", f"{path}?from=plant", {"text": "when?"}, 201)
    assert (said["company"], said["mine"]) == ("north", True)
    assert [each["text"] for each in partner.get(path, from_="plant")["items"]] == ["when?"]
    told = admin.get(path)["items"]
    assert [(each["text"], each["company"], each["mine"]) for each in told] == [
        ("among us", "", True), ("when?", "north", False)
    ]  # fmt: skip
    admin("patch", f"{path}/{said['id']}", {"text": "never said"}, 403)
    partner("patch", f"{path}/{said['id']}?from=plant", {"text": "on Monday?"})
    partner("patch", f"{path}/{told[0]['id']}?from=plant", {"text": "no"}, 403)
    partner("post", f"/records/item/{other['id']}/comments?from=plant", {"text": "and this?"}, 404)
    partner("post", path, {"text": "and this?"}, 404)
    # It stands in the audit of the company whose record it is, and among the uses of the grant.
    assert AuditEntry.objects.of(plant).filter(object_kind="comment").count() == 3
    assert not AuditEntry.objects.of(north).filter(object_kind="comment").exists()
    uses = admin.get(f"/grants/{made['id']}/uses")["items"]
    assert ("comment", 1) in [(each["doing"], each["rows"]) for each in uses]
    admin("post", f"/records/grant/{made['id']}/moves/revoke", {"version": 2})
    partner("delete", f"{path}/{said['id']}?from=plant", status=404)


def test_a_grant_ends_and_hides_what_is_too_sensitive(admin: Asking, partner: Asking) -> None:
    party = {"name": {"en": "Li Wei"}, "phone": "123", "remarks": "pays late"}
    admin("post", "/records/party", party, 201)
    made = grant(admin, subject="party", until_ms=now_ms() + DAY_MS)
    (shown,) = partner.get("/records/party", from_="plant")["items"]
    assert not {"name", "phone", "remarks"} & shown.keys()
    partner.get("/records/party", 422, from_="plant", where='[["phone","eq","123"]]')
    assert partner.get("/records/party", from_="plant", search="li")["items"] == []
    admin("patch", f"/records/grant/{made['id']}", {"until_ms": now_ms() - 1, "version": 1})
    partner.get("/records/party", 404, from_="plant")


def test_figures_alone_are_granted_to_the_company_above(admin: Asking, partner: Asking) -> None:
    item(admin, "P-1", weight=5)
    item(admin, "P-2", weight=1.5)
    assert partner.get("/grants/figures/item", sums="weight")["items"] == []
    grant(admin, shows="figures")
    partner.get("/records/item", 404, from_="plant")
    (figures,) = partner.get("/grants/figures/item", sums="weight")["items"]
    assert {"from": "plant", "count": 2, "sums": {"weight": 6.5}}.items() <= figures.items()
    partner.get("/grants/figures/item", 422, sums="number")


def test_what_cannot_be_granted_is_refused(admin: Asking) -> None:
    body = {"company": "north", "subject": "item", "purpose": "supply", "until_ms": now_ms() + DAY_MS}
    wrong: dict[str, Any]
    for wrong in ({"subject": "assignment"}, {"subject": "no"}, {"where": "["}, {"company": "plant"}, {"purpose": ""}):
        refused = admin("post", "/records/grant", body | wrong, 422)
        assert refused["fields"].keys() == wrong.keys()


def test_reading_protected_fields_stands_in_the_audit_once_a_minute(admin: Asking, plant: Tenant) -> None:
    admin("post", "/records/party", {"name": {"en": "Supplier"}}, 201)
    for _ in range(3):
        admin.get("/records/party")
    use.flush()
    (row,) = RecordUse.objects.of(plant)
    assert (row.object_kind, row.rows, row.doing) == ("party", 3, "view")
    RecordUse.objects.update(minute_ms=row.minute_ms - 2 * MINUTE_MS)
    use.flush()
    told = AuditEntry.objects.of(plant).filter(action="read").get()
    assert (told.object_kind, told.changes["rows"]) == ("party", [None, 3])
    use.flush()
    assert AuditEntry.objects.of(plant).filter(action="read").count() == 1
    assert first_broken(plant) is None


def test_a_person_is_given_what_is_held_of_them_and_erased(admin: Asking, plant: Tenant) -> None:
    party = admin("post", "/records/party", {"name": {"en": "Li Wei"}, "phone": "123-456"}, 201)
    path = f"/records/party/{party['id']}"
    admin("patch", path, {"phone": "987-654", "version": 1})
    kept = json.dumps([[row.object_name, row.changes] for row in AuditEntry.objects.of(plant)])
    assert not any(word in kept for word in ("Li Wei", "123-456", "987-654"))
    history = admin.get(f"{path}/history")["items"]
    assert history[0]["changes"]["phone"] == ["123-456", "987-654"]
    held = admin.get(f"/personal/party/{party['id']}")
    assert held["record"]["phone"] == "987-654"
    admin("delete", f"/personal/party/{party['id']}", status=204)
    erased = admin.get(path)
    assert (erased["name"]["en"], erased["phone"]) == ("Erased", "")
    assert all(
        change in (None, "***") for entry in admin.get(f"{path}/history")["items"]
        for change in entry["changes"].get("phone", [])
    )  # fmt: skip
    assert admin.get("/records/party", search="li wei")["total"] == 0
    assert first_broken(plant) is None
    admin.get("/personal/item/0190a000-0000-7000-8000-000000000000", 404)


def test_an_account_is_given_and_erased(admin: Asking, plant: Tenant) -> None:
    user = person(Role.VIEWER, plant, "li")
    held = admin.get(f"/personal/user/{user.pk}")
    assert held["record"]["username"] == "li"
    admin("delete", f"/personal/user/{user.pk}", status=204)
    admin.get(f"/personal/user/{user.pk}", 404)


def test_the_chain_of_the_audit_is_verified_part_by_part(admin: Asking, plant: Tenant, monkeypatch: Any) -> None:
    for number in range(5):
        item(admin, f"P-{number}")
    monkeypatch.setattr(audit, "VERIFIED_MAX", 2)
    last = AuditEntry.objects.of(plant).count()
    part = admin.get("/audit/chain")
    assert (part["whole_to"], part["total"], part["broken"]) == (2, last, None)
    part = admin.get("/audit/chain", after=last - 1)
    newest = AuditEntry.objects.of(plant).get(sequence=last)
    assert (part["whole_to"], part["broken"], part["digest"]) == (last, None, newest.digest)
    AuditEntry.objects.filter(sequence=4).update(object_name="another")
    assert admin.get("/audit/chain", after=2)["broken"] == 4
    assert admin.get("/audit/chain", after=10**9)["broken"] is None


def test_entries_cut_off_the_end_of_the_audit_are_told(admin: Asking, plant: Tenant) -> None:
    for number in range(5):
        item(admin, f"P-{number}")
    folder = current().data_folder
    assert write_heads(folder) == set()
    (head,) = HeadFile(folder, plant.key).read().holding
    whole = admin.get("/audit/chain")
    assert (whole["missed"], whole["put_back"]) == (None, [])
    AuditEntry.objects.of(plant).filter(sequence__gt=head.sequence - 2).delete()
    told = admin.get("/audit/chain")
    assert (told["broken"], told["whole_to"], told["missed"]) == (None, head.sequence - 2, head.model_dump())
    restore = PutBack(noted_ms=head.time_ms + 2, to_ms=head.time_ms - 1)
    note_put_back(folder, restore)
    told = admin.get("/audit/chain")
    assert (told["missed"], told["put_back"]) == (None, [restore.model_dump() | {"sequence": head.sequence}])
