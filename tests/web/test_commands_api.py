"""Select and execute: from the API through a real gateway to a real OPC UA server, judged by a real engine's values."""

from __future__ import annotations

import asyncio
import http.client
import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.records import ground
from tests.records.plant import author, tenant
from tests.waiting import PATIENCE_S
from tests.web.equipment import PASSWORD, connected, live, said_to_be_live, settings_of, with_gateway
from tests.web.running import Records, Running, now_ms, running

from mainspring.core import quality
from mainspring.records.people.user import User
from mainspring.records.plant import connection, tag
from mainspring.records.plant.command import CommandRecord
from mainspring.records.plant.connection import ConnectionDraft
from mainspring.records.plant.reservation import Reservation
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode
from mainspring.web.api import commands
from mainspring.web.lasting import in_thread

OWN = "one's own password"


@pytest.fixture
async def server() -> AsyncIterator[OpcUaSimulator]:
    simulator = OpcUaSimulator(
        [
            SimulatedNode("Reactor/Temperature", unit="Cel", low=0.0, high=200.0, writable=True, value=120.4),
            SimulatedNode("Reactor/Pressure", unit="bar", writable=True, value=1.5),
        ],
        passwords={"plant": PASSWORD},
    )
    await simulator.start()
    yield simulator
    await simulator.stop()


async def changed(web: Running, name: str, **fields: Any) -> None:
    """Change a tag as an engineer does."""
    one = web.records.tags[name]
    await asyncio.to_thread(tag.modify, author(web.records.plant), one.id, fields, None)


async def wait_free(web: Running, ask: dict[str, Any], who: str = "operator") -> Any:
    """Select until it succeeds: the engine and the health of the connection may be a moment behind."""

    deadline = now_ms() + 30_000
    while True:
        answer = await web.ask("POST", "/commands/select", ask, who)
        if answer.status == 200:
            return answer.json
        assert now_ms() < deadline, answer.body
        await asyncio.sleep(0.1)


def give_password(username: str) -> None:
    user = User.objects.get(tenant__key="acme", username=username)
    user.set_password(OWN)
    user.save()


async def test_a_tag_is_selected_written_read_back_and_recorded(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept) as web, with_gateway(web):
        id = await connected(web, server)
        await live(web, id)
        ask = {"items": [str(kept.tags["T1"].id)]}
        assert (await web.ask("POST", "/commands/select", ask, "viewer")).status == 403
        selected = await wait_free(web, ask)
        (item,) = selected["items"]
        assert (item["tag"], item["value"], item["low"], item["high"]) == (kept.ordinal("T1"), 120.4, 0.0, 200.0)
        assert item["requires"] == {"reason": False, "password": False, "second_person": False, "hold": False}
        assert 25_000 < selected["expires_ms"] - selected["now_ms"] <= 30_000
        # Nobody else can take it now, by selecting or at once.
        taken = await web.ask("POST", "/commands/select", ask, "engineer")
        assert (taken.status, taken.json["code"]) == (409, "not-selectable")
        assert "Person operator has selected T1" in taken.json["items"][0]["refusal"]["en"]
        value = {"tag": kept.ordinal("T1"), "value": 99.5}
        (refused,) = (await web.post("/commands", {"items": [value]}, "engineer"))["items"]
        assert refused["outcome"] == "refused"
        assert await server.get("Reactor/Temperature") == 120.4
        # A selection serves who made it, for what was selected.
        execute = {"selection": selected["selection"], "items": [value], "reason": "warm up"}
        assert (await web.ask("POST", "/commands", execute, "engineer")).status == 409
        other = execute | {"items": [{"tag": kept.ordinal("T2"), "value": 1.0}]}
        assert (await web.ask("POST", "/commands", other, "operator")).status == 422
        # A value outside the range is refused and leaves the selection.
        too_hot = execute | {"items": [value | {"value": 500.0}]}
        (refused,) = (await web.post("/commands", too_hot, "operator"))["items"]
        assert (refused["outcome"], "range" in refused["text"]["en"]) == ("refused", True)
        outcome = await web.post("/commands", execute, "operator")
        (item,) = outcome["items"]
        assert (item["outcome"], item["read_back"], item["before"]) == ("done", 99.5, 120.4)
        assert outcome["issued_ms"] <= item["sent_ms"] <= item["accepted_ms"] <= item["read_back_ms"]
        assert await server.get("Reactor/Temperature") == 99.5
        # Afterwards the tag is free, and the selection used up.
        assert (await web.ask("POST", "/commands", execute, "operator")).status == 409
        again = await wait_free(web, ask, "engineer")
        assert (await web.ask("DELETE", f"/commands/select/{again['selection']}", who="engineer")).status == 204
        listed = await web.get(f"/commands?tag={kept.ordinal('T1')}", "viewer")
        assert listed["total"] == 3
        newest = listed["items"][0]
        assert (newest["by"], newest["authority"]) == ("Person operator", "command: warm up")
        (shown,) = newest["items"]
        assert (shown["before"], shown["value"], shown["tag_name"]) == (120.4, 99.5, "T1")
        assert (await web.get(f"/commands?asset={kept.tags['T2'].asset_id}"))["total"] == 0
        assert (await web.get(f"/commands?asset={kept.tags['T1'].asset_id}"))["total"] == 3
        assert (await web.get("/commands", "stranger"))["total"] == 0
        assert len((await web.get("/audit?action=command"))["items"]) == 3
        assert [each["object_name"] for each in (await web.get("/audit?action=select"))["items"]] == ["site/a/u/T1"] * 2


