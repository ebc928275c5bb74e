"""What else every business record has: undo, many at once, comments, files, labels, saved views, printed labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from ninja import Query, Router, Schema, Status
from pydantic import Field, StringConstraints

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.records.access.granted import Granted
from mainspring.records.access.use import note
from mainspring.records.defined import attached, listing, printed, undo, views, writing
from mainspring.records.defined.access import Access, D, Doing
from mainspring.records.defined.attached import NAME_MAX, TEXT_MAX, Attachment, Comment
from mainspring.records.defined.bulk import ROWS_MAX, Row, bulk
from mainspring.records.defined.kinds import Defined, find_kind
from mainspring.records.defined.views import SavedView
from mainspring.records.faults import Invalid
from mainspring.records.record import absent
from mainspring.records.rights import Right
from mainspring.web.api.blobs import SHOWN_TYPES
from mainspring.web.api.defined import access_of, detail, names_of
from mainspring.web.configure import current
from mainspring.web.security import Needs

router = Router(tags=["records"])
Version = Annotated[int, Field(ge=1, lt=2**31)] | None
ViewName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAX)]
NO_FILE: Final = Text(
    "The request holds no file. Send the file itself as its body.", "请求中没有文件，请将文件作为请求体发送。"
)
_NO_IDS: Final = Text("List 1 to {limit} ids with commas.", "请用逗号分隔列出 1 至 {limit} 个标识。")
_NO_SIZE: Final = Text("Labels come in the sizes {known}.", "标签尺寸可选 {known}。")


class UndoAsked(Schema):
    """Back to before which entry of the history; `version` is the present one, of a record that is there."""

    sequence: int = Field(ge=1, lt=2**63)
    version: Version = None


@router.post("/records/{kind}/{uuid:id}/undo", auth=Needs(Right.SIGN_IN))
def undo_record(request: HttpRequest, kind: str, id: UUID, asked: UndoAsked) -> dict[str, Any]:
    """Return a record, also a removed one, to what it was before an entry of its history."""
    found, access = find_kind(kind), access_of(request)
    return detail(access, undo.undo(access, found, id, asked.sequence, asked.version))


class RemovedAsked(Schema):
    """Which part of the list."""

    offset: int = Field(default=0, ge=0, le=10_000)
    limit: int = Field(default=50, ge=1, le=200)


@router.get("/records/{kind}/removed", auth=Needs(Right.SIGN_IN))
def removed_records(request: HttpRequest, kind: str, asked: Query[RemovedAsked]) -> dict[str, Any]:
    """List removed records, the last first; undoing `sequence` brings one back."""
    found, access = find_kind(kind), access_of(request)
    return {"items": undo.removed(access, found, asked.offset, asked.limit)}


class BulkAsked(Schema):
    """Changes that are done together or not at all."""

    items: Annotated[list[Row], Field(min_length=1, max_length=ROWS_MAX)]


@router.post("/records/{kind}/bulk", auth=Needs(Right.SIGN_IN))
def change_many(request: HttpRequest, kind: str, asked: BulkAsked) -> dict[str, Any]:
    """Create, change, remove and move records in one transaction: all or none; faults are told as `row.field`."""
    found, access = find_kind(kind), access_of(request)
    done = bulk(access, found, asked.items)
    items = [
        {"id": row.id if record is None else record.pk, "version": None if record is None else record.version}
        for row, record in zip(asked.items, done, strict=True)
    ]
    return {"items": items}


class TextAsked(Schema):
    """What someone says."""

    text: str = Field(min_length=1, max_length=TEXT_MAX)
    version: Version = None


@router.get("/records/{kind}/{uuid:id}/comments", auth=Needs(Right.SIGN_IN))
def list_comments(request: HttpRequest, kind: str, id: UUID) -> dict[str, Any]:
    """List what people said of a record, as it was said."""
    access, record = _discussed(request, kind, id)
    return {"items": _with_names(access, attached.said(access, record))}


@router.post("/records/{kind}/{uuid:id}/comments", auth=Needs(Right.SIGN_IN), response={201: dict[str, Any]})
def add_comment(request: HttpRequest, kind: str, id: UUID, asked: TextAsked) -> Status[dict[str, Any]]:
    """Say something of a record."""
    access, record = _discussed(request, kind, id)
    note(access, type(record), Doing.COMMENT, 1)
    return Status(201, _with_name(access, attached.say(access, record, asked.text)))


@router.patch("/records/{kind}/{uuid:id}/comments/{uuid:comment}", auth=Needs(Right.SIGN_IN))
def change_comment(request: HttpRequest, kind: str, id: UUID, comment: UUID, asked: TextAsked) -> dict[str, Any]:
    """Change what one said."""
    access, record = _discussed(request, kind, id)
    return _with_name(access, attached.reword(access, record, comment, asked.text, asked.version))


@router.delete("/records/{kind}/{uuid:id}/comments/{uuid:comment}", auth=Needs(Right.SIGN_IN), response={204: None})
def remove_comment(request: HttpRequest, kind: str, id: UUID, comment: UUID) -> Status[None]:
    """Take back what one said."""
    access, record = _discussed(request, kind, id)
    attached.unsay(access, record, comment)
    return Status(204, None)


class FileAsked(Schema):
    """How a file is called; its ending says what it is."""

    name: str = Field(default="", max_length=NAME_MAX)


@router.get("/records/{kind}/{uuid:id}/attachments", auth=Needs(Right.SIGN_IN))
def list_attachments(request: HttpRequest, kind: str, id: UUID) -> dict[str, Any]:
    """List the files on a record."""
    access, record = seen(request, find_kind(kind), id)
    return {"items": _with_names(access, Attachment.on(record)[: attached.ATTACHMENTS_MAX])}


@router.post("/records/{kind}/{uuid:id}/attachments", auth=Needs(Right.SIGN_IN), response={201: dict[str, Any]})
def add_attachment(request: HttpRequest, kind: str, id: UUID, asked: Query[FileAsked]) -> Status[dict[str, Any]]:
    """Put a file on a record: the body is the file itself."""
    access, record = seen(request, find_kind(kind), id)
    if not request.body:
        raise ConfigurationError(NO_FILE)
    made = attached.attach(access, current().data_folder, record, asked.name, [request.body])
    return Status(201, _with_name(access, made))


@router.get("/records/{kind}/{uuid:id}/attachments/{uuid:attachment}", auth=Needs(Right.SIGN_IN))
def download_attachment(request: HttpRequest, kind: str, id: UUID, attachment: UUID) -> HttpResponse:
    """Download a file; browsers keep it and never show or run it."""
    access, record = seen(request, find_kind(kind), id)
    found = Attachment.one(record, attachment)
    note(access, type(record), Doing.VIEW, 1)
    return file_answer(attached.content_of(current().data_folder, found), found.media_type, found.name, found.sha256)


@router.delete(
    "/records/{kind}/{uuid:id}/attachments/{uuid:attachment}", auth=Needs(Right.SIGN_IN), response={204: None}
)
def remove_attachment(request: HttpRequest, kind: str, id: UUID, attachment: UUID) -> Status[None]:
    """Take a file from a record."""
    access, record = seen(request, find_kind(kind), id)
    attached.detach(access, current().data_folder, record, attachment)
    return Status(204, None)


class LabelsAsked(Schema):
    """Labels of a record: names with values."""

    labels: attached.Labels


@router.get("/records/{kind}/{uuid:id}/labels", auth=Needs(Right.SIGN_IN))
def show_labels(request: HttpRequest, kind: str, id: UUID) -> dict[str, Any]:
    """Show the labels of a record."""
    _, record = seen(request, find_kind(kind), id)
    return {"labels": attached.labels_of(record)}


@router.put("/records/{kind}/{uuid:id}/labels", auth=Needs(Right.SIGN_IN))
def set_labels(request: HttpRequest, kind: str, id: UUID, asked: LabelsAsked) -> dict[str, Any]:
    """Give a record these labels instead of those it has."""
    access, record = seen(request, find_kind(kind), id)
    return {"labels": attached.label(access, record, asked.labels)}


class ViewQuery(listing.Question):
    """A list as it is asked for and shown."""

    columns: str = Field(default="", max_length=2000, description="what the page shows, in its own words")


class ViewAsked(Schema):
    """A saved view."""

    name: ViewName
    query: ViewQuery = Field(default_factory=ViewQuery)
    shared: bool = False


class ViewPatch(Schema):
    """What changes of a saved view."""

    name: ViewName | None = None
    query: ViewQuery | None = None
    shared: bool | None = None
    version: Version = None


@router.get("/records/{kind}/views", auth=Needs(Right.SIGN_IN))
def list_views(request: HttpRequest, kind: str) -> dict[str, Any]:
    """List one's own saved views of a kind, and those for everyone."""
    found, access = find_kind(kind), access_of(request)
    return {"items": _with_names(access, views.views_of(access, found))}


