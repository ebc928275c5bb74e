"""The API: every router in one list; an endpoint without a declared right is closed."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from django.http import HttpRequest
from ninja import NinjaAPI, Router

from mainspring.web.configure import current
from mainspring.web.faults import SIGN_IN, NotSignedIn, handle_errors
from mainspring.web.parsing import Json

ROUTERS: Final = (
    "live",
    "history",
    "site",
    "session",
    "second_factor",
    "providers",
    "saml",
    "sessions",
    "assets",
    "tags",
    "imports",
    "templates",
    "connections",
    "mapping",
    "devices",
    "alarm_definitions",
    "users",
    "tokens",
    "audit",
    "search",
    "reference",
    "alarms",
    "alarm_work",
    "alarm_history",
    "alarm_trial",
    "history_imports",
    "remote_write",
    "samples",
    "blobs",
    "gateway",
    "gateways",
    "tenants",
    "invitations",
    "registrations",
    "provisioning",
    "commands",
    "health",
    "metrics",
    "subscriptions",
    "gateway_releases",
    "overview",
    "access",
    "defined",
    "defined_exchange",
    "defined_more",
    "documents",
    "epcis",
    "epcis_export",
    "epcis_words",
)
"""Modules of this package that hold a `router`; every path is written in full beside its function.

Paths are compared in this order: what is asked most often comes first."""


def _closed(_request: HttpRequest) -> Any:
    """Refuse everyone: who forgets to declare a right opens nothing."""
    raise NotSignedIn(SIGN_IN)


def build() -> NinjaAPI:
    """Make the API from its routers."""
    made = NinjaAPI(
        title="Mainspring",
        version="1",
        description=f"The API of Mainspring {current().product_version}; the page uses nothing else.",
        auth=_closed,
        docs_url=None,  # the packaged viewers load scripts from elsewhere; ours is in `reference`
        openapi_url=None,
        urls_namespace="api",
        parser=Json(),
    )
    handle_errors(made)
    for name in ROUTERS:
        router: Router = import_module(f"mainspring.web.api.{name}").router
        made.add_router("", router)
    return made


api = build()
