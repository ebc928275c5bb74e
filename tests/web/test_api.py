"""The API over the records: forms, errors, lists, users, tokens, audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.records.plant import asset, modbus, opcua, person, seed_assets, tag, tenant

from mainspring.records import statistics
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.defined.kinds import kinds
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

JSON = "application/json"
SignedIn = Callable[..., Any]


def test_an_asset_from_first_to_last(signed_in: SignedIn, plant: Tenant) -> None:
    client = signed_in(Role.ENGINEER)
    site = client.post("/api/v1/assets", {"kind": "site", "name": {"zh": "一厂"}}, content_type=JSON)
    assert site.status_code == 201
    assert site.json()["name"] == {"en": "一厂", "zh": "一厂"}
    parent = site.json()["id"]
    unit = client.post(
        "/api/v1/assets", {"kind": "unit", "name": {"en": "R-101"}, "parent": parent}, content_type=JSON
    ).json()
    assert unit["ancestors"] == [{"id": parent, "name": {"en": "一厂", "zh": "一厂"}, "kind": "site"}]
    url = f"/api/v1/assets/{unit['id']}"
    assert client.patch(url, {"name": {"en": "R-102"}}, content_type=JSON).status_code == 422
    changed = client.patch(url, {"name": {"en": "R-102"}, "version": 1}, content_type=JSON)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    late = client.patch(url, {"name": {"en": "R-103"}}, content_type=JSON, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert late.json()["current"]["name"]["en"] == "R-102"
    assert client.delete(f"/api/v1/assets/{parent}").status_code == 409
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_roots_children_and_search_tell_their_place(signed_in: SignedIn, plant: Tenant) -> None:
    site = asset(plant, "site", kind="site")
    unit = asset(plant, "unit", site, name={"en": "Reactor", "zh": "反应釜"})
    tag(plant, "TI-1", unit)
    client = signed_in(Role.VIEWER)
    roots = client.get("/api/v1/assets?parent=root").json()
    assert [(item["path"], item["child_count"]) for item in roots["items"]] == [("site", 1)]
    below = client.get(f"/api/v1/assets?parent={site.id}").json()["items"]
    assert [(item["path"], item["tag_count"]) for item in below] == [("site/reactor", 1)]
    found = client.get("/api/v1/assets?search=fyf&parent=root").json()["items"]
    assert [step["id"] for step in found[0]["ancestors"]] == [str(site.id)]
    assert client.get("/api/v1/assets?parent=attic").json()["fields"].keys() == {"parent"}
    tags = client.get(f"/api/v1/tags?asset={site.id}&below=true").json()
    assert [item["path"] for item in tags["items"]] == ["site/reactor/TI-1"]
    assert client.get(f"/api/v1/tags?asset={site.id}").json()["total"] == 0


def test_thousands_of_assets_need_no_more_questions_than_one(signed_in: SignedIn, plant: Tenant) -> None:
    area = seed_assets(plant, 5_000)
    client = signed_in(Role.VIEWER)
    # session, person, and then: page, children, tags, total; a search asks for the ways, too, or for each kind, where
    # PostgreSQL is told the question first.
    for_each = 2 if connection.vendor == "postgresql" else 1
    for url, most in (
        (f"/api/v1/assets?parent={area}&limit=1000", 6),
        ("/api/v1/assets?parent=root", 6),
        ("/api/v1/assets?search=fyf", 7),
        (f"/api/v1/assets/{area}", 7),
        ("/api/v1/search?q=area/unit-049", 6 + for_each * len(list(kinds()))),
    ):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(url)
        assert answer.status_code == 200, answer.content
        assert len(queries) <= most, (url, [query["sql"][:120] for query in queries])
    assert answer.json()["items"]
    assert client.get("/api/v1/assets?search=fyf").json()["total"] == 5
    plan = _plan(Asset.objects.filter(tenant=plant, parent_id=area).order_by("path")[:200])
    # Nearly all lie below this one, so either index gives them in order.
    assert "asset_children" in plan or "asset_path" in plan
    assert not any(word in plan for word in ("TEMP B-TREE", "Sort"))


def _plan(rows: Any) -> str:
    """Return how the database, which has looked at its tables, would find rows."""
    statistics.gather()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
    return str(rows.explain())


def test_errors_have_one_form(signed_in: SignedIn, plant: Tenant) -> None:
    client = signed_in(Role.ENGINEER)
    plc = {"name": "PLC", "driver": "modbus-tcp", "settings": {"host": "10.0.0.1", "port": 99999}}
    cases = [
        (client.get("/api/v1/nothing"), 404, "not-found"),
        (client.get("/api/v1/assets?limit=1001"), 422, "invalid"),
        (client.post("/api/v1/assets", b"{", content_type=JSON), 400, "unreadable"),
        (client.post("/api/v1/assets", {"kind": "planet", "name": {}}, content_type=JSON), 422, "invalid"),
        (client.post("/api/v1/connections", plc, content_type=JSON), 422, "invalid"),
        (client.get("/api/v1/users"), 403, "not-allowed"),
        (client.get("/api/v1/site", headers={"host": "evil.example"}), 400, "not-allowed"),
        (client.patch("/api/v1/records/item/%0A%C2%92f"), 404, "not-found"),
    ]
    for answer, status, code in cases:
        body = answer.json()
        assert (answer.status_code, body["code"]) == (status, code), body
        assert body["text"]["en"]
        assert body["text"]["zh"]
        assert body["request_id"] == answer.headers["X-Request-Id"]
    assert cases[1][0].json()["fields"].keys() == {"limit"}
    assert cases[3][0].json()["fields"].keys() == {"kind", "name"}
    assert cases[4][0].json()["fields"].keys() == {"settings.port"}


def test_an_error_of_ours_tells_nothing_but_its_request_id(
    signed_in: SignedIn, plant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    client = signed_in(Role.VIEWER)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE records_alarmdefinition RENAME TO elsewhere")
    answer = client.get("/api/v1/alarm-definitions")
    assert answer.status_code == 500
    assert answer.json()["request_id"] in answer.json()["text"]["en"]
    assert "records_alarmdefinition" not in answer.content.decode()


def test_tags_in_bulk_by_the_api(signed_in: SignedIn, plant: Tenant) -> None:
    asset(plant, "unit")
    client = signed_in(Role.ENGINEER)
    items = [{"name": "TI-1", "asset": "unit"}, {"name": "TI-2", "asset": "unit", "unit": "parsec"}]
    for dry_run in (True, False):
        answer = client.post("/api/v1/tags/bulk", {"items": items, "dry_run": dry_run}, content_type=JSON).json()
        assert (answer["created"], answer["updated"]) == (1, 0)
        assert [(fault["row"], fault["field"]) for fault in answer["refused"]] == [(1, "unit")]
        assert answer["refused"][0]["text"]["zh"]
    too_many: dict[str, Any] = {"items": [{}] * 10_001}
    assert client.post("/api/v1/tags/bulk", too_many, content_type=JSON).status_code == 422
    shown = client.get("/api/v1/tags?search=ti-1").json()["items"][0]
    by_ordinal = client.get(f"/api/v1/tags/by-ordinal?tags={shown['tag']},4000000000").json()["items"]
    assert [item["id"] for item in by_ordinal] == [shown["id"]]
    assert client.get("/api/v1/tags/by-ordinal?tags=1,x").status_code == 422


def test_alarms_stand_beside_their_tag(signed_in: SignedIn, plant: Tenant) -> None:
    reading = tag(plant, "TI-1", asset(plant, "unit"), unit="Cel")
    client = signed_in(Role.ENGINEER)
    draft = {"tag_id": str(reading.id), "condition": "HH", "limit": 90, "priority": "critical"}
    made = client.post("/api/v1/alarm-definitions", draft, content_type=JSON)
    assert made.status_code == 201, made.content
    assert made.json()["tag"] == reading.ordinal
    shown = client.get(f"/api/v1/tags/{reading.id}").json()
    assert shown["unit_sign"] == "°C"
    assert [(alarm["condition"], alarm["limit"]) for alarm in shown["alarms"]] == [("HH", 90)]
    url = f"/api/v1/alarm-definitions/{made.json()['id']}"
    changed = client.patch(url, {"limit": 95, "version": 1}, content_type=JSON).json()
    assert (changed["limit"], changed["version"]) == (95, 2)
    assert client.get(f"/api/v1/alarm-definitions?tag={reading.id}").json()["total"] == 1
    assert client.delete(f"/api/v1/tags/{reading.id}").status_code == 204
    assert client.get(url).status_code == 404


def test_drivers_describe_their_forms(signed_in: SignedIn) -> None:
    items = {item["name"]: item for item in signed_in(Role.VIEWER).get("/api/v1/drivers").json()["items"]}
    assert set(items) >= {"modbus-tcp", "opcua"}
    assert items["opcua"]["browses"]
    assert items["opcua"]["subscribes"]
    assert not items["modbus-tcp"]["browses"]
    assert items["opcua"]["config_schema"]["properties"]["password"]["secret"] is True
    assert items["modbus-tcp"]["config_schema"]["properties"]["host"]["title_zh"]


def test_a_connection_shows_the_health_its_gateway_reports(signed_in: SignedIn, plant: Tenant) -> None:
    from mainspring.core.health import ConnectionHealth, GatewayConnections
    from mainspring.records.tenant import now_ms
    from mainspring.web.runtime import runtime

    plc = modbus(plant)
    client = signed_in(Role.VIEWER)
    url = f"/api/v1/connections/{plc.id}"
    assert client.get(url).json()["health"]["state"] == "unknown"
    said = ConnectionHealth(connection=plc.id, state="connected", since_ms=now_ms(), samples_per_s=12.5)
    report = GatewayConnections(gateway=plc.gateway, time_ms=now_ms(), connections=(said,))
    runtime.gateways[plant.key, plc.gateway] = report
    try:
        assert client.get(url).json()["health"]["samples_per_s"] == 12.5
        runtime.gateways[plant.key, plc.gateway] = report.model_copy(update={"time_ms": now_ms() - 60_000})
        assert client.get(url).json()["health"]["state"] == "unknown"
    finally:
        runtime.gateways.clear()


def test_a_secret_never_comes_back(signed_in: SignedIn, plant: Tenant) -> None:
    server = opcua(plant, sign_in="password", user="reader", password="of-device", password_in_clear=True)
    client = signed_in(Role.ENGINEER)
    url = f"/api/v1/connections/{server.id}"
    shown = client.get(url).json()
    assert shown["settings"]["password"] == ""
    body = {"settings": shown["settings"] | {"timeout_ms": 900}, "version": 1}
    changed = client.patch(url, body, content_type=JSON)
    assert changed.status_code == 200, changed.content
    pages = [changed, client.get("/api/v1/connections"), signed_in().get("/api/v1/audit")]
    assert all(b"of-device" not in page.content for page in pages)
    server.refresh_from_db()
    assert server.clear_settings()["password"] == "of-device"


def test_people_are_added_reset_signed_out_and_forgotten(signed_in: SignedIn, plant: Tenant) -> None:
    boss = signed_in()
    made = boss.post("/api/v1/users", {"username": "Li.Wei", "role": "engineer"}, content_type=JSON)
    assert made.status_code == 201, made.content
    assert made.json()["username"] == "li.wei"
    assert len(made.json()["initial_password"]) == 19
    url = f"/api/v1/users/{made.json()['id']}"
    twice = boss.post("/api/v1/users", {"username": "LI.WEI"}, content_type=JSON)
    assert twice.json()["fields"].keys() == {"username"}
    weak = boss.post("/api/v1/users", {"username": "x", "password": "1234567890"}, content_type=JSON)
    assert weak.json()["fields"].keys() == {"password"}
    engineer = signed_in(Role.ENGINEER)
    own = engineer.get("/api/v1/session").json()["user"]["id"]
    assert engineer.get("/api/v1/assets").status_code == 200
    assert boss.post(f"/api/v1/users/{own}/sign-out").status_code == 204
    assert engineer.get("/api/v1/assets").status_code == 401
    assert "initial_password" in boss.post(f"{url}/reset-password").json()
    assert boss.patch(url, {"enabled": False, "version": 2}, content_type=JSON).json()["enabled"] is False
    assert boss.delete(url).status_code == 204
    assert first_broken(plant) is None


def test_the_last_administrator_stays(signed_in: SignedIn, plant: Tenant) -> None:
    boss = signed_in()
    user = boss.get("/api/v1/session").json()["user"]
    url = f"/api/v1/users/{user['id']}"
    assert boss.delete(url).status_code == 409
    for fields in ({"role": "viewer"}, {"enabled": False}):
        assert boss.patch(url, fields | {"version": 1}, content_type=JSON).status_code == 409
    person(Role.ADMINISTRATOR, plant, name="second")
    assert boss.patch(url, {"role": "viewer", "version": 1}, content_type=JSON).status_code == 200


def test_tokens_act_for_their_owner_and_never_beyond(signed_in: SignedIn, plant: Tenant) -> None:
    from django.test import Client

    from mainspring.records.people.user import User

    engineer = signed_in(Role.ENGINEER)
    beyond = engineer.post("/api/v1/tokens", {"name": "x", "role": "administrator"}, content_type=JSON)
    assert beyond.json()["fields"].keys() == {"role"}
    made = engineer.post("/api/v1/tokens", {"name": "import", "role": "engineer"}, content_type=JSON).json()
    program = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {made['token']}"})
    body = {"kind": "site", "name": {"en": "by program"}}
    assert program.post("/api/v1/assets", body, content_type=JSON).status_code == 201
    assert program.get("/api/v1/users").status_code == 403
    assert program.post("/api/v1/tokens", {"name": "child"}, content_type=JSON).status_code == 403
    assert program.patch("/api/v1/session", {"theme": "dark"}, content_type=JSON).status_code == 403
    User.objects.filter(username="engineer").update(role="viewer")
    assert program.post("/api/v1/assets", body, content_type=JSON).status_code == 403
    assert made["token"] not in engineer.get("/api/v1/tokens").content.decode()
    assert engineer.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    assert program.get("/api/v1/assets").status_code == 401


def test_a_wrong_token_is_not_rescued_by_a_cookie(signed_in: SignedIn) -> None:
    client = signed_in()
    assert client.get("/api/v1/assets", headers={"Authorization": "Bearer ms_0_0"}).status_code == 401


def test_the_audit_names_people_until_they_are_forgotten(signed_in: SignedIn, plant: Tenant) -> None:
    boss, engineer = signed_in(), signed_in(Role.ENGINEER)
    engineer.post("/api/v1/assets", {"kind": "site", "name": {"en": "site"}}, content_type=JSON)
    listed = boss.get("/api/v1/audit?user=engineer&action=create&object=asset").json()
    assert [(item["user"], item["object_name"]) for item in listed["items"]] == [("engineer", "site")]
    own = engineer.get("/api/v1/session").json()["user"]["id"]
    assert boss.delete(f"/api/v1/users/{own}").status_code == 204
    assert boss.get("/api/v1/audit?action=create&object=asset").json()["items"][0]["user"] == ""
    assert AuditEntry.objects.of(plant).get(action="create", object_kind="asset").pseudonym is not None
    assert first_broken(plant) is None


def test_search_answers_with_all_kinds_in_turn(signed_in: SignedIn, plant: Tenant) -> None:
    unit = asset(plant, "reactor")
    for number in range(30):
        tag(plant, f"reactor TI-{number}", unit)
    modbus(plant, name="reactor PLC")
    items = signed_in(Role.VIEWER).get("/api/v1/search?q=reactor&limit=10").json()["items"]
    assert len(items) == 10
    assert {item["kind"] for item in items} == {"asset", "tag", "connection"}


def test_search_finds_records_of_every_kind_that_may_be_seen(signed_in: SignedIn, plant: Tenant) -> None:
    engineer = signed_in(Role.ENGINEER)
    body = {"number": "BR-1", "name": {"en": "Ball bearing", "zh": "球轴承"}}
    made = engineer.post("/api/v1/records/item", body, content_type="application/json").json()
    party = {"number": "S-1", "name": {"en": "Bearing works"}}
    engineer.post("/api/v1/records/party", party, content_type="application/json")
    for text in ("bearing", "轴承", "zc", "br-1"):
        (found,) = [each for each in engineer.get(f"/api/v1/search?q={text}").json()["items"] if each["of"] == "item"]
        assert (found["kind"], found["id"], found["name"]["en"]) == ("record", made["id"], "BR-1")
        assert (found["about"]["zh"], found["word"]["en"]) == ("球轴承", "Item")
    kinds_found = {each["of"] for each in engineer.get("/api/v1/search?q=bearing").json()["items"]}
    assert kinds_found == {"item", "party"}
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert stranger.get("/api/v1/search?q=bearing").json() == {"items": []}


def test_who_waits_too_long_for_another_writer_is_told_to_try_again(signed_in: SignedIn, plant: Tenant) -> None:
    client, unit = signed_in(Role.ENGINEER), asset(plant, "unit")
    url = f"/api/v1/assets/{unit.id}"
    with another_writes(unit):
        refused = client.patch(url, {"name": {"en": "R-2"}, "version": 1}, content_type=JSON)
    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (503, "store", "1")
    assert client.patch(url, {"name": {"en": "R-2"}, "version": 1}, content_type=JSON).status_code == 200


@contextmanager
def another_writes(unit: Asset) -> Iterator[None]:
    """Hold what a writer needs, by another connection; the one of this thread waits no longer than a moment."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=50" if connection.vendor == "sqlite" else "SET lock_timeout=50")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
            cursor.execute(f"UPDATE {Asset._meta.db_table} SET search = search WHERE slug = %s", [unit.slug])
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()
