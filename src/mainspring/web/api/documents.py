"""Contents of documents: sent once for a revision, kept by their hash, downloaded and never shown or run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from ninja import Query, Router

from mainspring.core.errors import ConfigurationError
from mainspring.records.access.granted import Granted
from mainspring.records.access.use import note
from mainspring.records.business import document
from mainspring.records.business.document import Document
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.record import absent
from mainspring.records.rights import Right
from mainspring.web.api.blobs import SHOWN_TYPES
from mainspring.web.api.defined import access_of, detail
from mainspring.web.api.defined_more import NO_FILE, FileAsked
from mainspring.web.api.forms import if_match
from mainspring.web.configure import current
from mainspring.web.security import Needs

router = Router(tags=["records"])


@router.put("/records/document/{uuid:id}/content", auth=Needs(Right.SIGN_IN), response=dict[str, Any])
def send_content(request: HttpRequest, id: UUID, asked: Query[FileAsked]) -> dict[str, Any]:
    """Give a document its content, as long as it is not released: the body is the file itself."""
    access, _ = _seen(request, id)
    if not request.body:
        raise ConfigurationError(NO_FILE)
    made = document.attach(access, current().data_folder, id, if_match(request), asked.name, [request.body])
    return detail(access, made)


@router.get("/records/document/{uuid:id}/content", auth=Needs(Right.SIGN_IN))
def download_content(request: HttpRequest, id: UUID) -> HttpResponse:
    """Download the content of a document."""
    access, found = _seen(request, id)
    file = document.content_file(current().data_folder, found)
    note(access, Document, Doing.VIEW, 1)
    media_type = found.media_type if found.media_type in SHOWN_TYPES else "application/octet-stream"
    answer = HttpResponse(file.read_bytes(), content_type=media_type)
    answer.headers["Content-Disposition"] = content_disposition_header(True, found.file_name) or "attachment"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["ETag"] = f'"{found.sha256}"'
    return answer


def _seen(request: HttpRequest, id: UUID) -> tuple[Access, Document]:
    """Return a document of one's own company that may be seen; grants show its fields alone."""
    access = access_of(request)
    if isinstance(access, Granted):
        raise absent(Document.kind, id)
    return access, writing.find(access, Document, id)
