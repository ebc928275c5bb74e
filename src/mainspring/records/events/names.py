"""What names in events mean here: assets, items, lots and orders of the company, as far as somebody may see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import unquote
from uuid import UUID

from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

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
    # PostgreSQL holds no NUL and takes none in a question.
    wanted = {uri for uri in uris if "\0" not in unquote(uri)}
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
    """Return items that a search text finds, then lots it finds, then lots of these items, as events name them."""
    items = [item for item in _search(access, Item, text) if isinstance(item, Item)]
    lots = [lot for lot in _search(access, Lot, text) if isinstance(lot, Lot)]
    seen = {item.pk: item for item in _rows(access, Item).filter(pk__in={lot.item_id for lot in lots})}
    newest = _newest_lots(access, items)
    found = [_item(access, item, newest[item.pk]) for item in items]
    found += [_lot(access, lot, seen[lot.item_id]) for lot in lots if lot.item_id in seen]
    # Events name lots where there are any, so whoever asks for an item means them, too.
    found += [_lot(access, lot, item) for item in items for lot in newest[item.pk]]
    return list({choice.uri: choice for choice in found}.values())[:FOUND_MAX]


def record(access: Access, id: UUID) -> list[Choice]:
    """Return an item or lot as events name it; nothing if there is none that may be seen."""
    for lot in _rows(access, Lot).filter(pk=id).select_related("item"):
        return [_lot(access, lot, lot.item)]
    for item in _rows(access, Item).filter(pk=id):
        return [_item(access, item, _newest_lots(access, [item])[item.pk])]
    return []


def _newest_lots(access: Access, items: list[Item]) -> dict[UUID, list[Lot]]:
    """Return the lots of items that came last, by the ids of the items."""
    newest: dict[UUID, list[Lot]] = {item.pk: [] for item in items}
    place = Window(RowNumber(), partition_by="item", order_by=("-created_ms", "-pk"))
    rows = _rows(access, Lot).filter(item__in=list(newest)).annotate(place=place).filter(place__lte=LOTS_MAX)
    for lot in rows.order_by("place"):
        newest[lot.item_id].append(lot)
    return newest


def _item(access: Access, item: Item, lots: list[Lot]) -> Choice:
    """Return an item with its lots; units are asked for apart from classes of things, so it goes without its own."""
    also = [_lot(access, lot, item).uri for lot in lots] if item.tracked == Tracked.LOT else []
    return Choice("|".join([item_uri(item.number), *also]), _name_of(access, item))


def _lot(access: Access, lot: Lot, item: Item) -> Choice:
    uri = unit_uri if item.tracked == Tracked.SERIAL else lot_uri
    name = {language: f"{text} {lot.number}" for language, text in _name_of(access, item).items()}
    return Choice(uri(item.number, lot.number), name)


def places(assets: QuerySet[Asset], text: str) -> list[Choice]:
    """Return the assets that a search text finds, each by both names that events may give it."""
    rows = assets.filter(found_by(text)).select_related("parent").order_by("search")[:FOUND_MAX]
    return [Choice(f"{asset_uri(row.path)}|{asset_uri(str(row.pk))}", listing.placed(row)) for row in rows]


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
        return listing.first(access, kind, sought(text), FOUND_MAX) if "number" not in access.hidden(kind) else []
    except NotAllowed:
        return []


def _pieces(access: Access, pieces: dict[str, Piece]) -> dict[str, list[Named]]:
    """Return items and lots by the names that mean them.

    A lot stands with the revision it is of. Where several revisions or lots fit, the one recorded last does.
    """
    numbers = {piece.number for piece in pieces.values()} - {""}
    gtins = {way for piece in pieces.values() for way in _ways(piece.gtin)}
    fitting = _rows(access, Item).filter(Q(number__in=numbers) | Q(gtin__in=gtins))
    seen: dict[UUID, Item] = {item.pk: item for item in fitting.order_by("created_ms", "pk")}
    items = {key: item for item in seen.values() for key in _keys(item)}
    fitting = _rows(access, Lot).filter(number__in={piece.lot for piece in pieces.values()} - {""}, item__in=list(seen))
    lots = {(*key, lot.number): lot for lot in fitting.order_by("created_ms", "pk") for key in _keys(seen[lot.item_id])}
    told: dict[str, list[Named]] = {}
    for uri, piece in pieces.items():
        lot = lots.get((piece.number, piece.gtin, piece.lot))
        item = seen[lot.item_id] if lot is not None else items.get((piece.number, piece.gtin))
        if item is None:
            continue
        told[uri] = [Named(Item.kind, item.pk, _name_of(access, item))]
        told[uri] += [Named(Lot.kind, lot.pk, _plain(lot.number))] if lot is not None else []
    return told


def _keys(item: Item) -> Iterator[tuple[str, str]]:
    """Yield what names have of an item: our number for it, or its GTIN."""
    yield item.number, ""
    if item.gtin:
        yield "", item.gtin.zfill(14)


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
        uri: [Named("asset", asset.pk, listing.placed(asset))]
        for uri, name in named_so.items()
        if (asset := found.get(ids.get(uri)) or found.get(name)) is not None
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _name_of(access: Access, item: Item) -> Words:
    """Return what an item is called: by its words, if those may be seen."""
    hidden: Collection[str] = access.hidden(Item)
    return listing.joined("", item.name) if "name" not in hidden and any(item.name.values()) else _plain(item.number)


def _plain(text: str) -> Words:
    return {"en": text, "zh": text}
