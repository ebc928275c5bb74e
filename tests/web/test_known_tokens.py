"""Tokens that need not be looked up again: until anything is committed by anyone, and each with a copy of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from tests.records.plant import author, person
from tests.web.running import Running

from mainspring.records.people import credential
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms
from mainspring.web import known_tokens
from mainspring.web.database import held_open
from mainspring.web.known_tokens import KnownTokens


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file of records in another connection than the one that is watched."""
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
        connection.execute("create table t (n)")
        yield connection


@pytest.fixture
def known(elsewhere: sqlite3.Connection, tmp_path: Path) -> Iterator[KnownTokens]:
    made = KnownTokens()
    with held_open(f"sqlite://{tmp_path / 'records.sqlite'}") as records, made.watching(records):
        yield made


def issued(plant: Tenant, expires_ms: int | None = None) -> tuple[str, Credential]:
    owner = person(Role.ENGINEER, plant)
    kind = CredentialKind.TOKEN
    made, shown = credential.issue(author(plant), kind, "t", role=Role.ENGINEER, user=owner, expires_ms=expires_ms)
    return shown, made


def test_a_token_is_known_until_another_connection_commits(
    known: KnownTokens, elsewhere: sqlite3.Connection, plant: Tenant
) -> None:
    shown, made = issued(plant)
    assert known.find(shown) is None
    known.keep(shown, made, known.version())
    found = known.find(shown)
    assert found is not None
    assert (found.id, found.tenant.key, found.user and found.user.username) == (made.id, "plant", "engineer")
    assert known.find(shown + "x") is None
    elsewhere.execute("insert into t values (1)")
    assert known.find(shown) is not None, "not committed yet"
    elsewhere.commit()
    assert known.find(shown) is None
    assert known.find(shown) is None, "what went stale does not come back"


def test_what_was_looked_up_before_a_commit_does_not_hold_after_it(
    known: KnownTokens, elsewhere: sqlite3.Connection, plant: Tenant
) -> None:
    shown, made = issued(plant)
    before = known.version()
    elsewhere.execute("insert into t values (1)")
    elsewhere.commit()
    known.keep(shown, made, before)
    assert known.find(shown) is None


def test_a_caller_may_change_what_it_is_given(known: KnownTokens, plant: Tenant) -> None:
    shown, made = issued(plant)
    known.keep(shown, made, known.version())
    first = known.find(shown)
    assert first is not None
    assert first.user is not None
    first.role, first.user.role = Role.ADMINISTRATOR, Role.ADMINISTRATOR
    second = known.find(shown)
    assert second is not None
    assert second.user is not None
    assert (second.role, second.user.role) == (Role.ENGINEER, Role.ENGINEER)


def test_a_token_that_expires_is_not_known_any_more(known: KnownTokens, plant: Tenant) -> None:
    shown, made = issued(plant, expires_ms=now_ms() - 1)
    known.keep(shown, made, known.version())
    assert known.find(shown) is None


def test_nothing_is_known_without_a_file_to_watch_nor_afterwards(tmp_path: Path, plant: Tenant) -> None:
    known = KnownTokens()
    shown, made = issued(plant)
    with known.watching(None):
        known.keep(shown, made, known.version())
        assert known.find(shown) is None
    with held_open(f"sqlite://{tmp_path / 'records.sqlite'}") as records:
        with known.watching(records):
            known.keep(shown, made, known.version())
            assert known.find(shown) is not None
        assert known.find(shown) is None


def test_few_are_kept(known: KnownTokens, plant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tokens, "KNOWN_MAX", 2)
    shown, made = issued(plant)
    for number in range(3):
        known.keep(f"{shown}{number}", made, known.version())
    assert [known.find(f"{shown}{number}") is not None for number in range(3)] == [False, False, True]


async def test_what_is_taken_away_from_a_token_is_gone_at_the_next_request(web: Running) -> None:
    path = f"/current?tags={web.records.ordinal('T1')}"
    for _ in range(3):
        assert (await web.ask("GET", path, who="viewer")).status == 200
    mine = (await web.get("/tokens", "viewer"))["items"]
    viewer = next(token for token in mine if token["name"] == "viewer")
    assert (await web.ask("DELETE", f"/tokens/{viewer['id']}", who="viewer")).status == 204
    assert (await web.ask("GET", path, who="viewer")).status == 401


async def test_a_person_who_is_disabled_or_may_less_may_less_at_once(web: Running) -> None:
    path = f"/current?tags={web.records.ordinal('T1')}"
    for _ in range(2):
        assert (await web.ask("GET", "/users", who="administrator")).status == 200
    people = User.objects.filter(tenant=web.records.plant)
    await sync_to_async(people.filter(role=Role.ADMINISTRATOR).update)(role=Role.VIEWER)
    assert (await web.ask("GET", "/users", who="administrator")).status == 403
    assert (await web.ask("GET", path, who="administrator")).status == 200
    await sync_to_async(people.filter(username="administrator").update)(enabled=False)
    assert (await web.ask("GET", path, who="administrator")).status == 401
