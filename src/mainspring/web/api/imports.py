"""Imports of tags and of records from XLSX, CSV, TSV and JSON: upload, columns, check, load, report, undo."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.defined.access import Access
from mainspring.records.importing.files import ImportStore
from mainspring.records.importing.imports import FIXES_MAX, Imports
from mainspring.records.importing.processes import Processes
from mainspring.records.importing.sheets import COLUMNS_MAX, csv_lines, xlsx_file
from mainspring.records.importing.tag_import import ROWS_MAX
from mainspring.records.importing.work import TAGS, imported_of
from mainspring.records.rights import Right
from mainspring.web.api.defined import access_of
from mainspring.web.api.history_imports import history_imports
from mainspring.web.configure import current
from mainspring.web.security import Needs, actor_of

router = Router(tags=["imports"])
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_EMPTY: Final = Text(
    "The request holds no file. Send the file itself as its body.", "请求中没有文件，请将文件作为请求体发送。"
)
Form = Literal["xlsx", "csv"]
WORKERS: Final = 1
"""Imports that are checked or loaded at once: the records take one writer at a time."""
READERS: Final = 1


@cache
def imports() -> Imports:
    """Return the imports of this process."""
    web = current()
    command = [sys.executable, "-m", "mainspring.web.import_process"]
    greeting = web.for_imports()
    store = ImportStore(web.data_folder.resolve() / "imports")
    return Imports(store, Processes(command, greeting, WORKERS), Processes(command, greeting, READERS))


class OfKind(Schema):
    """What a sheet fills: `tag`, or a kind of record."""

    kind: str = Field(default=TAGS, max_length=32)


class Named(OfKind):
    """How a file is called; that is shown, and never taken as a path."""

    name: str = Field(default="tags.csv", min_length=1, max_length=200)


Place = Annotated[int, Field(ge=0, lt=COLUMNS_MAX)]


class Settled(Schema):
    """What each column is and where rows go; columns are counted from 0."""

    mapping: dict[Place, str] = Field(
        max_length=COLUMNS_MAX, json_schema_extra={"propertyNames": {"pattern": "^[0-9]{1,2}$"}}
    )
    rule: str = Field(default="", max_length=200, description="`{line}/{device}/{name}` below the base")
    base: str = Field(default="", max_length=300, description="path of the asset everything lies below")
    connection: str = Field(default="", max_length=200, description="id or name, for rows that name none")
    create_assets: bool = False


class Fix(Schema):
    """A cell put right: that of a row, or all in a column that hold `found`."""

    field: str = Field(max_length=100)
    value: str = Field(max_length=500)
    row: int | None = None
    found: str = Field(default="", max_length=2000)


class Fixes(Schema):
    """Cells put right at once."""

    fixes: list[Fix] = Field(max_length=FIXES_MAX)


class FaultListing(Schema):
    """Which faults of a check."""

    cause: str = Field(default="", max_length=500)
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=200, ge=1, le=1000)


class FileForm(Schema):
    """As which file, with words in which language."""

    format: Form = "xlsx"
    language: Literal["en", "zh"] = "en"


class TemplateForm(FileForm, OfKind):
    """For which kind, and for tags of which driver."""

    driver: str = Field(default="", max_length=64)


def _access(request: HttpRequest, kind: str) -> Access:
    """Return what the asker may do, who must be allowed to import this."""
    access = access_of(request)
    imported_of(kind).require(access)
    return access


def _mine(request: HttpRequest, id: UUID) -> tuple[Author, Access]:
    """Return who asks for an import, and with which rights; raises NotFound, and NotAllowed."""
    author = actor_of(request).author
    return author, _access(request, imports().get(author, id).get("kind", TAGS))


def _content(request: HttpRequest) -> bytes:
    if not request.body:
        raise ConfigurationError(_EMPTY)
    return request.body


def _file(
    rows: Iterable[list[str]], form: Form, name: str, notes: tuple[str, list[list[str]]] | None = None
) -> HttpResponse:
    body = xlsx_file(rows, notes) if form == "xlsx" else b"".join(csv_lines(rows))
    answer = HttpResponse(body, content_type=XLSX if form == "xlsx" else "text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return answer


@router.get("/imports", auth=Needs(Right.CONFIGURE))
def list_imports(request: HttpRequest, of: Query[OfKind]) -> dict[str, Any]:
    """List the last imports of a kind, newest first, with their reports."""
    access = _access(request, of.kind)
    items = [each for each in imports().all(access.author) if each.get("kind", TAGS) == of.kind]
    return {"items": items, "total": len(items)}


@router.post("/imports", auth=Needs(Right.CONFIGURE), response={201: Any})
def add_import(request: HttpRequest, named: Query[Named]) -> Status[Any]:
    """Take an XLSX, CSV or TSV file as the request's body and guess its columns; nothing is written yet."""
    access = _access(request, named.kind)
    return Status(201, imports().add(access.author, named.name, _content(request), named.kind, access))