@router.post("/records/{kind}/views", auth=Needs(Right.SIGN_IN), response={201: dict[str, Any]})
def save_view(request: HttpRequest, kind: str, asked: ViewAsked) -> Status[dict[str, Any]]:
    """Save a list as it is filtered and sorted, under a name."""
    found, access = find_kind(kind), access_of(request)
    return Status(201, _with_name(access, views.save_view(access, found, asked.model_dump())))


@router.patch("/records/{kind}/views/{uuid:id}", auth=Needs(Right.SIGN_IN))
def change_view(request: HttpRequest, kind: str, id: UUID, asked: ViewPatch) -> dict[str, Any]:
    """Change one's own saved view."""
    found, access = find_kind(kind), access_of(request)
    fields = asked.model_dump(exclude_none=True, exclude={"version"})
    return _with_name(access, views.change_view(access, found, id, fields, asked.version))


@router.delete("/records/{kind}/views/{uuid:id}", auth=Needs(Right.SIGN_IN), response={204: None})
def remove_view(request: HttpRequest, kind: str, id: UUID) -> Status[None]:
    """Remove one's own saved view."""
    found, access = find_kind(kind), access_of(request)
    views.forget_view(access, found, id)
    return Status(204, None)


class LabelPage(Schema):
    """Labels to print: of which records, in which size."""

    ids: str = Field(
        min_length=1, max_length=37 * printed.LABELS_MAX, pattern=r"^[0-9A-Fa-f, -]*$", description="ids with commas"
    )
    size: str = Field(default="a4-24", max_length=16)
    language: Literal["en", "zh"] = "en"


