"""Puts business records into the demo plant, once: a bicycle maker's tables, and what this plant keeps itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction

from mainspring.demo import business_events, business_rows
from mainspring.demo.business_rows import Clock, Rows
from mainspring.records import daily_count
from mainspring.records.audit import Author
from mainspring.records.business.document import Document, attach
from mainspring.records.daily_count import DailyCount
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.keys import ids_of
from mainspring.records.defined.kinds import columns, find_kind, meaning, told
from mainspring.records.defined.taking import BATCH, Taking
from mainspring.records.events.capture import capture
from mainspring.records.events.documents import read_document
from mainspring.records.rights import Role

log = structlog.get_logger(__name__)

TABLES: Final = Path(__file__).with_name("tables") / "adventureworks.json.gz"
COUNTED: Final = {"part": "demo", "what": "records"}
"""The counter that tells that the records were made: it stays when people remove them."""
DAY_MS: Final = 86_400_000


def fill(author: Author, folder: Path) -> int:
    """Make the records unless they were made before or the company keeps some of its own; return how many.

    `folder` holds files. All come in one transaction: a start that is cut off leaves none.
    """
    tenant = author.tenant
    if DailyCount.objects.of(tenant).filter(**COUNTED).exists():
        return 0
    access, now = Access(author, Role.ADMINISTRATOR.rights), datetime.now(ZoneInfo(tenant.zone))
    made = 0
    with transaction.atomic():
        rows = list(rows_at(now))
        if not any(find_kind(kind).objects.of(tenant).exists() for kind, _ in rows):
            made = sum(_take(access, kind, each) for kind, each in rows)
            _publish(access, folder)
            capture(author, read_document(business_events.events(_clock(now))))
        daily_count.count(tenant, times=made, **COUNTED)
    return made


def rows_at(now: datetime) -> Iterator[tuple[str, Rows]]:
    """Yield the records as they are at a time, by kind, each after what it links to."""
    clock = _clock(now)
    yield from _bicycles(clock)
    yield from business_rows.rows(clock)


def _take(access: Access, name: str, rows: Rows) -> int:
    """Store rows as an import does; what leads to something that is not there any more is left out."""
    kind = find_kind(name)
    taking = Taking(access, kind, dry_run=False, before_commit=lambda _outcome: None, open_wholes=_Every())
    named = [field for field in columns(kind) if told(kind, field).control == "any"]
    made = 0
    for start in range(0, len(rows), BATCH):
        part = [
            {name: value for name, value in row.items() if value is not None} for row in rows[start : start + BATCH]
        ]
        for field in named:
            _mean(access, part, field)
        outcome = taking.take(part, range(start + 1, start + 1 + len(part)))
        made += outcome.created
        if outcome.refused:
            log.warning("demo.records_left_out", kind=name, rows=len(outcome.refused), first=outcome.refused[0].text.en)
    return made


class _Every:
    """All wholes: parts come with them, whatever state those are in."""

    def __contains__(self, _whole: object) -> bool:
        return True


def _mean(access: Access, rows: Iterable[dict[str, Any]], field: str) -> None:
    """Put ids where rows name what they are about as `item:HU-8998/A`."""
    wanted: dict[str, set[str]] = {}
    for row in rows:
        kind, _, name = row.get(field, "").partition(":")
        wanted.setdefault(kind, set()).add(name)
    found: dict[str, UUID] = {}
    for kind in wanted.keys() - {""}:
        target = meaning(kind)
        assert target is not None, f"{kind} is no kind"
        found |= {f"{kind}:{name}": id for name, id in ids_of(access, target, wanted[kind]).items()}
    for row in rows:
        if row.get(field) in found:
            row[field] = f"{row[field].partition(':')[0]}:{found[row[field]]}"


def _bicycles(clock: Clock) -> Iterator[tuple[str, Rows]]:
    """Yield the bicycle maker's records, moved by whole days so that the last order is of yesterday."""
    with gzip.open(TABLES, "rt", encoding="utf-8") as packed:
        tables: dict[str, Rows] = json.load(packed)
    last_ms = max(row["ordered_ms"] for row in tables["order"])
    later_ms = (clock.at(0, "00:00") - last_ms) // DAY_MS * DAY_MS
    for name, rows in tables.items():
        moments = [field for field in columns(find_kind(name)) if told(find_kind(name), field).control == "moment"]
        for row in rows:
            for field in moments:
                if row.get(field):
                    row[field] += later_ms
        yield name, rows


def _publish(access: Access, folder: Path) -> None:
    """Give the one document its content, and release it."""
    number, file_name, content = business_rows.PAPER
    document = Document.objects.of(access.author.tenant).filter(number=number).first()
    if document is not None:
        attach(access, folder, document.pk, None, file_name, [content.encode()])
        writing.move(access, Document, document.pk, "release", None)


def _clock(now: datetime) -> Clock:
    def day(days: int) -> date:
        return now.date() + timedelta(days=days)

    def at(days: int, clock: str) -> int:
        return int(datetime.combine(day(days), time.fromisoformat(clock), now.tzinfo).timestamp() * 1000)

    return Clock(day, at, now)
