"""Companies above each other: their tree, figures granted upwards, whose an asset is; what is held of persons."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.records.plant import asset, author, person, tenant
from tests.web.asking import DAY_MS, Asking, grant, item

from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.people import credential
from mainspring.records.people.credential import CredentialKind
from mainspring.records.personal import PersonKey
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms


@pytest.fixture
def park(plant: Tenant) -> Tenant:
    """The company above the plant."""
    made = tenant("park")
    plant.parent = made
    plant.save()
    return made


@pytest.fixture
def above(signed_in: Callable[..., Any], park: Tenant) -> Asking:
    return Asking(signed_in(Role.VIEWER, of=park))


def test_who_runs_the_platform_puts_companies_below_each_other(
    admin: Asking, signed_in: Callable[..., Any], plant: Tenant
) -> None:
    north, south = tenant("north"), tenant("south")
    Asking(signed_in(of=north))("post", "/tenants/place", {"key": "south", "parent": "north"}, 404)
    assert admin("post", "/tenants/place", {"key": "south", "parent": "north"})["parent"] == "north"
    listed = {each["key"]: each["parent"] for each in admin.get("/tenants")}
    assert listed == {"plant": "", "north": "", "south": "north"}
    for key, parent in (("north", "south"), ("north", "north")):
        assert "parent" in admin("post", "/tenants/place", {"key": key, "parent": parent}, 422)["fields"]
    admin("post", "/tenants/place", {"key": "nobody", "parent": "north"}, 404)
    assert admin("post", "/tenants/place", {"key": "south", "parent": ""})["parent"] == ""
    told = [row.changes for row in AuditEntry.objects.of(south).filter(object_kind="tenant").order_by("sequence")]
    assert told == [{"parent": ["", "north"]}, {"parent": ["north", ""]}]


def test_the_company_above_sees_figures_that_are_granted_and_nothing_else(
    admin: Asking, above: Asking, park: Tenant, plant: Tenant
) -> None:
    for number, weight in (("P-1", 5), ("P-2", 1.5), ("P-3", 2)):
        made = item(admin, number, weight=weight)
    admin("post", f"/records/item/{made['id']}/moves/release", {"version": 1})
    assert above.get("/grants/figures")["items"] == []
    assert above.get("/records/item")["items"] == []
    above.get("/records/item", 404, from_="plant")
    given = grant(admin, company="park", shows="figures")
    (row,) = above.get("/grants/figures")["items"]
    assert {"from": "plant", "below": True, "kind": "item", "count": 3, "purposes": ["supply"]}.items() <= row.items()
    (figures,) = above.get("/grants/figures/item", sums="weight", by="state")["items"]
    assert (figures["count"], figures["sums"]) == (3, {"weight": 8.5})
    by_state = {group["state"]: (group["count"], group["sums"]["weight"]) for group in figures["groups"]}
    # A single record's sum would be that record.
    assert by_state == {"draft": (2, 6.5), "released": (1, None)}
    above.get("/grants/figures/item", 422, by="number")
    above.get("/records/item", 404, from_="plant")
    uses = admin.get(f"/grants/{given['id']}/uses")["items"]
    assert {(each["company"], each["doing"]) for each in uses} == {("park", "figures")}
    assert sum(each["rows"] for each in uses) == 6
    admin("post", f"/records/grant/{given['id']}/moves/revoke", {"version": 1})
    assert above.get("/grants/figures")["items"] == []


def test_a_company_of_no_tree_is_not_below(admin: Asking, signed_in: Callable[..., Any]) -> None:
    item(admin, "P-1")
    grant(admin, shows="figures")
    (row,) = Asking(signed_in(Role.VIEWER, of=tenant("north"))).get("/grants/figures")["items"]
    assert (row["from"], row["below"]) == ("plant", False)


def test_owner_and_operator_are_companies_one_deals_with(admin: Asking, park: Tenant, plant: Tenant) -> None:
    tenant("stranger")
    made = admin("post", "/assets", {"kind": "unit", "name": {"en": "Crane", "zh": ""}, "owner": "park"}, 201)
    assert (made["owner"], made["operator"]) == ("park", "")
    for key in ("stranger", "nobody"):
        wrong = admin("patch", f"/assets/{made['id']}", {"operator": key, "version": 1}, 422)
        assert wrong["fields"]["operator"]["en"].replace(key, "x") == (
            "You deal with no company 'x' here. It must lie above or below yours, or share a grant with it."
        )
    grant(admin, company="stranger", until_ms=now_ms() + DAY_MS)
    assert admin("patch", f"/assets/{made['id']}", {"operator": "stranger", "version": 1})["operator"] == "stranger"
    assert admin("patch", f"/assets/{made['id']}", {"owner": "plant", "operator": "", "version": 2})["owner"] == ""
    changed = AuditEntry.objects.of(plant).filter(object_id=made["id"], action="change").order_by("sequence")
    assert changed.first().changes == {"operator": ["", "stranger"]}  # type: ignore[union-attr]


def test_everything_held_of_an_account_is_given_and_goes(
    admin: Asking, signed_in: Callable[..., Any], plant: Tenant
) -> None:
    viewer = person(Role.VIEWER, plant)
    credential.issue(author(plant), CredentialKind.TOKEN, "reports", user=viewer)
    one = item(admin, "P-1")
    party = {"name": {"en": "Li Wei"}, "phone": "123-456", "sort": "person", "account": str(viewer.pk)}
    made = admin("post", "/records/party", party, 201)
    place = asset(plant, "unit")
    body = {"person": str(viewer.pk), "built_in": "operator", "place": str(place.pk), "reason": "shift"}
    admin("post", "/records/assignment", body, 201)
    own = Asking(signed_in(Role.VIEWER))
    own("post", f"/records/item/{one['id']}/comments", {"text": "looks worn"}, 201)
    own("post", "/subscriptions", {"channel": "mail", "target": "li.wei@plant.test"}, 201)
    held = admin.get(f"/personal/user/{viewer.pk}")
    assert held["record"]["username"] == "viewer"
    assert [each["text"] for each in held["comments"]] == ["looks worn"]
    linked = held["linked"]
    assert linked["subscription"][0]["target"] == "li.wei@plant.test"
    assert {"credential", "assignment", "party", "subscription"} <= linked.keys()
    assert "digest" not in json.dumps(held)
    assert any(each["kind"] == "comment" for each in held["entries"])
    admin("delete", f"/personal/user/{viewer.pk}", status=204)
    admin.get(f"/personal/user/{viewer.pk}", 404)
    own.get("/session", 401)
    shown = admin.get(f"/records/party/{made['id']}")
    assert (shown["name"]["en"], shown["phone"], shown["account"]) == ("Erased", "", None)
    assert not PersonKey.objects.of(plant).filter(subject=f"party:{made['id']}").exists()
    told = json.dumps([[row.object_name, row.changes] for row in AuditEntry.objects.of(plant)])
    assert not any(word in told for word in ("Li Wei", "123-456", "li.wei@plant.test"))
    assert first_broken(plant) is None
    assert admin.get("/audit")["items"]
