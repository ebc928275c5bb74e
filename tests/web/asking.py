"""Someone who asks the API through Django's own client, and what is often made so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from mainspring.records.tenant import now_ms

DAY_MS = 86_400_000
ITEMS = "/records/item"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


class Asking:
    """Someone who asks; every answer must have the status that is expected."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        sent = None if body is None else json.dumps(body)
        answer = getattr(self.client, method)(f"/api/v1{path}", sent, "application/json", headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def get(self, path: str, status: int = 200, headers: Any = None, **query: Any) -> Any:
        asked = {name.removesuffix("_"): value for name, value in query.items()}
        answer = self.client.get(f"/api/v1{path}", asked, headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json()


class Keeper(Asking):
    """Someone who keeps items."""

    def item(self, number: str = "P-1", **more: Any) -> Any:
        return self("post", ITEMS, {"number": number, "name": {"en": "Bearing", "zh": "轴承"}} | more, 201)

    def remove(self, made: Any, kind: str = "item") -> None:
        self("delete", f"/records/{kind}/{made['id']}", None, 204, **{"If-Match": str(made["version"])})

    def sent(self, path: str, content: bytes, status: int = 201) -> Any:
        answer = self.client.post(f"/api/v1{path}", content, "application/octet-stream")
        assert answer.status_code == status, answer.content
        return answer.json()

    def history(self, one: str) -> list[Any]:
        found: list[Any] = self.get(f"{one}/history")["items"]
        return found


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


def item(of: Asking, number: str, **fields: Any) -> Any:
    return of("post", ITEMS, {"number": number, "name": {"en": number}, **fields}, 201)


def role(of: Asking, code: str, **permission: Any) -> str:
    body = {"code": code, "name": {"en": code}, "permissions": [permission]}
    return str(of("post", "/records/role", body, 201)["id"])


def grant(of: Asking, **fields: Any) -> Any:
    body = {
        "company": "north",
        "subject": "item",
        "purpose": "supply",
        "up_to": "internal",
        "until_ms": now_ms() + DAY_MS,
    }
    return of("post", "/records/grant", body | fields, 201)
