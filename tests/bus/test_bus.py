from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.bus.conftest import BusUnderTest, Connect
from tests.waiting import until

from mainspring.bus.server import check_port
from mainspring.core.definitions import ConnectionDefinition, Definition, connection_key
from mainspring.core.errors import ConfigurationError, MainspringError, NotConnected, NotFound
from mainspring.core.ids import uuid7
from mainspring.core.text import Text


def connection(name: str, tenant: str = "acme") -> ConnectionDefinition:
    return ConnectionDefinition(
        id=uuid7(), tenant=tenant, revision=1, name=name, driver="modbus-tcp", gateway="g1", settings={}
    )


async def test_an_answer_of_many_chunks_arrives_whole_and_in_order(connect: Connect) -> None:
    historian, web = await connect("historian"), await connect("web")
    chunks = [bytes([i]) * 300_000 for i in range(20)]

    async def answer(_subject: str, _payload: bytes) -> AsyncIterator[bytes]:
        async def stream() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return stream()

    await historian.serve("ms.*.history.raw", answer)
    assert await web.ask("ms.acme.history.raw") == b"".join(chunks)


async def test_a_large_single_answer_is_cut_and_joined(connect: Connect) -> None:
    historian, web = await connect("historian"), await connect("web")
    whole = bytes(range(256)) * 20_000

    async def answer(_subject: str, _payload: bytes) -> bytes:
        return whole

    await historian.serve("ms.*.history.trend", answer)
    assert await web.ask("ms.acme.history.trend") == whole


async def test_an_error_travels_as_itself(connect: Connect) -> None:
    engine, web = await connect("engine"), await connect("web")

    async def answer(_subject: str, _payload: bytes) -> bytes:
        raise NotFound(Text("No alarm {id}.", "没有报警 {id}。"), id=7)

    await engine.serve("ms.*.alarms.list", answer)
    with pytest.raises(NotFound) as caught:
        await web.ask("ms.acme.alarms.list")
    assert caught.value.text.zh == "没有报警 7。"


async def test_a_failure_inside_is_told_without_its_inside(connect: Connect) -> None:
    engine, web = await connect("engine"), await connect("web")

    async def answer(_subject: str, _payload: bytes) -> bytes:
        message = "secret"
        raise RuntimeError(message)

    await engine.serve("ms.*.current", answer)
    with pytest.raises(MainspringError) as caught:
        await web.ask("ms.acme.current")
    assert "RuntimeError" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_nobody_there_is_said_at_once(connect: Connect) -> None:
    web = await connect("web")
    with pytest.raises(NotConnected, match="not running"):
        await web.ask("ms.acme.current", timeout_s=5)


async def test_watch_gives_everything_then_changes_and_survives_a_killed_server(
    bus: BusUnderTest, connect: Connect
) -> None:
    web, engine = await connect("web"), await connect("engine")
    first, second, third = connection("one"), connection("two"), connection("three")
    await web.put_definition(connection_key("acme", first.id), first)
    given: list[tuple[str, Definition | None]] = []
    await engine.watch_definitions(lambda key, document: given.append((key, document)))
    assert [document for _key, document in given] == [first]
    await web.put_definition(connection_key("acme", second.id), second)
    await until(lambda: len(given) == 2)
    await bus.kill()
    await bus.start_again()
    await until(lambda: web.connected and engine.connected)
    await web.delete_definition(connection_key("acme", first.id))
    await web.put_definition(connection_key("acme", third.id), third)
    await until(lambda: len(given) == 4)
    assert [document for _key, document in given] == [first, second, None, third]


async def test_a_gateway_sees_its_own_tenant_alone(connect: Connect) -> None:
    web, gateway = await connect("web"), await connect("gateway-acme-g1")
    own, foreign = connection("own"), connection("foreign", "other")
    await web.put_definition(connection_key("other", foreign.id), foreign)
    await web.put_definition(connection_key("acme", own.id), own)
    given: list[str] = []
    await gateway.watch_tenant(lambda key, _document: given.append(key), "acme")
    assert given == [connection_key("acme", own.id)]
    with pytest.raises(NotConnected):
        await gateway.ask("ms.other.current", timeout_s=0.5)


@pytest.mark.parametrize("subject", ["ms.other.live.g1", "ms.acme.live.g2", "ms.acme.alarm", "ms.position.LIVE"])
async def test_a_gateway_publishes_only_its_own_readings(connect: Connect, subject: str) -> None:
    admin, gateway = await connect("admin"), await connect("gateway-acme-g1")
    got: list[str] = []

    async def seen(message: object) -> None:
        got.append(subject)

    await admin.nc.subscribe("ms.>", cb=seen)
    await admin.settled()
    await gateway.nc.publish(subject, b"x")
    await gateway.nc.publish("ms.acme.live.g1", b"x")
    await until(lambda: bool(got))
    await asyncio.sleep(0.1)
    assert len(got) == 1


async def test_the_last_message_on_a_subject_tells_its_sequence(connect: Connect) -> None:
    gateway = await connect("gateway-acme-g1")
    assert await gateway.last_on("LIVE", "ms.acme.live.g1") is None
    for number in (1, 2):
        await gateway.js.publish("ms.acme.live.g1", b"x", headers={"Ms-Seq": str(number)})
    last = await gateway.last_on("LIVE", "ms.acme.live.g1")
    assert last is not None
    assert (last[0], last[1]["Ms-Seq"]) == (2, "2")


def test_a_port_in_use_is_said_in_one_sentence(unused_tcp_port: int) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_tcp_port))
        taken.listen()
        with pytest.raises(ConfigurationError, match=r"\[bus\] port"):
            check_port("127.0.0.1", unused_tcp_port)
