"""Tokens: what they are confined to, how they end and are renewed, and accounts that have nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests.records.ground import in_thread
from tests.records.plant import asset, author, person, tag, tenant
from tests.web.running import Running

from mainspring.records.access.assignment import Assignment
from mainspring.records.access.role import CompanyRole
from mainspring.records.business.asset_type import Equipment
from mainspring.records.business.item import Item
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people.credential import Credential, CredentialKind, issue
from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms
from mainspring.web import configure

DAY_MS = 86_400_000


@pytest.fixture
def admin(plant: Tenant) -> Access:
    return Access(author(plant), Role.ADMINISTRATOR.rights)


def made(client: Client, **fields: Any) -> tuple[dict[str, Any], Client]:
    """Make a token, and a program that shows it."""
    answer = client.post("/api/v1/tokens", {"name": "t", **fields}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return answer.json(), Client(headers={"Authorization": f"Bearer {answer.json()['token']}"})


def status(program: Client, path: str, body: Any = None) -> int:
    if body is None:
        return program.get(f"/api/v1{path}").status_code
    return program.post(f"/api/v1{path}", body, content_type="application/json").status_code


def service(client: Client, role: str = "viewer") -> str:
    draft = {"username": f"svc.{role}", "role": role, "service": True}
    answer = client.post("/api/v1/users", draft, content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["initial_password"] is None
    return str(answer.json()["id"])


def test_a_token_for_reading_alone_changes_nothing(signed_in: Callable[..., Client]) -> None:
    told, program = made(signed_in(), role="engineer", rights=["view", "export"])
    assert told["rights"] == ["view", "export"]
    assert status(program, "/assets") == 200
    assert status(program, "/records/item") == 200
    assert status(program, "/assets", {"kind": "unit", "name": {"en": "x"}}) == 403
    assert status(program, "/records/item", {"number": "P", "name": {"en": "x"}}) == 403
    _, whole = made(signed_in(), role="engineer")
    assert status(whole, "/records/item", {"number": "P", "name": {"en": "x"}}) == 201


def test_a_token_confined_to_kinds_opens_these_alone(signed_in: Callable[..., Client], admin: Access) -> None:
    writing.create(admin, Item, {"number": "P-1", "name": {"en": "Bearing"}})
    _, program = made(signed_in(), role="engineer", kinds=["item"])
    assert program.get("/api/v1/records/item").json()["total"] == 1
    assert status(program, "/records/item", {"number": "P-2", "name": {"en": "x"}}) == 201
    assert status(program, "/records/finding") == 403
    assert status(program, "/records/role") == 403
    for path in ("/assets", "/tags", "/users", "/tokens", "/audit"):
        assert status(program, path) == 403, path
    rights = program.get("/api/v1/access/own").json()
    assert rights["rights"] == []
    assert {each["kind"] for each in rights["kinds"]} == {"item"}


def test_a_token_confined_to_kinds_and_reading(signed_in: Callable[..., Client], admin: Access) -> None:
    _, program = made(signed_in(), role="engineer", kinds=["group:material", "item"], rights=["view"])
    assert status(program, "/records/item") == 200
    assert status(program, "/records/item", {"number": "P-2", "name": {"en": "x"}}) == 403


def test_a_token_confined_to_a_place_sees_what_lies_there(
    signed_in: Callable[..., Client], plant: Tenant, admin: Access
) -> None:
    area, other = asset(plant, "area one", kind="area"), asset(plant, "area two", kind="area")
    inside, outside = asset(plant, "unit one", area), asset(plant, "unit two", other)
    for each in (inside, outside):
        writing.create(admin, Equipment, {"asset": str(each.pk)})
    told, program = made(signed_in(), role="engineer", place=str(area.pk))
    assert told["place_path"] == area.path
    listed = program.get("/api/v1/records/equipment").json()["items"]
    assert [each["asset"] for each in listed] == [str(inside.pk)]
    assert status(program, "/records/equipment", {"asset": str(outside.pk)}) == 403


def test_with_its_place_a_token_goes(signed_in: Callable[..., Client], plant: Tenant) -> None:
    area = asset(plant, "area one", kind="area")
    _, program = made(signed_in(), place=str(area.pk))
    assert status(program, "/kinds") == 200
    assert signed_in().delete(f"/api/v1/assets/{area.pk}").status_code == 204
    assert status(program, "/kinds") == 401


def test_what_is_assigned_to_a_token_stays_in_its_scope(
    signed_in: Callable[..., Client], plant: Tenant, admin: Access
) -> None:
    told, program = made(signed_in(), role="guest", rights=["view"])
    everything = {"kinds": ["*"], "doings": ["view", "create", "change"]}
    role = writing.create(admin, CompanyRole, {"code": "r", "name": {"en": "r"}, "permissions": [everything]})
    writing.create(admin, Assignment, {"service": told["id"], "role": str(role.pk), "reason": "test"})
    assert status(program, "/records/item") == 200
    assert status(program, "/records/item", {"number": "P-2", "name": {"en": "x"}}) == 403


def test_scopes_beyond_the_role_and_what_does_not_exist_are_refused(signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.OPERATOR)
    for fields, field in (
        ({"rights": ["nonsense"]}, "rights.0"),
        ({"kinds": ["nonsense"]}, "kinds"),
        ({"role": "engineer"}, "role"),
    ):
        answer = client.post("/api/v1/tokens", {"name": "t", **fields}, content_type="application/json")
        assert answer.status_code == 422, answer.content
        assert field in answer.json()["fields"]
    absent = {"name": "t", "place": "0190a000-0000-7000-8000-000000000000"}
    assert client.post("/api/v1/tokens", absent, content_type="application/json").status_code == 404


def test_every_token_ends_within_the_time_the_settings_allow(
    signed_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configure.current().model_copy(update={"token_days_max": 30})
    monkeypatch.setattr(configure, "_current", settings)
    client = signed_in()
    told, _ = made(client)
    assert abs(told["expires_ms"] - now_ms() - 30 * DAY_MS) < DAY_MS
    late = {"name": "t", "expires_ms": now_ms() + 31 * DAY_MS}
    assert client.post("/api/v1/tokens", late, content_type="application/json").status_code == 422


def test_a_renewed_secret_ends_the_old_one(signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    told, program = made(client, expires_ms=now_ms() + DAY_MS)
    assert status(program, "/assets") == 200
    answer = client.post(f"/api/v1/tokens/{told['id']}/rotate", {}, content_type="application/json")
    assert answer.json()["expires_ms"] == told["expires_ms"]
    assert status(program, "/assets") == 401
    renewed = Client(headers={"Authorization": f"Bearer {answer.json()['token']}"})
    assert status(renewed, "/assets") == 200
    by_itself = renewed.post(f"/api/v1/tokens/{told['id']}/rotate", {}, content_type="application/json")
    assert by_itself.status_code == 403
    assert client.delete(f"/api/v1/tokens/{told['id']}").status_code == 204
    assert status(renewed, "/assets") == 401


def test_a_service_account_has_tokens_and_nothing_else(
    signed_in: Callable[..., Client], plant: Tenant, admin: Access
) -> None:
    client = signed_in()
    id = service(client)
    user = User.objects.get(pk=id)
    user.set_password("a password of their own")
    user.save()
    answer = Client().post(
        "/api/v1/session", {"username": "svc.viewer", "password": "a password of their own"},
        content_type="application/json",
    )  # fmt: skip
    assert answer.status_code == 401
    assert client.post(f"/api/v1/users/{id}/reset-password").status_code == 409
    told, program = made(client, user=id)
    assert told["owner"] == "svc.viewer"
    assert status(program, "/assets") == 200
    # What is assigned to the account counts for its tokens.
    everything = {"kinds": ["item"], "doings": ["create"]}
    role = writing.create(admin, CompanyRole, {"code": "r", "name": {"en": "r"}, "permissions": [everything]})
    writing.create(admin, Assignment, {"person": id, "role": str(role.pk), "reason": "test"})
    assert status(program, "/records/item", {"number": "P-2", "name": {"en": "x"}}) == 201
    body = {"enabled": False, "version": client.get(f"/api/v1/users/{id}").json()["version"]}
    assert client.patch(f"/api/v1/users/{id}", body, content_type="application/json").status_code == 200
    assert status(program, "/assets") == 401
    assert client.delete(f"/api/v1/users/{id}").status_code == 204


def test_tokens_of_others_are_for_administrators_and_service_accounts(
    signed_in: Callable[..., Client], plant: Tenant
) -> None:
    client = signed_in()
    id, colleague, stranger = (
        service(client),
        person(Role.VIEWER, plant, "colleague"),
        person(Role.VIEWER, tenant("north")),
    )
    for who, user, expected in (
        (Role.OPERATOR, id, 403), (Role.ADMINISTRATOR, colleague.pk, 422), (Role.ADMINISTRATOR, stranger.pk, 404),
    ):  # fmt: skip
        body = {"name": "t", "user": str(user)}
        answer = signed_in(who).post("/api/v1/tokens", body, content_type="application/json")
        assert answer.status_code == expected, answer.content
    own = issue(author(plant), CredentialKind.TOKEN, "own", user=colleague)[0]
    renewed = client.post(f"/api/v1/tokens/{own.pk}/rotate", {}, content_type="application/json")
    assert renewed.status_code == 403, "an administrator would act in the colleague's name"
    of_service = client.post("/api/v1/tokens", {"name": "t", "user": id}, content_type="application/json").json()["id"]
    assert client.post(f"/api/v1/tokens/{of_service}/rotate", {}, content_type="application/json").status_code == 200
    beyond = {"name": "t", "user": id, "role": "operator"}
    assert client.post("/api/v1/tokens", beyond, content_type="application/json").status_code == 422


def test_a_service_account_is_no_administrator_who_can_sign_in(signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    service(client, "administrator")
    own = client.get("/api/v1/session").json()["user"]["id"]
    body = {"enabled": False, "version": client.get(f"/api/v1/users/{own}").json()["version"]}
    assert client.patch(f"/api/v1/users/{own}", body, content_type="application/json").status_code == 409


async def test_a_believed_token_keeps_to_its_scope(web: Running) -> None:
    def confine() -> None:
        token = Credential.objects.get(name="engineer", tenant=web.records.plant)
        token.scope_rights = ["view"]
        token.save()

    path = f"/current?tags={web.records.ordinal('T1')}"
    draft = {"kind": "unit", "name": {"en": "x"}}
    assert (await web.ask("POST", "/assets", draft, who="engineer")).status == 201
    in_thread(confine)
    for _ in range(3):
        assert (await web.ask("GET", path, who="engineer")).status == 200
        assert (await web.ask("POST", "/assets", draft, who="engineer")).status == 403


def test_tags_of_elsewhere_stay_hidden_from_a_token_of_one_place(
    signed_in: Callable[..., Client], plant: Tenant
) -> None:
    area, other = asset(plant, "area one", kind="area"), asset(plant, "area two", kind="area")
    tag(plant, "TI-1", asset(plant, "unit one", area))
    tag(plant, "TI-2", asset(plant, "unit two", other))
    _, program = made(signed_in(), role="viewer", place=str(area.pk))
    answer = program.get("/api/v1/tags")
    assert answer.status_code == 200
    assert [each["name"] for each in answer.json()["items"]] == ["TI-1"]
