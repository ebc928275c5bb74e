"""Test, browse and commands: from the API through a real gateway to a real OPC UA server."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.records.plant import author
from tests.web.running import Records, Running, now_ms, records, running

from mainspring.core.kinds import SampleKind
from mainspring.gateway.role import run as run_gateway
from mainspring.gateway.settings import GatewaySettings
from mainspring.records import connection, tag
from mainspring.records.command import CommandRecord
from mainspring.records.connection import ConnectionDraft
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode
from mainspring.web.lasting import in_thread

PASSWORD = "only for this test"


@pytest.fixture
def kept(database: None) -> Records:
    return records()


@pytest.fixture
async def server() -> AsyncIterator[OpcUaSimulator]:
    simulator = OpcUaSimulator(
        [
            SimulatedNode("Reactor/Temperature", unit="Cel", low=0.0, high=200.0, writable=True, value=120.4),
            SimulatedNode("Reactor/Mode", SampleKind.TEXT, value="run"),
        ],
        passwords={"plant": PASSWORD},
    )
    await simulator.start()
    yield simulator
    await simulator.stop()


def settings_of(server: OpcUaSimulator, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "security_policy": "none", "publishing_interval_ms": 50, **more}


@asynccontextmanager
async def with_gateway(web: Running) -> AsyncIterator[None]:
    stop = asyncio.Event()
    settings = GatewaySettings(name="g1", tenant="acme", folder=web.folder / "gateway", disk_free_min_bytes=0)
    task = asyncio.create_task(run_gateway(web.gateway, settings, stop))

    async def alive() -> bool:
        return any(each["name"] == "g1" and each["alive"] for each in await web.get("/gateways"))

    try:
        await web.until(alive)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def connected(web: Running, server: OpcUaSimulator) -> UUID:
    """Store a connection and put the tag T1 on it."""

    def stored() -> UUID:
        settings = settings_of(server, user="plant", password=PASSWORD, sign_in="password", password_in_clear=True)
        draft = ConnectionDraft(name="Reactor", driver="opcua", gateway="g1", settings=settings)
        made = connection.create(author(web.records.plant), draft)
        one = web.records.tags["T1"]
        address = {"node": server.node_id("Reactor/Temperature")}
        change = {"connection": made.id, "address": address, "writable": True, "low": 0.0, "high": 200.0}
        tag.modify(author(web.records.plant), one.id, change, None)
        return made.id

    return await asyncio.to_thread(stored)


async def test_a_connection_is_tested_and_browsed_before_and_after_it_is_saved(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept, engine=False) as web, with_gateway(web):
        question = {"driver": "opcua", "gateway": "g1", "settings": settings_of(server)}
        checks = (await web.post("/connections/test", question, "engineer"))["checks"]
        assert not checks[-1]["ok"]
        assert checks[-1]["detail"]["zh"]
        known = {"sign_in": "password", "password_in_clear": True, "user": "plant", "password": PASSWORD}
        question["settings"] = settings_of(server, **known)
        checks = (await web.post("/connections/test", question, "engineer"))["checks"]
        assert len(checks) > 1
        assert all(check["ok"] for check in checks), checks
        assert {"name", "ok", "detail", "elapsed_ms"} <= set(checks[0])
        roots = (await web.post("/connections/browse", question, "engineer"))["nodes"]
        (reactor,) = [node for node in roots if node["name"] == "Reactor"]
        assert reactor["has_children"]
        nodes = (await web.post("/connections/browse", question | {"parent": reactor["id"]}, "engineer"))["nodes"]
        temperature = {node["name"]: node for node in nodes}["Temperature"]
        assert (temperature["kind"], temperature["unit"], temperature["writable"]) == ("float64", "Cel", True)
        # The stored connection lends its secret, which never left the server.
        id = await connected(web, server)
        question["settings"] = settings_of(server, **{**known, "password": ""})
        assert not (await web.post("/connections/test", question, "engineer"))["checks"][-1]["ok"]
        lent = await web.post("/connections/test", question | {"id": str(id)}, "engineer")
        assert all(check["ok"] for check in lent["checks"]), lent
        assert (await web.ask("POST", "/connections/test", question | {"id": str(id)}, "stranger")).status == 404
        for who in ("viewer", "operator"):
            for verb in ("test", "browse"):
                refused = await web.ask("POST", f"/connections/{verb}", question, who)
                assert (refused.status, refused.json["code"]) == (403, "not-allowed")
        wrong = await web.ask("POST", "/connections/test", question | {"settings": {"url": 5}})
        assert wrong.status == 422
        assert "settings.url" in wrong.json["fields"]
        nobody = await web.ask("POST", "/connections/test", question | {"gateway": "g9"})
        assert nobody.status == 503


async def test_a_command_is_recorded_carried_out_and_its_outcome_kept(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept) as web, with_gateway(web):
        id = await connected(web, server)
        await web.known("T1")
        draft = {"connection": str(id), "reason": "warm up", "items": [{"tag": kept.ordinal("T1"), "value": 99.5}]}
        assert (await web.ask("POST", "/commands", draft, "viewer")).status == 403
        assert (await web.ask("POST", "/commands", draft, "stranger")).status == 404
        outcome = await web.post("/commands", draft, "operator")
        (item,) = outcome["items"]
        assert (item["outcome"], item["read_back"]) == ("done", 99.5)
        assert await server.get("Reactor/Temperature") == 99.5
        too_hot = draft | {"items": [{"tag": kept.ordinal("T1"), "value": 500.0}]}
        (refused,) = (await web.post("/commands", too_hot, "operator"))["items"]
        assert refused["outcome"] == "refused"
        assert refused["text"]["en"]
        foreign = draft | {"items": [{"tag": kept.ordinal("X"), "value": 1.0}]}
        assert (await web.post("/commands", foreign, "operator"))["items"][0]["outcome"] == "refused"
        wrongs: tuple[dict[str, Any], ...] = (
            {"items": []}, {"expires_ms": 10}, {"expires_ms": 10**7}, {"reason": "x" * 401},
        )  # fmt: skip
        for wrong in wrongs:
            assert (await web.ask("POST", "/commands", draft | wrong, "operator")).status == 422
        listed = await web.get("/commands", "viewer")
        assert listed["total"] == 3
        oldest = listed["items"][-1]
        assert (oldest["by"], oldest["authority"]) == ("Person operator", "command: warm up")
        assert oldest["outcome"][0]["outcome"] == "done"
        assert oldest["finished_ms"] >= oldest["issued_ms"]
        assert (await web.get("/commands", "stranger"))["total"] == 0
        entries = (await web.get("/audit?action=command"))["items"]
        assert len(entries) == 3
        assert entries[-1]["changes"]["items"][1] == [{"tag": kept.ordinal("T1"), "value": 99.5}]


async def test_a_silent_gateway_leaves_a_command_not_confirmed(
    kept: Records, server: OpcUaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.web.api.gateway.ANSWER_S", 0.2)
    async with running(tmp_path, kept, engine=False) as web:
        id = await connected(web, server)
        recorded: list[int] = []

        async def deaf(_message: Any) -> None:
            recorded.append(await in_thread(CommandRecord.objects.filter(outcome__isnull=True).count))

        await web.gateway.nc.subscribe("ms.acme.gateway.g1.command", cb=deaf)
        await web.gateway.nc.flush()
        draft = {"connection": str(id), "expires_ms": 300, "items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
        (item,) = (await web.post("/commands", draft, "operator"))["items"]
        assert item["outcome"] == "not-confirmed"
        assert "may have acted" in item["text"]["en"]
        # It was in the records before it was sent.
        assert recorded == [1]
        assert (await web.get("/commands"))["items"][0]["outcome"][0]["outcome"] == "not-confirmed"


async def test_a_command_is_recorded_to_its_end_although_its_asker_has_gone(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        id = await connected(web, server)
        taken, go_on = asyncio.Event(), asyncio.Event()

        async def slow(message: Any) -> None:
            taken.set()
            await go_on.wait()
            command = json.loads(message.data)
            items = [{"tag": item["tag"], "outcome": "done"} for item in command["items"]]
            answer = {"id": command["id"], "items": items, "finished_ms": now_ms()}
            await message.respond(json.dumps(answer).encode())

        await web.gateway.nc.subscribe("ms.acme.gateway.g1.command", cb=slow)
        await web.gateway.nc.flush()
        draft = {"connection": str(id), "items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
        asker = http.client.HTTPConnection("127.0.0.1", web.port)
        headers = {"Authorization": f"Bearer {kept.tokens['operator']}", "Content-Type": "application/json"}
        asker.request("POST", "/api/v1/commands", json.dumps(draft).encode(), headers)
        await asyncio.wait_for(taken.wait(), 5)
        asker.close()
        await asyncio.sleep(0.2)
        go_on.set()

        async def finished() -> bool:
            return (await web.get("/commands"))["items"][0]["outcome"] is not None

        await web.until(finished)


async def test_without_a_bus_nothing_is_sent_and_that_is_said(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        id = await connected(web, server)
        await web.server.kill()
        await web.until(lambda: not web.gateway.connected)
        draft = {"connection": str(id), "items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
        (item,) = (await web.post("/commands", draft, "operator"))["items"]
        assert item["outcome"] == "refused"
        await web.server.start_again()
        await web.until(lambda: web.admin.connected and web.gateway.connected)


async def test_gateways_are_listed_with_whether_they_live(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        assert await web.get("/gateways") == [{"name": "main", "tenant": "acme", "alive": False}]
        async with with_gateway(web):
            assert {each["name"]: each["alive"] for each in await web.get("/gateways")} == {"main": False, "g1": True}
            assert {each["name"] for each in await web.get("/gateways", "stranger")} == {"main"}