async def test_each_check_refuses_in_words(kept: Records, server: OpcUaSimulator, tmp_path: Path) -> None:
    async with running(tmp_path, kept) as web, with_gateway(web):
        id = await connected(web, server)
        await live(web, id)
        ordinal = kept.ordinal("T1")
        await wait_free(web, {"items": [ordinal]}, "operator")

        async def refusal(*items: Any, who: str = "operator") -> str:
            answer = await web.ask("POST", "/commands/select", {"items": list(items)}, who)
            assert (answer.status, answer.json["code"]) == (409, "not-selectable"), answer.body
            assert all(each["refusal"]["zh"] for each in answer.json["items"] if each["refusal"])
            return str(answer.json["text"]["en"])

        async def until_refused(words: str) -> None:
            async def said() -> bool:
                answer = await web.ask("POST", "/commands/select", {"items": [ordinal]}, "operator")
                return answer.status == 409 and words in answer.json["text"]["en"]

            await web.until(said)

        assert "no such tag" in await refusal(ordinal, kept.ordinal("X"))
        assert "not writable" in await refusal(ordinal, kept.ordinal("T2"))
        await changed(web, "T1", write_policy={"role": "engineer"})
        assert "role engineer" in await refusal(ordinal)
        # An interlock holds by a good value alone.
        lock = {"tag": str(kept.tags["T2"].id), "holds": "above", "value": 2.0}
        await changed(web, "T1", write_policy={"interlock": lock})
        await changed(web, "T2", writable=True)
        assert "has no connection" in await refusal(kept.ordinal("T2"))
        assert "T2 has no good value" in await refusal(ordinal)
        await web.value("T2", 1.5)
        await until_refused("T2 must be above 2 bar; it is 1.5 bar")
        await web.value("T2", 2.5, quality=quality.UNCERTAIN)
        await until_refused("T2 has no good value")
        await web.value("T2", 2.5, now_ms() + 1)
        await wait_free(web, {"items": [ordinal]})
        # What cannot be seen is not written.
        await asyncio.to_thread(
            connection.modify, author(kept.plant), id, {"settings": settings_of(server) | {"url": server.url}}, None
        )
        await server.stop()
        await until_refused("is not live")
        await asyncio.to_thread(connection.modify, author(kept.plant), id, {"enabled": False}, None)
        await until_refused("switched off")
    async with running(tmp_path / "silent", kept) as web:
        await asyncio.to_thread(connection.modify, author(kept.plant), id, {"enabled": True}, None)
        # A tag without a value of its own: refused and recorded all the same.
        nothing = {"items": [{"tag": kept.ordinal("N"), "value": 1.0}]}
        assert (await web.post("/commands", nothing, "operator"))["items"][0]["outcome"] == "refused"
        await web.value("T1", 1.0)
        await web.known("T1")
        (item,) = (await web.post("/commands", {"items": [{"tag": ordinal, "value": 1.0}]}, "operator"))["items"]
        assert "gateway g1 has not reported" in item["text"]["en"]
        await web.value("T1", 1.0, quality=quality.BAD_SENSOR_FAILURE)
        async with said_to_be_live(web, id):

            async def bad() -> bool:
                answer = await web.ask("POST", "/commands/select", {"items": [ordinal]}, "operator")
                return "sensor failure" in answer.json["text"]["en"]

            await web.until(bad)
            await web.kill_engine()
            answer = await web.ask("POST", "/commands/select", {"items": [ordinal]}, "operator")
            assert answer.status == 409


