"""Enrolling: the token is shown once and hands in the public half of a key that is made here and never leaves."""

from __future__ import annotations

import base64
import os
import ssl
import time
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from mainspring.bus.credentials import key_pair
from mainspring.core.errors import ConfigurationError, MainspringError, NotConnected, error_of
from mainspring.core.files import replace_file
from mainspring.core.text import Text
from mainspring.edge.settings import EdgeConfiguration

TOKEN_VARIABLE: Final = "MAINSPRING_GATEWAY_TOKEN"  # noqa: S105
TIMEOUT_S: Final = 30.0
_NO_TOKEN: Final = Text(
    "This gateway has not enrolled yet. Announce it on the platform (Connect > Gateways), then start it once with "
    "the token in MAINSPRING_GATEWAY_TOKEN.",
    "本网关尚未登记。请在平台（连接 > 网关）中添加，并在首次启动时通过 MAINSPRING_GATEWAY_TOKEN 提供令牌。",
)
_AWAY: Final = Text(
    "The platform at {url} does not answer ({reason}). Check the address and the network; enrolling needs it once.",
    "平台 {url} 无应答（{reason}）。请检查地址与网络，登记时需要连接平台一次。",
)
_NO_PLATFORM: Final = Text(
    "{url} answers, but not as a platform does. Check the address under [platform].",
    "{url} 有应答，但不是本平台。请检查 [platform] 中的地址。",
)
_UNREADABLE: Final = Text("The token file {file} cannot be read ({reason}).", "无法读取令牌文件 {file}（{reason}）。")


class Enrolled(BaseModel):
    """Who this gateway is and how it reaches the bus."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant: str
    name: str
    user: str
    bus_url: str
    bus_ca: str = ""


def seed_file(configuration: EdgeConfiguration) -> Path:
    """Where the private half of the key lies."""
    return configuration.secrets_folder / "gateway.seed"


def enrolled(configuration: EdgeConfiguration) -> Enrolled:
    """Return who this gateway is, enrolling on the first start; raises ConfigurationError or what the platform says."""
    file = configuration.data_folder / "enrolment.json"
    if file.exists():
        return Enrolled.model_validate_json(file.read_bytes())
    token = _token(configuration)
    public_key = key_pair(seed_file(configuration)).public_key.decode()
    answer = request(configuration, "POST", "/gateways/enrolment", {"token": token, "public_key": public_key})
    try:
        found = Enrolled.model_validate_json(answer.content)
    except ValidationError as error:
        raise ConfigurationError(_NO_PLATFORM, url=configuration.platform.url) from error
    if found.bus_ca:
        replace_file(authority_file(configuration), found.bus_ca.encode())
    # Last: once it is there, the token is not needed any more.
    replace_file(file, found.model_dump_json().encode())
    return found


def authority_file(configuration: EdgeConfiguration) -> Path:
    """Where the authority of the bus's certificate lies."""
    return configuration.data_folder / "bus-ca.pem"


def request(
    configuration: EdgeConfiguration, method: str, path: str, document: Any = None, *, signed: bool = False
) -> httpx.Response:
    """Ask the platform, signed with the gateway's key where asked; raises its errors, or NotConnected."""
    platform = configuration.platform
    verify: Any = ssl.create_default_context(cafile=str(platform.ca)) if platform.ca else True
    headers = {"Authorization": _signature(configuration, method, path)} if signed else {}
    url = f"{platform.url.rstrip('/')}/api/v1{path}"
    try:
        answer = httpx.request(
            method, url, json=document, headers=headers, verify=verify, timeout=TIMEOUT_S, trust_env=False
        )
    except httpx.HTTPError as error:
        raise NotConnected(_AWAY, url=platform.url, reason=str(error) or type(error).__name__) from error
    if answer.is_error:
        raise _refusal(answer, platform.url)
    return answer


def _refusal(answer: httpx.Response, url: str) -> MainspringError:
    try:
        return error_of(answer.json())
    except (ValueError, KeyError, TypeError):
        return NotConnected(_AWAY, url=url, reason=f"HTTP {answer.status_code}")


def _signature(configuration: EdgeConfiguration, method: str, path: str) -> str:
    pair = key_pair(seed_file(configuration))
    at = int(time.time())
    signed = base64.b64encode(pair.sign(f"{at}\n{method}\n/api/v1{path}".encode())).decode()
    return f"Gateway {pair.public_key.decode()}:{at}:{signed}"


def _token(configuration: EdgeConfiguration) -> str:
    file = configuration.platform.token_file
    if file is not None:
        try:
            return file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(_UNREADABLE, file=file, reason=str(error)) from error
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise ConfigurationError(_NO_TOKEN)
    return token
