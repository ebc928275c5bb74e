"""Someone assigned to a part of the plant sees and does only there; streams end when what lets them watch ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.platform import Person
from tests.records import ground
from tests.records.plant import author, modbus
from tests.waiting import PATIENCE_S
from tests.web.running import Records, Running, Stream, now_ms, running

from mainspring.core.health import Health
from mainspring.records.access.assignment import Assignment
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people import administration as people
from mainspring.records.people import credential
from mainspring.records.people.credential import Credential
from mainspring.records.people.user import User
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Role
from mainspring.web import standing
from mainspring.web.runtime import runtime

PASSWORD = "heron-kettle-93-moss"
NOWHERE = "0190a000-0000-7000-8000-000000000000"


def admin(kept: Records) -> Access:
    return Access(author(kept.plant), Role.ADMINISTRATOR.rights)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "CHECK_S", 0.2)


@pytest.fixture
async def part(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    """A running plant, in whose area `a` the guest is an operator."""
    await asyncio.to_thread(ground.in_thread, partial(kept.assign, "operator"))
    async with running(tmp_path, kept) as made:
        yield made


async def status(web: Running, method: str, path: str, body: Any = None) -> int:
    return (await web.ask(method, path, body, "guest")).status


async def test_the_tree_its_tags_and_the_search_end_at_the_part(part: Running) -> None:
    web, near, far = part, part.records.tags["T1"], part.records.tags["T2"]
    (root,) = (await web.get("/assets?parent=root", "guest"))["items"]
    assert root["path"] == "site/a"
    below = await web.get(f"/assets?parent={root['id']}", "guest")
    assert [each["path"] for each in below["items"]] == ["site/a/u"]
    assert [step["kind"] for step in (await web.get(f"/assets/{root['id']}", "guest"))["ancestors"]] == ["site"]
    assert {each["name"] for each in (await web.get("/tags", "guest"))["items"]} == {"T1", "N", "S"}
    listed = await web.get(f"/tags/by-ordinal?tags={near.ordinal},{far.ordinal}", "guest")
    assert [each["tag"] for each in listed["items"]] == [near.ordinal]
    by_path = await web.post("/tags/by-path", {"paths": [near.path, far.path]}, "guest")
    assert [each["path"] for each in by_path["items"]] == [near.path]
    found = (await web.get("/search?q=t", "guest"))["items"]
    assert {each["path"] for each in found} <= {near.path, "site/a", "site/a/u", "site/a/u/N", "site/a/u/S"}
    assert (await web.get("/search?q=t2", "guest"))["items"] == []
    definitions = (await web.get("/alarm-definitions", "guest"))["items"]
    assert [each["id"] for each in definitions] == [str(web.records.alarms["T1"].id)]
    for path in (
        f"/assets/{far.asset_id}", f"/tags/{far.id}", f"/tags?asset={far.asset_id}&below=true",
        f"/alarm-definitions/{web.records.alarms['T2'].id}", f"/commands?asset={far.asset_id}",
    ):  # fmt: skip
        assert await status(web, "GET", path) == 404, path
        assert (await web.ask("GET", path)).status == 200, path
    # What has no place stays closed, and so does what reaches across the plant.
    for method, path, body in (
        ("GET", "/connections", None), ("GET", "/users", None), ("GET", "/audit", None), ("GET", "/gateways", None),
        ("POST", "/assets", {"kind": "unit", "name": {"en": "x", "zh": ""}, "parent": root["id"]}),
        ("PATCH", f"/tags/{near.id}", {"version": 1}),
    ):  # fmt: skip
        assert await status(web, method, path, body) == 403, path


def said_by(role: str, name: str, tenant: str = "", **more: Any) -> Health:
    """Return the report of a role that runs at full tilt."""
    figures = {"samples_per_s": 7.0, "lag_ms": 40.0}
    return Health(
        role=role, instance=name, tenant=tenant, pid=1, time_ms=now_ms(), started_ms=1, memory_bytes=1, figures=figures,
        **more,
    )  # fmt: skip


async def test_health_tells_of_what_the_part_depends_on(part: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def connected() -> None:
        for name, called in (("near", "T1"), ("far", "T2")):
            plc = modbus(part.records.plant, name)
            Connection.objects.filter(pk=plc.pk).update(gateway=name)
            Tag.objects.filter(pk=part.records.tags[called].pk).update(connection=plc.pk)

    await asyncio.to_thread(ground.in_thread, connected)
    ill = {"state": "degraded", "text": {"en": "Its disk is full.", "zh": "磁盘已满。"}}
    reports = {
        ("engine", "main"): said_by("engine", "main"),
        **{("gateway", f"acme.{name}"): said_by("gateway", name, "acme", **ill) for name in ("near", "far")},
    }
    monkeypatch.setattr(runtime, "health", reports)
    told = await part.get("/health", "guest")
    roles = {(each["role"], each["instance"]) for each in told["roles"]}
    assert roles - {("web", "main")} == {("engine", "main"), ("gateway", "near")}
    assert all(set(each["figures"]) == {"lag_ms"} for each in told["roles"] if each["role"] != "web")
    assert [each["role"] for each in told["degraded"]] == ["gateway-near"]
    assert (told["lag_ms"], told["disk"], told["history"], told["refused"]) == (40.0, None, None, [])
    assert told["rates"] == {"samples_per_s": None}
    assert len((await part.get("/health"))["degraded"]) == 2
    _, stream = await part.watch("T1", who="guest")
    _, whole = await part.watch("T1", who="viewer")
    for viewer, named in ((stream, ["gateway-near"]), (whole, ["gateway-near", "gateway-far"])):
        async with asyncio.timeout(PATIENCE_S):
            while [each["role"] for each in (await viewer.until("roles")).document["degraded"]] != named:
                pass


async def test_alarms_are_seen_told_and_acknowledged_in_the_part_alone(part: Running) -> None:
    web, ids = part, {name: str(alarm.id) for name, alarm in part.records.alarms.items()}
    _, stream = await web.watch("T1", "T2", who="guest")
    _, whole = await web.watch("T1", "T2", who="viewer")
    assert (await stream.until("snapshot")).document["tags"] == [web.records.ordinal("T1")]
    assert len((await whole.until("snapshot")).document["tags"]) == 2
    await web.value("T2", 60.0)
    assert (await whole.until("alarm")).document["alarm"] == ids["T2"]
    await web.value("T1", 150.0)
    # That of the other area came before it, and was not told.
    assert (await stream.until("alarm")).document["alarm"] == ids["T1"]
    listed = await web.get("/alarms", "guest")
    assert [row["tag_name"] for row in listed["items"]] == ["T1"]
    assert (listed["hidden"], sum(each["total"] for each in listed["counts"].values())) == (0, 1)
    overview = await web.get("/overview", "guest")
    assert [(area["path"], area["alarms"], area["tag_count"]) for area in overview["areas"]] == [
        ("site/a", {"critical": 1}, 3)
    ]
    assert overview["disk"] is None
    said = {"comment": "x"}
    verbs: dict[str, dict[str, Any]] = {
        "acknowledge": {},
        "comment": said,
        "shelve": {**said, "for_ms": 60_000},
        "unshelve": {},
    }
    for path, more in verbs.items():
        for alarms in ([ids["T2"]], [ids["T1"], ids["T2"]], [NOWHERE]):
            assert await status(web, "POST", f"/alarms/{path}", {"alarms": alarms, **more}) == 404, path
    assert await status(web, "POST", "/alarms/out-of-service", {"alarms": [ids["T1"]], "comment": "x"}) == 403
    assert (await web.post("/alarms/acknowledge", {"alarms": [ids["T1"]]}, "guest"))["acknowledged"] == [ids["T1"]]
    states = {row["tag_name"]: row["state"] for row in (await web.get("/alarms"))["items"]}
    assert states == {"T1": "active-acknowledged", "T2": "active-unacknowledged"}


async def test_values_are_read_entered_and_written_in_the_part_alone(part: Running) -> None:
    web, near, far = part, part.records.ordinal("T1"), part.records.ordinal("T2")
    await web.value("T1", 1.5)
    await web.value("T2", 2.5)
    await web.known("T1", "T2")
    shown = await web.get(f"/current?tags={near},{far}", "guest")
    assert (shown["tags"], shown["values"]) == ([near], [1.5])
    assert await status(web, "POST", "/samples", {"tag": far, "value": 9}) == 404
    assert (await web.post("/samples", {"tag": near, "value": 9}, "guest"))["entered"] == 1
    assert await status(web, "GET", f"/samples/entered?tag={far}") == 404
    answer = await web.ask("POST", "/commands/select", {"items": [near, far]}, "guest")
    refusals = [item["refusal"]["en"] for item in answer.json["items"]]
    assert answer.status == 409
    assert "only be read" in refusals[0] or "writ" in refusals[0]
    assert refusals[1] == "There is no such tag here."
    command = {"items": [{"tag": far, "value": 1}]}
    refused = await web.post("/commands", command, "guest")
    assert refused["items"][0]["outcome"] == "refused"
    assert (await web.get("/commands", "guest"))["items"] == []
    assert (await web.get("/commands"))["total"] == 1
    await web.value("T1", 3.5)
    posted = await web.post("/live", {"tags": [far]}, "guest")
    changed = await web.ask("PUT", f"/live/{posted['id']}", {"tags": [near, far]}, "guest")
    assert changed.status == 200
    stream = await web.stream(posted["id"], "guest")
    assert (await stream.until("snapshot")).document["tags"] == [near]


async def test_histories_and_exports_of_tags_elsewhere_are_refused(kept: Records, tmp_path: Path) -> None:
    await asyncio.to_thread(ground.in_thread, partial(kept.assign, "viewer"))
    async with running(tmp_path, kept, engine=False, historian=True) as web:
        near, far = web.records.ordinal("T1"), web.records.ordinal("T2")
        start = now_ms() - 60_000
        await web.stored(await web.value("T1", 1.5))
        await web.stored(await web.value("T2", 2.5))
        span = {"start_ms": start, "end_ms": start + 120_000}
        for path, more in (
            ("trend", {"buckets": 10}), ("raw", {}), ("aggregate", {"step_ms": 1000}), ("states", {}), ("export", {}),
        ):  # fmt: skip
            for tags in ([far], [near, far], [4_000_000]):
                body = {"tags": tags, **span, **more}
                assert await status(web, "POST", f"/history/{path}", body) == 404, path
            assert await status(web, "POST", f"/history/{path}", {"tags": [near], **span, **more}) == 200, path
        (series,) = (await web.post("/history/raw", {"tags": [near], **span}, "guest"))["series"]
        assert series["value"] == [1.5]
        assert await status(web, "POST", "/history/corrections", {"tag": far, **span}) == 404
        assert (await web.get("/alarms/history", "guest"))["items"] == []
        assert (
            await status(web, "POST", "/history/correct", {"tag": near, "time_ms": start, "value": 1, "reason": "x"})
            == 403
        )


async def ends(stream: Stream) -> None:
    """Read a stream to its end."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises((EOFError, asyncio.IncompleteReadError)):
            while True:
                await stream.event()


