"""Connect in minutes, over HTTP: values before saving, imports as files, templates."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.answer import Answer
from tests.waiting import ANSWER_MS, PATIENCE_S
from tests.web.equipment import settings_of, with_gateway
from tests.web.running import Records, Running, running

from mainspring.core.kinds import SampleKind
from mainspring.records.importing.files import WORKING
from mainspring.records.importing.sheets import read_sheet, xlsx_file
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

GOOD = 192
WAIT_S = PATIENCE_S


@pytest.fixture
async def device() -> AsyncIterator[ModbusTcpSimulator]:
    simulator = ModbusTcpSimulator(units=(3,))
    simulator.set("holding", 7, "int16", "ABCD", -42)
    simulator.set("input", 0, "float32", "CDAB", 2.5)
    await simulator.start()
    yield simulator
    await simulator.stop()


def send(web: Running, path: str, content: bytes = b"", who: str = "administrator", **query: str) -> Answer:
    """Send a file as the body."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {web.records.tokens[who]}", "Content-Type": "application/octet-stream"}
    try:
        connection.request("POST", f"/api/v1{path}?{urlencode(query)}", content, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


async def finished(web: Running, id: str) -> Any:
    state: dict[str, Any] = {}

    async def ended() -> bool:
        nonlocal state
        state = await web.get(f"/imports/{id}")
        return state["stage"] not in WORKING

    await web.until(ended, WAIT_S)
    return state


async def test_values_are_read_before_anything_is_stored(
    kept: Records, tmp_path: Path, device: ModbusTcpSimulator
) -> None:
    async with running(tmp_path, kept, engine=False) as web, with_gateway(web):
        settings = {"host": "127.0.0.1", "port": device.port, "unit": 3, "timeout_ms": ANSWER_MS}
        tags = [
            {"address": {"register": 7, "type": "int16"}},
            {"address": {"table": "input", "register": 0, "type": "float32", "order": "CDAB"}},
            {"address": {"register": 60_000, "type": "int99"}},
            {"address": {"type": "int16"}},
        ]
        question = {"driver": "modbus-tcp", "gateway": "g1", "settings": settings, "tags": tags}
        values = (await web.post("/connections/preview", question))["values"]
        assert [(each["value"], each["quality"]) for each in values[:2]] == [(-42.0, GOOD), (2.5, GOOD)]
        assert values[2]["value"] is None
        assert "type" in values[2]["text"]["en"]
        assert "reference" in values[3]["text"]["en"]
        assert values[3]["text"]["zh"].startswith("请填写寄存器地址")
        silent = question | {"settings": settings | {"unit": 9, "timeout_ms": 200}}
        answer = await web.ask("POST", "/connections/preview", silent)
        told = answer.json["values"][0]["quality"] if answer.status == 200 else answer.json["text"]["zh"]
        assert told != GOOD
        assert (await web.get("/connections"))["items"] == []


async def test_values_that_come_by_themselves_are_waited_for(kept: Records, tmp_path: Path) -> None:
    nodes = [SimulatedNode("A/Level", value=3.5), SimulatedNode("A/Mode", SampleKind.TEXT, value="run")]
    server = OpcUaSimulator(nodes)
    await server.start()
    try:
        async with running(tmp_path, kept, engine=False) as web, with_gateway(web):
            settings = settings_of(server)
            tags = [
                {"address": {"node": server.node_id("A/Level")}},
                {"address": {"node": server.node_id("A/Mode")}, "kind": "text"},
            ]
            question = {"driver": "opcua", "gateway": "g1", "settings": settings, "tags": tags}
            values = (await web.post("/connections/preview", question))["values"]
            assert [each["value"] for each in values] == [3.5, "run"]
    finally:
        await server.stop()


async def test_an_import_over_http_from_file_to_undo(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        rows = [["Name", "Asset", "Unit"], *(["I%04d" % n, "site/a/u", "Cel"] for n in range(600))]  # noqa: UP031
        rows[100][2], rows[200][1] = "Cels", "site/a/w"
        answer = await asyncio.to_thread(send, web, "/imports", xlsx_file(rows), name="plant.xlsx")
        assert answer.status == 201, answer.body
        id = answer.json["id"]
        mapping = {str(n): each["field"] for n, each in enumerate(answer.json["columns"])}
        assert mapping == {"0": "name", "1": "asset", "2": "unit"}
        await web.post(f"/imports/{id}/check", {"mapping": mapping})
        state = await finished(web, id)
        assert state["counts"] == {"created": 598, "updated": 0, "unchanged": 0, "refused": 2}
        assert {each["field"] for each in state["causes"]} == {"unit", "asset"}
        await web.post(f"/imports/{id}/load", {})
        assert (await finished(web, id))["report"]["created"] == 598
        for form in ("xlsx", "csv"):
            refused = await web.ask("GET", f"/imports/{id}/refused?format={form}&language=zh")
            assert f'filename="refused.{form}"' in refused.headers["Content-Disposition"]
            sheet = read_sheet(refused.body, form)
            assert [row[-2] for row in sheet.rows] == ["101", "201"]
        # The page with all tags still answers, and the list of imports knows this one.
        assert (await web.get("/tags?search=I0599"))["total"] == 1
        assert (await web.get("/imports"))["items"][0]["stage"] == "loaded"
        await web.post(f"/imports/{id}/undo", {})
        assert (await finished(web, id))["report"]["undone"] == 598
        assert (await web.get("/tags?search=I0599"))["total"] == 0
        assert (await web.ask("GET", f"/imports/{id}", who="stranger")).status == 404


async def test_a_wrong_file_is_refused_in_one_sentence(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        for content in (b"\x89PNG\0\0", b"PK\x03\x04", b""):
            answer = await asyncio.to_thread(send, web, "/imports", content, name="photo.png")
            assert answer.status == 422
            assert answer.json["text"]["zh"].endswith("。")
        read = await asyncio.to_thread(send, web, "/imports/read", "位号,单位\nT1,Cel\n".encode(), name="a.csv")
        assert read.json == {"rows": [["位号", "单位"], ["T1", "Cel"]], "left": 0}
        template = await web.ask("GET", "/imports/template?driver=modbus-tcp&language=zh")
        sheet = read_sheet(template.body, "t")
        assert {"位号", "单位"} <= set(sheet.head)
        assert sheet.rows == [], "the example is on a sheet of its own"
        units = (await web.get("/units", "viewer"))["items"]
        assert {"code": "{rpm}", "sign": "r/min"}.items() <= next(u for u in units if "rpm" in u["also"]).items()


async def test_templates_are_listed_applied_and_kept(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        listed = (await web.get("/templates"))["items"]
        assert {"energy-meter-three-phase", "demo-chiller"} <= {each["name"] for each in listed}
        given = {"parameters": {"host": "10.0.0.9"}}
        applied = await web.post("/templates/energy-meter-three-phase/apply", given)
        assert applied["settings"]["host"] == "10.0.0.9"
        assert len(applied["tags"]) == 16
        content = (await web.ask("GET", "/templates/demo-chiller")).body
        own = content.replace(b'name = "demo-chiller"', b'name = "chiller-7"', 1)
        assert (await asyncio.to_thread(send, web, "/templates", own)).status == 201
        assert any(each["own"] for each in (await web.get("/templates"))["items"])
        assert not any(each["own"] for each in (await web.get("/templates", who="stranger"))["items"])
        wrong = await asyncio.to_thread(send, web, "/templates", own.replace(b"\ndriver", b"\ndrvier", 1))
        assert wrong.status == 422
        assert "driver" in wrong.json["text"]["en"]
        assert (await web.ask("DELETE", "/templates/chiller-7")).status == 204
