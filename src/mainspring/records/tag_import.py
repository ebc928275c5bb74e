"""Ten thousand tags at once: checked row by row, stored in few statements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.asset import Asset
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.connection import Connection
from mainspring.records.counter import ORDINALS, take
from mainspring.records.draft import check, merged
from mainspring.records.driver_forms import check_address
from mainspring.records.faults import Invalid
from mainspring.records.tag import Tag, TagDraft
from mainspring.records.tenant import Tenant, now_ms

ROWS_MAX: Final = 10_000
_SHOWN: Final = frozenset({"id", "tag", "path", "unit_sign", "version", "alarms"})
"""What the API shows of a tag and an import leaves alone."""
BATCH: Final = 500
_NO_ASSET: Final = Text("There is no asset {found}.", "没有资产 {found}。")
_NO_CONNECTION: Final = Text("There is no connection {found}.", "没有连接 {found}。")
_NO_TAG: Final = Text("There is no tag {found}.", "没有测点 {found}。")
_TWICE: Final = Text("Row {row} has the same tag {path}.", "第 {row} 行是相同的测点 {path}。")
_TAKEN: Final = Text("There is already a tag {path}.", "已有测点 {path}。")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of one row, counted from 0."""

    row: int
    field: str
    text: Text


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do."""

    created: int = 0
    updated: int = 0
    refused: list[Fault] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """What rows refer to, read once for all of them."""

    tenant: Tenant
    assets: dict[str, Asset]
    connections: dict[str, Connection]
    tags: dict[str, Tag]
    rows_by_path: dict[str, int] = field(default_factory=dict)


def import_tags(author: Author, rows: list[dict[str, Any]], *, dry_run: bool = False) -> Outcome:
    """Create or change the tags of all rows that are right, and say for each other row what is wrong.

    A row is a tag as the API shows it; it names its asset by id or path, its connection by id or name, and an existing
    tag by id or by asset and name.
    """
    outcome = Outcome()
    with transaction.atomic():
        known = _read(author.tenant, rows)
        fresh: list[Tag] = []
        changed: list[tuple[Tag, dict[str, Any]]] = []
        for number, row in enumerate(rows):
            try:
                tag, before = _apply(known, number, row)
            except Invalid as error:
                outcome.refused += [Fault(number, path, text) for path, text in error.fields.items()]
                continue
            if before is None:
                fresh.append(tag)
            else:
                changed.append((tag, before))
        outcome.created, outcome.updated = len(fresh), len(changed)
        if not dry_run:
            _store(author, fresh, changed)
    return outcome


def _read(tenant: Tenant, rows: list[dict[str, Any]]) -> _Known:
    named = {str(row.get("asset", "")) for row in rows}
    ids = {uuid for name in named if (uuid := _uuid(name)) is not None}
    assets = Asset.objects.of(tenant)
    found = [*_among(assets, "pk", ids), *_among(assets, "path", named)]
    by_name = {key: asset for asset in found for key in (str(asset.id), asset.path)}
    connections = {key: c for c in Connection.objects.of(tenant) for key in (str(c.id), c.name)}
    paths = {f"{by_name[asset].path}/{row.get('name')}" for row in rows if (asset := str(row.get("asset"))) in by_name}
    tag_ids = {uuid for row in rows if (uuid := _uuid(str(row.get("id", "")))) is not None}
    rows_of_tags = Tag.objects.of(tenant).select_related("asset")
    tags = [*_among(rows_of_tags, "pk", tag_ids), *_among(rows_of_tags, "path", paths)]
    once = {tag.id: tag for tag in tags}
    return _Known(tenant, by_name, connections, {key: t for t in once.values() for key in (str(t.id), t.path)})


def _among(rows: Any, column: str, wanted: Iterable[Any]) -> list[Any]:
    listed = list(wanted)
    parts = [listed[start : start + BATCH] for start in range(0, len(listed), BATCH)]
    return [row for part in parts for row in rows.filter(**{f"{column}__in": part})]


def _apply(known: _Known, number: int, row: dict[str, Any]) -> tuple[Tag, dict[str, Any] | None]:
    """Read one row into a new or a known tag; returns the tag and its document before, None for a new one."""
    given = {name: value for name, value in row.items() if name not in _SHOWN}
    asset = _asset(known, given)
    if given.get("connection"):
        given["connection"] = _connection(known, str(given["connection"])).id
    tag = _tag(known, row, asset, given)
    before = tag.document() if tag else None
    draft = merged(TagDraft, before, given) if before else check(TagDraft, given)
    if draft.connection is not None:
        connection = _connection(known, str(draft.connection))
        draft.address = check_address(connection.driver, draft.address)
    if tag is None or tag.asset_id != draft.asset:
        asset = known.assets[str(draft.asset)]
    elif asset is None:
        asset = tag.asset
    assert asset is not None  # a draft without asset was refused
    path = f"{asset.path}/{draft.name}"
    if path in known.rows_by_path:
        raise Invalid({"name": _TWICE.format(row=known.rows_by_path[path], path=path)})
    if path in known.tags and known.tags[path] is not tag:
        raise Invalid({"name": _TAKEN.format(path=path)})
    known.rows_by_path[path] = number
    target = tag or Tag(tenant=known.tenant)
    target.take_draft(draft, asset)
    return target, before


def _asset(known: _Known, given: dict[str, Any]) -> Asset | None:
    if "asset" not in given:
        return None
    asset = known.assets.get(str(given["asset"]))
    if asset is None:
        raise Invalid({"asset": _NO_ASSET.format(found=given["asset"])})
    given["asset"] = asset.id
    return asset


def _connection(known: _Known, name: str) -> Connection:
    connection = known.connections.get(name)
    if connection is None:
        raise Invalid({"connection": _NO_CONNECTION.format(found=name)})
    return connection


def _tag(known: _Known, row: dict[str, Any], asset: Asset | None, given: dict[str, Any]) -> Tag | None:
    if row.get("id"):
        tag = known.tags.get(str(row["id"]))
        if tag is None:
            raise Invalid({"id": _NO_TAG.format(found=row["id"])})
        return tag
    return known.tags.get(f"{asset.path}/{given.get('name')}") if asset else None


def _store(author: Author, fresh: list[Tag], changed: list[tuple[Tag, dict[str, Any]]]) -> None:
    deeds: list[Deed] = []
    if fresh:
        first = take(ORDINALS, len(fresh))
        for ordinal, tag in enumerate(fresh, first):
            tag.ordinal = ordinal
        Tag.objects.bulk_create(fresh, batch_size=BATCH)
        deeds += [changes.deed(Action.CREATE, tag, {}, tag.document()) for tag in fresh]
    for tag, before in changed:
        tag.version += 1
        tag.changed_ms = now_ms()
        deeds.append(changes.deed(Action.CHANGE, tag, before, tag.document()))
    # As an insert that meets itself: an update of many rows at once is a thousand times as much SQL.
    written = [column.name for column in Tag._meta.concrete_fields if column.name not in {"id", "tenant", "ordinal"}]
    Tag.objects.bulk_create(
        [tag for tag, _ in changed], BATCH, update_conflicts=True, unique_fields=["id"], update_fields=written
    )
    append(author, deeds)
    outbox.mark_tags(author.tenant.key, [tag.ordinal for tag in (*fresh, *(tag for tag, _ in changed))])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