async def test_a_stream_ends_when_its_token_does(web: Running) -> None:
    _, stays = await web.watch("T1", who="operator")
    for change in (_revoked, _disabled, _lowered):
        who = change.__name__.removeprefix("_")
        id, stream = await web.watch("T1", who=who)
        await stream.until("snapshot")
        await asyncio.to_thread(ground.in_thread, partial(change, web.records))
        await ends(stream)
        assert (await web.ask("GET", f"/live/{id}/stream", who=change.__name__.removeprefix("_"))).status in {
            401,
            403,
            404,
        }
    beat = await stays.until("beat")
    assert (await stays.until("beat")).document["now_ms"] > beat.document["now_ms"]


@pytest.fixture
def kept(kept: Records) -> Records:
    """Tokens of viewers, each of whom loses the right in another way."""
    for name in ("revoked", "disabled", "lowered"):
        kept.tokens[name] = kept.token(Role.VIEWER, name=name)
    return kept


def _revoked(kept: Records) -> None:
    credential.revoke(author(kept.plant), Credential.objects.get(tenant=kept.plant, name="revoked"))


def _disabled(kept: Records) -> None:
    user = User.objects.get(tenant=kept.plant, username="disabled")
    people.modify(author(kept.plant), user.pk, {"enabled": False}, None)


