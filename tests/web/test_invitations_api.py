"""Invitations: a link that is good once, by mail or by hand, and the account it leads to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client
from tests.records.plant import asset, author, tenant
from tests.web.post import PostOffice

from mainspring.records.access.assignment import Assignment
from mainspring.records.access.role import CompanyRole
from mainspring.records.audit import AuditEntry
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people.credential import Credential
from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

PASSWORD = "heron kettle 93 moss"


def invited(client: Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/invitations", fields, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def secret(told: dict[str, Any]) -> str:
    page, _, shown = told["link"].partition("#")
    assert page == "https://plant.test/invitation"
    return str(shown)


def accepted(shown: str, username: str = "zhang.min", **fields: Any) -> Any:
    body = {"token": shown, "username": username, "password": PASSWORD, **fields}
    return Client().post("/api/v1/invitations/accept", body, content_type="application/json")


def sign_in(username: str) -> int:
    body = {"username": username, "password": PASSWORD}
    return Client().post("/api/v1/session", body, content_type="application/json").status_code


def test_the_invited_choose_name_and_password_and_the_link_works_once(signed_in: Callable[..., Client]) -> None:
    admin = signed_in()
    told = invited(admin, role="operator", name="Zhang Min")
    assert not told["mailed"]
    assert told["mail_error"] is None
    assert admin.get("/api/v1/invitations").json()["total"] == 1
    shown = secret(told)
    look = Client().post("/api/v1/invitations/look", {"token": shown}, content_type="application/json").json()
    assert (look["tenant"], look["role"], look["name"]) == ("plant", "operator", "Zhang Min")
    assert accepted(shown, username="a b").status_code == 422
    assert accepted(shown, password="123").json()["fields"]["password"]
    assert accepted(shown, username="administrator").status_code == 422, "taken"
    answer = accepted(shown)
    assert answer.status_code == 201, answer.content
    assert answer.json() == {"tenant": "plant", "username": "zhang.min"}
    user = User.objects.get(username="zhang.min")
    assert (user.role, user.display_name, user.must_change_password) == ("operator", "Zhang Min", False)
    assert sign_in("zhang.min") == 200
    assert accepted(shown, username="another").status_code == 404
    assert admin.get("/api/v1/invitations").json()["total"] == 0


def test_the_secret_of_a_link_is_kept_as_a_hash_and_nothing_personal_stands_in_the_audit(
    signed_in: Callable[..., Client],
) -> None:
    told = invited(signed_in(), email="zhang@example.com", name="Zhang Min")
    shown = secret(told)
    stored = Credential.objects.get(credential_kind="invitation")
    assert shown.rpartition("_")[2] not in str(stored.__dict__)
    audit = str(list(AuditEntry.objects.values_list("changes", "object_name")))
    assert "zhang@example.com" not in audit
    assert "Zhang Min" not in audit
    assert AuditEntry.objects.filter(object_kind="invitation", action="create").exists()


def test_a_withdrawn_or_expired_link_leads_nowhere(signed_in: Callable[..., Client]) -> None:
    admin = signed_in()
    first, second = invited(admin), invited(admin)
    assert admin.delete(f"/api/v1/invitations/{first['id']}").status_code == 204
    assert admin.delete(f"/api/v1/invitations/{first['id']}").status_code == 404
    Credential.objects.filter(invitation=second["id"]).update(expires_ms=1)
    for told in (first, second):
        assert accepted(secret(told)).status_code == 404
    assert not User.objects.filter(username="zhang.min").exists()
    assert accepted("ms_nothing_at-all").status_code == 404


def test_an_invitation_opens_no_other_door(signed_in: Callable[..., Client]) -> None:
    shown = secret(invited(signed_in(), role="administrator"))
    assert Client(headers={"Authorization": f"Bearer {shown}"}).get("/api/v1/users").status_code == 401


def test_what_is_assigned_comes_with_the_account(signed_in: Callable[..., Client], plant: Tenant) -> None:
    admin, area = signed_in(), asset(plant, "area one", kind="area")
    access = Access(author(plant), Role.ADMINISTRATOR.rights)
    role = writing.create(access, CompanyRole, {"code": "lead", "name": {"en": "Lead"}})
    accepted(secret(invited(admin, role="engineer", place=str(area.pk))), "in.a.place")
    accepted(secret(invited(admin, role="viewer", company_role=str(role.pk), place=str(area.pk))), "a.lead")
    placed = Assignment.objects.get(person__username="in.a.place")
    assert (placed.built_in, placed.place, placed.person and placed.person.role) == ("engineer", area, "guest")
    lead = Assignment.objects.get(person__username="a.lead")
    assert (lead.role, lead.place, lead.person and lead.person.role) == (role, area, "viewer")


def test_invitations_go_by_mail_where_there_is_a_server(
    signed_in: Callable[..., Client],
    post_office: PostOffice,
) -> None:
    told = invited(signed_in(), email="zhang@example.com", language="zh")
    assert told["mailed"]
    mail = post_office.mails[0]
    assert mail["To"] == "zhang@example.com"
    assert "邀请" in mail["Subject"]
    assert told["link"] in mail.get_content()
    post_office.refuses = True
    failed = invited(signed_in(), email="zhang@example.com")
    assert not failed["mailed"]
    assert failed["mail_error"]["zh"]


def test_wrong_addresses_and_things_of_others_are_refused(signed_in: Callable[..., Client], plant: Tenant) -> None:
    elsewhere = asset(tenant("north"), "area", kind="area")
    admin = signed_in()
    for fields, expected in (
        ({"email": "a@b.c\nBcc: x@y.z"}, 422), ({"email": "no address"}, 422), ({"days": 31}, 422),
        ({"place": str(elsewhere.pk)}, 404), ({"company_role": str(elsewhere.pk)}, 404),
    ):  # fmt: skip
        answer = admin.post("/api/v1/invitations", fields, content_type="application/json")
        assert answer.status_code == expected, (fields, answer.content)
    told = invited(admin)
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert stranger.get("/api/v1/invitations").json()["total"] == 0
    assert stranger.delete(f"/api/v1/invitations/{told['id']}").status_code == 404
