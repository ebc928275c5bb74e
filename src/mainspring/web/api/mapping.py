"""A declared mapping tried on a sample message, before the connection is saved."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mainspring.core.drivers import Maps
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records.draft import check
from mainspring.records.faults import Invalid
from mainspring.records.plant.driver_forms import driver
from mainspring.records.rights import Right
from mainspring.web.api.forms import Label
from mainspring.web.security import Needs

router = Router(tags=["connections"])

_MAPS_NOTHING: Final = Text(
    "The driver {name} has no mapping: it knows its values by address.", "驱动 {name} 没有映射：其值由地址确定。"
)


class MappingQuestion(Schema):
    """A connection as it stands in the form, and a message as it may come."""

    driver: str = Field(max_length=64)
    settings: dict[str, Any] = Field(default_factory=dict)
    topic: str = Field(min_length=1, max_length=1024)
    sample: str = Field(max_length=262_144)


class MappedValue(Schema):
    """A value the mapping finds, with the address under which a tag reads it."""

    address: dict[str, Any]
    kind: SampleKind
    value: str
    time_ms: int | None = None


class MappingFault(Schema):
    """What does not fit, in words."""

    text: Label


class MappingAnswer(Schema):
    """What the mapping makes of the message."""

    values: list[MappedValue]
    faults: list[MappingFault]


@router.post("/connections/try-mapping", auth=Needs(Right.CONFIGURE), response=MappingAnswer)
def try_mapping(request: HttpRequest, question: MappingQuestion) -> dict[str, Any]:
    """Apply the mapping of the settings to a sample message."""
    kind = driver(question.driver)
    if not issubclass(kind, Maps):
        raise Invalid({"driver": _MAPS_NOTHING.format(name=question.driver)})
    found = kind.try_mapping(
        check(kind.Config, question.settings, "settings"), question.topic, question.sample.encode()
    )
    values = [
        {"address": node.address or {}, "kind": node.kind or SampleKind.FLOAT, "value": node.value, "time_ms": time_ms}
        for node, time_ms in zip(found.nodes, found.times_ms, strict=True)
    ]
    return {"values": values, "faults": [{"text": fault.document()} for fault in found.faults]}