async def test_reason_password_and_second_person(kept: Records, server: OpcUaSimulator, tmp_path: Path) -> None:
    async with running(tmp_path, kept) as web, with_gateway(web):
        await live(web, await connected(web, server))
        ordinal = kept.ordinal("T1")
        policy = {"role": "operator", "reason": True, "password": True, "second_person": True, "hold": True}
        await changed(web, "T1", write_policy=policy)
        for name in ("operator", "engineer", "viewer"):
            await asyncio.to_thread(give_password, name)
        await asyncio.to_thread(tenant)  # the one that this web process serves tells the zone of a lock-out
        selected = await wait_free(web, {"items": [ordinal]})
        assert all(selected["items"][0]["requires"].values())
        draft: dict[str, Any] = {"selection": selected["selection"], "items": [{"tag": ordinal, "value": 50.0}]}

        async def wrong(field: str, **more: Any) -> str:
            draft.update(more)
            answer = await web.ask("POST", "/commands", draft, "operator")
            assert (answer.status, set(answer.json["fields"])) == (422, {field}), answer.body
            return str(answer.json["fields"][field]["en"])

        assert "requires one" in await wrong("reason")
        assert "requires it" in await wrong("password", reason="batch 12")
        assert "is wrong" in await wrong("password", password="no")
        assert "second person" in await wrong("second", password=OWN)
        assert "is wrong" in await wrong("second", second={"username": "engineer", "password": "no"})
        assert "someone else" in await wrong("second", second={"username": "operator", "password": OWN})
        assert "right" in await wrong("second", second={"username": "viewer", "password": OWN})
        draft["second"] = {"username": "engineer", "password": OWN}
        (item,) = (await web.post("/commands", draft, "operator"))["items"]
        assert (item["outcome"], await server.get("Reactor/Temperature")) == ("done", 50.0)
        newest = (await web.get("/commands"))["items"][0]
        assert (newest["by"], newest["second"]) == ("Person operator", "Person engineer")
        # No password is in the records, and wrong ones lock as at the sign-in.
        assert OWN not in json.dumps(await web.get("/audit"))
        statuses = set()
        for _ in range(12):
            answer = await web.ask("POST", "/commands", draft | {"selection": None, "password": "no"}, "operator")
            statuses.add((answer.status, answer.json["code"]))
        assert (429, "locked") in statuses
        assert await server.get("Reactor/Temperature") == 50.0


