"""Overview and health: whole with everything there, partial without."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext
from tests.records import ground
from tests.records.plant import author, tag
from tests.waiting import PATIENCE_S
from tests.web.running import Records, now_ms, records, running

from mainspring.core.errors import ConfigurationError
from mainspring.core.health import ConnectionHealth, GatewayConnections, Health
from mainspring.records.access.scope import Scope
from mainspring.records.plant import connection
from mainspring.records.plant.connection import ConnectionDraft
from mainspring.records.rights import Role
from mainspring.web.areas import Areas
from mainspring.web.listen import SILENT_MS, troubles
from mainspring.web.runtime import runtime
from mainspring.web.serve import run


async def test_everything_there(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        await web.value("T1", 150.0)
        await web.value("N", 1)
        await web.value("S", "a")
        sequence = await web.value("T2", 20.0)
        await web.known("T1", "T2", "N", "S")
        await web.stored(sequence)

        async def counted() -> bool:
            return bool((await web.get("/overview"))["alarms_last_10_min"])

        await web.until(counted)
        overview = await web.get("/overview", "viewer")
        assert overview["engine"] == "ok"
        first, second = overview["areas"]
        assert (first["name"]["en"], first["alarms"], first["tag_count"], first["bad_count"]) == (
            "a", {"critical": 1}, 3, 0,
        )  # fmt: skip
        assert (second["alarms"], second["tag_count"], second["bad_count"]) == ({}, 1, 0)
        assert (overview["alarm_rate_per_h"], overview["alarms_last_10_min"]) == (1, 1)
        assert overview["sources"] == {"live": 0, "total": 0, "replayed": 0, "lost": []}
        assert overview["lag_ms"] >= 0
        await web.value("T1", 150.0, quality=0x54)
        await web.value("T2", 20.0, quality=0x08)

        async def bad() -> bool:
            return bool((await web.get("/overview"))["areas"][1]["bad_count"] == 1)

        await web.until(bad)
        assert (await web.get("/overview"))["areas"][0]["bad_count"] == 0, "an uncertain value is not bad"
        health = await web.get("/health")
        assert {"engine", "historian", "web"} <= {role["role"] for role in health["roles"]}
        assert health["history"]["samples"] >= 4
        assert health["disk"]["free_bytes"] > 0
        assert health["degraded"] == []
        strange = await web.get("/overview", "stranger")
        assert [area["tag_count"] for area in strange["areas"]] == [1]
        assert strange["alarm_rate_per_h"] == 0


async def test_with_parts_missing_the_rest_is_told(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        overview = await web.get("/overview")
        assert overview["engine"] == "silent"
        assert [(area["tag_count"], area["bad_count"]) for area in overview["areas"]] == [(3, None), (1, None)]
        assert (overview["alarm_rate_per_h"], overview["history"], overview["lag_ms"]) == (None, None, None)
        health = await web.get("/health")
        assert (health["history"], health["rates"]) == (None, {"samples_per_s": None})
        assert health["disk"]["used_bytes"] > 0
        await web.server.kill()
        assert (await web.get("/overview"))["engine"] == "silent"
        assert (await web.get("/health"))["history"] is None
        await web.server.start_again()
        await web.until(lambda: web.admin.connected and web.gateway.connected and runtime.bus and runtime.bus.connected)


def test_tags_of_areas_are_read_again_only_when_something_changed(database: None) -> None:
    now_s = 0.0

    def clock_s() -> float:
        nonlocal now_s
        now_s += 1
        return now_s

    kept = records()
    areas = Areas(clock_s)
    first = areas.read(Scope(kept.plant))
    assert {area.name["en"]: len(first.ordinals[area.path]) for area in first.areas} == {"a": 3, "b": 1}
    now_s += 100
    with CaptureQueriesContext(db) as queries:
        assert areas.read(Scope(kept.plant)) is first
    assert len(queries) == 1
    tag(kept.plant, "T9", kept.tags["T1"].asset)
    now_s = first.until_s - 2
    assert areas.read(Scope(kept.plant)) is first, "reading took a second: it takes at most a twentieth of the time"
    assert len(areas.read(Scope(kept.plant)).ordinals[first.areas[0].path]) == 4


async def test_sources_that_are_lost_are_told_with_their_words(database: None, tmp_path: Path) -> None:
    def made() -> tuple[Records, list[UUID]]:
        kept = records()
        drafts = (
            ConnectionDraft(
                name=name, driver="modbus-tcp", gateway="g1", settings={"host": "127.0.0.1"}, replayed=name == "PLC 2"
            )
            for name in ("PLC 1", "PLC 2")
        )
        return kept, [connection.create(author(kept.plant), draft).id for draft in drafts]

    kept, ids = await asyncio.to_thread(made)
    async with running(tmp_path, kept, engine=False) as web:
        states: tuple[Literal["connected"], Literal["lost"]] = ("connected", "lost")
        words = {"en": "The cable is out.", "zh": "网线松脱。"}
        report = GatewayConnections(
            gateway="g1", time_ms=now_ms(),
            connections=tuple(
                ConnectionHealth(connection=id, state=state, text=words, since_ms=5)
                for id, state in zip(ids, states, strict=True)
            ),
        )  # fmt: skip
        await web.gateway.nc.publish("ms.acme.connections.g1", report.model_dump_json().encode())

        async def heard() -> bool:
            return bool((await web.get("/overview"))["sources"]["live"] == 1)

        await web.until(heard)
        sources = (await web.get("/overview"))["sources"]
        assert sources == {
            "live": 1, "total": 2, "replayed": 1,
            "lost": [{"id": str(ids[1]), "name": "PLC 2", "replayed": True, "since_ms": 5, "text": words}],
        }  # fmt: skip


def _health(role: str, instance: str = "main", age_ms: int = 0, **more: object) -> Health:
    fields = {"pid": 1, "time_ms": 1_000_000 - age_ms, "started_ms": 7, "memory_bytes": 1, **more}
    return Health.model_validate({"role": role, "instance": instance, **fields})


def test_troubles_of_roles_are_told_one_each() -> None:
    words = {"en": "The disk is full.", "zh": "磁盘已满。"}
    again = {"en": "engine ended.", "zh": "engine 退出。"}
    found = troubles(
        [
            _health("web"),
            _health("historian", state="degraded", text=words),
            _health("engine", age_ms=SILENT_MS + 1),
            _health("supervisor", "engine-main", state="degraded", text=again),
            _health("supervisor", "gateway-north-1", age_ms=SILENT_MS + 1, state="degraded", text=again),
            _health("supervisor", "gateway-south-1", state="degraded", text=again),
            _health("gateway", "north-1"),
            _health("gateway", "line-4", age_ms=SILENT_MS + 1),
            _health("gateway", "line-5", age_ms=SILENT_MS + 1),
            _health("demo", age_ms=SILENT_MS + 2000),
        ],
        1_000_000,
        {"line-4"},
    )
    assert {each["role"]: each["state"] for each in found} == {
        "historian": "degraded", "engine": "restarting", "demo": "silent",
        "gateway-south-1": "restarting", "gateway-line-4": "silent", "gateway-line-5": "silent",
    }  # fmt: skip
    texts = {each["role"]: each["text"] for each in found}
    assert texts["historian"] == words
    assert texts["engine"] == again
    assert "6 s" in texts["demo"]["en"]
    assert texts["gateway-line-4"]["en"].startswith("Gateway line-4, on another machine, has not")
    assert texts["gateway-line-5"]["en"].startswith("Gateway line-5 has not reported for 4 s. It is started again")
    assert "网关 line-5" in texts["gateway-line-5"]["zh"]


async def test_a_port_in_use_is_one_sentence(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(ConfigurationError, match=rf"Port {port} .* in use"):
                await run(web.admin, ground.SETTINGS, asyncio.Event(), host="127.0.0.1", port=port)


async def test_the_role_stops_with_streams_open(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        stream = await web.stream((await web.post("/live", {"tags": []}, Role.VIEWER))["id"], Role.VIEWER)
        await stream.until("beat")
        web.stop.set()
        assert web.web is not None
        await asyncio.wait_for(web.web, PATIENCE_S)
        with pytest.raises(EOFError):
            await stream.until("nothing")
