"""Sign-in at SAML 2.0 providers, as far as it differs: metadata, and the two steps of an answer.

XML and its signatures are loaded by the first request of SAML: most platforms have none.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from ninja import Router, Schema, Status
from pydantic import Field

from mainspring.web.api.providers import proven
from mainspring.web.api.session import SecondStepOut, SessionOut
from mainspring.web.security import require_csrf

router = Router(tags=["providers"])
ANSWER_LENGTH_MAX: Final = 8000


class Answered(Schema):
    """What the page was opened with after an answer of the provider."""

    provider: str = Field(max_length=32)
    answer: str = Field(min_length=1, max_length=ANSWER_LENGTH_MAX)


@router.get("/session/providers/{provider}/metadata", auth=None)
def metadata(request: HttpRequest, provider: str) -> HttpResponse:
    """Give the platform's SAML metadata for a provider, XML; open to everyone, for it holds no secret."""
    from mainspring.web.accounts import saml

    return HttpResponse(saml.metadata(request, provider), content_type="application/samlmetadata+xml")


@router.post("/session/providers/{provider}/response", auth=None, response={303: None})
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Take the form with which a SAML provider answers, and lead the browser to the page that goes on with it.

    It comes from elsewhere without any cookie of ours: nobody is signed in by it alone.
    """
    from mainspring.web.accounts import saml

    page = HttpResponseRedirect(saml.receive(request, provider, request.body))
    page.status_code = 303
    return page


@router.post("/session/providers/answer", auth=None, response={200: SessionOut, 202: SecondStepOut})
def complete(request: HttpRequest, body: Answered) -> Status[dict[str, Any]]:
    """Sign in, or link, with what a SAML provider's answer proved; the page it led to sends this."""
    from mainspring.web.accounts import saml

    require_csrf(request)
    section = saml.section_of(body.provider)
    proof = saml.complete(request, body.provider, body.answer)
    return proven(request, section, proof, f"saml:{body.provider}")