@router.post("/imports/read", auth=Needs(Right.CONFIGURE))
def read_import(request: HttpRequest, named: Query[Named]) -> dict[str, Any]:
    """Read a sheet into rows of text, the first being its head; nothing is kept."""
    rows, left = imports().rows(named.name, _content(request), ROWS_MAX)
    return {"rows": rows, "left": left}


@router.get("/tasks", auth=Needs(Right.CONFIGURE))
def list_tasks(request: HttpRequest) -> dict[str, Any]:
    """List how far the long work is that the person began, newest first: imports and what became of them."""
    author = actor_of(request).author
    items = [*imports().tasks(author), *history_imports().tasks(author)]
    items.sort(key=lambda task: -int(task["created_ms"]))
    return {"items": items, "total": len(items)}


@router.get("/imports/fields", auth=Needs(Right.CONFIGURE))
def import_fields(request: HttpRequest, of: Query[OfKind]) -> dict[str, Any]:
    """List what a column can be."""
    fields = imported_of(of.kind).fields(_access(request, of.kind)).values()
    items = [{"key": each.key, "title": each.title.document(), "required": each.required} for each in fields]
    return {"items": items, "total": len(items)}


@router.get("/imports/template", auth=Needs(Right.CONFIGURE))
def import_template(request: HttpRequest, form: Query[TemplateForm]) -> Any:
    """Download an empty sheet with every column named; in a workbook a second sheet says what each takes."""
    head, notes = imported_of(form.kind).template(_access(request, form.kind), form.language, form.driver)
    return _file([head], form.format, "tags" if form.kind == TAGS else form.kind, notes)


@router.get("/imports/{uuid:id}", auth=Needs(Right.CONFIGURE))
def show_import(request: HttpRequest, id: UUID) -> Any:
    """Show how far an import is, what the check found by cause, and its report."""
    author, _ = _mine(request, id)
    return imports().get(author, id)


@router.post("/imports/{uuid:id}/check", auth=Needs(Right.CONFIGURE))
def check_import(request: HttpRequest, id: UUID, settled: Settled) -> Any:
    """Begin the dry run: it writes nothing."""
    author, access = _mine(request, id)
    return imports().check(author, id, settled.model_dump(), access)


@router.post("/imports/{uuid:id}/fix", auth=Needs(Right.CONFIGURE))
def fix_import(request: HttpRequest, id: UUID, fixes: Fixes) -> Any:
    """Put cells right and check again."""
    author, access = _mine(request, id)
    return imports().fix(author, id, [each.model_dump() for each in fixes.fixes], access)


@router.post("/imports/{uuid:id}/load", auth=Needs(Right.CONFIGURE))
def load_import(request: HttpRequest, id: UUID) -> Any:
    """Begin to store the rows that are right, leaving out the others."""
    author, access = _mine(request, id)
    return imports().load(author, id, access)


@router.post("/imports/{uuid:id}/cancel", auth=Needs(Right.CONFIGURE))
def cancel_import(request: HttpRequest, id: UUID) -> Any:
    """Stop after the piece under way; what is loaded stays until it is undone."""
    author, _ = _mine(request, id)
    return imports().cancel(author, id)


@router.post("/imports/{uuid:id}/undo", auth=Needs(Right.CONFIGURE))
def undo_import(request: HttpRequest, id: UUID) -> Any:
    """Begin to take back every row that nobody changed since."""
    author, access = _mine(request, id)
    return imports().undo(author, id, access)


@router.delete("/imports/{uuid:id}", auth=Needs(Right.CONFIGURE), response={204: None})
def forget_import(request: HttpRequest, id: UUID) -> Status[None]:
    """Forget an import with its file; what it loaded stays."""
    author, _ = _mine(request, id)
    imports().forget(author, id)
    return Status(204, None)


@router.get("/imports/{uuid:id}/faults", auth=Needs(Right.CONFIGURE))
def import_faults(request: HttpRequest, id: UUID, listing: Query[FaultListing]) -> dict[str, Any]:
    """List faults with row, column, what was found, what is expected and what was probably meant."""
    author, _ = _mine(request, id)
    items, total = imports().faults(author, id, listing.cause, listing.offset, listing.limit)
    return {"items": items, "total": total}


@router.get("/imports/{uuid:id}/refused", auth=Needs(Right.CONFIGURE))
def refused_rows(request: HttpRequest, id: UUID, form: Query[FileForm]) -> Any:
    """Download the refused rows as they came, each with its reason."""
    author, _ = _mine(request, id)
    rows = imports().refused(author, id, form.language)
    return _file(rows, form.format, "refused")