def _lowered(kept: Records) -> None:
    user = User.objects.get(tenant=kept.plant, username="lowered")
    people.modify(author(kept.plant), user.pk, {"role": "guest"}, None)


async def test_a_stream_ends_with_the_assignment_it_rests_on(part: Running) -> None:
    web = part
    _, stream = await web.watch("T1", who="guest")
    await stream.until("snapshot")

    def removed() -> None:
        writing.remove(admin(web.records), Assignment, Assignment.objects.get(tenant=web.records.plant).pk, None)

    await asyncio.to_thread(ground.in_thread, removed)
    await ends(stream)
    assert (await web.ask("POST", "/live", {"tags": [web.records.ordinal("T1")]}, "guest")).status == 403
    # Another assignment shows another part.
    await asyncio.to_thread(ground.in_thread, partial(web.records.assign, "viewer", "b"))
    _, again = await web.watch("T1", "T2", who="guest")
    assert (await again.until("snapshot")).document["tags"] == [web.records.ordinal("T2")]


async def test_a_stream_ends_with_the_session_and_other_sessions_go_on(web: Running) -> None:
    def password() -> None:
        user = User.objects.get(tenant=web.records.plant, username="viewer")
        user.set_password(PASSWORD)
        user.save()

    await asyncio.to_thread(ground.in_thread, password)
    one, other = Person(web.port), Person(web.port)
    streams = []
    for each in (one, other):
        assert (await asyncio.to_thread(each.sign_in, "acme/viewer", PASSWORD)).status == 200
        made = await asyncio.to_thread(each.post, "/live", {"tags": [web.records.ordinal("T1")]})
        streams.append(await _watched(web, each, made["id"]))
        await streams[-1].until("snapshot")
    for stream in streams:
        # Looked at many times meanwhile.
        for _ in range(3):
            await stream.until("beat")
    assert (await asyncio.to_thread(one.ask, "DELETE", "/session")).status == 204
    await ends(streams[0])
    await streams[1].until("beat")

    def signed_out() -> None:
        user = User.objects.get(tenant=web.records.plant, username="viewer")
        people.sign_out(author(web.records.plant), user.pk)

    await asyncio.to_thread(ground.in_thread, signed_out)
    await ends(streams[1])


async def _watched(web: Running, by: Person, id: str) -> Stream:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    cookies = "; ".join(f"{name}={value}" for name, value in by.cookies.items())
    writer.write(f"GET /api/v1/live/{id}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    assert b" 200 " in head.split(b"\r\n", 1)[0], head
    web.streams.append(Stream(reader, writer))
    return web.streams[-1]
