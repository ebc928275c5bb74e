"""Second factors: set up, asked for at sign-in, confirmed, removed, required and reset."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from tests.records.plant import person, tenant
from tests.web.authenticator import SecurityKey, shown

from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

PASSWORD = "heron-kettle-93-moss"
ORIGIN = "http://localhost:8460"


class Caller:
    """Someone with a browser."""

    def __init__(self, name: str = "", address: str = "10.0.0.1") -> None:
        from django.test import Client

        self.name = name
        self.client = Client(SERVER_NAME="localhost", SERVER_PORT="8460", REMOTE_ADDR=address)

    def ask(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        content = {} if body is None and method == "get" else {"data": json.dumps(body or {})}
        answer = getattr(self.client, method)(f"/api/v1{path}", content_type="application/json", **content)
        assert answer.status_code == (status or (204 if not answer.content else 200)), answer.content
        return answer.json() if answer.content else None

    def sign_in(self, status: int = 200) -> Any:
        return self.ask("post", "/session", {"username": self.name, "password": PASSWORD}, status)

    def add_app(self) -> tuple[str, list[str]]:
        """Set up an authenticator app; returns its secret and the recovery codes."""
        secret = self.ask("post", "/session/second-factor/totp/begin")["secret"]
        made = self.ask("post", "/session/second-factor/totp", {"code": shown(secret)})
        return secret, made["recovery_codes"]

    def add_key(self, name: str = "Key") -> SecurityKey:
        """Register a passkey."""
        key = SecurityKey(ORIGIN)
        options = self.ask("post", "/session/second-factor/passkeys/begin")["options"]
        self.ask("post", "/session/second-factor/passkeys", {"name": name, "passkey": key.make(options)})
        return key


@pytest.fixture
def li(plant: Tenant) -> Caller:
    """An operator, signed in."""
    person(Role.OPERATOR, plant, "li", PASSWORD)
    made = Caller("li")
    made.sign_in()
    return made


def told(of: Tenant) -> list[tuple[str, str, Any]]:
    rows = AuditEntry.objects.of(of).order_by("sequence")
    return [(each.action, each.object_kind, each.changes) for each in rows]


def test_a_code_is_asked_for_after_the_password(li: Caller, plant: Tenant) -> None:
    secret, codes = li.add_app()
    assert len(set(codes)) == 10
    other = Caller("li")
    begun = other.sign_in(202)
    assert begun["second_step"] == ["recovery_codes", "totp"]
    # The password alone opens nothing.
    assert other.ask("get", "/session", status=401)["code"] == "not-signed-in"
    other.ask("get", "/assets", status=401)
    assert other.ask("post", "/session/second-step", {"code": "000 000"}, 401)["code"] == "credentials"
    signed_in = other.ask("post", "/session/second-step", {"code": shown(secret, 1)})
    assert signed_in["user"]["username"] == "li"
    other.ask("get", "/session")
    deeds = told(plant)
    assert ("sign-in-failed", "second-factor", {}) in deeds
    assert ("sign-in", "session", {"second_step": [None, "totp"]}) in deeds
    assert ("create", "second-factor", {"kind": [None, "totp"]}) in deeds
    assert first_broken(plant) is None


def test_a_code_and_a_recovery_code_hold_once(li: Caller) -> None:
    secret, codes = li.add_app()
    code = shown(secret, 1)
    for proof in (code, codes[0]):
        for status in (200, 401):
            again = Caller("li")
            again.sign_in(202)
            again.ask("post", "/session/second-step", {"code": proof}, status)
    assert li.ask("get", "/session/second-factor")["recovery_codes_left"] == 9


def test_wrong_codes_lock_like_wrong_passwords(li: Caller) -> None:
    secret, _ = li.add_app()
    other = Caller("li", "10.0.0.2")
    other.sign_in(202)
    answers = [other.ask("post", "/session/second-step", {"code": "111111"}, status) for status in (401,) * 4 + (429,)]
    assert answers[-1]["code"] == "locked"
    assert other.ask("post", "/session/second-step", {"code": shown(secret, 1)}, 429)["code"] == "locked"
    other.sign_in(429)


def test_wrong_codes_count_together_from_wherever_they_come(li: Caller) -> None:
    secret, _ = li.add_app()
    for number in range(5):
        other = Caller("li", f"10.0.1.{number}")
        other.sign_in(202)
        other.ask("post", "/session/second-step", {"code": "111111"}, 401)
    fresh = Caller("li", "10.0.2.1")
    fresh.sign_in(202)
    fresh.ask("post", "/session/second-step", {"code": shown(secret, 1)}, 401)
    cache.clear()
    fresh.ask("post", "/session/second-step", {"code": shown(secret, 1)})


def test_the_second_step_needs_the_first_and_waits_five_minutes(li: Caller, plant: Tenant) -> None:
    secret, _ = li.add_app()
    stranger = Caller("li")
    stranger.ask("post", "/session/second-step", {"code": shown(secret, 1)}, 401)
    stranger.ask("post", "/session/passkey", status=401)
    late = Caller("li")
    late.sign_in(202)
    session = late.client.session
    session["sign_in_pending"] = session["sign_in_pending"] | {"at": session["sign_in_pending"]["at"] - 301}
    session.save()
    late.ask("post", "/session/second-step", {"code": shown(secret, 1)}, 401)
    # What ends sessions ends a sign-in under way, too.
    ended = Caller("li")
    ended.sign_in(202)
    from mainspring.records.people.user import User

    User.objects.filter(tenant=plant, username="li").update(sign_outs=7)
    ended.ask("post", "/session/second-step", {"code": shown(secret, 1)}, 401)


def test_a_passkey_is_the_second_step(li: Caller) -> None:
    key, stranger = li.add_key("Phone"), SecurityKey(ORIGIN)
    other = Caller("li")
    assert other.sign_in(202)["second_step"] == ["recovery_codes", "webauthn"]
    for wrong in (stranger, key):
        options = other.ask("post", "/session/passkey")["options"]
        answer = wrong.answer(options)
        if wrong is key:
            answer["response"]["signature"] = answer["response"]["signature"][:-4] + "AAAA"
        other.ask("post", "/session/second-step", {"passkey": answer}, 401)
    options = other.ask("post", "/session/passkey")["options"]
    answer = key.answer(options)
    other.ask("post", "/session/second-step", {"passkey": answer})
    # The same answer again proves nothing.
    replay = Caller("li")
    replay.sign_in(202)
    replay.ask("post", "/session/passkey")
    replay.ask("post", "/session/second-step", {"passkey": answer}, 401)


def by_passkey(key: SecurityKey, status: int = 200, **how: Any) -> Any:
    stranger = Caller()
    options = stranger.ask("post", "/session/by-passkey/begin")["options"]
    # The server does not say whose passkeys there are, and asks the device to verify the person.
    assert not options["publicKey"].get("allowCredentials")
    assert options["publicKey"]["userVerification"] == "required"
    return stranger.ask("post", "/session/by-passkey", {"passkey": key.answer(options, **how)}, status)


def test_a_passkey_alone_signs_in_whom_the_device_has_verified(li: Caller, plant: Tenant) -> None:
    begun = li.ask("post", "/session/second-factor/passkeys/begin?alone=true")["options"]["publicKey"]
    assert begun["authenticatorSelection"]["residentKey"] == "required"
    key = li.add_key()
    assert by_passkey(key)["user"]["username"] == "li"
    assert ("sign-in", "session", {"way": [None, "passkey"]}) in told(plant)
    person(Role.ADMINISTRATOR, plant, "boss", PASSWORD)
    boss = Caller("boss")
    boss.sign_in()
    other = boss.add_key("Other")
    for wrong in ({"verified": False}, {"owner": other.owner}, {"owner": "bm9ib2R5"}):
        assert by_passkey(key, 401, **wrong)["code"] == "credentials"
    # What a second step asked of the device is less.
    half = Caller("li")
    half.sign_in(202)
    answer = key.answer(half.ask("post", "/session/passkey")["options"], verified=False)
    assert half.ask("post", "/session/by-passkey", {"passkey": answer}, 401)["code"] == "credentials"
    user = boss.ask("get", "/users?search=li")["items"][0]
    boss.ask("patch", f"/users/{user['id']}", {"enabled": False, "version": user["version"]})
    assert by_passkey(key, 429)["code"] == "locked"
    assert ("sign-in-failed", "second-factor", {}) in told(plant)


def test_a_passkey_of_another_site_is_refused(li: Caller) -> None:
    for key in (SecurityKey("https://elsewhere.example"), SecurityKey(ORIGIN, "elsewhere.example")):
        options = li.ask("post", "/session/second-factor/passkeys/begin")["options"]
        li.ask("post", "/session/second-factor/passkeys", {"name": "x", "passkey": key.make(options)}, 422)


@pytest.mark.parametrize("nonsense", [{}, {"id": 7}, {"response": {}}, {"id": "a", "rawId": "a", "type": "public-key"}])
def test_nonsense_in_place_of_a_passkey_is_refused(li: Caller, nonsense: dict[str, Any]) -> None:
    li.ask("post", "/session/second-factor/passkeys/begin")
    li.ask("post", "/session/second-factor/passkeys", {"name": "x", "passkey": nonsense}, 422)
    li.add_key()
    other = Caller("li")
    other.sign_in(202)
    other.ask("post", "/session/passkey")
    other.ask("post", "/session/second-step", {"passkey": nonsense}, 401)


def test_what_opens_the_door_changes_only_for_who_has_just_shown_themselves(li: Caller) -> None:
    secret, _ = li.add_app()
    li.add_key()
    session = li.client.session
    methods = session["account_authentication_methods"]
    session["account_authentication_methods"] = [each | {"at": each["at"] - 301} for each in methods]
    session.save()
    passkey = li.ask("get", "/session/second-factor")["passkeys"][0]["id"]
    for method, path in (
        ("post", "/session/second-factor/recovery-codes"),
        ("post", "/session/second-factor/passkeys/begin"),
        ("delete", "/session/second-factor/totp"),
        ("delete", f"/session/second-factor/passkeys/{passkey}"),
    ):
        assert li.ask(method, path, status=409)["code"] == "unconfirmed", path
    li.ask("post", "/session/confirm", {"password": "not this one"}, 401)
    li.ask("post", "/session/confirm", {"code": shown(secret, 1)})
    assert len(li.ask("post", "/session/second-factor/recovery-codes")["recovery_codes"]) == 10
    li.ask("post", "/session/confirm", {"password": PASSWORD})
    li.ask("delete", "/session/second-factor/totp")
    li.ask("delete", f"/session/second-factor/passkeys/{passkey}")
    left = li.ask("get", "/session/second-factor")
    assert (left["totp"], left["passkeys"], left["recovery_codes_left"]) == (None, [], 0)
    Caller("li").sign_in(200)


def test_secrets_are_sealed(li: Caller) -> None:
    from allauth.mfa.models import Authenticator

    secret, codes = li.add_app()
    stored = json.dumps([each.data for each in Authenticator.objects.all()])
    assert secret not in stored
    assert not any(code in stored for code in codes)


def test_a_company_asks_a_second_factor_of_its_administrators(plant: Tenant, li: Caller) -> None:
    person(Role.ADMINISTRATOR, plant, "wang", PASSWORD)
    person(Role.ADMINISTRATOR, plant, "zhao", PASSWORD)
    wang, zhao = Caller("wang"), Caller("zhao")
    wang.sign_in()
    zhao.sign_in()
    rule = {"required_of": "administrators"}
    assert wang.ask("put", "/access/second-factor", rule, 409)["code"] == "conflict"
    wang.add_app()
    assert wang.ask("put", "/access/second-factor", rule) == rule | {"platform": "nobody"}
    wang.ask("get", "/users")
    # Who is signed in already has none: from now on nothing else is open.
    assert zhao.ask("get", "/users", status=403)["code"] == "second-factor-due"
    assert zhao.ask("get", "/session")["user"]["must_add_second_factor"]
    assert zhao.ask("get", "/session/second-factor")["required"]
    zhao.add_app()
    zhao.ask("get", "/users")
    assert not zhao.ask("get", "/session")["user"]["must_add_second_factor"]
    # Of others it is not asked.
    li.ask("get", "/assets")
    assert not li.ask("get", "/session/second-factor")["required"]
    wang.ask("put", "/access/second-factor", {"required_of": "everyone"})
    assert li.ask("get", "/assets", status=403)["code"] == "second-factor-due"
    changed = [changes for action, kind, changes in told(plant) if (action, kind) == ("change", "tenant")]
    assert changed == [
        {"second_factor": ["nobody", "administrators"]},
        {"second_factor": ["administrators", "everyone"]},
    ]


def test_an_administrator_resets_it(li: Caller, plant: Tenant, signed_in: Callable[..., Any]) -> None:
    li.add_app()
    users = signed_in(Role.ADMINISTRATOR).get("/api/v1/users").json()["items"]
    path = next(f"/api/v1/users/{each['id']}/reset-second-factor" for each in users if each["username"] == "li")
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert stranger.post(path).status_code == 404
    assert signed_in(Role.ENGINEER).post(path).status_code == 403
    assert signed_in(Role.ADMINISTRATOR).post(path).status_code == 204
    assert signed_in(Role.ADMINISTRATOR).post(path).status_code == 409
    li.ask("get", "/session", status=401)
    Caller("li").sign_in(200)
    assert ("delete", "second-factor", {"kinds": [["recovery_codes", "totp"], None]}) in told(plant)


def test_of_another_company_nothing_is_found(li: Caller, plant: Tenant) -> None:
    li.add_key()
    theirs = li.ask("get", "/session/second-factor")["passkeys"][0]["id"]
    north = tenant("north")
    person(Role.ADMINISTRATOR, north, "sun", PASSWORD)
    sun = Caller("north/sun")
    sun.sign_in()
    for id in (theirs, "0190a000-0000-7000-8000-000000000000", "9" * 30):
        assert sun.ask("delete", f"/session/second-factor/passkeys/{id}", status=404)["code"] == "not-found"
    assert len(li.ask("get", "/session/second-factor")["passkeys"]) == 1


def test_a_token_has_no_second_factor_of_its_own(plant: Tenant, li: Caller) -> None:
    from tests.records.plant import author

    from mainspring.records.people import credential
    from mainspring.records.people.credential import CredentialKind
    from mainspring.records.people.user import User

    user = User.objects.get(tenant=plant, username="li")
    _, token = credential.issue(author(plant), CredentialKind.TOKEN, "reports", user=user)
    Tenant.objects.filter(pk=plant.pk).update(second_factor="everyone")
    from django.test import Client

    client = Client(headers={"authorization": f"Bearer {token}"})
    assert client.get("/api/v1/assets").status_code == 200
    for path in ("/session/second-factor", "/session/links"):
        assert client.get(f"/api/v1{path}").status_code == 403
