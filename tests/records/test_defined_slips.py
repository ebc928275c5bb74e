"""Definitions with a slip in them stop the start with a sentence; what they declare, the database holds."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from tests.records.plant import author

from mainspring.core.text import Text
from mainspring.records.business.item import Item
from mainspring.records.defined import fields, writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.fields import number_of
from mainspring.records.defined.kinds import Defined, find_kind, kinds
from mainspring.records.defined.shape import Group, Move, Rule, Shape, States
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

WORDS = Text("Slip", "滑")


def declared(more: dict[str, Any], **shape: Any) -> None:
    """Declare a kind of record as a module would."""
    given: dict[str, Any] = {
        "one": WORDS,
        "many": WORDS,
        "group": Group.QUALITY,
        "key": ("number",),
        "columns": ("number",),
    } | shape
    body = {
        "__module__": __name__, "__doc__": "A slip.", "kind": "slip", "number": fields.code(WORDS),
        "Meta": type("Meta", (), {"app_label": "records"}), "shape": Shape(**given), **more,
    }  # fmt: skip
    type("Slip", (Defined,), body)


@pytest.mark.parametrize(
    ("more", "shape", "sentence"),
    [
        ({}, {"columns": ("number", "nummer")}, "Slip.shape.columns names 'nummer', which is no field"),
        ({}, {"key": ("nr",)}, "Slip.shape.key names 'nr'"),
        ({}, {"order": "-day"}, "Slip.shape.order names 'day'"),
        ({}, {"labels": ("name",)}, "Slip.shape.labels names 'name'"),
        ({}, {"rules": (Rule("r", None, WORDS, "size"),)}, "Slip.shape.rules names 'size'"),  # type: ignore[arg-type]
        ({}, {"states": States({"a": WORDS}, (), needs={"a": ("who",)})}, "Slip.shape.states names 'who'"),
        ({}, {"states": States({"a": WORDS}, (Move("m", ("a",), "a", WORDS, needs=("why",)),))}, "moves names 'why'"),
        ({"day": fields.day(WORDS)}, {"key": ("number", "day")}, "key holds day, which may be empty"),
        ({"version": fields.whole(WORDS)}, {}, "Slip.version hides what every record has"),
        ({"document": fields.text(WORDS)}, {}, "Slip.document hides what every record has"),
        ({"kind": "Slip_1"}, {}, "Slip.kind is 'Slip_1'"),
        ({"item": fields.link(Item, WORDS, need=True)}, {"key": ("item", "number")}, "title is missing: item is"),
        ({"item": fields.link(Item, WORDS, need=True)}, {"part_of": "item"}, "needs gone=models.CASCADE"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_a_slip_in_a_definition_is_told(more: dict[str, Any], shape: dict[str, Any], sentence: str) -> None:
    with pytest.raises((FieldDoesNotExist, ImproperlyConfigured)) as stopped:
        declared(more, **shape)
    assert sentence in str(stopped.value)
    assert "slip" not in {kind.kind for kind in kinds()}


def test_states_name_what_is_declared() -> None:
    wrongs: tuple[Callable[[], Any], ...] = (
        lambda: States({"a": WORDS}, (Move("m", ("b",), "a", WORDS),)),
        lambda: States({"a": WORDS}, (), frozenset({"b"})),
        lambda: States({"a": WORDS}, (), needs={"b": ()}),
    )
    for wrong in wrongs:
        with pytest.raises(AssertionError, match="not declared"):
            wrong()


def test_every_rule_and_need_is_held_by_the_database(plant: Tenant) -> None:
    from django.db import connection

    for kind in kinds():
        with connection.cursor() as cursor:
            held = set(connection.introspection.get_constraints(cursor, kind._meta.db_table))
        wanted = {f"{kind.kind}_{rule.name}" for rule in kind.shape.rules} | {f"{kind.kind}_key"}
        states = kind.shape.states
        wanted |= {f"{kind.kind}_state"} if states.words else set()
        wanted |= {f"{kind.kind}_{state}_{name}" for state, names in states.needs.items() for name in names}
        assert wanted <= held, wanted - held


def test_the_database_refuses_what_went_past_the_forms(plant: Tenant) -> None:
    from django.db import IntegrityError, transaction

    access = Access(author(plant), Role.ADMINISTRATOR.rights)
    made = writing.create(access, find_kind("finding"), {"sort": "fault", "subject": "hot", "found_ms": 10})
    for past in ({"state": "assigned"}, {"state": "lost"}, {"deadline_ms": 5}, {"sort": "wish"}, {"severity": "bad"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            type(made).objects.filter(pk=made.pk).update(**past)


@pytest.mark.parametrize(
    ("kept", "told"),
    [("2.500000", 2.5), ("20.000000", 20), ("-0.000001", -0.000001), ("123456789012.345678", "123456789012.345678")],
)
def test_a_number_loses_no_digit_on_its_way_through_json(kept: str, told: float | str) -> None:
    found = number_of(Decimal(kept))
    assert found == told
    assert type(found) is type(told)
    assert Decimal(str(found)) == Decimal(kept)
