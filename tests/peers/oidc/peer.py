"""Starts the independent OpenID Connect provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from tests.peers import node

_REDIRECTS_MAX = 10


@dataclass(frozen=True)
class Client:
    """One that people may be sent from."""

    id: str
    secret: str
    redirect: str


@dataclass(frozen=True)
class Peer:
    """A running provider."""

    port: int

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sign_in(self, url: str, name: str, groups: str = "") -> dict[str, str]:
        """Do what a person with a browser does at the provider; returns what it gives to bring back."""
        with httpx.Client() as browser:
            for _ in range(_REDIRECTS_MAX):
                answer = browser.get(url)
                if "/login/" in url:
                    answer = browser.post(url, data={"login": name, "groups": groups})
                url = urljoin(url, answer.headers["location"])
                parts = urlsplit(url)
                if parts.port != self.port:
                    return {key: values[0] for key, values in parse_qs(parts.query).items()}
        raise AssertionError(f"the provider did not send anyone back: {url}")


@contextmanager
def running(port: int, clients: Sequence[Client]) -> Iterator[Peer]:
    """Run the provider on a port for these clients."""
    settings = json.dumps({"port": port, "clients": [each.__dict__ for each in clients]})
    with node.running(Path(__file__).parent, settings) as (_, told):
        yield Peer(told["port"])
