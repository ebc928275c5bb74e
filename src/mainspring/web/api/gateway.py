"""Questions to gateways: test and browse a connection before it is saved."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mainspring.core import subjects
from mainspring.core.kinds import SampleKind
from mainspring.records.plant.connection import GATEWAY_DEFAULT, complete_settings
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["gateways"])

TEST_TIMEOUT_S: Final = 40.0
PREVIEW_TAGS_MAX: Final = 1000


class Question(Schema):
    """A connection as it stands in the form; `id` of a stored one lends its secrets."""

    driver: str = Field(max_length=64)
    settings: dict[str, Any] = Field(default_factory=dict)
    gateway: str = Field(default=GATEWAY_DEFAULT, pattern=r"^[a-z][a-z0-9-]{0,31}$")
    id: UUID | None = None


class BrowseQuestion(Question):
    """Which node to open; none is the root."""

    parent: str | None = Field(default=None, max_length=2000)
    limit: int = Field(default=500, ge=1, le=5000)


class PreviewTag(Schema):
    """A value that may become a tag."""

    address: dict[str, Any]
    kind: SampleKind = SampleKind.FLOAT


class PreviewQuestion(Question):
    """Which values to read before they are stored."""

    tags: list[PreviewTag] = Field(max_length=PREVIEW_TAGS_MAX)


async def _ask(tenant: Tenant, question: Question, verb: str, **more: Any) -> Any:
    settings = await sync_to_async(complete_settings)(tenant, question.driver, question.settings, question.id)
    payload = json.dumps({"driver": question.driver, "settings": settings, **more}, default=str).encode()
    subject = subjects.gateway(tenant.key, question.gateway, verb)
    return json.loads(await runtime.require_bus().ask(subject, payload, timeout_s=TEST_TIMEOUT_S))


@router.post("/connections/test", auth=Needs(Right.CONFIGURE))
async def test(request: HttpRequest, question: Question) -> Any:
    """Test a connection in ordered steps; the first that fails carries its cure."""
    return await _ask(actor_of(request).tenant, question, "test")


@router.post("/connections/browse", auth=Needs(Right.CONFIGURE))
async def browse(request: HttpRequest, question: BrowseQuestion) -> Any:
    """List what lies below a node of a device."""
    return await _ask(actor_of(request).tenant, question, "browse", parent=question.parent, limit=question.limit)


@router.post("/connections/preview", auth=Needs(Right.CONFIGURE))
async def preview(request: HttpRequest, question: PreviewQuestion) -> Any:
    """Read values of a connection that is not stored yet, as the device gives them: raw, with quality."""
    tags = [tag.model_dump(mode="json") for tag in question.tags]
    return await _ask(actor_of(request).tenant, question, "preview", tags=tags)
