"""Prometheus remote write: what it scraped becomes history of tags."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Final, Literal

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.core import subjects
from mainspring.core.errors import DecodeError, LimitExceeded, NotConnected, StoreError
from mainspring.core.text import Text
from mainspring.history.importing.prometheus import NAME, rows_of
from mainspring.history.importing.rows import CAUSES, Rows, Settled, Target, settle
from mainspring.history.importing.window import Window
from mainspring.records.rights import Right
from mainspring.web.faults import answer
from mainspring.web.importing.tags import Tags
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["history imports"])
ENCODING: Final = "snappy"
KIND: Final = "application/x-protobuf"
AT_ONCE_MAX: Final = 4
"""Requests of one process that are being stored; further ones are told to come again."""
ANSWER_S: Final = 30.0
KNOWN_S: Final = 30.0
NAMES_MAX: Final = 200_000
SHOWN: Final = 3
_places = asyncio.Semaphore(AT_ONCE_MAX)
_known: dict[int, tuple[float, Tags]] = {}

_OTHER_KIND: Final = Text(
    "Remote write 1.0 is taken: protobuf prometheus.WriteRequest in snappy. Set protobuf_message to it.",
    "仅支持 1.0 版远程写入：以 snappy 压缩的 prometheus.WriteRequest，请相应设置 protobuf_message。",
)
_LATER: Final = Text("Too much is being written at once. Send it again.", "同时写入的请求过多，请重发。")
_PARTLY: Final = Text(
    "{stored} samples are stored, {refused} refused: {reasons}. Drop such series by write_relabel_configs, or name "
    "them by a label `tag`.",
    "已存储 {stored} 个采样值，拒收 {refused} 个：{reasons_zh}。"
    "请用 write_relabel_configs 排除这些序列，或以标签 tag 指明测点。",
)
_NOBODY: Final = Text("no tag is called {names}", "没有名为 {names} 的测点")
_CONNECTED: Final = Text(
    "{names}: read by a connection, so that this needs the right to correct samples",
    "{names} 由连接采集，写入需要“修正采样值”权限",
)


class Mapping(Schema):
    """How series are named, and what becomes of those that no tag is named like."""

    rule: str = Field(
        default=f"{{{NAME}}}", max_length=300, description="made of labels, as {site}/{instance}/{__name__}"
    )
    unknown: Literal["refuse", "leave-out"] = "refuse"


@router.post("/history/prometheus/write", auth=Needs(Right.ENTER))
async def remote_write(request: HttpRequest, mapping: Query[Mapping]) -> HttpResponse:
    """Take a remote write of version 1.0. 204: all is on the disk; 400: some never will be, 5xx: send it again."""
    actor = actor_of(request)
    kind = request.headers.get("Content-Type", "").replace(" ", "").lower()
    other = kind not in {KIND, f"{KIND};proto=prometheus.writerequest"}
    if other or request.headers.get("Content-Encoding", "").lower() != ENCODING:
        return answer(request, DecodeError(_OTHER_KIND), 415)
    if _places.locked():
        return answer(request, LimitExceeded(_LATER), 503)
    async with _places:
        try:
            return await _written(request, actor, mapping)
        except DecodeError as error:
            return answer(request, error, 400)
        except (NotConnected, LimitExceeded, StoreError) as error:
            # Whatever passes is sent again by Prometheus, and only for these numbers.
            return answer(request, error, 503)


async def _written(request: HttpRequest, actor: Actor, mapping: Mapping) -> HttpResponse:
    rows = await asyncio.to_thread(rows_of, request.body, mapping.rule)
    tags = await sync_to_async(_tags)(actor, rows.names)
    locked = [] if Right.CORRECT in actor.rights else [name for name in rows.names if tags(name).connected]
    barred = frozenset(locked)

    def target_of(name: str) -> Target:
        return Target(0, 0) if name in barred else tags(name)

    settled = await asyncio.to_thread(settle, rows, target_of, time.time_ns() // 1_000_000)
    stored = sum(map(len, settled.parts))
    await _store(actor, settled)
    if mapping.unknown == "leave-out":
        settled.unknown = {name: found for name, found in settled.unknown.items() if name in barred}
    refused = len(settled.faults) + sum(count for count, _ in settled.unknown.values())
    if not refused:
        return HttpResponse(status=204)
    reasons = _reasons(rows, settled, barred)
    told = _PARTLY.format(
        stored=stored,
        refused=refused,
        reasons="; ".join(text.en for text in reasons),
        reasons_zh="；".join(text.zh for text in reasons),
    )
    return answer(request, DecodeError(told), 400)


def _tags(actor: Actor, names: list[str]) -> Tags:
    """Return the tags of a tenant, which are looked for anew twice a minute."""
    now_s = time.monotonic()
    made_s, tags = _known.get(actor.tenant.number, (0.0, None))
    if tags is None or now_s - made_s > KNOWN_S or tags.count > NAMES_MAX:
        tags = Tags(actor.tenant)
        _known[actor.tenant.number] = now_s, tags
    tags.look_for(names)
    return tags


async def _store(actor: Actor, settled: Settled) -> None:
    window = Window()
    for part in settled.parts:
        window.add(part)
    bus = runtime.require_bus()
    subject = subjects.history(actor.tenant.key, "import")
    for piece in window.pieces():
        await bus.ask(subject, piece.encode(), timeout_s=ANSWER_S)


def _reasons(rows: Rows, settled: Settled, barred: frozenset[str]) -> list[Text]:
    """Say why samples are refused, by the names of a few."""
    causes = Counter(fault.cause for fault in settled.faults)
    reasons = [CAUSES[cause] for cause in causes]
    for text, names in (
        (_NOBODY, [name for name in settled.unknown if name not in barred]),
        (_CONNECTED, [name for name in rows.names if name in barred]),
    ):
        if names:
            listed = ", ".join(names[:SHOWN]) + ("" if len(names) <= SHOWN else f" (+{len(names) - SHOWN})")
            reasons.append(text.format(names=listed))
    return reasons


def forget() -> None:
    """Look for all tags anew."""
    _known.clear()