@router.get("/records/{kind}/labels", auth=Needs(Right.SIGN_IN))
def print_labels(request: HttpRequest, kind: str, asked: Query[LabelPage]) -> HttpResponse:
    """Make a page of labels with QR codes, to be printed on sheets of A4 or by a label printer."""
    found, access = find_kind(kind), access_of(request)
    size = printed.SIZES.get(asked.size)
    if size is None:
        raise Invalid({"size": _NO_SIZE.format(known=", ".join(printed.SIZES))})
    ids = _ids(asked.ids)
    there = {record.pk: record for record in access.rows(found).filter(pk__in=ids)}
    missing = next((id for id in ids if id not in there), None)
    if missing is not None:
        raise absent(found.kind, missing)
    base = current().page_url.rstrip("/") or request.build_absolute_uri("/").rstrip("/")
    address = f"{base}/records/{found.kind}/{{id}}"
    labels = printed.printed(access, found, [there[id] for id in ids], address, asked.language)
    note(access, found, Doing.VIEW, len(labels))
    nonce = request.csp_nonce  # type: ignore[attr-defined]
    return HttpResponse(printed.page(labels, size, asked.language, nonce), content_type="text/html; charset=utf-8")


@router.get("/label-sizes", auth=Needs(Right.VIEW))
def label_sizes(request: HttpRequest) -> dict[str, Any]:
    """List the sizes that labels are printed in."""
    items = [{"size": name, "words": size.words.document()} for name, size in printed.SIZES.items()]
    return {"items": items}


def _ids(text: str) -> list[UUID]:
    try:
        ids = list(dict.fromkeys(UUID(part.strip()) for part in text.split(",") if part.strip()))
    except ValueError:
        ids = []
    if not 1 <= len(ids) <= printed.LABELS_MAX:
        raise Invalid({"ids": _NO_IDS.format(limit=printed.LABELS_MAX)})
    return ids


def file_answer(content: bytes, media_type: str, name: str, sha256: str) -> HttpResponse:
    """Return a file that browsers keep and never show or run."""
    shown = media_type if media_type in SHOWN_TYPES else "application/octet-stream"
    answer = HttpResponse(content, content_type=shown)
    answer.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["ETag"] = f'"{sha256}"'
    return answer


def seen(request: HttpRequest, kind: type[D], id: UUID) -> tuple[Access, D]:
    """Return a record of one's own company that may be seen; what is on it stays with its owner."""
    access = access_of(request)
    if isinstance(access, Granted):
        raise absent(kind.kind, id)
    return access, writing.find(access, kind, id)


def _discussed(request: HttpRequest, kind: str, id: UUID) -> tuple[Access, Defined]:
    """Return a record on which one may comment: of one's own company, or of another that grants it."""
    access = access_of(request)
    doing = Doing.COMMENT if isinstance(access, Granted) else Doing.VIEW
    return access, writing.find(access, find_kind(kind), id, doing)


def _with_names(access: Access, things: Iterable[Comment | Attachment | SavedView]) -> list[dict[str, Any]]:
    """Tell who did it by name; people are looked up by their pseudonym now."""
    rows = [each.document() for each in things]
    names, mine = names_of(access, {row["by"] for row in rows}), access.author.pseudonym
    return [row | {"by": names.get(row["by"], ""), "mine": row["by"] is not None and row["by"] == mine} for row in rows]


def _with_name(access: Access, thing: Comment | Attachment | SavedView) -> dict[str, Any]:
    return _with_names(access, [thing])[0]
