"""Every endpoint of the API, asked by someone who is assigned to another part of the same company's plant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from tests.e2e.platform import Person
from tests.isolation.estate import PASSWORD, Company, Estate
from tests.isolation.test_api import NAMELESS, Target, ask, operations

FIRST: Final = "lantern-copper-47-fern"
FOR_EVERYONE: Final = {"GET /records/item/views"}
"""What someone shared with all who see any record of a kind."""


@pytest.fixture
def elsewhere(two: Estate) -> Iterator[Company]:
    """Return the company as an engineer of a part sees it in which nothing stands."""
    post = two.plant.person.post
    part = post("/assets", {"kind": "area", "name": {"en": "Far end", "zh": ""}, "parent": None})
    user = post("/users", {"username": "li", "role": "guest", "password": FIRST})
    body = {"person": user["id"], "built_in": "engineer", "place": part["id"], "reason": "trial"}
    assigned = post("/records/assignment", body)
    person = Person(two.plant.person.port)
    assert person.sign_in("li", FIRST).status == 200
    person.post("/session/password", {"old": FIRST, "new": PASSWORD})
    yield replace(two.plant, person=person)
    two.plant.person.delete(f"/records/assignment/{assigned['id']}")
    two.plant.person.delete(f"/users/{user['id']}")
    two.plant.person.delete(f"/assets/{part['id']}")


def test_nothing_is_told_of_what_lies_elsewhere(two: Estate, elsewhere: Company) -> None:
    faults = []
    for method, path in operations(two.plant):
        name = f"{method} {path}"
        if name in NAMELESS or name in FOR_EVERYONE:
            continue
        answer = ask(elsewhere, method, path, Target(two.plant))
        text = answer.body.decode("utf-8", "replace")
        if answer.status >= 500 or two.plant.mark in text:
            faults.append(f"{name}: {answer.status} {text[:300]}")
    assert not faults, "\n".join(faults)
    assert [each["path"] for each in elsewhere.person.get("/assets", parent="root")["items"]] == ["far-end"]
    assert elsewhere.person.get("/tags")["total"] == 0
