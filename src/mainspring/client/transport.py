"""HTTP to one platform: the token, time limits, and errors in the platform's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from mainspring.core.errors import ConfigurationError, MainspringError, NotConnected, error_of
from mainspring.core.text import Text

PREFIX: Final = "/api/v1"
ARROW: Final = "application/vnd.apache.arrow.stream"
CONNECT_S: Final = 5.0
_AWAY: Final = Text(
    "{url} does not answer ({reason}). Start the platform, or check the address.",
    "{url} 无应答（{reason}）。请启动平台或检查地址。",
)
_PLAIN: Final = Text(
    "{url} is not on this machine and not https: the token would travel in clear. Use https.",
    "{url} 不在本机且未使用 https，令牌将以明文传输。请使用 https。",
)
_STRANGE: Final = Text(
    "{url} answered {status} without words of ours: something else answers there.",
    "{url} 返回 {status} 且内容无法识别，该地址可能不是本平台。",
)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class PlatformError(MainspringError):
    """The platform refused, in its own words; `code` and `status` tell which kind it is."""

    def __init__(self, error: MainspringError, status: int, fields: dict[str, Any]) -> None:
        super().__init__(error.text)
        self.kind = error.code
        self.status = status
        self.fields = fields


class Transport:
    """One connection pool to a platform."""

    def __init__(self, url: str, token: str, timeout_s: float, *, ca: str | None, plain: bool) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK and not plain:
            raise ConfigurationError(_PLAIN, url=self.url)
        verify: Any = True
        if ca is not None:
            import ssl

            verify = ssl.create_default_context(cafile=ca)
        self._http = httpx.Client(
            base_url=self.url + PREFIX,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
            verify=verify,
            trust_env=False,
        )

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON a path gives; parameters that are None are left out."""
        return self._json("GET", path, params={name: value for name, value in parameters.items() if value is not None})

    def post(self, path: str, document: Any) -> Any:
        """Post JSON and return the JSON answer."""
        return self._json("POST", path, json=document)

    def put(self, path: str, document: Any) -> Any:
        """Put JSON and return the JSON answer."""
        return self._json("PUT", path, json=document)

    @contextmanager
    def stream(
        self, method: str, path: str, document: Any = None, *, accept: str, read_s: float | None = None
    ) -> Iterator[httpx.Response]:
        """Open an answer that is read piece by piece; raises like the others before the first piece."""
        timeout: Any = httpx.USE_CLIENT_DEFAULT if read_s is None else httpx.Timeout(read_s, connect=CONNECT_S)
        with self._translated(), self._http.stream(
            method, path, json=document, headers={"Accept": accept}, timeout=timeout
        ) as answer:  # fmt: skip
            if answer.is_error:
                answer.read()
                raise self._refusal(answer)
            yield answer

    def close(self) -> None:
        """Close the pool."""
        self._http.close()

    def _json(self, method: str, path: str, **options: Any) -> Any:
        with self._translated():
            answer = self._http.request(method, path, **options)
        if answer.is_error:
            raise self._refusal(answer)
        return orjson.loads(answer.content) if answer.content else None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise NotConnected(_AWAY, url=self.url, reason=str(error) or type(error).__name__) from error

    def _refusal(self, answer: httpx.Response) -> MainspringError:
        try:
            document = orjson.loads(answer.content)
            return PlatformError(error_of(document), answer.status_code, document.get("fields", {}))
        except (ValueError, KeyError, TypeError, AttributeError):
            return NotConnected(_STRANGE, url=self.url, status=answer.status_code)
