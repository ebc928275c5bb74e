"""What names in events mean here: assets, items, lots and orders of the company, as far as somebody may see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet

from mainspring.core.errors import NotAllowed
from mainspring.records.business.item import Item, Tracked
from mainspring.records.business.lot import Lot
from mainspring.records.business.order import Order
from mainspring.records.defined import listing
from mainspring.records.defined.access import Access
from mainspring.records.defined.kinds import Defined
from mainspring.records.events.identifiers import (
    ASSET,
    OPERATION,
    ORDER,
    Piece,
    asset_uri,
    item_uri,
    lot_uri,
    own_parts,
    piece_of,
    unit_uri,
)
from mainspring.records.plant.asset import Asset
from mainspring.records.search_words import found as found_by
from mainspring.records.search_words import sought

D = TypeVar("D", bound=Defined)
Words = dict[str, str]
URIS_MAX: Final = 2000
FOUND_MAX: Final = 20
LOTS_MAX: Final = 10
"""Most lots of an item found that are told with it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A record that a name in an event means."""

    kind: str
    id: UUID
    name: Words


@dataclass(frozen=True, slots=True)
class Choice:
    """Something events can be asked for by; several names of one thing stand with `|` between them."""

    uri: str
    name: Words


def named(access: Access, assets: QuerySet[Asset], uris: Iterable[str]) -> dict[str, list[Named]]:
    """Return the records that names mean, an item before its lot; names that mean none are left out."""
    wanted = set(uris)
    pieces = {uri: piece for uri in wanted if (piece := piece_of(uri)) is not None}
    told = _pieces(access, pieces)
    told |= _places(assets, {uri: own_parts(uri)[0] for uri in wanted if _is(ASSET, uri)})
    numbers = {uri: own_parts(uri)[0] for uri in wanted if _is(ORDER, uri) or _is(OPERATION, uri)}
    orders = {each.number: each for each in _rows(access, Order).filter(number__in=set(numbers.values()))}
    for uri, number in numbers.items():
        if (order := orders.get(number)) is not None:
            told[uri] = [Named(Order.kind, order.pk, _plain(order.number))]
    return told


def things(access: Access, text: str) -> list[Choice]:
    """Return the items and lots that a search text finds, as events name them."""
    items = [item for item in _search(access, Item, text) if isinstance(item, Item)]
    lots = [lot for lot in _search(access, Lot, text) if isinstance(lot, Lot)]
    found: dict[str, Choice] = {}
    # Events name lots where there are any, so whoever asks for an item means them, too.
    for item in items:
        for choice in record(access, item.pk):
            found[choice.uri] = choice
        found |= {choice.uri: choice for choice in (_lot(access, lot, item) for lot in _lots_of(access, item))}
    whole = {item.pk: item for item in _rows(access, Item).filter(pk__in={lot.item_id for lot in lots})}
    for lot in lots:
        if (of := whole.get(lot.item_id)) is not None:
            choice = _lot(access, lot, of)
            found[choice.uri] = choice
    return list(found.values())[:FOUND_MAX]


def record(access: Access, id: UUID) -> list[Choice]:
    """Return an item or lot as events name it; nothing if there is none that may be seen."""
    for lot in _rows(access, Lot).filter(pk=id).select_related("item"):
        return [_lot(access, lot, lot.item)]
    for item in _rows(access, Item).filter(pk=id):
        lots = [_lot(access, lot, item).uri for lot in _lots_of(access, item)] if item.tracked == Tracked.LOT else []
        return [Choice("|".join([item_uri(item.number), *lots]), _name_of(access, item))]
    return []


def _lots_of(access: Access, item: Item) -> QuerySet[Any]:
    return _rows(access, Lot).filter(item=item).order_by("-created_ms")[:LOTS_MAX]


def _lot(access: Access, lot: Lot, item: Item) -> Choice:
    uri = unit_uri if item.tracked == Tracked.SERIAL else lot_uri
    name = {language: f"{text} {lot.number}" for language, text in _name_of(access, item).items()}
    return Choice(uri(item.number, lot.number), name)


def places(assets: QuerySet[Asset], text: str) -> list[Choice]:
    """Return the assets that a search text finds, each by both names that events may give it."""
    rows = assets.filter(found_by(text)).select_related("parent").order_by("search")[:FOUND_MAX]
    return [Choice(f"{asset_uri(row.path)}|{asset_uri(str(row.pk))}", _place(row)) for row in rows]


def _is(beginning: str, uri: str) -> bool:
    return uri.startswith(beginning) and uri != beginning


def _rows(access: Access, kind: type[D]) -> QuerySet[Any]:
    """Return the records that may be seen, none if what they are told apart by may not."""
    try:
        rows = access.rows(kind)
    except NotAllowed:
        return kind.objects.none()
    return kind.objects.none() if "number" in access.hidden(kind) else rows


def _search(access: Access, kind: type[Defined], text: str) -> list[Defined]:
    try:
        return listing.first(access, kind, sought(text), FOUND_MAX)
    except NotAllowed:
        return []


def _pieces(access: Access, pieces: dict[str, Piece]) -> dict[str, list[Named]]:
    numbers = {piece.number for piece in pieces.values()} - {""}
    gtins = {way for piece in pieces.values() for way in _ways(piece.gtin)}
    items: dict[str, Item] = {}
    # Of several revisions the newest stands for all.
    for item in _rows(access, Item).filter(Q(number__in=numbers) | Q(gtin__in=gtins)).order_by("created_ms"):
        items |= {item.number: item} | ({item.gtin.zfill(14): item} if item.gtin else {})
    lots = {
        (lot.item.number, lot.number): lot
        for lot in _rows(access, Lot)
        .filter(number__in={piece.lot for piece in pieces.values()} - {""})
        .filter(item__number__in={item.number for item in items.values()})
        .select_related("item")
    }
    told: dict[str, list[Named]] = {}
    for uri, piece in pieces.items():
        if (item := items.get(piece.number or piece.gtin)) is None:
            continue
        lot = lots.get((item.number, piece.lot))
        told[uri] = [Named(Item.kind, item.pk, _name_of(access, item))]
        told[uri] += [Named(Lot.kind, lot.pk, _plain(lot.number))] if lot is not None else []
    return told


def _ways(gtin: str) -> Iterator[str]:
    """Yield a GTIN of 14 digits, and the shorter ones that are the same."""
    for digits in (14, 13, 12, 8):
        if gtin and not gtin[: 14 - digits].strip("0"):
            yield gtin[14 - digits :]


def _places(assets: QuerySet[Asset], named_so: dict[str, str]) -> dict[str, list[Named]]:
    ids = {uri: id for uri, name in named_so.items() if (id := _uuid(name)) is not None}
    rows = assets.filter(Q(path__in=set(named_so.values())) | Q(pk__in=set(ids.values()))).select_related("parent")
    found: dict[Any, Asset] = {}
    for row in rows:
        found |= {row.path: row, row.pk: row}
    return {
        uri: [Named("asset", asset.pk, _place(asset))]
        for uri, name in named_so.items()
        if (asset := found.get(ids.get(uri)) or found.get(name)) is not None
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _place(asset: Asset) -> Words:
    return _joined(" / ", [asset.parent.name, asset.name] if asset.parent else [asset.name])


def _name_of(access: Access, item: Item) -> Words:
    """Return what an item is called: by its words, if those may be seen."""
    hidden: Collection[str] = access.hidden(Item)
    return _joined("", [item.name]) if "name" not in hidden and any(item.name.values()) else _plain(item.number)


def _plain(text: str) -> Words:
    return {"en": text, "zh": text}


def _joined(between: str, parts: list[Words]) -> Words:
    """Join words in each language; what lacks one is told in the other."""
    return {
        language: between.join(part.get(language) or part.get(other, "") for part in parts)
        for language, other in (("en", "zh"), ("zh", "en"))
    }
