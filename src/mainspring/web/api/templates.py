"""Device templates: list, apply, send, take and delete them as files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from mainspring.core.definitions import Words
from mainspring.core.drivers import registered
from mainspring.records.plant import device_template as records
from mainspring.records.plant.connection import find as find_connection
from mainspring.records.plant.device_template import NAME, DeviceTemplate, Templates
from mainspring.records.rights import Right
from mainspring.web.configure import current
from mainspring.web.security import Needs, actor_of

router = Router(tags=["templates"])


class Given(Schema):
    """What differs for this device: host, unit and the like."""

    parameters: dict[str, str | int] = Field(default_factory=dict, max_length=20)


class FromConnection(Schema):
    """A connection that becomes a template."""

    connection: UUID
    name: str = Field(pattern=NAME)
    title: Words


def _templates(request: HttpRequest) -> Templates:
    return Templates(current().data_folder.resolve() / "templates" / actor_of(request).tenant.key)


def _shown(template: DeviceTemplate, own: bool) -> dict[str, Any]:
    document = template.model_dump(mode="json", exclude={"tags", "settings"})
    return document | {"tags": len(template.tags), "own": own, "installed": template.driver in registered()}


@router.get("/templates", auth=Needs(Right.VIEW))
def templates(request: HttpRequest) -> dict[str, Any]:
    """List device templates: those that come with the product and the company's own, and which files are damaged."""
    listed = _templates(request).all()
    items = [_shown(template, own) for template, own in listed.templates]
    damaged = [{"name": name, "text": text.document()} for name, text in listed.damaged.items()]
    return {"items": items, "total": len(items), "damaged": damaged}


@router.post("/templates", auth=Needs(Right.CONFIGURE), response={201: Any})
def add_template(request: HttpRequest) -> Status[Any]:
    """Keep a template sent as TOML in the body, under the name it gives itself."""
    return Status(201, _shown(_templates(request).keep(request.body), own=True))


@router.post("/templates/from-connection", auth=Needs(Right.CONFIGURE), response={201: Any})
def save_template(request: HttpRequest, wanted: FromConnection) -> Status[Any]:
    """Save a connection with its tags as a template, without its secrets."""
    connection = find_connection(actor_of(request).tenant, wanted.connection)
    content = records.of_connection(connection, wanted.name, wanted.title)
    return Status(201, _shown(_templates(request).keep(content), own=True))


@router.get("/templates/{name}", auth=Needs(Right.VIEW))
def template(request: HttpRequest, name: str) -> HttpResponse:
    """Download a template as its file."""
    file = _templates(request).find(name)
    answer = HttpResponse(file.read_bytes(), content_type="application/toml; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return answer


@router.post("/templates/{name}/apply", auth=Needs(Right.CONFIGURE))
def apply_template(request: HttpRequest, name: str, given: Given) -> dict[str, Any]:
    """Fill a template in for one device: settings of its connection and its tags, nothing stored."""
    file = _templates(request).find(name)
    return records.apply(records.parse(file.read_bytes(), file.name), given.parameters)


@router.delete("/templates/{name}", auth=Needs(Right.CONFIGURE), response={204: None})
def delete_template(request: HttpRequest, name: str) -> Status[None]:
    """Delete one of the company's own templates; tags made from it stay."""
    _templates(request).remove(name)
    return Status(204, None)
