"""Test, browse and commands: from the API through a real gateway to a real OPC UA server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.web.equipment import PASSWORD, connected, settings_of, with_gateway
from tests.web.running import Records, running

from mainspring.core.kinds import SampleKind
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode


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


async def test_gateways_are_listed_with_whether_they_live(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        listed = await web.get("/gateways")
        assert [(each["name"], each["tenant"], each["alive"]) for each in listed] == [("main", "acme", False)]
        async with with_gateway(web):
            assert {each["name"]: each["alive"] for each in await web.get("/gateways")} == {"main": False, "g1": True}
            assert {each["name"] for each in await web.get("/gateways", "stranger")} == {"main"}
