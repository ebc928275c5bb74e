"""Fields above someone's grade: lists, details, histories, exports, filters, searches, links tell nothing of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from tests.records.plant import asset
from tests.web.asking import Asking, role

from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

SECRET = "pays-ninety-days-late"


@pytest.fixture
def asked(admin: Asking, signed_in: Callable[..., Any], plant: Tenant) -> Callable[..., tuple[Asking, Any]]:
    """Return a guest who may see and export parties and equipment up to a grade, or do else, and their bare client."""

    def of_grade(grade: str, *doings: str) -> tuple[Asking, Any]:
        client = signed_in(Role.GUEST)
        may = [*doings] or ["view", "export"]
        made = role(admin, f"up-to-{grade}", kinds=["party", "equipment"], doings=may, grade=grade)
        guest = User.objects.get(tenant=plant, username="guest")
        admin("post", "/records/assignment", {"person": str(guest.pk), "role": made, "reason": "audit"}, 201)
        return Asking(client), client

    return of_grade


@pytest.fixture
def party(admin: Asking) -> Any:
    made = admin("post", "/records/party", {"name": {"en": "Acme", "zh": ""}, "remarks": SECRET}, 201)
    return admin("patch", f"/records/party/{made['id']}", {"remarks": f"{SECRET} again", "version": 1})


def test_what_is_confidential_is_told_nowhere(asked: Any, party: Any) -> None:
    guest, client = asked("internal")
    one = f"/records/party/{party['id']}"
    told = [
        guest.get("/records/party"), guest.get(one), guest.get(f"{one}/history"),
        *(client.get(f"/api/v1/records/party/export?format={form}") for form in ("csv", "json", "xlsx")),
        client.get(f"/api/v1/records/party/labels?ids={party['id']}&size=a4-24"),
    ]  # fmt: skip
    whole = b"".join(_content(each) for each in told)
    assert b"Acme" in whole
    assert SECRET.encode() not in whole
    assert b'"remarks"' not in whole
    assert guest.get("/records/party", search=SECRET)["items"] == []
    guest.get("/records/party", 422, where='[["remarks","ne",""]]')
    guest.get("/records/party", 422, sort="remarks")
    # The word alone tells nothing.
    assert guest.get("/records/party", where='[["number","ne","remarks"]]')["total"] == 1
    assert client.get('/api/v1/records/party/export?where=[["remarks","ne",""]]').status_code == 422
    assert client.get("/api/v1/records/party/export?sort=-remarks").status_code == 422


def test_whoever_changes_an_old_version_is_not_told_what_they_may_not_see(asked: Any, party: Any) -> None:
    guest, _ = asked("internal", "view", "change")
    one = f"/records/party/{party['id']}"
    current = guest("patch", one, {"contact": "Li", "version": 1}, 409)["current"]
    assert (current["name"]["en"], current["version"]) == ("Acme", 2)
    assert "remarks" not in current
    assert "remarks" not in guest("patch", one, {"contact": "Li", "version": 2})


def test_what_is_not_seen_is_not_changed(asked: Any, admin: Asking, party: Any) -> None:
    guest, _ = asked("internal", "view", "change")
    one = f"/records/party/{party['id']}"
    faults = guest("patch", one, {"contact": "Li", "remarks": "", "version": 2}, 422)["fields"]
    assert set(faults) == {"remarks"}
    sequence = admin.get(f"{one}/history")["items"][0]["sequence"]
    assert set(guest("post", f"{one}/undo", {"sequence": sequence, "version": 2}, 422)["fields"]) == {"remarks"}
    now = admin.get(one)
    assert (now["remarks"], now["version"]) == (f"{SECRET} again", 2)


def test_the_grade_lets_through_what_it_covers(asked: Any, party: Any) -> None:
    guest, client = asked("confidential")
    assert guest.get(f"/records/party/{party['id']}")["remarks"] == f"{SECRET} again"
    assert SECRET.encode() in _content(client.get("/api/v1/records/party/export?format=csv"))
    assert guest.get("/records/party", where='[["remarks","ne",""]]')["total"] == 1


def test_names_of_what_a_hidden_field_links_to_are_hidden_with_it(
    asked: Any, signed_in: Callable[..., Any], plant: Tenant
) -> None:
    unit = asset(plant, "Reactor")
    made = Asking(signed_in())("post", "/records/equipment", {"asset": str(unit.pk)}, 201)
    guest, _ = asked("public")
    (row,) = (listed := guest.get("/records/equipment"))["items"]
    shown = guest.get(f"/records/equipment/{made['id']}")
    for found in (row, shown):
        assert "asset" not in found
    assert listed["titles"] == shown["titles"] == {}
    assert "reactor" not in str((listed, shown)).lower()


def _content(answer: Any) -> bytes:
    if isinstance(answer, dict):
        return repr(answer).replace("'", '"').encode()
    assert answer.status_code == 200, answer.content
    return async_to_sync(_whole)(answer.streaming_content) if answer.streaming else bytes(answer.content)


async def _whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])
