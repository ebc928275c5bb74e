"""Imports of history from CSV, Parquet and line protocol: the file in parts, layout, check, load, report."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.bus.credentials import seed_file
from mainspring.history.importing.layout import Layout
from mainspring.records.importing.processes import Processes
from mainspring.records.rights import Right
from mainspring.web.configure import current
from mainspring.web.importing.imports import FILE_BYTES_MAX, Bus, HistoryImports
from mainspring.web.importing.sender import USER
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["history imports"])
WORKERS: Final = 1
"""Imports that are checked or loaded at once: the historian stores one piece at a time."""
READERS: Final = 1


@cache
def history_imports() -> HistoryImports:
    """Return the imports of history of this process."""
    web = current()
    command = [sys.executable, "-m", "mainspring.web.importing.process"]
    greeting = web.for_imports()
    root = web.data_folder.resolve() / "history-imports"
    return HistoryImports(root, Processes(command, greeting, WORKERS), Processes(command, greeting, READERS))


def _bus() -> Bus:
    web = current()
    seed = seed_file(web.data_folder.resolve() / "secrets", USER)
    return Bus(runtime.require_bus().url, seed, web.bus_ca)


class NewFile(Schema):
    """How a file is called and how long it is; its content follows in parts."""

    name: str = Field(min_length=1, max_length=200)
    bytes: int = Field(ge=1, le=FILE_BYTES_MAX)


class PartAt(Schema):
    """Where a part of the file begins."""

    offset: int = Field(default=0, ge=0)


class Load(Schema):
    """What becomes of names that nobody has: left out, or made tags below an asset's path ("" for none)."""

    create_below: str | None = Field(default=None, max_length=300)


class FileLanguage(Schema):
    """The language of reasons."""

    language: Literal["en", "zh"] = "en"


@router.get("/history/imports", auth=Needs(Right.CORRECT))
def list_history_imports(request: HttpRequest) -> dict[str, Any]:
    """List the last imports of history, newest first, with their reports."""
    items = history_imports().all(actor_of(request).author)
    return {"items": items, "total": len(items)}


@router.post("/history/imports", auth=Needs(Right.CORRECT), response={201: Any})
def add_history_import(request: HttpRequest, file: NewFile) -> Status[Any]:
    """Begin an import; its file is sent in parts of up to 8 MB to `/content`."""
    return Status(201, history_imports().add(actor_of(request).author, file.name, file.bytes))


@router.get("/history/imports/{uuid:id}", auth=Needs(Right.CORRECT))
def show_history_import(request: HttpRequest, id: UUID) -> Any:
    """Show how far an import is: bytes received, layout, what the check found, and its report."""
    return history_imports().get(actor_of(request).author, id)


@router.put("/history/imports/{uuid:id}/content", auth=Needs(Right.CORRECT))
def send_history_part(request: HttpRequest, id: UUID, at: Query[PartAt]) -> Any:
    """Take the body as the part of the file at an offset; 409 says where the next one begins."""
    return history_imports().append(actor_of(request).author, id, at.offset, request.body)


@router.post("/history/imports/{uuid:id}/check", auth=Needs(Right.CORRECT))
def check_history_import(request: HttpRequest, id: UUID, layout: Layout) -> Any:
    """Begin the dry run with a layout: counts, names that nobody has, refused rows by line. It writes nothing."""
    return history_imports().check(actor_of(request).author, id, layout, _bus())


@router.post("/history/imports/{uuid:id}/load", auth=Needs(Right.CORRECT))
def load_history_import(request: HttpRequest, id: UUID, load: Load) -> Any:
    """Begin to store, or go on where it ended. Samples whose tag and time are there stay as they are."""
    return history_imports().load(actor_of(request).author, id, load.create_below, _bus())


@router.post("/history/imports/{uuid:id}/cancel", auth=Needs(Right.CORRECT))
def cancel_history_import(request: HttpRequest, id: UUID) -> Any:
    """Stop after the piece under way; what is stored stays."""
    return history_imports().cancel(actor_of(request).author, id)


@router.delete("/history/imports/{uuid:id}", auth=Needs(Right.CORRECT), response={204: None})
def forget_history_import(request: HttpRequest, id: UUID) -> Status[None]:
    """Forget an import with its file; what it stored stays."""
    history_imports().forget(actor_of(request).author, id)
    return Status(204, None)


@router.get("/history/imports/{uuid:id}/refused", auth=Needs(Right.CORRECT))
def refused_history_rows(request: HttpRequest, id: UUID, form: Query[FileLanguage]) -> Any:
    """Download the refused rows as CSV: line, reason, content."""
    author = actor_of(request).author
    history_imports().get(author, id)
    return _download(history_imports().refused(author, id, form.language), "refused.csv")


@router.get("/history/imports/{uuid:id}/unknown", auth=Needs(Right.CORRECT))
def unknown_history_names(request: HttpRequest, id: UUID) -> Any:
    """Download the names that no tag has as CSV, with their number of rows."""
    author = actor_of(request).author
    history_imports().get(author, id)
    return _download(history_imports().unknown(author, id), "unknown.csv")


def _download(rows: Iterable[bytes], name: str) -> HttpResponse:
    answer = HttpResponse(b"".join(rows), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
