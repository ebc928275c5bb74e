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
SHORT: Final = 20
"""Digits of the longest number that is an id."""
ABSENT_ORDINAL: Final = 3_999_999
ABSENT_PATH: Final = "nowhere/at/all"
VOLATILE: Final = frozenset(
    {"request_id", "now_ms", "took_ms", "time_ms", "expires_ms", "until_ms", "oldest_ms", "lag_ms", "creationDate"}
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
    "POST /tokens/{id}/rotate": lambda _: {},
    "POST /registrations/{id}/accept": lambda _: {"key": "taken-over", "name": {"en": "x", "zh": ""}},
    "POST /registrations/{id}/refuse": lambda _: {"reason": "x"},
    "POST /imports/{id}/check": lambda _: {"mapping": {"0": "name"}},
    "POST /imports/{id}/fix": lambda _: {"fixes": []},
    "POST /templates/{name}/apply": lambda _: {"parameters": {}},
    "POST /history/imports/{id}/check": lambda _: {},
    "POST /history/imports/{id}/load": lambda _: {},
    "POST /records/item/{id}/moves/release": lambda _: {"version": 1},
    "POST /records/item/{id}/undo": lambda _: {"version": 1, "sequence": 1},
    "POST /records/item/{id}/comments": lambda _: {"text": "x"},
    "PATCH /records/item/{id}/comments/{comment}": lambda _: {"text": "x", "version": 1},
    "PUT /records/item/{id}/labels": lambda _: {"labels": {}},
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
    "GET /access": lambda t: {"asset": t.id("assets")},
    "GET /search": lambda t: {"q": t.mark},
    "GET /gateways/releases": lambda t: {"gateway": t.id("gateways")},
    "GET /devices": lambda t: {"search": t.mark},
    "GET /records/item/labels": lambda t: {"ids": t.id("records/item")},
    "GET /epcis/events": lambda t: {"EQ_eventID": t.id("epcis/events")},
    "GET /epcis/export": lambda t: {"EQ_eventID": t.id("epcis/events")},
    "GET /epcis/names": lambda t: {"search": t.mark, "record": t.id("records/item")},
    "GET /epcis/stock": lambda t: {"thing": f"urn:mainspring:lot:{t.mark}:1"},
    "GET /epcis/work-in-progress": lambda t: {"order": f"urn:mainspring:order:{t.mark}"},
    "GET /epcis/consumption": lambda t: {"order": f"urn:mainspring:order:{t.mark}"},
    "GET /epcis/equipment-states": lambda t: {"asset": f"urn:mainspring:asset:{t.mark}"},
    "GET /epcis/trace": lambda t: {"thing": f"urn:mainspring:lot:{t.mark}:1"},
}
BODIES: Final[dict[str, Make]] = {
    # Endpoints that name things in their body.
    "POST /records/item/bulk": lambda t: {
        "items": [{"do": "remove", "id": t.id("records/item"), "version": 1}],
    },
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
    "POST /tokens": lambda t: {"name": "x", "place": t.id("assets")},
    "POST /epcis/names": lambda t: {
        "uris": [
            f"urn:mainspring:item:P-{t.mark}",
            f"urn:mainspring:asset:{t.path}",
            f"urn:mainspring:asset:{t.id('assets')}",
        ],
    },
    "POST /invitations": lambda t: {"place": t.id("assets")},
    "POST /subscriptions": lambda t: {"channel": "page", "asset": t.id("assets")},
}
PLAIN: Final = frozenset({
    # Lists and pages without ids: they must not tell anything of the other company.
    "GET /session/providers", "GET /session/second-factor", "GET /session/links", "GET /access/second-factor",
    "GET /sessions", "GET /invitations", "GET /provisioning", "GET /registrations",
    "GET /site", "GET /session", "GET /imports", "GET /imports/fields", "GET /imports/template", "GET /templates",
    "GET /drivers", "GET /connections", "GET /users", "GET /tokens", "GET /openapi.json", "GET /docs",
    "GET /alarms/performance", "GET /gateways", "GET /tenants", "GET /health", "GET /metrics", "GET /subscriptions",
    "GET /overview", "GET /units", "GET /tasks", "GET /history/imports",
    "GET /gateways/settings-schema", "GET /gateways/software", "GET /kinds", "GET /kinds/item", "GET /records/item",
    "GET /records/item/export", "GET /access/own", "GET /grants/received", "GET /grants/figures/item",
    "GET /grants/figures",
    "GET /audit/export", "GET /audit/chain", "GET /records/item/removed", "GET /records/item/views", "GET /label-sizes",
    "GET /epcis/vocabulary",
})  # fmt: skip
NAMELESS: Final = frozenset({
    # They write what is new and name nothing that exists.
    # Doors to sign in at: the sign-in page of each company lists its own to everyone.
    "GET /session/providers/{provider}/metadata", "POST /session/providers/{provider}/response",
    "POST /sessions/end-others", "POST /invitations/look", "POST /invitations/accept", "POST /registration",
    "POST /registration/confirm", "POST /provisioning",
    "POST /session/by-passkey/begin", "POST /session/by-passkey",
    "POST /session/second-step", "POST /session/passkey", "POST /session/confirm", "POST /session/providers",
    "POST /session/providers/callback", "POST /session/providers/answer", "POST /session/links",
    "DELETE /session/links",
    "POST /session/second-factor/totp/begin", "POST /session/second-factor/totp", "DELETE /session/second-factor/totp",
    "POST /session/second-factor/recovery-codes", "POST /session/second-factor/passkeys/begin",
    "POST /session/second-factor/passkeys", "PUT /access/second-factor",
    "POST /session", "DELETE /session", "PATCH /session", "POST /session/password", "POST /imports",
    "POST /imports/read", "POST /templates", "POST /connections", "POST /devices", "POST /devices/bulk", "POST /users",
    "POST /samples/csv", "POST /blobs", "POST /gateways", "POST /gateways/enrolment", "POST /tenants",
    "POST /tenants/place",
    "POST /gateways/software", "POST /connections/try-mapping", "POST /history/imports",
    "POST /history/prometheus/write", "POST /epcis/capture", "POST /epcis/events", "POST /records/item",
    "POST /records/item/views",
})  # fmt: skip
_ID: Final = re.compile(r"/([a-z/-]+)/\{[a-z0-9_]+\}")


