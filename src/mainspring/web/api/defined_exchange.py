"""Business records as files: lists as XLSX, CSV and JSON; imports of them are under /imports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field

from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text
from mainspring.records.defined.exporting import Form, Language, begin
from mainspring.records.defined.kinds import find_kind
from mainspring.records.in_force import carried
from mainspring.records.rights import Right
from mainspring.web.api.defined import ListAsked, access_of
from mainspring.web.lasting import in_thread
from mainspring.web.security import Needs

router = Router(tags=["records"])
EXPORTS_MAX: Final = 4
TYPES: Final[dict[Form, str]] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
BUSY: Final = Text(
    "{limit} exports are under way already. Wait for one to end.", "已有 {limit} 个导出正在进行，请等待其完成。"
)
_threads: Final = ThreadPoolExecutor(EXPORTS_MAX, thread_name_prefix="export")
running: Final[set[int]] = set()


class ExportAsked(ListAsked):
    """What is exported: a list as it is filtered and sorted, from its beginning to its end."""

    format: Form = "xlsx"
    language: Language = Field(default="en", description="of the heads and of words in cells")


@router.get("/records/{kind}/export", auth=Needs(Right.SIGN_IN))
async def export_records(request: HttpRequest, kind: str, asked: Query[ExportAsked]) -> StreamingHttpResponse:
    """Download a list as XLSX, CSV or JSON; it can be imported again."""
    found = find_kind(kind)
    if len(running) >= EXPORTS_MAX:
        raise LimitExceeded(BUSY, limit=EXPORTS_MAX)
    export = await in_thread(lambda: begin(access_of(request), found, asked, asked.format, asked.language))
    parts = export.parts()
    # The answer is sent when the request is over: it goes on working for the company it was asked for.
    answer = StreamingHttpResponse(sent(carried(lambda: next(parts, None))), content_type=TYPES[asked.format])
    answer.headers["Content-Disposition"] = f'attachment; filename="{kind}.{asked.format}"'
    return answer


async def sent(following: Callable[[], bytes | None]) -> AsyncIterator[bytes]:
    """Send the parts of a file as fast as they are taken; made in a thread, for it asks the records."""
    running.add(id(following))
    try:
        while (part := await in_thread(following, threads=_threads)) is not None:
            if part:
                yield part
    finally:
        running.discard(id(following))
