"""Sessions: listed with where and since when, ended one by one, all but one, or by an administrator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from tests.records.ground import in_thread
from tests.records.plant import person, tenant
from tests.waiting import until

from mainspring.records.audit import AuditEntry
from mainspring.records.people.session import Session
from mainspring.records.people.sign_in import unlock
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant
from mainspring.web import ended

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
    "Safari/537.36 Edg/141.0.0.0"
)
PASSWORD = "a password of their own"


def signed(agent: str = FIREFOX, name: str = "li.wei") -> Client:
    client = Client(headers={"User-Agent": agent})
    answer = client.post("/api/v1/session", {"username": name, "password": PASSWORD}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return client


def test_a_person_sees_their_sessions_and_which_is_this_one(plant: Tenant) -> None:
    person(Role.VIEWER, plant, "li.wei", PASSWORD)
    first, second = signed(FIREFOX), signed(EDGE)
    told = second.get("/api/v1/sessions").json()
    assert told["total"] == 2
    by_browser = {each["browser"].split()[0]: each for each in told["items"]}
    assert by_browser["Edge"]["current"]
    assert not by_browser["Firefox"]["current"]
    assert by_browser["Firefox"]["address"] == "127.0.0.1"
    assert by_browser["Edge"]["system"].startswith("Windows")
    assert by_browser["Edge"]["begun_ms"] <= by_browser["Edge"]["seen_ms"]
    keys = set(Session.objects.values_list("session_key", flat=True))
    assert not any(key in second.get("/api/v1/sessions").content.decode() for key in keys), "who knew it could go on"
    assert first.get("/api/v1/sessions").json()["total"] == 2


def test_one_session_is_ended_and_all_others(plant: Tenant) -> None:
    person(Role.VIEWER, plant, "li.wei", PASSWORD)
    first, second, third = signed(), signed(EDGE), signed()
    other = next(each for each in third.get("/api/v1/sessions").json()["items"] if each["browser"].startswith("Edge"))
    assert third.delete(f"/api/v1/sessions/{other['id']}").status_code == 204
    assert second.get("/api/v1/assets").status_code == 401
    assert first.get("/api/v1/assets").status_code == 200
    assert third.post("/api/v1/sessions/end-others").json() == {"ended": 1}
    assert first.get("/api/v1/assets").status_code == 401
    assert third.get("/api/v1/sessions").json()["total"] == 1


def test_another_password_and_signing_out_take_sessions_from_the_list(plant: Tenant) -> None:
    person(Role.VIEWER, plant, "li.wei", PASSWORD)
    first, second = signed(), signed(EDGE)
    body = {"old": PASSWORD, "new": "quite another one"}
    assert second.post("/api/v1/session/password", body, content_type="application/json").status_code == 200
    assert first.get("/api/v1/assets").status_code == 401
    assert [each["current"] for each in second.get("/api/v1/sessions").json()["items"]] == [True]
    assert second.delete("/api/v1/session").status_code == 204
    assert not Session.objects.filter(user__username="li.wei", bound__gt="", agent=EDGE).exists()


def test_wrong_present_passwords_are_counted_like_those_at_sign_in(plant: Tenant) -> None:
    person(Role.VIEWER, plant, "li.wei", PASSWORD)
    client = signed()

    def change(old: str) -> int:
        body = {"old": old, "new": "quite another one"}
        return client.post("/api/v1/session/password", body, content_type="application/json").status_code

    assert [change("a guess") for _ in range(6)] == [422] * 4 + [429] * 2
    assert change(PASSWORD) == 429
    failed = AuditEntry.objects.of(plant).filter(action="sign-in-failed", object_kind="session")
    assert failed.count() == 5
    unlock("plant/li.wei")
    assert change(PASSWORD) == 200


def test_attempts_of_one_ipv6_network_count_together(plant: Tenant) -> None:
    person(Role.VIEWER, plant, "li.wei", PASSWORD)

    def sign_in(password: str, address: str) -> int:
        body = {"username": "li.wei", "password": password}
        forged = {"X-Forwarded-For": f"192.0.2.{len(address)}"}
        client = Client(REMOTE_ADDR=address, headers=forged)
        return client.post("/api/v1/session", body, content_type="application/json").status_code

    tried = [sign_in("a guess at it", f"2001:db8:0:7::{number:x}") for number in range(5)]
    assert tried == [401] * 4 + [429]
    assert sign_in(PASSWORD, "2001:db8:0:7:ffff::1") == 429
    assert sign_in(PASSWORD, "2001:db8:0:8::1") == sign_in(PASSWORD, "::ffff:10.0.0.9") == 200


async def test_what_nobody_signed_in_to_ends_soon_and_is_forgotten(
    plant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin() -> int:
        person(Role.VIEWER, plant, "li.wei", PASSWORD)
        signed()
        begun = Client().post("/api/v1/session/by-passkey/begin", {}, content_type="application/json")
        assert begun.status_code == 200, begun.content
        soon = timezone.now() + timedelta(minutes=6)
        return Session.objects.filter(user=None, expire_date__lt=soon).update(expire_date=timezone.now())

    assert await asyncio.to_thread(in_thread, begin) == 1
    monkeypatch.setattr(ended, "FORGET_S", 0.01)
    task = asyncio.create_task(ended.run())
    try:
        left = Session.objects.values_list("user__username", flat=True)
        await until(lambda: asyncio.to_thread(in_thread, lambda: list(left.all()) == ["li.wei"]))
    finally:
        task.cancel()


def test_an_administrator_ends_sessions_of_a_person(signed_in: Callable[..., Client], plant: Tenant) -> None:
    user = person(Role.VIEWER, plant, "li.wei", PASSWORD)
    first, second, third = signed(), signed(EDGE), signed()
    admin = signed_in()
    listed = admin.get(f"/api/v1/users/{user.pk}/sessions").json()["items"]
    edge = next(each for each in listed if each["browser"].startswith("Edge"))
    assert not any(each["current"] for each in listed)
    assert admin.delete(f"/api/v1/users/{user.pk}/sessions/{edge['id']}").status_code == 204
    assert second.get("/api/v1/assets").status_code == 401
    assert first.get("/api/v1/assets").status_code == 200
    assert admin.post(f"/api/v1/users/{user.pk}/sign-out").status_code == 204
    assert (first.get("/api/v1/assets").status_code, third.get("/api/v1/assets").status_code) == (401, 401)
    assert admin.get(f"/api/v1/users/{user.pk}/sessions").json()["total"] == 0


def test_nobody_ends_sessions_of_others(signed_in: Callable[..., Client], plant: Tenant) -> None:
    user = person(Role.VIEWER, plant, "li.wei", PASSWORD)
    client = signed()
    id = client.get("/api/v1/sessions").json()["items"][0]["id"]
    for who in (signed_in(Role.ENGINEER), signed_in(Role.ADMINISTRATOR, of=tenant("north"))):
        assert who.delete(f"/api/v1/sessions/{id}").status_code == 404
        assert who.delete(f"/api/v1/users/{user.pk}/sessions/{id}").status_code in {403, 404}
    assert client.get("/api/v1/assets").status_code == 200


def test_that_a_session_is_in_use_is_noted(plant: Tenant) -> None:
    person(Role.VIEWER, plant, "li.wei", PASSWORD)
    client = signed()
    Session.objects.update(seen_ms=1000, address="10.0.0.9")
    assert client.get("/api/v1/assets").status_code == 200
    row = Session.objects.get()
    assert row.seen_ms > 1000
    assert row.address == "127.0.0.1"
    assert row.tenant_id == plant.pk
