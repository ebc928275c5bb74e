"""Where everything is found."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.http import require_safe

from mainspring.web import pages
from mainspring.web.api import api
from mainspring.web.faults import no_endpoint
from mainspring.web.scim.views import scim


def _absent(request: HttpRequest, path: str = "") -> HttpResponse:
    return no_endpoint(request)


_absent.csrf_exempt = True  # type: ignore[attr-defined]

handler400 = "mainspring.web.faults.bad_request"
handler500 = "mainspring.web.faults.broken"
urlpatterns = [
    path("api/v1/", api.urls),
    # Whatever is asked for, line breaks too: an API answers in JSON.
    re_path(r"(?s)^api/(?P<path>.*)\Z", _absent),
    re_path(r"(?s)^scim/v2(?P<path>/.*)?\Z", scim),
    re_path(r"(?s)^scim(?:/.*)?\Z", _absent),
    path("static/<path:path>", require_safe(pages.part)),
    re_path(r"(?s)^(?P<path>.*)\Z", require_safe(pages.index)),
]
