"""Where everything is found."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.http import require_safe

from mainspring.web import pages
from mainspring.web.api import api
from mainspring.web.faults import no_endpoint


def _absent(request: HttpRequest, path: str = "") -> HttpResponse:
    return no_endpoint(request)


_absent.csrf_exempt = True  # type: ignore[attr-defined]

urlpatterns = [
    path("api/v1/", api.urls),
    re_path(r"^api/(?P<path>.*)$", _absent),
    path("static/<path:path>", require_safe(pages.part)),
    re_path(r"^(?P<path>.*)$", require_safe(pages.index)),
]
