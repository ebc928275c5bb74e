"""Contents of documents: sent once for a revision, kept by their hash, downloaded and never shown or run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from mainspring.core.errors import ConfigurationError
from mainspring.records.access.use import note
from mainspring.records.business import document
from mainspring.records.business.document import Document
from mainspring.records.defined.access import Doing
from mainspring.records.rights import Right
from mainspring.web.api.defined import detail
from mainspring.web.api.defined_more import NO_FILE, FileAsked, file_answer, seen
from mainspring.web.api.forms import if_match
from mainspring.web.configure import current
from mainspring.web.security import Needs

router = Router(tags=["records"])


@router.put("/records/document/{uuid:id}/content", auth=Needs(Right.SIGN_IN), response=dict[str, Any])
def send_content(request: HttpRequest, id: UUID, asked: Query[FileAsked]) -> dict[str, Any]:
    """Give a document its content, as long as it is not released: the body is the file itself."""
    access, _ = seen(request, Document, id)
    if not request.body:
        raise ConfigurationError(NO_FILE)
    made = document.attach(access, current().data_folder, id, if_match(request), asked.name, [request.body])
    return detail(access, made)


@router.get("/records/document/{uuid:id}/content", auth=Needs(Right.SIGN_IN))
def download_content(request: HttpRequest, id: UUID) -> HttpResponse:
    """Download the content of a document."""
    access, found = seen(request, Document, id)
    file = document.content_file(current().data_folder, found)
    note(access, Document, Doing.VIEW, 1)
    return file_answer(file.read_bytes(), found.media_type, found.file_name, found.sha256)
