"""Every endpoint of the API with every role, without sign-in, and with another tenant's session."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest
from tests.records.plant import access, asset, author, modbus, person, tag, tenant

from mainspring.records.access.assignment import Assignment
from mainspring.records.defined import writing
from mainspring.records.people import credential
from mainspring.records.people.credential import CredentialKind
from mainspring.records.people.user import User
from mainspring.records.plant import alarm_definition
from mainspring.records.plant.alarm_definition import AlarmDraft
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant
from mainspring.web.api import api

DOOR: Final = {
    ("post", "/session/second-step"), ("post", "/session/passkey"), ("get", "/session/providers"),
    ("post", "/session/by-passkey/begin"), ("post", "/session/by-passkey"),
    ("post", "/session/providers"), ("post", "/session/providers/callback"),
    ("get", "/session/providers/{provider}/metadata"), ("post", "/session/providers/{provider}/response"),
    ("post", "/session/providers/answer"),
}  # fmt: skip
"""The steps of a sign-in: nobody is signed in yet."""
NEWCOMERS: Final = {
    ("post", "/invitations/look"), ("post", "/invitations/accept"), ("post", "/registration"),
    ("post", "/registration/confirm"),
}  # fmt: skip
"""For those who have no account yet."""
PUBLIC: Final = (
    DOOR | NEWCOMERS | {("get", "/site"), ("get", "/session"), ("post", "/session"), ("post", "/gateways/enrolment")}
)
ENGINEER: Final = {
    *((method, path) for path in ("/assets/{id}", "/tags/{id}", "/connections/{id}", "/alarm-definitions/{id}")
      for method in ("patch", "delete")),
    *(("post", path) for path in ("/assets", "/tags", "/connections", "/alarm-definitions")),
    ("post", "/tags/bulk"),
    ("post", "/connections/test"),
    ("post", "/connections/browse"),
    ("post", "/connections/preview"),
    ("post", "/connections/try-mapping"),
    ("post", "/templates"),
    ("post", "/templates/from-connection"),
    ("post", "/templates/{name}/apply"),
    ("delete", "/templates/{name}"),
    ("get", "/gateways/software"),
    ("post", "/alarms/out-of-service"),
    ("post", "/alarm-definitions/try"),
    ("post", "/alarm-definitions/try"),
    ("post", "/connections/try-mapping"),
    ("post", "/alarms/out-of-service"),
    ("post", "/alarm-definitions/try"),
    ("post", "/history/correct"),
}  # fmt: skip
DEVICES: Final = ("/devices", "/imports", "/tasks", "/history/imports")
OPERATOR: Final = {
    *(("post", f"/alarms/{verb}") for verb in ("acknowledge", "shelve", "unshelve", "comment")),
    ("post", "/commands"), ("post", "/commands/select"),
    ("delete", "/commands/select/{selection}"),
    ("post", "/samples"), ("post", "/samples/csv"), ("post", "/blobs"), ("post", "/history/prometheus/write"),
    ("post", "/epcis/capture"), ("post", "/epcis/events"),
}  # fmt: skip
GUEST: Final = ("/session", "/kinds", "/records", "/access/own", "/units")
"""What of these someone may do, their endpoints ask themselves; units are for everyone signed in."""
IN_PART: Final = {
    *(("get", path) for path in (
        "/assets", "/assets/{id}", "/tags", "/tags/{id}", "/tags/by-ordinal", "/alarm-definitions", "/search",
        "/alarm-definitions/{id}", "/overview", "/current", "/live/{id}/stream", "/alarms", "/alarms/history",
        "/alarms/performance", "/samples/entered", "/commands", "/health", "/subscriptions",
    )),
    *(("post", path) for path in (
        "/tags/by-path", "/live", "/history/trend", "/history/raw", "/history/aggregate", "/history/states",
        "/history/export", "/history/corrections", "/subscriptions", "/subscriptions/{id}/try",
    )),
    ("put", "/live/{id}"), ("patch", "/subscriptions/{id}"), ("delete", "/subscriptions/{id}"),
}  # fmt: skip
"""What is open to whoever has the right to view in a part of the plant alone; all else is closed to them."""
OF_KIND: Final = "/records/document/"
"""Of one kind alone, which guests do not see."""
ADMINISTRATOR: Final = (
    "/users", "/audit", "/tenants", "/access", "/personal", "/grants/{id}", "/invitations", "/registrations",
    "/provisioning",
)  # fmt: skip
GATEWAYS: Final = {
    ("post", "/gateways"), ("post", "/gateways/{id}/token"), ("delete", "/gateways/{id}"),
    ("post", "/gateways/software"), ("post", "/gateways/releases"),
    ("delete", "/gateways/software/{sha256}"), ("post", "/gateways/software/{sha256}/restore"),
}  # fmt: skip
BY_KEY: Final = {("get", "/gateways/software/{sha256}")}
"""A gateway's own key opens these, and no person."""
SOME_ID: Final = "0190a000-0000-7000-8000-000000000000"


@cache
def endpoints() -> list[tuple[str, str]]:
    schema = api.get_openapi_schema(path_prefix="")
    return [(method, path) for path, methods in schema["paths"].items() for method in methods]


def least(method: str, path: str) -> Role:
    """The role each endpoint is meant for; whatever is not named here is for everyone signed in."""
    if path.startswith(GUEST) and not path.startswith(OF_KIND):
        return Role.GUEST
    if path.startswith(ADMINISTRATOR) or (method, path) in GATEWAYS:
        return Role.ADMINISTRATOR
    if (method, path) in ENGINEER or path.startswith(DEVICES):
        return Role.ENGINEER
    return Role.OPERATOR if (method, path) in OPERATOR else Role.VIEWER


