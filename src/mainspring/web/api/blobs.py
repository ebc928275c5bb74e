"""Blobs by their hash: content, waveforms ready for drawing, and uploads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router

from mainspring.bus.blobs import send_blob
from mainspring.core import subjects
from mainspring.core.arrays import Waveform, decode_waveform
from mainspring.core.blobs import BLOB_BYTES_MAX, PART_BYTES_MAX, Blob, is_media_type, parse
from mainspring.core.errors import Conflict, DecodeError, LimitExceeded, NotFound
from mainspring.core.text import Text
from mainspring.records.audit import Action, Deed, append
from mainspring.records.faults import Invalid
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.live import dumps
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["blobs"])

TIMEOUT_S: Final = 30.0
BUCKETS_MAX: Final = 4000
SHOWN_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "application/pdf", "text/csv"})
"""Types told to browsers as what they are; everything else is bytes, for it might run."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_NO_HASH: Final = Text("A blob is named by 64 hexadecimal digits.", "数据块以 64 位十六进制哈希命名。")
_NO_TYPE: Final = Text(
    "Name the type of the content in the header Content-Type, such as image/png.",
    "请在 Content-Type 请求头中注明内容类型，如 image/png。",
)
_EMPTY: Final = Text("The request has no content.", "请求没有内容。")
_TOO_LARGE: Final = Text("A blob may have {limit} bytes.", "数据块最多 {limit} 字节。")
_BUCKETS: Final = Text("Ask for 10 to {limit} buckets.", "请求的桶数须为 10 至 {limit}。")


@router.get("/blobs/{sha256}", auth=Needs(Right.VIEW))
async def blob(request: HttpRequest, sha256: str) -> StreamingHttpResponse:
    """Download a blob of one's own company; a content that has not arrived is not found."""
    found, parts = await _opened(actor_of(request).tenant, sha256)
    shown = found.media_type if found.media_type in SHOWN_TYPES else "application/octet-stream"
    answer = StreamingHttpResponse(parts, content_type=shown)
    ending = found.media_type.rpartition("/")[2].rpartition(".")[2].partition("+")[0]
    answer["Content-Length"] = str(found.size)
    answer["Content-Disposition"] = f'attachment; filename="{sha256[:16]}.{ending}"'
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cache-Control"] = "private, no-cache"
    answer["ETag"] = f'"{sha256}"'
    return answer


@router.get("/blobs/{sha256}/waveform", auth=Needs(Right.VIEW))
async def waveform(request: HttpRequest, sha256: str, buckets: int = 2000) -> HttpResponse:
    """Return a waveform for drawing: in at most `buckets` buckets the least and the greatest amplitude of each."""
    if not 10 <= buckets <= BUCKETS_MAX:
        raise Invalid({"buckets": _BUCKETS.format(limit=BUCKETS_MAX)})
    _, parts = await _opened(actor_of(request).tenant, sha256)
    content = b"".join([part async for part in parts])
    document = await in_thread(_drawn, content, buckets)
    return HttpResponse(dumps(document), content_type="application/json")


@router.post("/blobs", auth=Needs(Right.ENTER))
async def upload(request: HttpRequest) -> dict[str, Any]:
    """Keep the body of the request under its hash; the answer's `reference` is what a sample refers to it by."""
    actor = actor_of(request)
    media_type = (request.content_type or "").lower()
    if not is_media_type(media_type):
        raise Invalid({"content_type": _NO_TYPE})
    content = request.body
    if not content:
        raise Invalid({"content": _EMPTY})
    if len(content) > BLOB_BYTES_MAX:
        raise LimitExceeded(_TOO_LARGE, limit=BLOB_BYTES_MAX)
    made = Blob(hashlib.sha256(content).hexdigest(), media_type, len(content))

    async def kept() -> None:
        subject = subjects.blob(actor.tenant.key, subjects.BY_HAND)
        await send_blob(runtime.require_bus(), subject, made, lambda offset: content[offset : offset + PART_BYTES_MAX])
        changes: dict[str, list[Any]] = {"media_type": [None, media_type], "size": [None, made.size]}
        await in_thread(append, actor.author, [Deed(Action.CREATE, "blob", made.sha256, media_type, changes)])

    await to_the_end(kept())
    return {"reference": str(made), "sha256": made.sha256, "media_type": media_type, "size": made.size}


async def _opened(tenant: Tenant, sha256: str) -> tuple[Blob, AsyncIterator[bytes]]:
    """Ask for a blob; return what it is and its content. Raises NotFound, also for another company's."""
    if _SHA256.fullmatch(sha256) is None:
        raise NotFound(_NO_HASH)
    subject = subjects.history(tenant.key, "blob")
    parts = runtime.require_bus().ask_chunks(subject, json.dumps({"sha256": sha256}).encode(), TIMEOUT_S)
    return parse((await anext(parts)).decode()), parts


def _drawn(content: bytes, buckets: int) -> dict[str, Any]:
    try:
        found = decode_waveform(content)
    except DecodeError as error:
        raise Conflict(error.text) from error
    least, greatest, size = _extremes(found, buckets)
    return {
        "count": len(found.values), "sample_rate_hz": found.sample_rate_hz, "unit": found.unit,
        "bucket": size, "min": least, "max": greatest,
    }  # fmt: skip


def _extremes(of: Waveform, buckets: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Return the extremes of each bucket and how many samples one holds; NaN is left out where there are others."""
    size = max(1, -(-len(of.values) // buckets))
    starts = np.arange(0, len(of.values), size)
    if not len(starts):
        return of.values, of.values, size
    return np.fmin.reduceat(of.values, starts), np.fmax.reduceat(of.values, starts), size