def operations(company: Company) -> list[tuple[str, str]]:
    """Return method and path of every endpoint that the API's document lists."""
    document = company.person.get("/openapi.json")
    listed = [
        # One kind of record stands for all: they share their endpoints.
        (method.upper(), path.removeprefix("/api/v1").replace("{kind}", "item").replace("{move}", "release"))
        for path, methods in document["paths"].items()
        for method in methods
        if not _of_one_kind(path, document["paths"])
    ]
    assert len(listed) > 90
    return listed


def _of_one_kind(path: str, paths: dict[str, Any]) -> bool:
    """Tell whether a path is a general one once more, with the fields of one kind."""
    general = re.sub(r"^/api/v1/records/[a-z0-9-]+", "/api/v1/records/{kind}", path)
    return general != path and general in paths


def ask(asker: Company, method: str, path: str, target: Target) -> Answer:
    """Ask one endpoint for the things of a target."""
    name = f"{method} {path}"
    if _ID.match(path) is not None:
        if target.company is not None:
            missing = set(_ID.findall(path)) - target.company.ids.keys()
            assert not missing, f"{name}: give each company one of {missing}"
        body = OF_PATH.get(name) or OF_PATH.get(method)
        address = _ID.sub(lambda found: f"/{found[1]}/{target.id(found[1])}", path)
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
    # A number would be found in every text; refusals do not repeat it.
    names = {name for name in (*ids, target.path, target.mark) if not name.isdigit() or len(name) > SHORT}
    return answer.status, _steady(document, names, target.ordinal)


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
