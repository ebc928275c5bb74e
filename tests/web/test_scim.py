"""SCIM 2.0 on the running server: an independent tester, and what a directory does to people and roles."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from django.test import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from tests.records.ground import in_thread
from tests.records.plant import asset, author, person
from tests.waiting import PATIENCE_S
from tests.web.running import Records, Running, running

from mainspring.records.access.assignment import Assignment
from mainspring.records.access.role import CompanyRole
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people import credential
from mainspring.records.people.credential import CredentialKind
from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def token(of: Tenant, expires_ms: int | None = None) -> str:
    return credential.issue(
        author(of), CredentialKind.PROVISIONING, "directory", role=Role.GUEST, expires_ms=expires_ms
    )[1]


class Directory:
    """A company's directory at the API."""

    def __init__(self, of: Tenant, shown: str | None = None) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {shown or token(of)}"})

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent: dict[str, Any] = {} if body is None else {"data": body, "content_type": "application/scim+json"}
        return getattr(self._client, method)(f"/scim/v2{path}", headers=headers, **sent)

    def create(self, called: str, **fields: Any) -> dict[str, Any]:
        answer = self.ask("post", "/Users", {"schemas": [USER], "userName": called, **fields})
        assert answer.status_code == 201, answer.content
        return dict(answer.json())

    def group(self, name: str, *members: str) -> dict[str, Any]:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in members]}
        answer = self.ask("post", "/Groups", body)
        assert answer.status_code == 201, answer.content
        return dict(answer.json())

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> Any:
        return self.ask("patch", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)


@pytest.fixture
def directory(plant: Tenant) -> Directory:
    person(Role.ADMINISTRATOR, plant)
    return Directory(plant)


async def test_the_tester_finds_nothing_wrong(kept: Records, tmp_path: Any) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        shown = in_thread(lambda: token(web.records.plant))
        results = await asyncio.to_thread(checked, web, shown)
    assert len(results) > 100
    wrong = [
        f"{each.title} {each.resource_type}: {each.reason}"
        for each in results
        if each.status in {Status.DEVIATION, Status.ERROR, Status.CRITICAL}
    ]
    assert not wrong, "\n".join(wrong)


def checked(web: Running, shown: str) -> list[Any]:
    address = f"http://127.0.0.1:{web.port}/scim/v2"
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {shown}"}, timeout=PATIENCE_S) as client:
        scim = SyncSCIMClient(client)
        scim.discover()
        return list(check_server(scim))


def test_a_directory_makes_changes_and_ends_an_account(directory: Directory) -> None:
    made = directory.create(
        "Li.Wei@example.com", name={"givenName": "Wei", "familyName": "Li"}, externalId="e-1",
        preferredLanguage="zh-CN",
        emails=[{"value": "li.wei@example.com", "primary": True}],
    )  # fmt: skip
    user = User.objects.get(pk=made["id"])
    assert (user.username, user.display_name, user.role, user.language) == (
        "li.wei@example.com",
        "Wei Li",
        "guest",
        "zh",
    )
    assert not user.has_usable_password()
    assert made["userName"] == "Li.Wei@example.com"
    assert made["emails"][0]["value"] == "li.wei@example.com"
    path = f"/Users/{made['id']}"
    changed = directory.patch(path, {"op": "replace", "path": "displayName", "value": "Li Wei"})
    assert changed.status_code == 204, changed.content
    session = Client()
    session.force_login(user, backend="mainspring.records.people.sign_in.TenantBackend")
    assert session.get("/api/v1/session").status_code == 200
    off = directory.patch(path, {"op": "replace", "value": {"active": False}})
    assert off.status_code == 204
    assert directory.ask("get", path).json()["active"] is False
    assert session.get("/api/v1/session").status_code == 401
    user.refresh_from_db()
    assert (user.display_name, user.enabled, user.sessions.count()) == ("Li Wei", False, 0)
    assert directory.ask("delete", path).status_code == 204
    assert directory.ask("get", path).status_code == 404


def test_groups_are_the_companys_roles_and_members_have_them(directory: Directory, plant: Tenant) -> None:
    first, second = directory.create("first"), directory.create("second")
    group = directory.group("Shift leads", first["id"])
    path = f"/Groups/{group['id']}"
    role = CompanyRole.objects.get(pk=group["id"])
    assert role.name["en"] == "Shift leads"
    directory.patch(path, {"op": "add", "path": "members", "value": [{"value": second["id"]}]})
    directory.patch(path, {"op": "remove", "path": f'members[value eq "{first["id"]}"]'})
    assert [str(row.person_id) for row in Assignment.objects.filter(role=role)] == [second["id"]]
    assert directory.ask("get", f"/Users/{second['id']}").json()["groups"][0]["value"] == group["id"]
    # What an administrator assigned in a part of the plant is none of the directory's business, and is in the way.
    access = Access(author(plant), Role.ADMINISTRATOR.rights)
    place = str(asset(plant, "area", kind="area").pk)
    writing.create(access, Assignment, {"person": first["id"], "role": group["id"], "place": place, "reason": "x"})
    assert [each["value"] for each in directory.ask("get", path).json()["members"]] == [second["id"]]
    assert directory.ask("delete", path).status_code == 409
    assert directory.ask("get", path).status_code == 200
    nobody = {"op": "add", "path": "members", "value": [{"value": "0190a000-0000-7000-8000-000000000000"}]}
    assert directory.patch(path, nobody).status_code == 400


