"""Names of things in events: EPC URIs, GS1 Digital Links, and our own for lots, units, assets and orders.

Source: GS1 EPC Tag Data Standard (URI forms), GS1 Digital Link 1.2, GS1 General Specifications (check digits).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records.events.vocabulary import is_uri

OURS: Final = "urn:mainspring:"
ASSET: Final = f"{OURS}asset:"
ORDER: Final = f"{OURS}order:"
OPERATION: Final = f"{OURS}operation:"
ENERGY: Final = f"{OURS}energy:"
_ITEM: Final = f"{OURS}item:"
_LOT: Final = f"{OURS}lot:"
_UNIT: Final = f"{OURS}unit:"
_PARTS: Final = {_ITEM: 1, _LOT: 2, _UNIT: 2, ASSET: 1, ORDER: 1, OPERATION: 2, ENERGY: 1}
_VOCABULARY: Final = ("bizstep:", "disp:", "btt:")

_DIGITS: Final = {
    # Prefix of the company and the reference share a fixed number of digits.
    "sgtin": 13, "itip": 13, "upui": 13, "lgtin": 13, "sscc": 17, "sgln": 12, "grai": 12, "gdti": 12, "sgcn": 12,
    "pgln": 12, "gsrn": 17, "gsrnp": 17, "gsin": 16,
}  # fmt: skip
_PIECES: Final = {
    "sgtin": 3, "lgtin": 3, "sscc": 2, "sgln": 3, "grai": 3, "gdti": 3, "sgcn": 3, "pgln": 2, "gsrn": 2, "gsrnp": 2,
    "gsin": 2, "giai": 2, "cpi": 3, "itip": 5, "upui": 3, "ginc": 2,
}  # fmt: skip
_EPC: Final = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)")
_PIECE: Final = re.compile(r"(?:[A-Za-z0-9!()*+,\-_:;='.]|%[0-9A-Fa-f]{2})+")
_LINK: Final = re.compile(r"https?://[^/]+(?:/.*)?/(00|01|8003|8004|8006|8010|8017|8018|253|255|401|402|414|417)/(.+)")
_CHECKED: Final = {"00": 18, "01": 14, "402": 17, "414": 13, "417": 13, "8017": 18, "8018": 18}
"""Keys of a Digital Link that end in a check digit, with their digits."""

_NO_URI: Final = Text(
    "{uri!r} is no URI. Write urn:epc:id:..., a GS1 Digital Link, or another absolute URI.",
    "{uri!r} 不是 URI，请写成 urn:epc:id:…、GS1 Digital Link 或其他绝对 URI。",
)
_NO_EPC: Final = Text(
    "{uri!r} is not of the form of {scheme}: {parts} parts, {digits} digits in the first two.",
    "{uri!r} 不符合 {scheme} 的格式：应有 {parts} 段，前两段共 {digits} 位数字。",
)
_NO_SCHEME: Final = Text("{uri!r}: there is no EPC scheme {scheme!r}.", "{uri!r}：没有名为 {scheme!r} 的 EPC 方案。")
_LENGTH: Final = Text("{uri!r}: the key {key} has {digits} digits.", "{uri!r}：标识键 {key} 应为 {digits} 位数字。")
_CHECK: Final = Text("{uri!r}: the check digit should be {digit}.", "{uri!r}：校验位应为 {digit}。")
_NO_OURS: Final = Text(
    "{uri!r} is none of our names. Forms: urn:mainspring:lot:ITEM:LOT, :unit:ITEM:SERIAL, :item:ITEM, :asset:ASSET, "
    ":order:ORDER, :operation:ORDER:OPERATION, :energy:CARRIER.",
    "{uri!r} 不是本平台的名称，格式为 urn:mainspring:lot:物料:批次、:unit:物料:序列号、:item:物料、:asset:资产、"
    ":order:订单、:operation:订单:工序、:energy:能源。",
)


def check_uri(uri: str) -> str:
    """Return an identifier if its form is right, as far as its scheme is known; raises what pydantic takes."""
    if not is_uri(uri):
        raise fault(_NO_URI.format(uri=uri[:100]))
    if uri.startswith("urn:epc:"):
        _check_epc(uri)
    elif uri.startswith(OURS):
        _check_ours(uri)
    elif uri.startswith("http"):
        _check_link(uri)
    return uri


def check_digit(digits: str) -> str:
    """Return the check digit of a GS1 key without it: weights 3 and 1 from the right."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _check_epc(uri: str) -> None:
    found = _EPC.fullmatch(uri)
    if found is None:
        raise fault(_NO_URI.format(uri=uri[:100]))
    form, scheme, rest = found.groups()
    parts, digits = _PIECES.get(scheme), _DIGITS.get(scheme)
    if parts is None:
        raise fault(_NO_SCHEME.format(uri=uri[:100], scheme=scheme[:20]))
    pieces = rest.split(".", parts - 1)
    good = len(pieces) == parts and pieces[0].isdecimal() and all(_PIECE.fullmatch(piece) for piece in pieces)
    pattern = form == "idpat"
    # A pattern may leave the end open; 6 to 12 digits are the company's.
    if good and digits is not None and not (pattern and pieces[1] == "*"):
        good = 6 <= len(pieces[0]) <= 12 and pieces[1].isdecimal() and len(pieces[0] + pieces[1]) == digits
    if not good or ("*" in rest) > pattern:
        raise fault(_NO_EPC.format(uri=uri[:100], scheme=scheme, parts=parts, digits=digits or "-"))


