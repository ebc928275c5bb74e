"""A person's way to ask for records over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tests.waiting import PATIENCE_S
from tests.web.running import Running


@dataclass(frozen=True)
class Asking:
    """Someone who asks; every answer must have the status that is expected."""

    web: Running
    who: str = "administrator"

    def of(self, who: str) -> Asking:
        return Asking(self.web, who)

    async def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.web.ask(method, path, body, self.who)
        assert answer.status == status, answer.body
        return answer.json if answer.body else None

    async def make(self, kind: str, status: int = 201, **fields: Any) -> Any:
        return await self("POST", f"/records/{kind}", fields, status)

    async def change(self, kind: str, record: Any, status: int = 200, **fields: Any) -> Any:
        return await self("PATCH", f"/records/{kind}/{record['id']}", {**fields, "version": record["version"]}, status)

    async def move(self, kind: str, record: Any, step: str, status: int = 200) -> Any:
        body = {"version": record["version"]}
        return await self("POST", f"/records/{kind}/{record['id']}/moves/{step}", body, status)

    async def show(self, kind: str, record: Any, status: int = 200) -> Any:
        return await self("GET", f"/records/{kind}/{record['id']}", status=status)

    async def listed(self, kind: str, **query: Any) -> list[Any]:
        found: list[Any] = (await self("GET", f"/records/{kind}?{urlencode(query, quote_via=quote)}"))["items"]
        return found

    async def undo(self, kind: str, record: Any, status: int = 200) -> Any:
        """Undo the last change of a record."""
        told = await self("GET", f"/records/{kind}/{record['id']}/history")
        body = {"sequence": told["items"][0]["sequence"], "version": record["version"]}
        return await self("POST", f"/records/{kind}/{record['id']}/undo", body, status)

    async def file(self, path: str) -> bytes:
        answer = await self.web.ask("GET", path, None, self.who)
        assert answer.status == 200, answer.body
        return answer.body

    async def loaded(self, kind: str, name: str, content: bytes) -> tuple[Any, Any]:
        """Import a sheet as it stands: returns its state after the check and after it is loaded."""
        state = await asyncio.to_thread(self._sent, f"/imports?{urlencode({'kind': kind, 'name': name})}", content)
        fields = {str(at): each["field"] for at, each in enumerate(state["columns"]) if each["field"]}
        await self("POST", f"/imports/{state['id']}/check", {"mapping": fields})
        checked = await self._ended(state["id"])
        assert checked["stage"] == "checked", checked
        await self("POST", f"/imports/{state['id']}/load", {})
        return checked, await self._ended(state["id"])

    async def _ended(self, id: str) -> Any:
        async def ended() -> Any:
            state = await self("GET", f"/imports/{id}")
            return state if state["stage"] not in {"checking", "loading", "undoing"} else None

        return await self.web.until(ended, PATIENCE_S)

    def _sent(self, path: str, content: bytes) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=PATIENCE_S)
        token = self.web.records.tokens[self.who]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        connection.request("POST", f"/api/v1{path}", content, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status == 201, body
        return json.loads(body)
