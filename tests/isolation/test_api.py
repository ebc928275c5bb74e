"""Every endpoint of the API, asked with another company's ids: it must answer as for things that do not exist.

The endpoints come from the API's own document: a new one that is not covered here fails the test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from tests.answer import Answer
from tests.isolation.estate import Company, Estate, now_ms

ABSENT: Final = "0190a000-0000-7000-8000-00000000dead"
NOTHING: Final = {"blobs": "0" * 64, "gateways/software": "0" * 64, "templates": "t-nothing"}
EXPECTED: Final = {
    # A gateway's own key opens this, and no person.
    "GET /gateways/software/{sha256}": 401,
    # Giving up what one has not selected is no fault.
    "DELETE /commands/select/{selection}": 204,
}
ASKED: Final = "<asked>"
ABSENT_ORDINAL: Final = 3_999_999
ABSENT_PATH: Final = "nowhere/at/all"
VOLATILE: Final = frozenset(
    {"request_id", "now_ms", "took_ms", "time_ms", "expires_ms", "until_ms", "oldest_ms", "lag_ms"}
)


def _range() -> dict[str, int]:
    return {"start_ms": now_ms() // 1000 * 1000 - 600_000, "end_ms": now_ms() // 1000 * 1000 + 60_000}


class Target:
    """What is asked for: the things of a company, or what nobody has."""

    def __init__(self, company: Company | None) -> None:
        self.company = company

    def id(self, kind: str) -> str:
        if self.company is not None:
            return self.company.ids[kind]
        return NOTHING.get(kind, ABSENT)

    @property
    def ordinal(self) -> int:
        return self.company.ordinal if self.company else ABSENT_ORDINAL

    @property
    def path(self) -> str:
        return self.company.path if self.company else ABSENT_PATH

    @property
    def mark(self) -> str:
        return self.company.mark if self.company else "n0b0dys8m4rk"


Make = Callable[[Target], Any]
OF_PATH: Final[dict[str, Make]] = {
    # Endpoints with an id in their path whose body must be valid to get as far as the id.
    "PATCH": lambda _: {"version": 1},
    "PUT /live/{id}": lambda _: {"tags": []},
    "POST /imports/{id}/check": lambda _: {"mapping": {"0": "name"}},
    "POST /imports/{id}/fix": lambda _: {"fixes": []},
    "POST /templates/{name}/apply": lambda _: {"parameters": {}},
    "POST /history/imports/{id}/check": lambda _: {},
    "POST /history/imports/{id}/load": lambda _: {},
}
QUERIES: Final[dict[str, Make]] = {
    # Endpoints that name things in their query.
    "GET /assets": lambda t: {"parent": t.id("assets")},
    "GET /tags": lambda t: {"asset": t.id("assets"), "connection": t.id("connections")},
    "GET /tags/by-ordinal": lambda t: {"tags": t.ordinal},
    "GET /alarm-definitions": lambda t: {"tag": t.id("tags")},
    "GET /audit": lambda t: {"user": t.id("users"), "object": t.id("tags")},
    "GET /alarms": lambda t: {"asset": t.id("assets"), "search": t.mark},
    "GET /alarms/history": lambda t: {"tag": t.ordinal, "alarm": t.id("alarm-definitions"), "asset": t.id("assets")},
    "GET /current": lambda t: {"tags": t.ordinal},
    "GET /samples/entered": lambda t: {"tag": t.ordinal},
    "GET /commands": lambda t: {"asset": t.id("assets"), "tag": t.id("tags")},
    "GET /search": lambda t: {"q": t.mark},
    "GET /gateways/releases": lambda t: {"gateway": t.id("gateways")},
    "GET /devices": lambda t: {"search": t.mark},
}
BODIES: Final[dict[str, Make]] = {
    # Endpoints that name things in their body.
    "POST /assets": lambda t: {"kind": "unit", "name": {"en": "x", "zh": ""}, "parent": t.id("assets")},
    "POST /tags": lambda t: {"name": "x", "asset": t.id("assets"), "connection": t.id("connections")},
    "POST /tags/by-path": lambda t: {"paths": [t.path]},
    "POST /tags/bulk": lambda t: {"items": [{"name": "x", "asset": t.id("assets")}], "dry_run": True},
    "POST /templates/from-connection": lambda t: {
        "connection": t.id("connections"),
        "name": "copy",
        "title": {"en": "x", "zh": ""},
    },
    "POST /alarm-definitions": lambda t: {"tag_id": t.id("tags"), "condition": "HH", "limit": 1.0},
    "POST /alarm-definitions/try": lambda t: {
        "definition": {"tag_id": t.id("tags"), "condition": "HH", "limit": 1.0},
        **_range(),
    },
    "POST /alarms/acknowledge": lambda t: {"alarms": [t.id("alarm-definitions")]},
    "POST /alarms/shelve": lambda t: {"alarms": [t.id("alarm-definitions")], "comment": "x", "for_ms": 60_000},
    "POST /alarms/unshelve": lambda t: {"alarms": [t.id("alarm-definitions")]},
    "POST /alarms/comment": lambda t: {"alarms": [t.id("alarm-definitions")], "comment": "x"},
    "POST /alarms/out-of-service": lambda t: {"alarms": [t.id("alarm-definitions")], "comment": "x"},
    "POST /live": lambda t: {"tags": [t.ordinal]},
    "POST /history/trend": lambda t: {"tags": [t.ordinal], "buckets": 10, **_range()},
    "POST /history/raw": lambda t: {"tags": [t.ordinal], **_range()},
    "POST /history/aggregate": lambda t: {"tags": [t.ordinal], "step_ms": 60_000, **_range()},
    "POST /history/states": lambda t: {"tags": [t.ordinal], **_range()},
    "POST /history/export": lambda t: {"tags": [t.ordinal], **_range()},
    "POST /history/correct": lambda t: {"tag": t.ordinal, "time_ms": now_ms(), "value": 1, "reason": "x"},
    "POST /history/corrections": lambda t: {"tag": t.ordinal, **_range()},
    "POST /samples": lambda t: {"tag": t.ordinal, "value": 1},
    "POST /connections/test": lambda t: {"driver": "modbus-tcp", "gateway": "gone", "id": t.id("connections")},
    "POST /connections/browse": lambda t: {"driver": "opcua", "gateway": "gone", "id": t.id("connections")},
    "POST /connections/preview": lambda t: {
        "driver": "modbus-tcp",
        "gateway": "gone",
        "id": t.id("connections"),
        "tags": [],
    },
    "POST /commands/select": lambda t: {"items": [t.ordinal]},
    "POST /commands": lambda t: {"items": [{"tag": t.ordinal, "value": 1}], "connection": t.id("connections")},
    "POST /gateways/releases": lambda t: {"gateways": [t.id("gateways")], "software": t.id("software")},
    "POST /subscriptions": lambda t: {"channel": "page", "asset": t.id("assets")},
}
PLAIN: Final = frozenset({
    # Lists and pages without ids: they must not tell anything of the other company.
    "GET /site", "GET /session", "GET /imports", "GET /imports/fields", "GET /imports/template", "GET /templates",
    "GET /drivers", "GET /connections", "GET /users", "GET /tokens", "GET /openapi.json", "GET /docs",
    "GET /alarms/performance", "GET /gateways", "GET /tenants", "GET /health", "GET /metrics", "GET /subscriptions",
    "GET /overview", "GET /units", "GET /tasks", "GET /history/imports",
    "GET /gateways/settings-schema", "GET /gateways/software",
})  # fmt: skip
NAMELESS: Final = frozenset({
    # They write what is new and name nothing that exists.
    "POST /session", "DELETE /session", "PATCH /session", "POST /session/password", "POST /imports",
    "POST /imports/read", "POST /templates", "POST /connections", "POST /devices", "POST /devices/bulk", "POST /users",
    "POST /tokens", "POST /samples/csv", "POST /blobs", "POST /gateways", "POST /gateways/enrolment", "POST /tenants",
    "POST /gateways/software", "POST /connections/try-mapping", "POST /history/imports",
    "POST /history/prometheus/write",
})  # fmt: skip
_ID: Final = re.compile(r"/([a-z/-]+)/\{[a-z0-9_]+\}")


def operations(company: Company) -> list[tuple[str, str]]:
    """Return method and path of every endpoint that the API's document lists."""
    document = company.person.get("/openapi.json")
    listed = [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in document["paths"].items()
        for method in methods
    ]
    assert len(listed) > 90
    return listed


