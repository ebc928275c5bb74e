"""What the words and names in events mean: the vocabulary in both languages, and the records that names lead to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from mainspring.records.events import names
from mainspring.records.events.forms import EVENTS
from mainspring.records.events.units import SIGNS
from mainspring.records.events.vocabulary import URI_MAX, words
from mainspring.records.rights import Right
from mainspring.web.api.defined import access_of
from mainspring.web.api.epcis import PRINTED
from mainspring.web.security import Needs, actor_of

router = Router(tags=["events"])


class NamesAsked(Schema):
    """Which names somebody wants to know the meaning of."""

    uris: list[Annotated[str, StringConstraints(max_length=URI_MAX, pattern=PRINTED)]] = Field(
        max_length=names.URIS_MAX
    )


class ThingsAsked(Schema):
    """What to look for, and among what."""

    search: str = Field(default="", max_length=200, pattern=PRINTED)
    of: Literal["thing", "place"] = "thing"
    record: UUID | None = Field(default=None, description="an item or lot, in place of a search")


@router.get("/epcis/vocabulary", auth=Needs(Right.VIEW))
def show_vocabulary(request: HttpRequest) -> dict[str, Any]:
    """List the words events are written with in both languages, their kinds, and units by their codes."""
    told = {of: {word: text.document() for word, text in each.items()} for of, each in words().items()}
    return {"words": told, "types": list(EVENTS), "units": SIGNS}


@router.get("/epcis/names", auth=Needs(Right.VIEW))
def find_names(request: HttpRequest, asked: Query[ThingsAsked]) -> dict[str, Any]:
    """Find items and lots, or places, as events name them; several names of one stand with `|` between them."""
    if asked.record is not None:
        found = names.record(access_of(request), asked.record)
    elif asked.of == "place":
        found = names.places(actor_of(request).scope(Right.VIEW).assets(), asked.search)
    else:
        found = names.things(access_of(request), asked.search)
    return {"items": [asdict(each) for each in found]}


@router.post("/epcis/names", auth=Needs(Right.VIEW))
def show_names(request: HttpRequest, asked: NamesAsked) -> dict[str, Any]:
    """Tell which records names in events mean: an item before its lot; those that mean none are left out."""
    found = names.named(access_of(request), actor_of(request).scope(Right.VIEW).assets(), asked.uris)
    return {"names": {uri: [asdict(each) for each in records] for uri, records in found.items()}}
