"""The companies on this platform, for those who run it: administrators of the company the platform belongs to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records import first_start
from mainspring.records.access.companies import put_below
from mainspring.records.first_start import ADMINISTRATOR, TenantDraft
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.api.forms import Label
from mainspring.web.configure import current
from mainspring.web.security import Needs, actor_of

router = Router(tags=["tenants"])
# The same answer as for a path that does not exist: other companies need not know that it does.
_NOT_THEIRS = Text("There is nothing at this address.", "此地址没有内容。")


class TenantOut(Schema):
    """A company; `key` stands in subjects and before its people's names at sign-in."""

    key: str
    name: Label
    zone: str
    parent: str


class AddedOut(TenantOut):
    """A new company and its administrator; `initial_password` is shown this once."""

    username: str
    initial_password: str


@router.get("/tenants", auth=Needs(Right.ADMINISTER), response=list[TenantOut])
def tenants(request: HttpRequest) -> list[dict[str, Any]]:
    """List the companies on this platform."""
    _require_operator(request)
    return [_document(each) for each in Tenant.objects.select_related("parent").order_by("key")]


@router.post("/tenants", auth=Needs(Right.ADMINISTER), response={201: AddedOut})
def add_tenant(request: HttpRequest, draft: TenantDraft) -> Status[dict[str, Any]]:
    """Make a company with an administrator and a gateway beside the platform."""
    _require_operator(request)
    names = draft.name.model_dump()
    tenant, password = first_start.add_tenant(draft.key, names, draft.zone, current().data_folder / "secrets")
    username = f"{tenant.key}/{ADMINISTRATOR}"
    return Status(201, {**_document(tenant), "username": username, "initial_password": password})


class PlaceDraft(Schema):
    """Below which company one lies: a park over its enterprises, a platform over others; it alone shows nothing."""

    key: str = Field(max_length=32)
    parent: str = Field(default="", max_length=32, description="empty: below none")


@router.post("/tenants/place", auth=Needs(Right.ADMINISTER), response=TenantOut)
def place_tenant(request: HttpRequest, draft: PlaceDraft) -> dict[str, Any]:
    """Put a company below another one. What it shows to that one, it says itself by grants."""
    _require_operator(request)
    return _document(put_below(actor_of(request).author, draft.key, draft.parent))


def _require_operator(request: HttpRequest) -> None:
    if actor_of(request).tenant.key != current().tenant:
        raise NotFound(_NOT_THEIRS)


def _document(tenant: Tenant) -> dict[str, Any]:
    parent = tenant.parent.key if tenant.parent else ""
    return {"key": tenant.key, "name": tenant.name, "zone": tenant.zone, "parent": parent}
