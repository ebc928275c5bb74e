"""The gate for gateways on other machines: a request signed with the key the gateway enrolled with."""

from __future__ import annotations

import base64
import time
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.http import HttpRequest
from ninja.security.base import AuthBase

from mainspring.core.text import Text
from mainspring.records.in_force import enter, for_platform
from mainspring.records.plant.gateway import Gateway
from mainspring.web.faults import NotSignedIn

SCHEME: Final = "Gateway"
AGE_MAX_S: Final = 300
_DIGITS_MAX: Final = 12
_REFUSED: Final = Text(
    "The signature is not that of a gateway that has enrolled, or its clock is more than five minutes off.",
    "签名不属于已登记的网关，或其时钟偏差超过五分钟。",
)


class GatewayKey(AuthBase):
    """`auth=GatewayKey()`: the header `Gateway <public key>:<seconds UTC>:<signature of time, method and path>`."""

    openapi_type = "http"
    openapi_scheme = "gateway"

    def __call__(self, request: HttpRequest) -> Gateway:
        """Return the gateway, which is then also `request.auth`; raises NotSignedIn."""
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        public_key, at, signature = (*shown.split(":"), "", "")[:3]
        if scheme != SCHEME or not at.isdecimal() or len(at) > _DIGITS_MAX or abs(time.time() - int(at)) > AGE_MAX_S:
            raise NotSignedIn(_REFUSED)
        with for_platform():
            rows = Gateway.objects.select_related("tenant", "credential")
            gateway = rows.filter(
                credential__public=public_key, credential__revoked_ms=None, credential__digest=""
            ).first()
        if gateway is None or not _signed(public_key, signature, f"{at}\n{request.method}\n{request.path}"):
            raise NotSignedIn(_REFUSED)
        enter(gateway.tenant)
        return gateway


def _signed(public_key: str, signature: str, text: str) -> bool:
    try:
        # An nkey is base32 of a prefix byte, the key and two bytes of checksum.
        key = Ed25519PublicKey.from_public_bytes(base64.b32decode(public_key)[1:-2])
        key.verify(base64.b64decode(signature), text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True