async def test_one_command_over_two_connections(kept: Records, server: OpcUaSimulator, tmp_path: Path) -> None:
    async with running(tmp_path, kept) as web, with_gateway(web):
        first = await connected(web, server)

        def stored() -> UUID:
            settings = settings_of(server, user="plant", password=PASSWORD, sign_in="password", password_in_clear=True)
            draft = ConnectionDraft(name="Other", driver="opcua", gateway="g1", settings=settings)
            return connection.create(author(kept.plant), draft).id

        second = await asyncio.to_thread(stored)
        address = {"node": server.node_id("Reactor/Pressure")}
        await changed(web, "T2", connection=second, address=address, writable=True)
        await live(web, first)
        await live(web, second)
        ordinals = [kept.ordinal("T2"), kept.ordinal("T1")]
        selected = await wait_free(web, {"items": ordinals})
        assert [item["tag"] for item in selected["items"]] == ordinals
        items = [{"tag": ordinals[0], "value": 3.25}, {"tag": ordinals[1], "value": 60.0}]
        outcome = await web.post("/commands", {"selection": selected["selection"], "items": items}, "operator")
        assert [(item["tag"], item["outcome"], item["read_back"]) for item in outcome["items"]] == [
            (ordinals[0], "done", 3.25), (ordinals[1], "done", 60.0),
        ]  # fmt: skip
        assert (await server.get("Reactor/Pressure"), await server.get("Reactor/Temperature")) == (3.25, 60.0)
        # One wrong value refuses the whole; a connection named limits what may be meant.
        items[0]["value"] = 4.0
        items[1]["value"] = 999.0
        assert {each["outcome"] for each in (await web.post("/commands", {"items": items}))["items"]} == {"refused"}
        items[1]["value"] = 61.0
        limited = {"items": items, "connection": str(first)}
        assert {each["outcome"] for each in (await web.post("/commands", limited))["items"]} == {"refused"}
        assert (await web.ask("POST", "/commands", limited, "stranger")).status == 404
        assert await server.get("Reactor/Pressure") == 3.25
        wrongs: tuple[dict[str, Any], ...] = (
            {"items": []}, {"expires_ms": 10}, {"expires_ms": 10**7}, {"reason": "x" * 401}, {"items": items[:1] * 2},
        )  # fmt: skip
        for wrong in wrongs:
            assert (await web.ask("POST", "/commands", limited | wrong, "operator")).status == 422
        assert await in_thread(Reservation.objects.count) == 0


