"""Many tags at once: checked row by row, stored in few statements, with assets and limits that come along."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.core.units import code_of, near_units, spelling
from mainspring.records import changes, outbox
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.counter import ORDINALS, take
from mainspring.records.draft import check, merged
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Fault, Outcome
from mainspring.records.inserts import insert
from mainspring.records.plant import suppression
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.asset import PATH_LENGTH_MAX, Asset
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.driver_forms import check_address
from mainspring.records.plant.tag import Tag, TagDraft
from mainspring.records.plant.tag_assets import asset_at
from mainspring.records.plant.tag_limits import check_limits, written_limits
from mainspring.records.tenant import now_ms

log = structlog.get_logger(__name__)

ROWS_MAX: Final = 10_000
_SHOWN: Final = frozenset({"id", "tag", "path", "unit_sign", "version", "alarms"})
"""What the API shows of a tag and an import leaves alone."""
BATCH: Final = 500
_NO_ASSET: Final = Text("There is no asset {found}.", "没有资产 {found}。")
_NO_CONNECTION: Final = Text("There is no connection {found}.", "没有连接 {found}。")
_NO_TAG: Final = Text("There is no tag {found}.", "没有测点 {found}。")
_NO_UNIT: Final = Text("{found} is not a known unit. Nearest: {nearest}.", "单位 {found} 未知，最接近的是 {nearest}。")
_TWICE: Final = Text("Row {row} has the same tag {path}.", "第 {row} 行是相同的测点 {path}。")
_TAKEN: Final = Text("There is already a tag {path}.", "已有测点 {path}。")
_USUAL_UNITS: Final = ("°C", "bar", "%")
CAUSES: Final[dict[Text, Text]] = {
    _NO_ASSET: Text("There is no such asset", "没有该资产"),
    _NO_CONNECTION: Text("There is no such connection", "没有该连接"),
    _NO_TAG: Text("There is no such tag", "没有该测点"),
    _NO_UNIT: Text("The unit is unknown", "单位未知"),
    _TWICE: Text("The same tag twice in the file", "文件中有重复测点"),
    _TAKEN: Text("The tag exists already", "测点已存在"),
}
"""What faults that name something have in common, for counting them by cause."""


@dataclass(slots=True)
class _Planned:
    """One row that is right: its tag (None: new, in a dry run), the document it changes and its limits."""

    tag: Tag | None
    before: dict[str, Any] | None
    limits: dict[str, float]


class _RowFault(Exception):
    """A fault that names something, with its cause and what was probably meant."""

    def __init__(self, field: str, form: Text, suggestion: str = "", **found: Any) -> None:
        self.field, self.text, self.cause, self.suggestion = field, form.format(**found), CAUSES[form], suggestion
        super().__init__(self.text.en)

    def at(self, place: int) -> Fault:
        """Return the fault of the row at this place."""
        return Fault(place, self.field, self.text, self.cause, self.suggestion)


class _RowFaults(Exception):
    """Several faults of one row."""

    def __init__(self, faults: list[_RowFault]) -> None:
        self.faults = faults
        super().__init__(", ".join(fault.field for fault in faults))


def import_tags(author: Author, rows: list[dict[str, Any]], *, dry_run: bool = False) -> Outcome:
    """Create or change the tags of all rows that are right, and say for each other row what is wrong.

    A row is a tag as the API shows it; it names its asset by id or path, its connection by id or name, and an existing
    tag by id or by asset and name. `create_assets` makes assets of its path that are missing, `limits` are alarm limits
    by condition.
    """
    return Importer(author, dry_run=dry_run).take(rows, range(1, len(rows) + 1))


class Importer:
    """Takes rows in pieces, each stored by itself, and remembers the rows before for tags named twice."""

    def __init__(
        self, author: Author, *, dry_run: bool = False, before_commit: Callable[[Outcome], None] = lambda _outcome: None
    ) -> None:
        self.author = author
        self.dry_run = dry_run
        self.writes = not dry_run
        self._before_commit = before_commit
        self._row_of_path: dict[str, int] = {}
        self._assets: dict[str, Asset] = {}
        self._planned_assets: list[Asset] = []
        self._connections = {
            key: c for c in Connection.objects.of(author.tenant) for key in (str(c.id), c.name)
        }  # fmt: skip
        self._tags: dict[str, Tag] = {}
        self._blank = Tag(tenant=author.tenant)

    def take(self, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> Outcome:
        """Check rows and, unless this is a dry run, store the right ones in one transaction.

        `numbers` are the rows' numbers as people see them. `before_commit` is told what was made and changed before
        it is stored for good.
        """
        planned, refused = self._planned(rows, numbers)
        if self.dry_run:
            return self._summed_up(planned, refused)
        # Rows were read and checked without a lock, so that others write meanwhile.
        try:
            with transaction.atomic():
                if self._still_true(planned):
                    return self._stored(planned, refused)
        except IntegrityError as error:
            log.info("import.read_again", reason=str(error))
        self._assets, self._planned_assets = {}, []
        taken = set(numbers)
        self._row_of_path = {path: row for path, row in self._row_of_path.items() if row not in taken}
        with transaction.atomic():
            return self._stored(*self._planned(rows, numbers))

    def _planned(self, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> tuple[list[_Planned], list[Fault]]:
        self._read(rows)
        planned: list[_Planned] = []
        refused: list[Fault] = []
        for place, (row, number) in enumerate(zip(rows, numbers, strict=True)):
            try:
                planned.append(self._plan(row, number))
            except Invalid as error:
                refused += [Fault(place, path, text, text) for path, text in error.fields.items()]
            except _RowFault as error:
                refused.append(error.at(place))
            except _RowFaults as error:
                refused += [fault.at(place) for fault in error.faults]
        return planned, refused

    def _still_true(self, planned: list[_Planned]) -> bool:
        """Tell whether the records are as they were when rows were read; for new names the database itself does."""
        tags = [each.tag for each in planned if each.tag is not None]
        assets = {tag.asset.id: tag.asset.path for tag in tags if not tag.asset._state.adding}
        versions = {tag.id: tag.version for tag in tags if not tag._state.adding}
        of = self.author.tenant
        return {
            asset.id: asset.path for asset in among(Asset.objects.of(of).only("path"), "pk", assets)
        } == assets and {
            tag.id: tag.version for tag in among(Tag.objects.of(of).only("version"), "pk", versions)
        } == versions

    def _summed_up(self, planned: list[_Planned], refused: list[Fault]) -> Outcome:
        outcome = Outcome(refused=refused)
        known = [(each.tag, each.limits) for each in planned if each.tag is not None and each.before is not None]
        limited = written_limits(self.author, known, dry_run=True)
        for each in planned:
            if each.tag is None or each.before is None:
                outcome.created += 1
            elif each.tag.document() != each.before or each.tag.id in limited:
                outcome.updated += 1
            else:
                outcome.unchanged += 1
        return outcome

    def _read(self, rows: Sequence[dict[str, Any]]) -> None:
        """Read what the rows refer to, once for all of them."""
        tenant = self.author.tenant
        named = {str(row["asset"]) for row in rows if row.get("asset")} - self._assets.keys()
        ids = {uuid for name in named if (uuid := uuid_of(name)) is not None}
        assets = Asset.objects.of(tenant).select_related("parent")
        for asset in [*among(assets, "pk", ids), *among(assets, "path", named)]:
            self._assets[str(asset.id)] = self._assets[asset.path] = asset
        paths = {
            f"{asset.path}/{row.get('name')}" for row in rows if (asset := self._assets.get(str(row.get("asset"))))
        }
        tag_ids = {uuid for row in rows if (uuid := uuid_of(str(row.get("id", "")))) is not None}
        found = Tag.objects.of(tenant).select_related("asset")
        tags = [*among(found, "pk", tag_ids), *among(found, "path", paths)]
        once = {tag.id: tag for tag in tags}
        self._tags = {key: tag for tag in once.values() for key in (str(tag.id), tag.path)}

    def _plan(self, row: dict[str, Any], number: int) -> _Planned:
        """Read one row into a new or a known tag."""
        given = {name: value for name, value in row.items() if name not in _SHOWN}
        limits = given.pop("limits", None) or {}
        asset = self._named(given, create=bool(given.pop("create_assets", False)))
        tag = self._tag(row, asset, given)
        before = tag.document() if tag else None
        draft = merged(TagDraft, before, given) if before else check(TagDraft, given)
        if draft.connection is not None:
            draft.address = check_address(self._connection(str(draft.connection)).driver, draft.address)
        if asset is None:
            assert tag is not None  # a draft without asset was refused
            asset = tag.asset
        path = f"{asset.path}/{draft.name}"
        if path in self._row_of_path:
            raise _RowFault("name", _TWICE, row=self._row_of_path[path], path=path)
        if path in self._tags and self._tags[path] is not tag:
            raise _RowFault("name", _TAKEN, path=path)
        checked = check_limits(limits, draft.kind)
        self._row_of_path[path] = number
        if tag is None and self.dry_run:
            return _Planned(None, None, checked)
        target = tag or self._fresh()
        target.take_draft(draft, asset)
        return _Planned(target, before, checked)

    def _named(self, given: dict[str, Any], *, create: bool) -> Asset | None:
        """Put in what a row names, and return its asset; raises all that is not known together."""
        asset: Asset | None = None
        faults: list[_RowFault] = []
        try:
            asset = self._asset(given, create=create)
        except _RowFault as fault:
            faults.append(fault)
        try:
            if given.get("connection"):
                given["connection"] = self._connection(str(given["connection"])).id
        except _RowFault as fault:
            faults.append(fault)
        try:
            if "unit" in given:
                given["unit"] = _unit(str(given["unit"]).strip())
        except _RowFault as fault:
            faults.append(fault)
        if faults:
            raise _RowFaults(faults)
        return asset

    def _fresh(self) -> Tag:
        # A copy takes a third of the time Django spends on finding out what a new row is like.
        tag = copy(self._blank)
        tag.id = uuid7()
        tag.created_ms = tag.changed_ms = now_ms()
        return tag

    def _asset(self, given: dict[str, Any], *, create: bool) -> Asset | None:
        if "asset" not in given:
            return None
        named = str(given["asset"])
        asset = self._assets.get(named)
        if asset is None and create and len(named) <= PATH_LENGTH_MAX:
            asset = asset_at(self.author.tenant, named, self._assets, self._planned_assets)
        if asset is None:
            near = difflib.get_close_matches(named, [path for path in self._assets if "/" in path], 1)
            raise _RowFault("asset", _NO_ASSET, near[0] if near else "", found=named)
        given["asset"] = asset.id
        return asset

    def _connection(self, name: str) -> Connection:
        connection = self._connections.get(name)
        if connection is None:
            near = difflib.get_close_matches(name, self._connections, 1)
            raise _RowFault("connection", _NO_CONNECTION, near[0] if near else "", found=name)
        return connection

    def _tag(self, row: dict[str, Any], asset: Asset | None, given: dict[str, Any]) -> Tag | None:
        if row.get("id"):
            tag = self._tags.get(str(row["id"]))
            if tag is None:
                raise _RowFault("id", _NO_TAG, found=row["id"])
            return tag
        return self._tags.get(f"{asset.path}/{given.get('name')}") if asset else None

    def _stored(self, planned: list[_Planned], refused: list[Fault]) -> Outcome:
        outcome = self._summed_up(planned, refused)
        tags = [(each.tag, each.before, each.limits) for each in planned if each.tag is not None]
        self._store_assets([tag for tag, _, _ in tags])
        fresh = [tag for tag, before, _ in tags if before is None]
        changed = [(tag, before) for tag, before, _ in tags if before is not None and tag.document() != before]
        _store(self.author, fresh, changed)
        limited = written_limits(self.author, [(tag, limits) for tag, _, limits in tags])
        outcome.made = [tag.id for tag in fresh]
        outcome.before = [(before, tag.version) for tag, before in changed]
        touched = [*fresh, *(tag for tag, _ in changed)]
        outbox.mark_tags(self.author.tenant.key, [tag.ordinal for tag in touched])
        outbox.mark_alarms(self.author.tenant.key, limited.values())
        suppression.mark_moved(self.author.tenant, [tag.ordinal for tag, _ in changed])
        self._before_commit(outcome)
        return outcome

    def _store_assets(self, tags: Sequence[Tag]) -> None:
        """Store the assets that rows made, those of refused rows apart."""
        used: set[UUID] = set()
        for tag in tags:
            asset: Asset | None = tag.asset
            while asset is not None and asset.id not in used:
                used.add(asset.id)
                asset = asset.parent
        waiting = []
        for asset in self._planned_assets:
            if asset.id in used:
                changes.create(self.author, asset)
            else:
                waiting.append(asset)
        self._planned_assets = waiting


def _unit(written: str) -> str:
    code = code_of(written) if written else "1"
    if code is None:
        near = [spelling(each) for each in near_units(written)]
        nearest = ", ".join(near or _USUAL_UNITS)
        raise _RowFault("unit", _NO_UNIT, next(iter(near), ""), found=written, nearest=nearest)
    return code


def among(rows: Any, column: str, wanted: Iterable[Any]) -> list[Any]:
    """Return the rows of a query whose column holds one of the wanted values, asked for in parts."""
    listed = list(wanted)
    parts = [listed[start : start + BATCH] for start in range(0, len(listed), BATCH)]
    return [row for part in parts for row in rows.filter(**{f"{column}__in": part})]


def _store(author: Author, fresh: list[Tag], changed: list[tuple[Tag, dict[str, Any]]]) -> None:
    deeds: list[Deed] = []
    if fresh:
        first = take(ORDINALS, len(fresh))
        for ordinal, tag in enumerate(fresh, first):
            tag.ordinal = ordinal
        insert(fresh)
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
    if deeds:
        append(author, deeds)


def uuid_of(text: str) -> UUID | None:
    """Return the id a text is, None if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def undo(author: Author, made: Sequence[str], before: Sequence[tuple[dict[str, Any], int]]) -> tuple[int, int]:
    """Take an import back where nobody changed its tags since; returns how many were taken back and how many stay."""
    with transaction.atomic():
        there = among(Tag.objects.of(author.tenant), "pk", made)
        tags = {str(tag.id): tag for tag in there if tag.version == 1}
        alarms = among(AlarmDefinition.objects.of(author.tenant), "tag_id", list(tags))
        stays = {str(alarm.tag_id) for alarm in alarms if alarm.version > 1}
        gone = [tag for id, tag in tags.items() if id not in stays]
        deeds = [changes.deed(Action.DELETE, tag, tag.document(), {}) for tag in gone]
        ids = [tag.id for tag in gone]
        for part in (ids[start : start + BATCH] for start in range(0, len(ids), BATCH)):
            AlarmDefinition.objects.of(author.tenant).filter(tag__in=part).delete()
            Tag.objects.of(author.tenant).filter(pk__in=part).delete()
        back = _restored(author, before)
        append(author, deeds)
        touched = [tag.ordinal for tag in (*gone, *back)]
        outbox.mark_tags(author.tenant.key, touched)
        outbox.mark_alarms(author.tenant.key, touched)
    return len(gone) + len(back), len(there) - len(gone) + len(before) - len(back)


def _restored(author: Author, before: Sequence[tuple[dict[str, Any], int]]) -> list[Tag]:
    """Give tags back what they were, unless they changed again."""
    versions = {str(document["id"]): version for document, version in before}
    known = {
        str(tag.id): tag
        for tag in among(Tag.objects.of(author.tenant).select_related("asset"), "pk", versions)
        if tag.version == versions[str(tag.id)]
    }
    assets = {
        str(asset.id): asset for asset in among(Asset.objects.of(author.tenant), "pk", {d["asset"] for d, _ in before})
    }
    changed = []
    for document, _ in before:
        tag, asset = known.get(str(document["id"])), assets.get(str(document["asset"]))
        if tag is None or asset is None:
            continue
        now = tag.document()
        tag.take_draft(merged(TagDraft, document, {}), asset)
        changed.append((tag, now))
    _store(author, [], changed)
    return [tag for tag, _ in changed]