def ask(asker: Company, method: str, path: str, target: Target) -> Answer:
    """Ask one endpoint for the things of a target."""
    name = f"{method} {path}"
    found = _ID.match(path)
    if found is not None:
        if target.company is not None:
            assert found[1] in target.company.ids, f"{name}: give each company one of {found[1]!r}"
        body = OF_PATH.get(name) or OF_PATH.get(method)
        address = re.sub(r"\{[a-z0-9_]+\}", target.id(found[1]), path)
        return asker.person.ask(method, address, body(target) if body else None)
    if name in QUERIES:
        return asker.person.ask(method, path, **QUERIES[name](target))
    if name in BODIES:
        return asker.person.ask(method, path, BODIES[name](target))
    return asker.person.ask(method, path)


def plain(answer: Answer, target: Target) -> Any:
    """Return status and body without what differs between any two answers."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return answer.status, answer.body
    if isinstance(document, dict):
        # A new set or record has an id of its own.
        document.pop("id", None)
    ids = target.company.ids.values() if target.company else (ABSENT, *NOTHING.values())
    return answer.status, _steady(document, {*ids, target.path, target.mark}, target.ordinal)


def _steady(document: Any, names: set[str], ordinal: int) -> Any:
    if isinstance(document, dict):
        kept = {name: value for name, value in document.items() if name not in VOLATILE}
        # Of numbers, only those that are said to be tags stand for the tag that was asked for.
        return {
            name: ASKED if name == "tag" and value == ordinal else _steady(value, names, ordinal)
            for name, value in kept.items()
        } | ({"tags": len(kept["tags"])} if isinstance(kept.get("tags"), list) else {})
    if isinstance(document, list):
        return [_steady(each, names, ordinal) for each in document]
    if isinstance(document, str):
        for name in sorted(names, key=len, reverse=True):
            document = document.replace(name, ASKED)
        return re.sub(rf"^{ordinal}$|(?<=tags ){ordinal}\b|(?<=tag ){ordinal}\b|(?<=测点 ){ordinal}\b", ASKED, document)
    return document


@pytest.mark.parametrize(("asking", "asked"), [("north", "plant"), ("plant", "north")])
def test_every_endpoint_answers_as_if_the_other_company_did_not_exist(two: Estate, asking: str, asked: str) -> None:
    asker, other = getattr(two, asking), getattr(two, asked)
    faults = [
        f"{method} {path}: {fault}"
        for method, path in operations(asker)
        if f"{method} {path}" not in NAMELESS and (fault := told(asker, other, method, path))
    ]
    assert not faults, "\n".join(faults)


def told(asker: Company, other: Company, method: str, path: str) -> str:
    """Return what an endpoint tells one company of another; nothing is well."""
    name = f"{method} {path}"
    if not (_ID.match(path) or name in QUERIES or name in BODIES or name in PLAIN):
        return f"not covered: say in {__name__} how it names things"
    answer = ask(asker, method, path, Target(other))
    text = answer.body.decode("utf-8", "replace")
    if answer.status in {403, 500}:
        return f"{answer.status} {text[:300]}"
    if other.mark in text and name != "GET /tenants":
        return f"tells of the other: {text[:500]}"
    if name in PLAIN:
        return ""
    if _ID.match(path) and answer.status != EXPECTED.get(name, 404):
        return f"{answer.status} {text[:300]}"
    found, absent = plain(answer, Target(other)), plain(ask(asker, method, path, Target(None)), Target(None))
    return "" if found == absent else f"tells what exists from what does not: {found} and {absent}"


def test_a_gateway_gets_the_software_of_its_own_company_alone(two: Estate) -> None:
    path = f"/gateways/software/{two.plant.ids['gateways/software']}"
    assert two.plant.signed(path).body == two.plant.wheel()
    foreign, absent = two.north.signed(path), two.north.signed(f"/gateways/software/{'0' * 64}")
    assert foreign.status == absent.status == 404
    assert foreign.json["text"] == absent.json["text"]


def test_nothing_of_a_company_was_touched_by_the_other(two: Estate) -> None:
    for company in (two.plant, two.north):
        for kind in ("assets", "tags", "connections", "devices", "alarm-definitions", "users"):
            found = company.person.get(f"/{kind}/{company.ids[kind]}")
            assert found["version"] == 1, f"{kind} of {company.key} was changed"
        alarm = company.person.get("/alarms")["items"][0]
        assert alarm["state"] == "active-unacknowledged"
        assert set(company.history(company.ordinal)) == {company.value}
        assert company.send("GET", f"/blobs/{company.ids['blobs']}", b"", "").body == f"blob {company.mark}".encode()


def test_only_the_company_that_runs_the_platform_lists_and_adds_companies(two: Estate) -> None:
    assert {each["key"] for each in two.plant.person.get("/tenants")} == {"plant", "north"}
    assert two.north.person.ask("GET", "/tenants").status == 404
    draft = {"key": "third", "name": {"en": "Third", "zh": ""}}
    assert two.north.person.ask("POST", "/tenants", draft).status == 404
    assert two.plant.person.ask("POST", "/tenants", draft | {"key": "health"}).status == 422
