"""The API's own description: for programs as OpenAPI, for people as a plain list."""

from __future__ import annotations

from html import escape
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router, Schema

from mainspring.core.units import SIGNS, SYNONYMS
from mainspring.records.rights import Right
from mainspring.web.security import Needs

router = Router(tags=["reference"])


class UnitOut(Schema):
    """A unit: its UCUM code, the sign people read, and other ways to write it."""

    code: str
    sign: str
    also: list[str]


class UnitList(Schema):
    """All units a tag may have."""

    items: list[UnitOut]
    total: int


@router.get("/units", auth=Needs(Right.VIEW), response=UnitList)
def units(request: HttpRequest) -> dict[str, Any]:
    """List the units a tag may have; code, sign and the other ways are all taken."""
    items = [
        {"code": code, "sign": sign, "also": [way for way, meant in SYNONYMS.items() if meant == code]}
        for code, sign in SIGNS.items()
    ]
    return {"items": items, "total": len(items)}


def _schema() -> dict[str, Any]:
    from mainspring.web.api import api

    return dict(api.get_openapi_schema(path_prefix="/api/v1/"))


@router.get("/openapi.json", auth=Needs(Right.VIEW))
def openapi(request: HttpRequest) -> HttpResponse:
    """Describe the API as OpenAPI 3.1."""
    return JsonResponse(_schema())


@router.get("/docs", auth=Needs(Right.VIEW))
def docs(request: HttpRequest) -> HttpResponse:
    """Describe the API for people: every endpoint in one list."""
    rows = [
        f"<tr><td>{method.upper()}<td><code>{escape(path)}</code><td>{escape(operation.get('description', ''))}"
        for path, methods in _schema()["paths"].items()
        for method, operation in methods.items()
    ]
    title = "<!doctype html><html lang=en><meta charset=utf-8><title>Mainspring API</title><h1>Mainspring API</h1>"
    return HttpResponse(f'{title}<p><a href="openapi.json">OpenAPI</a><table>{"".join(rows)}</table></html>')
