"""The API's own description: for programs as OpenAPI, for people as a plain list."""

from __future__ import annotations

from html import escape
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from mainspring.records.rights import Right
from mainspring.web.security import Needs

router = Router(tags=["reference"])


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