def test_people_are_found_by_filter_sorted_and_in_pages(directory: Directory) -> None:
    for number in range(5):
        directory.create(f"user{number}", externalId=f"e-{number}", active=number != 3)
    answers: tuple[tuple[str, list[str]], ...] = (
        ('userName eq "USER2"', ["user2"]), ('externalId eq "e-4"', ["user4"]), ("active eq false", ["user3"]),
        ('userName sw "user" and not (userName eq "user1")', ["user0", "user2", "user3", "user4"]),
        ('externalId eq "nothing"', []),
    )  # fmt: skip
    for asked, expected in answers:
        found = directory._client.get("/scim/v2/Users", {"filter": asked, "sortBy": "userName"}).json()
        assert [each["userName"] for each in found.get("Resources", [])] == expected, asked
        assert found["totalResults"] == len(expected)
    page = directory._client.get("/scim/v2/Users?startIndex=2&count=2&sortBy=userName").json()
    assert (page["totalResults"], page["itemsPerPage"]) == (6, 2)
    assert directory._client.get("/scim/v2/Users", {"filter": "nonsense ("}).status_code == 400


def test_versions_guard_against_lost_updates(directory: Directory) -> None:
    made = directory.create("li.wei")
    path, version = f"/Users/{made['id']}", made["meta"]["version"]
    name = {"op": "replace", "path": "displayName", "value": "Li"}
    changed = directory.patch(path, name, **{"If-Match": version})
    assert changed.status_code == 204, changed.content
    assert changed.headers["ETag"] != version
    late = {"op": "replace", "path": "displayName", "value": "Wei"}
    assert directory.patch(path, late, **{"If-Match": version}).status_code == 412
    assert directory.ask("get", path, **{"If-None-Match": changed.headers["ETag"]}).status_code == 304


def test_names_are_taken_once_and_the_last_administrator_stays(directory: Directory, plant: Tenant) -> None:
    directory.create("li.wei")
    again = directory.ask("post", "/Users", {"schemas": [USER], "userName": "LI.WEI"})
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    assert directory.ask("post", "/Users", {"schemas": [USER], "userName": "a/b"}).status_code in {400, 422}
    admin = User.objects.get(username="administrator")
    assert directory.patch(f"/Users/{admin.pk}", {"op": "replace", "value": {"active": False}}).status_code == 409
    admin.refresh_from_db()
    assert admin.enabled


def test_only_the_companys_own_token_opens_it(directory: Directory, plant: Tenant, signed_in: Any) -> None:
    from tests.records.plant import tenant

    north = Directory(tenant("north"))
    made = directory.create("li.wei")
    group = directory.group("Leads", made["id"])
    assert north.ask("get", "/Users").json()["totalResults"] == 0
    assert north.ask("get", "/Groups").json()["totalResults"] == 0
    for path in (f"/Users/{made['id']}", f"/Groups/{group['id']}"):
        for method in ("get", "delete"):
            assert north.ask(method, path).status_code == 404
        assert north.patch(path, {"op": "replace", "path": "displayName", "value": "x"}).status_code == 404
    nested = {"schemas": [GROUP], "displayName": "x", "members": [{"value": made["id"]}]}
    assert north.ask("post", "/Groups", nested).status_code == 400
    personal = credential.issue(author(plant), CredentialKind.TOKEN, "t", role=Role.ADMINISTRATOR)[1]
    old = token(plant, now_ms() - 1)
    for shown in ("", "ms_a_b", personal, old):
        assert Directory(plant, shown or "x").ask("get", "/Users").status_code == 401
    assert signed_in().get("/scim/v2/Users").status_code == 401
    assert Client(headers={"Authorization": f"Bearer {token(plant)}"}).get("/api/v1/users").status_code == 401


def test_an_administrator_makes_and_ends_the_directorys_token(plant: Tenant, signed_in: Any) -> None:
    admin = signed_in()
    answer = admin.post("/api/v1/provisioning", {"name": "directory"}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["address"].endswith("/scim/v2")
    assert Directory(plant, made["token"]).ask("get", "/Users").status_code == 200
    assert admin.get("/api/v1/provisioning").json()["total"] == 1
    assert admin.delete(f"/api/v1/provisioning/{made['id']}").status_code == 204
    assert Directory(plant, made["token"]).ask("get", "/Users").status_code == 401


def test_service_accounts_are_not_the_directorys(directory: Directory, plant: Tenant) -> None:
    service = User(tenant=plant, username="svc", service=True)
    service.set_unusable_password()
    service.save()
    assert directory.ask("get", f"/Users/{service.pk}").status_code == 404
    assert "svc" not in directory.ask("get", "/Users").content.decode()


def test_characters_no_database_keeps_are_refused(directory: Directory) -> None:
    made = directory.create("li", displayName='Li "W"', externalId='a"b')
    for field in ("userName", "displayName", "externalId", "title"):
        for text in ("a\0b", "\ud800"):
            answer = directory.ask("post", "/Users", {"schemas": [USER], "userName": "zhang", field: text})
            assert answer.status_code == 400, (field, answer.content)
            changed = directory.patch(f"/Users/{made['id']}", {"op": "replace", "path": field, "value": text})
            assert changed.status_code == 400, (field, changed.content)
    assert directory.ask("get", "/Users", {"filter": 'userName eq "\\u0000"'}).json()["totalResults"] == 0
    assert directory.ask("get", "/Users", {"filter": 'externalId eq "a\\"b"'}).json()["totalResults"] == 1
