"""Trends, raw samples, aggregates, time in state, and exports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from nats.errors import Error as NatsError
from ninja import Router
from pydantic import BaseModel, Field

from mainspring.core import subjects
from mainspring.core.errors import LimitExceeded, MainspringError, NotFound
from mainspring.core.history import AggregateQuery, Ordinal, Query, RawQuery, StateQuery, TrendQuery
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS
from mainspring.records.audit import Action, Deed, append
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.columns import numbers
from mainspring.web.exports import Export, ExportTag, Write, as_csv, as_parquet, exporter
from mainspring.web.live import JSON_INTEGER_MAX, dumps, exact
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["history"])

ARROW: Final = "application/vnd.apache.arrow.stream"
TIMEOUT_S: Final = 60.0
EXTENT_AGE_S: Final = 30.0
EXTENT_WAIT_S: Final = 0.1
"""A trend does not wait longer for what it tells beside."""
TREND_TAGS_MAX: Final = 32
BUCKETS_MAX: Final = 4000
TREND_COLUMNS: Final = ("time", "first", "min", "max", "last", "mean", "good", "bad", "held", "marks")
JSON_ROWS_MAX: Final = 200_000
_NO_TAGS: Final = Text(
    "There are no tags {missing} here. They may have been deleted; choose them again.",
    "此处没有测点 {missing}，可能已被删除，请重新选择。",
)
_TOO_LONG: Final = Text(
    "The answer has more than {limit} rows, too many for JSON. Ask for a shorter range, or for {form}.",
    "结果超过 {limit} 行，不适合 JSON。请缩短时间范围，或请求 {form}。",
)


class TrendDraft(TrendQuery):
    """A trend as one picture shows it."""

    tags: tuple[Ordinal, ...] = Field(min_length=1, max_length=TREND_TAGS_MAX)
    buckets: int = Field(default=1000, ge=1, le=BUCKETS_MAX)


class ExportDraft(Query):
    """What to export; aggregates need a step."""

    format: Literal["csv", "parquet"] = "csv"
    mode: Literal["raw", "aggregate"] = "raw"
    step_ms: int = Field(default=60_000, ge=100)
    language: Literal["en", "zh"] = "en"


async def _ask(tenant: str, verb: str, query: BaseModel) -> bytes:
    return await runtime.require_bus().ask(
        subjects.history(tenant, verb), query.model_dump_json().encode(), timeout_s=TIMEOUT_S
    )


Extent = dict[str, Any]
_extents: dict[str, tuple[float, Extent]] = {}
_asked_extents: dict[str, asyncio.Task[Extent]] = {}


def forget() -> None:
    """Forget what was asked before."""
    _extents.clear()
    _asked_extents.clear()


async def extent(tenant: str, wait_s: float) -> Extent | None:
    """Return how much history a tenant has, as it was at most half a minute ago; None if it is not told in time.

    Counting a large history takes a while: it is done once for all who ask, and goes on when they no longer wait.
    """
    told_at, known = _extents.get(tenant, (0.0, None))
    if known is not None and time.monotonic() - told_at < EXTENT_AGE_S:
        return known
    if tenant not in _asked_extents:
        _asked_extents[tenant] = asyncio.create_task(_asked_extent(tenant))
        _asked_extents[tenant].add_done_callback(lambda _task: _asked_extents.pop(tenant, None))
    try:
        return await asyncio.wait_for(asyncio.shield(_asked_extents[tenant]), wait_s)
    except (MainspringError, NatsError, TimeoutError):
        return None


async def _asked_extent(tenant: str) -> Extent:
    answer = await runtime.require_bus().ask(subjects.history(tenant, "extent"), b"{}", timeout_s=TIMEOUT_S)
    found: Extent = pa.ipc.open_stream(answer).read_all().to_pylist()[0]
    _extents[tenant] = (time.monotonic(), found)
    return found


@router.post("/history/trend", auth=Needs(Right.VIEW, somewhere=True))
async def trend(request: HttpRequest, query: TrendDraft) -> HttpResponse:
    """Return at most `buckets` buckets for each tag, for drawing; absent buckets are gaps.

    `source` tells what they were made of at the coarsest: `raw` samples, or rows of a `minute` or an `hour`.
    """
    actor = actor_of(request)
    began = time.perf_counter()
    await require_tags(actor, Right.VIEW, query.tags)
    answer, known = await asyncio.gather(
        _ask(actor.tenant.key, "trend", query), extent(actor.tenant.key, EXTENT_WAIT_S)
    )
    table = pa.ipc.open_stream(answer).read_all()
    metadata = table.schema.metadata or {}
    document = {
        "bucket_ms": int(metadata.get(b"bucket_ms", b"0")),
        "source": metadata.get(b"source", b"raw").decode(),
        "zone": actor.tenant.zone,
        "series": _series(table, query.tags, TREND_COLUMNS),
        "oldest_ms": known["oldest_ms"] if known else None,
        "took_ms": round((time.perf_counter() - began) * 1000, 1),
    }
    return HttpResponse(dumps(document), content_type="application/json")


@router.post("/history/raw", auth=Needs(Right.VIEW, somewhere=True))
async def raw(request: HttpRequest, query: RawQuery) -> HttpResponse | StreamingHttpResponse:
    """Return samples of tags, oldest first; as Arrow stream if asked for, else as JSON columns."""
    return await _answer(request, "raw", query, ("time", "value", "quality", "origin", "flags"))


@router.post("/history/aggregate", auth=Needs(Right.VIEW, somewhere=True))
async def aggregate(request: HttpRequest, query: AggregateQuery) -> HttpResponse | StreamingHttpResponse:
    """Return statistics of good samples for each step."""
    return await _answer(request, "aggregate", query, ("time", *query.functions, "good", "bad"))


@router.post("/history/states", auth=Needs(Right.VIEW, somewhere=True))
async def states(request: HttpRequest, query: StateQuery) -> HttpResponse | StreamingHttpResponse:
    """Return how long each whole value was held."""
    return await _answer(request, "states", query, ("value", "held_ms"))


async def _answer(
    request: HttpRequest, verb: str, query: Query, columns: Sequence[str]
) -> HttpResponse | StreamingHttpResponse:
    actor = actor_of(request)
    tenant = actor.tenant.key
    await require_tags(actor, Right.VIEW, query.tags)
    if ARROW in request.headers.get("Accept", ""):
        subject = subjects.history(tenant, verb)
        chunks = runtime.require_bus().ask_chunks(subject, query.model_dump_json().encode(), TIMEOUT_S)
        return StreamingHttpResponse(await begun(chunks), content_type=ARROW)
    if isinstance(query, RawQuery):
        query = query.model_copy(update={"limit": min(query.limit, JSON_ROWS_MAX + 1)})
    table = pa.ipc.open_stream(await _ask(tenant, verb, query)).read_all()
    if table.num_rows > JSON_ROWS_MAX:
        raise LimitExceeded(_TOO_LONG, limit=JSON_ROWS_MAX, form=ARROW)
    document: dict[str, Any] = {"series": _series(table, query.tags, columns)}
    if source := (table.schema.metadata or {}).get(b"source"):
        document["source"] = source.decode()
    return HttpResponse(dumps(document), content_type="application/json")


async def require_tags(actor: Actor, right: Right, tags: Sequence[int]) -> None:
    """Raise NotFound for tags outside the part of the plant in which the actor has a right."""
    scope = actor.scope(right)
    if not scope.everywhere:
        await sync_to_async(scope.require_tags)(tags)


async def begun(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Wait for the first part, so that what fails at once is answered as an error and not as a file cut short."""
    first = await anext(parts, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return whole()


def _series(table: pa.Table, tags: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Cut a table into one set of columns for each tag, in the order asked."""
    of = numbers(table.column("tag"))
    order = np.argsort(of, kind="stable")
    starts, ends = (np.searchsorted(of[order], tags, side) for side in ("left", "right"))
    whole = {name: _listed(table.column(name)) for name in columns}
    return [
        {"tag": tag, **{name: _cut(values, order[start:end]) for name, values in whole.items()}}
        for tag, start, end in zip(tags, starts, ends, strict=True)
    ]


def _listed(column: pa.ChunkedArray[Any]) -> Any:
    """Return numbers as an array, texts and exact integers beyond 2^53 as objects."""
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        texts = np.empty(len(column), dtype=object)
        texts[:] = column.to_pylist()
        return texts
    values = numbers(column)
    if values.dtype == np.int64 and len(values) and max(-int(values.min()), int(values.max())) > JSON_INTEGER_MAX:
        return np.array([exact(value) for value in values.tolist()], dtype=object)
    return values


def _cut(values: Any, rows: Any) -> Any:
    return values[rows].tolist() if values.dtype == object else values[rows]


@router.post("/history/export", auth=Needs(Right.EXPORT, somewhere=True))
async def export(request: HttpRequest, draft: ExportDraft) -> StreamingHttpResponse:
    """Download samples or aggregates as CSV or Parquet, however much it is."""
    actor = actor_of(request)
    await require_tags(actor, Right.EXPORT, draft.tags)
    tags = await sync_to_async(_export_tags)(actor.tenant, draft.tags, draft.language)
    name = actor.tenant.name.get(draft.language) or actor.tenant.name["en"]
    wanted = Export(
        tenant=actor.tenant.key, plant=name, zone=actor.tenant.zone, tags=tags, start_ms=draft.start_ms,
        end_ms=draft.end_ms, step_ms=draft.step_ms if draft.mode == "aggregate" else None, language=draft.language,
    )  # fmt: skip
    changes: dict[str, list[Any]] = {
        "tags": [None, [tag.path for tag in tags]],
        "range_ms": [None, [draft.start_ms, draft.end_ms]],
    }
    deed = Deed(Action.EXPORT, "history", "", f"{len(tags)} tags", changes)
    writer: Write = as_csv if draft.format == "csv" else as_parquet
    kind = "text/csv; charset=utf-8" if draft.format == "csv" else "application/vnd.apache.parquet"
    parts = await begun(exporter.parts(runtime.require_bus(), wanted, writer))
    await sync_to_async(append)(actor.author, [deed])
    answer = StreamingHttpResponse(parts, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="history.{draft.format}"'
    return answer


def _export_tags(tenant: Tenant, ordinals: Sequence[int], language: str) -> list[ExportTag]:
    found = {tag.ordinal: tag for tag in Tag.objects.of(tenant).filter(ordinal__in=ordinals)}
    missing = [ordinal for ordinal in ordinals if ordinal not in found]
    if missing:
        raise NotFound(_NO_TAGS, missing=", ".join(map(str, missing[:5])))
    return [
        ExportTag(
            tag.ordinal, tag.path, SIGNS.get(tag.unit, tag.unit), SampleKind(tag.sample_kind).column,
            {int(key): said.get(language) or said["en"] for key, said in (tag.words or {}).items()},
        )
        for tag in (found[ordinal] for ordinal in ordinals)
    ]  # fmt: skip