async def test_an_ended_selection_writes_nothing(kept: Records, server: OpcUaSimulator, tmp_path: Path) -> None:
    async with running(tmp_path, kept) as web:
        id = await connected(web, server)
        await web.value("T1", 1.0)
        async with said_to_be_live(web, id):
            selected = await wait_free(web, {"items": [kept.ordinal("T1")]})
            await in_thread(lambda: Reservation.objects.update(expires_ms=now_ms() - 1))
            draft = {"selection": selected["selection"], "items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
            ended = await web.ask("POST", "/commands", draft, "operator")
            assert (ended.status, ended.json["code"]) == (409, "conflict")
            assert "Select again" in ended.json["text"]["en"]
            # What ended bars nobody.
            await wait_free(web, {"items": [kept.ordinal("T1")]}, "engineer")
            assert await in_thread(CommandRecord.objects.count) == 0


async def test_a_silent_gateway_leaves_a_command_not_confirmed(
    kept: Records, server: OpcUaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.web.api.commands.ANSWER_S", 0.2)
    async with running(tmp_path, kept) as web:
        id = await connected(web, server)
        await web.value("T1", 1.0)
        recorded: list[int] = []

        async def deaf(_message: Any) -> None:
            recorded.append(await in_thread(CommandRecord.objects.filter(outcome__isnull=True).count))

        await web.gateway.nc.subscribe("ms.acme.gateway.g1.command", cb=deaf)
        await web.gateway.nc.flush()
        await web.known("T1")
        async with said_to_be_live(web, id):
            draft = {"expires_ms": 300, "items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
            (item,) = (await web.post("/commands", draft, "operator"))["items"]
        assert item["outcome"] == "not-confirmed"
        assert "may have acted" in item["text"]["en"]
        # It was in the records before it was sent.
        assert recorded == [1]
        assert (await web.get("/commands"))["items"][0]["outcome"][0]["outcome"] == "not-confirmed"


async def slow_gateway(web: Running, outcome: str | None = None) -> tuple[asyncio.Event, asyncio.Event]:
    """Take commands in the gateway's place, and tell of their outcome when let go; returns the two events."""
    taken, go_on = asyncio.Event(), asyncio.Event()

    async def slow(message: Any) -> None:
        taken.set()
        await go_on.wait()
        command = json.loads(message.data)
        items = [{"tag": item["tag"], "outcome": outcome} for item in command["items"] if outcome]
        await message.respond(json.dumps({"id": command["id"], "items": items, "finished_ms": now_ms()}).encode())

    await web.gateway.nc.subscribe("ms.acme.gateway.g1.command", cb=slow)
    await web.gateway.settled()
    return taken, go_on


async def test_a_command_is_recorded_to_its_end_although_its_asker_has_gone(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept) as web:
        id = await connected(web, server)
        await web.value("T1", 1.0)
        taken, go_on = await slow_gateway(web, "done")
        await web.known("T1")
        async with said_to_be_live(web, id):
            draft = {"items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
            asker = http.client.HTTPConnection("127.0.0.1", web.port)
            headers = {"Authorization": f"Bearer {kept.tokens['operator']}", "Content-Type": "application/json"}
            asker.request("POST", "/api/v1/commands", json.dumps(draft).encode(), headers)
            await asyncio.wait_for(taken.wait(), PATIENCE_S)
            asker.close()
            go_on.set()

            async def finished() -> bool:
                return (await web.get("/commands"))["items"][0]["outcome"] is not None

            await web.until(finished)


async def test_a_command_whose_asker_goes_while_it_is_being_recorded_is_carried_out_and_frees_its_tags(
    kept: Records, server: OpcUaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = threading.Event()
    record = commands._given

    def recorded(*arguments: Any) -> None:
        recording.set()
        record(*arguments)

    monkeypatch.setattr(commands, "_given", recorded)
    async with running(tmp_path, kept) as web, with_gateway(web):
        await live(web, await connected(web, server))
        ordinal = kept.ordinal("T1")
        selection = (await wait_free(web, {"items": [ordinal]}))["selection"]
        # Another writer keeps the records busy, so that the asker goes exactly while the command waits to be recorded.
        with closing(sqlite3.connect(ground.DATABASE, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            asker = http.client.HTTPConnection("127.0.0.1", web.port)
            headers = {"Authorization": f"Bearer {kept.tokens['operator']}", "Content-Type": "application/json"}
            draft = {"selection": selection, "items": [{"tag": ordinal, "value": 77.0}]}
            await asyncio.to_thread(asker.request, "POST", "/api/v1/commands", json.dumps(draft).encode(), headers)
            assert await asyncio.to_thread(recording.wait, 20)
            asker.close()
            # Answered after the server has noticed that the asker is gone.
            assert (await web.get("/commands"))["total"] == 0
            writer.execute("ROLLBACK")

        async def finished() -> bool:
            found = (await web.get("/commands"))["items"]
            return bool(found) and found[0]["outcome"] is not None

        await web.until(finished)
        assert await server.get("Reactor/Temperature") == 77.0
        assert await in_thread(Reservation.objects.count) == 0


async def test_a_selection_made_while_a_command_is_under_way_outlives_it(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept) as web:
        id = await connected(web, server)
        await web.value("T1", 1.0)
        # A gateway that tells of fewer tags than it was given has confirmed nothing.
        taken, go_on = await slow_gateway(web)
        await web.known("T1")
        ask = {"items": [kept.ordinal("T1")]}
        async with said_to_be_live(web, id):
            selection = (await wait_free(web, ask))["selection"]
            draft = {"selection": selection, "items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
            executing = asyncio.create_task(web.post("/commands", draft, "operator"))
            await asyncio.wait_for(taken.wait(), PATIENCE_S)
            # While it is under way the selection is used up, and the tag is free for nobody else.
            assert (await web.ask("POST", "/commands", draft, "operator")).status == 409
            assert (await web.ask("POST", "/commands/select", ask, "engineer")).status == 409
            newer = (await wait_free(web, ask))["selection"]
            go_on.set()
            assert [item["outcome"] for item in (await executing)["items"]] == ["not-confirmed"]
            assert (await web.ask("POST", "/commands/select", ask, "engineer")).status == 409
            again = {"selection": newer, "items": draft["items"]}
            assert [item["outcome"] for item in (await web.post("/commands", again, "operator"))["items"]] == [
                "not-confirmed"
            ]
            assert await in_thread(Reservation.objects.count) == 0


async def test_without_a_bus_nothing_is_sent_and_that_is_said(
    kept: Records, server: OpcUaSimulator, tmp_path: Path
) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        await connected(web, server)
        await web.server.kill()
        await web.until(lambda: not web.gateway.connected)
        draft = {"items": [{"tag": kept.ordinal("T1"), "value": 1.0}]}
        (item,) = (await web.post("/commands", draft, "operator"))["items"]
        assert item["outcome"] == "refused"
        await web.server.start_again()
        await web.until(lambda: web.admin.connected and web.gateway.connected)
