"""Metrics for Prometheus, behind a token like everything else."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Router

from mainspring.records.plant.connection import Connection
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.metrics import CONNECTIONS_MAX, CONTENT_TYPE, exposition
from mainspring.web.security import Needs, actor_of

router = Router(tags=["health"])


@router.get("/metrics", auth=Needs(Right.VIEW))
async def metrics(request: HttpRequest) -> HttpResponse:
    """Return roles and connections in the text format of Prometheus; give the scraper a viewer's token."""
    tenant = actor_of(request).tenant
    names = await sync_to_async(_names)(tenant)
    return HttpResponse(exposition(tenant.key, names), content_type=CONTENT_TYPE)


def _names(tenant: Tenant) -> dict[str, str]:
    rows = Connection.objects.of(tenant).values_list("id", "name")[:CONNECTIONS_MAX]
    return {str(identity): name for identity, name in rows}
