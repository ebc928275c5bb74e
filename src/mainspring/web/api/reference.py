"""The API's own description: for programs as OpenAPI, for people as a plain list."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router, Schema

from mainspring.core.units import SIGNS, SYNONYMS
from mainspring.records.rights import Right
from mainspring.web.described import described
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


@router.get("/units", auth=Needs(Right.SIGN_IN), response=UnitList)
def units(request: HttpRequest) -> dict[str, Any]:
    """List the units a tag may have, for everyone signed in; code, sign and the other ways are all taken."""
    items = [
        {"code": code, "sign": sign, "also": [way for way, meant in SYNONYMS.items() if meant == code]}
        for code, sign in SIGNS.items()
    ]
    return {"items": items, "total": len(items)}


@router.get("/openapi.json", auth=Needs(Right.VIEW))
def openapi(request: HttpRequest) -> HttpResponse:
    """Describe the API as OpenAPI 3.1, records of each kind with their own fields."""
    return JsonResponse(described())


@router.get("/docs", auth=Needs(Right.VIEW))
def docs(request: HttpRequest) -> HttpResponse:
    """Describe the API for people: every endpoint in one list."""
    return HttpResponse(_page())


@cache
def _page() -> str:
    """Return the list; it is made once, as the description is."""
    from mainspring.web.api import api

    rows = [
        f"<tr><td>{method.upper()}<td><code>{escape(path)}</code><td>{escape(operation.get('description', ''))}"
        for path, methods in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items()
        for method, operation in methods.items()
    ]
    title = "<!doctype html><html lang=en><meta charset=utf-8><title>Mainspring API</title><h1>Mainspring API</h1>"
    return f'{title}<p><a href="openapi.json">OpenAPI</a><table>{"".join(rows)}</table></html>'
