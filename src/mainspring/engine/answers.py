"""What the engine answers on the bus: current values, the alarm list, and what people do with alarms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ValidationError

from mainspring.core.alarms import Acknowledge, Comment, ListAlarms, OutOfService, Shelve, Unshelve
from mainspring.core.errors import DecodeError, LimitExceeded
from mainspring.core.subjects import tenant_of
from mainspring.core.text import Text
from mainspring.engine.alarms import Listing, Records
from mainspring.engine.state import PlantState

R = TypeVar("R", bound=BaseModel)

ORDINALS_MAX: Final = 100_000
LISTED_MAX: Final = 10_000
ACKNOWLEDGED_MAX: Final = 10_000
SLICE: Final = 250
"""Alarms put into words at a time; readings are taken in between."""

_ODD: Final = Text(
    "A request for current values must be uint32 ordinals, little-endian; {size} bytes are not.",
    "当前值请求须为小端 uint32 测点序号，{size} 字节不符合。",
)
_MANY: Final = Text(
    "{found} are too many for one request; ask for at most {limit} at a time.",
    "一次请求 {found} 个过多，每次最多 {limit} 个。",
)
_MALFORMED: Final = Text(
    "This is not a request to {verb} alarms ({reason}); see the fields of `mainspring.core.alarms`.",
    "这不是报警 {verb} 请求（{reason}），字段见 `mainspring.core.alarms`。",
)
_UNKNOWN_VERB: Final = Text(
    "Alarms can be asked to {verbs}, not to {verb!r}.",
    "报警支持 {verbs}，不支持 {verb!r}。",
)
_REQUESTS: Final[dict[str, type[Acknowledge]]] = {
    "acknowledge": Acknowledge,
    "comment": Comment,
    "shelve": Shelve,
    "unshelve": Unshelve,
    "out-of-service": OutOfService,
}

Deliver = Callable[[Records, str, str, int | None], Awaitable[None]]
"""Takes transitions, person, comment and end of the shelf; returns when they are recorded."""


class Answers:
    """Handlers for the bus; the tenant is the one of the subject, which the bus has checked."""

    def __init__(self, state: PlantState, clock_ms: Callable[[], int], deliver: Deliver) -> None:
        self._state = state
        self._clock_ms = clock_ms
        self._deliver = deliver

    async def current(self, subject: str, payload: bytes) -> bytes:
        """Answer `ms.<tenant>.current`: ordinals in, SCHEMA as Arrow IPC stream out."""
        if len(payload) % 4:
            raise DecodeError(_ODD, size=len(payload))
        ordinals = np.frombuffer(payload, "<u4").astype(np.uint32, copy=False)
        if len(ordinals) > ORDINALS_MAX:
            raise LimitExceeded(_MANY, found=len(ordinals), limit=ORDINALS_MAX)
        tenant = self._state.values.tenant(tenant_of(subject))
        answer = self._state.values.answer(ordinals, tenant, self._clock_ms())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, answer.schema) as writer:
            writer.write_batch(answer)
        return sink.getvalue().to_pybytes()

    async def alarms(self, subject: str, payload: bytes) -> bytes:
        """Answer `ms.<tenant>.alarms.<verb>` in JSON."""
        verb = subject.rsplit(".", 1)[1]
        tenant = tenant_of(subject)
        if verb == "list":
            view = _read(ListAlarms, verb, payload or b"{}").view
            listing, total = self._state.alarms.listed(self._state.values.tenant(tenant), LISTED_MAX, view)
            return await _list_document(listing, total)
        if verb not in _REQUESTS:
            raise DecodeError(_UNKNOWN_VERB, verb=verb, verbs=", ".join(["list", *_REQUESTS]))
        return await self._handle(tenant, _read(_REQUESTS[verb], verb, payload))

    async def _handle(self, tenant: str, request: Acknowledge) -> bytes:
        if len(request.alarms) > ACKNOWLEDGED_MAX:
            raise LimitExceeded(_MANY, found=len(request.alarms), limit=ACKNOWLEDGED_MAX)
        events, refused = self._state.handle(request, tenant, self._clock_ms())
        until_ms = request.until_ms if isinstance(request, Shelve) else None
        await self._deliver(events, request.by, request.comment, until_ms)
        accepted = [str(identity) for identity in dict.fromkeys(request.alarms) if str(identity) not in refused]
        reasons = [{"alarm": identity, "text": text.document()} for identity, text in refused.items()]
        done = "acknowledged" if type(request) is Acknowledge else "done"
        return json.dumps({done: accepted, "refused": reasons}, ensure_ascii=False).encode()


def _read(form: type[R], verb: str, payload: bytes) -> R:
    try:
        return form.model_validate_json(payload)
    except ValidationError as error:
        raise DecodeError(_MALFORMED, verb=verb, reason=error.errors()[0]["msg"]) from error


async def _list_document(listing: Listing, total: int) -> bytes:
    """Put a list into JSON, giving way to readings between slices."""
    parts = []
    for start in range(0, len(listing.records), SLICE):
        stop = min(start + SLICE, len(listing.records))
        parts += [alarm.model_dump_json() for alarm in listing.alarms(start, stop)]
        await asyncio.sleep(0)
    return f'{{"alarms":[{",".join(parts)}],"total":{total},"limit":{LISTED_MAX}}}'.encode()