def _check_link(uri: str) -> None:
    found = _LINK.match(uri.partition("?")[0])
    if found is None or found[1] not in _CHECKED:
        return
    key, digits = found[2].partition("/")[0], _CHECKED[found[1]]
    if not key.isdecimal() or len(key) != digits:
        raise fault(_LENGTH.format(uri=uri[:100], key=found[1], digits=digits))
    if check_digit(key[:-1]) != key[-1]:
        raise fault(_CHECK.format(uri=uri[:100], digit=check_digit(key[:-1])))


def _check_ours(uri: str) -> None:
    if uri.startswith(tuple(OURS + word for word in _VOCABULARY)):
        return
    for beginning, parts in _PARTS.items():
        if uri.startswith(beginning):
            pieces = uri.removeprefix(beginning).split(":")
            if len(pieces) == parts and all(pieces):
                return
    raise fault(_NO_OURS.format(uri=uri[:100]))


def _written(beginning: str, *pieces: str) -> str:
    return beginning + ":".join(quote(piece, safe="/-._~") for piece in pieces)


def item_uri(number: str) -> str:
    """Return the name of an item: units of it that are told apart by nothing."""
    return _written(_ITEM, number)


def lot_uri(number: str, lot: str) -> str:
    """Return the name of a lot of an item."""
    return _written(_LOT, number, lot)


def unit_uri(number: str, serial: str) -> str:
    """Return the name of one unit of an item, by its serial number."""
    return _written(_UNIT, number, serial)


def asset_uri(asset: str) -> str:
    """Return the name of an asset: its id, or its path if nobody will rename it."""
    return _written(ASSET, asset)


def order_uri(order: str) -> str:
    """Return the name of an order."""
    return _written(ORDER, order)


def operation_uri(order: str, operation: str) -> str:
    """Return the name of an operation of an order."""
    return _written(OPERATION, order, operation)


def energy_uri(carrier: str) -> str:
    """Return the name of an energy carrier, which is consumed but never in stock."""
    return _written(ENERGY, carrier)


def own_parts(uri: str) -> list[str]:
    """Return what one of our names is made of, for example item and lot."""
    for beginning in _PARTS:
        if uri.startswith(beginning):
            return [unquote(piece) for piece in uri.removeprefix(beginning).split(":")]
    return []


class Piece(NamedTuple):
    """What a name says of an item, by our number for it or by its GTIN, and of its lot or serial number."""

    number: str
    gtin: str
    lot: str


def piece_of(uri: str) -> Piece | None:
    """Return what a name says of an item and its lot or serial number; None if it says nothing of an item."""
    if uri.startswith((_ITEM, _LOT, _UNIT, ENERGY)):
        number, *lot = own_parts(uri)
        return Piece(number, "", "".join(lot))
    found = _EPC.fullmatch(uri)
    if found is not None and found[2] in {"sgtin", "lgtin"}:
        company, reference, lot_or_serial = (*found[3].split(".", 2), "", "")[:3]
        # A pattern may leave the reference open, and names that are only asked for may be of any form.
        if not (lot_or_serial and all(part.isascii() and part.isdecimal() for part in (company, reference))):
            return None
        key = reference[0] + company + reference[1:]
        return Piece("", key + check_digit(key), "" if lot_or_serial == "*" else unquote(lot_or_serial))
    link = _LINK.match(uri.partition("?")[0])
    if link is None or link[1] != "01":
        return None
    key, *rest = link[2].split("/")
    marked = dict(zip(rest[::2], rest[1::2], strict=False))
    return Piece("", key, unquote(marked.get("21") or marked.get("10") or ""))


class Thing(NamedTuple):
    """What a name in an event stands for."""

    item: str
    """The name without lot and serial number."""
    traced: bool
    """It is a lot or a unit, so that where it comes from can be told."""
    single: bool
    """It is one unit, of which there is never more than one."""


def thing_of(uri: str) -> Thing:
    """Tell what a name stands for; names of unknown form are units of their own."""
    if uri.startswith(OURS):
        item = _ITEM + uri.split(":")[3] if uri.startswith((_LOT, _UNIT)) else uri
        return Thing(item, item is not uri, uri.startswith(_UNIT))
    found = _EPC.fullmatch(uri)
    if found is not None:
        form, scheme, rest = found.groups()
        pieces = rest.split(".")
        if scheme in {"sgtin", "lgtin"} and len(pieces) >= 3:
            return Thing(f"urn:epc:idpat:sgtin:{pieces[0]}.{pieces[1]}.*", form != "idpat", form == "id")
        return Thing(uri, form != "idpat", form == "id")
    link = _LINK.match(uri)
    if link is not None and link[1] == "01":
        key, _, rest = link[2].partition("/")
        item = uri[: link.start(2)] + key
        return Thing(item, bool(rest), "21/" in f"/{rest}")
    return Thing(uri, True, False)
