"""/scim/v2: requests of a directory, each with the company's own provisioning token."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from mainspring.core.errors import MainspringError
from mainspring.records.audit import Author
from mainspring.records.defined.access import Access
from mainspring.records.in_force import for_platform, for_tenant
from mainspring.records.people import credential
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.rights import Role
from mainspring.web.faults import status_of
from mainspring.web.parsing import parsed

log = structlog.get_logger(__name__)
PREFIX: Final = "/scim/v2"
RESULTS_MAX: Final = 200
MEDIA_TYPE: Final = "application/scim+json"


@csrf_exempt
def scim(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answer one request of a directory."""
    with for_platform():
        token = _token(request)
    if token is None:
        return _refused(401, "Show the provisioning token of your company as Bearer.")
    address = str(request.META.get("REMOTE_ADDR") or "")
    access = Access(Author(token.tenant, token.pk, address), Role.ADMINISTRATOR.rights)
    with for_tenant(token.tenant):
        return _answered(request, access)


def _token(request: HttpRequest) -> Credential | None:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return credential.verify(shown.strip(), CredentialKind.PROVISIONING) if scheme.lower() == "bearer" else None


def _answered(request: HttpRequest, access: Access) -> HttpResponse:
    from scim2_models import SCIMException
    from scim2_server.handler import ScimHandler
    from scim2_server.requests import ScimRequest

    from mainspring.web.scim.storage import Records

    service = _service()
    asked = ScimRequest(
        method=request.method or "GET", base_url=request.build_absolute_uri(PREFIX),
        path=request.path.removeprefix(PREFIX), query=request.GET.dict(), headers=dict(request.headers),
        body=request.body,
    )  # fmt: skip
    try:
        if b"\\u" in request.body:
            # For characters that cannot be stored; all else of a body the package looks at.
            parsed(request.body)
        answer = ScimHandler(service, Records(access)).handle(asked)
    except SCIMException as error:
        answer = service.error_response(error)
    except MainspringError as error:
        return _refused(status_of(error), error.text.en)
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    response = HttpResponse(body, status=answer.status.value)
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response


@lru_cache(maxsize=1)
def _service() -> Any:
    # The package is loaded by the first request: most companies have no directory.
    from scim2_models import (
        AuthenticationScheme,
        Bulk,
        ChangePassword,
        EnterpriseUser,
        ETag,
        Filter,
        Group,
        Patch,
        ResourceType,
        ScimProvider,
        ServiceProviderConfig,
        Sort,
        User,
    )
    from scim2_server.service import ScimService

    config = ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=RESULTS_MAX),
        change_password=ChangePassword(supported=True),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken, name="Bearer token",
                description="A provisioning token, made by an administrator of the company", primary=True,
            )
        ],
    )  # fmt: skip
    types = [ResourceType.from_resource(User[EnterpriseUser]), ResourceType.from_resource(Group)]
    return ScimService(ScimProvider(models=[User, EnterpriseUser, Group], resource_types=types, config=config))


def _refused(status: int, detail: str) -> HttpResponse:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status), "detail": detail}
    response = HttpResponse(json.dumps(body).encode(), status=status, content_type=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="SCIM"'
    return response