def call(client: Any, method: str, path: str, id: str = SOME_ID) -> Any:
    body = {} if method == "get" else {"data": b"{}", "content_type": "application/json"}
    return getattr(client, method)(f"/api/v1{re.sub(r'{[^}]+}', id, path)}", **body)


def test_without_sign_in_everything_but_the_door_is_closed() -> None:
    from django.test import Client

    tenant()
    for method, path in endpoints():
        answer = call(Client(), method, path)
        if (method, path) in PUBLIC:
            continue
        assert answer.status_code == 401, (method, path, answer.content)
        assert answer.json()["code"] == "not-signed-in"


@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_its_rights_and_no_more(signed_in: Callable[..., Any], role: Role) -> None:
    client = signed_in(role)
    for method, path in endpoints():
        if (method, path) in PUBLIC | BY_KEY:
            continue
        answer = call(client, method, path)
        if method != "get" and answer.status_code < 300:
            client = signed_in(role)  # for the next: it may have ended the session
        if role.covers(least(method, path)):
            assert answer.status_code not in {401, 403, 500}, (role, method, path, answer.content)
        else:
            assert answer.status_code == 403, (role, method, path, answer.content)
            assert answer.json()["code"] == "not-allowed"


def test_a_part_of_the_plant_opens_what_knows_of_parts(signed_in: Callable[..., Any], plant: Tenant) -> None:
    guest, hall = signed_in(Role.GUEST), asset(plant, "hall", kind="area")
    someone = User.objects.get(tenant=plant, username="guest")
    fields = {"person": str(someone.pk), "built_in": "viewer", "place": str(hall.pk), "reason": "test"}
    writing.create(access(plant), Assignment, fields)
    user = guest.get("/api/v1/session").json()["user"]
    assert user["rights"] == ["sign-in"]
    assert user["parts"] == [{"path": "hall", "company": "", "rights": ["view", "export"]}]
    assert guest.get("/api/v1/units").json()["total"] > 0
    for method, path in endpoints():
        if (method, path) in PUBLIC | BY_KEY or path.startswith(GUEST):
            continue
        answer = call(guest, method, path)
        if (method, path) in IN_PART:
            assert answer.status_code not in {401, 403, 500}, (method, path, answer.content)
        else:
            assert answer.status_code == 403, (method, path, answer.content)


def everything(of: Tenant) -> dict[str, str]:
    unit, plc = asset(of, "unit"), modbus(of)
    reading = tag(of, "TI-1", unit, connection=plc.id, address={"register": 7})
    draft = AlarmDraft.model_validate({"tag_id": reading.id, "condition": "H", "limit": 80})
    alarm = alarm_definition.create(author(of), draft)
    user = person(Role.VIEWER, of)
    token, _ = credential.issue(author(of), CredentialKind.TOKEN, "reports", user=user)
    made = {
        "assets": unit, "connections": plc, "tags": reading, "alarm-definitions": alarm, "users": user, "tokens": token,
    }  # fmt: skip
    return {noun: str(record.pk) for noun, record in made.items()}


def test_another_tenant_finds_nothing(signed_in: Callable[..., Any], plant: Tenant) -> None:
    ids = everything(plant)
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    for method, path in endpoints():
        noun = path.split("/")[1]
        if noun not in ids:
            continue
        if "{id}" in path:
            answer = call(stranger, method, path, ids[noun])
            expected = 422 if method == "patch" else 404  # a PATCH without its version is refused before anything else
            assert answer.status_code == expected, (method, path, answer.content)
        elif method == "get" and path == f"/{noun}":
            answer = call(stranger, method, path)
            assert not any(item["id"] in ids.values() for item in answer.json()["items"]), path
    for noun in ("assets", "tags", "connections", "alarm-definitions", "users"):
        answer = stranger.patch(f"/api/v1/{noun}/{ids[noun]}", {"version": 1}, content_type="application/json")
        assert answer.status_code == 404, (noun, answer.content)
    assert stranger.get("/api/v1/search?q=unit").json() == {"items": []}
    assert stranger.get("/api/v1/tags/by-ordinal?tags=1,2,3").json()["total"] == 0
    home = signed_in(Role.ADMINISTRATOR)
    for noun, id in ids.items():
        if noun != "tokens":
            assert home.get(f"/api/v1/{noun}/{id}").status_code == 200, noun


def test_another_tenants_audit_stays_there(signed_in: Callable[..., Any], plant: Tenant) -> None:
    asset(plant, "unit")
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert stranger.get("/api/v1/audit").json()["total"] == 0
    assert signed_in().get("/api/v1/audit").json()["total"] == 1


def test_a_due_password_closes_everything_but_its_change(signed_in: Callable[..., Any], plant: Tenant) -> None:
    user = person(Role.ADMINISTRATOR, plant, password="old password 1")
    user.must_change_password = True
    user.save()
    client = signed_in()
    assert client.get("/api/v1/session").status_code == 200
    refused = client.get("/api/v1/assets")
    assert (refused.status_code, refused.json()["code"]) == (403, "password-due")
    body = {"old": "old password 1", "new": "a much better one"}
    assert client.post("/api/v1/session/password", body, content_type="application/json").status_code == 200
    assert client.get("/api/v1/assets").status_code == 200


def test_an_endpoint_without_a_declared_right_is_closed() -> None:
    from mainspring.web.api import _closed
    from mainspring.web.faults import NotSignedIn

    with pytest.raises(NotSignedIn):
        _closed(None)  # type: ignore[arg-type]
    for _prefix, router in api._routers:
        for view in router.path_operations.values():
            for operation in view.operations:
                assert operation.auth_callbacks or operation.auth_param is None
