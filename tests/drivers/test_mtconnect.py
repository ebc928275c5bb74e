"""The MTConnect driver over real sockets: order, gaps, restarts, conditions, and agents that misbehave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.drivers.mtconnect_machine import DEVICES, agent_tag
from tests.waiting import ANSWER_MS, PATIENCE_S

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag, Host
from mainspring.core.errors import LimitExceeded, MainspringError, NotConnected, Rejected
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers.mtconnect import Mtconnect, MtconnectConfig
from mainspring.simulators.mtconnect_agent import MtconnectAgentSimulator

Row = tuple[int, Any, int, int]
PARTS = agent_tag(1, SampleKind.INTEGER, "parts")
LOAD = agent_tag(2, SampleKind.FLOAT, "xload")
HYDRAULIC = agent_tag(3, SampleKind.ENUMERATION, "hydraulic")


@pytest.fixture
async def agent() -> AsyncIterator[MtconnectAgentSimulator]:
    simulator = MtconnectAgentSimulator(DEVICES, buffer_size=60)
    await simulator.start()
    yield simulator
    await simulator.stop()


def driver_of(agent: MtconnectAgentSimulator, host: Host | None = None, **settings: Any) -> Mtconnect:
    defaults = {"url": agent.url, "timeout_ms": ANSWER_MS, "contact_timeout_ms": ANSWER_MS, "interval_ms": 10}
    driver = Mtconnect(MtconnectConfig.model_validate(defaults | settings))
    driver.host = host or Host()
    return driver


class Taken:
    """What a subscription delivered, as rows of tag, value, quality and time."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.more = asyncio.Event()

    def deliver(self, batch: SampleBatch) -> None:
        columns = (batch.tag.tolist(), batch.value.tolist(), batch.quality.tolist(), batch.time.tolist())
        self.rows += zip(*columns, strict=True)
        self.more.set()

    def values(self, tag: DriverTag) -> list[Any]:
        return [value for ordinal, value, quality, _ in self.rows if ordinal == tag.ordinal and q.is_good(quality)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.more.clear()
                await self.more.wait()


@asynccontextmanager
async def subscribed(driver: Mtconnect, *tags: DriverTag, taken: Taken | None = None) -> AsyncIterator[Taken]:
    """Connect and subscribe until the block ends; what ended the subscription itself is raised there."""
    taken = taken or Taken()
    await driver.connect()
    task = asyncio.create_task(driver.subscribe(tags, taken.deliver))
    try:
        before = len(taken.rows)
        await taken.until(lambda: len(taken.rows) > before)
        yield taken
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, MainspringError):
            await task
        await driver.close()


async def test_changes_come_in_order_with_the_machine_s_times(agent: MtconnectAgentSimulator) -> None:
    agent.observe("parts", "0")
    async with subscribed(driver_of(agent), PARTS) as taken:
        began_ms = time.time_ns() // 1_000_000
        for count in range(1, 40):
            agent.observe("parts", str(count), time_ms=began_ms + count)
            if count % 10 == 0:
                await taken.until(lambda wanted=count: taken.values(PARTS)[-1] == wanted)  # type: ignore[misc]
        await taken.until(lambda: taken.values(PARTS)[-1] == 39)
        assert taken.values(PARTS) == list(range(40))
        assert [at for _, _, _, at in taken.rows][1:] == [began_ms + count for count in range(1, 40)]


async def test_what_the_agent_kept_over_a_cut_is_not_lost(agent: MtconnectAgentSimulator) -> None:
    host, taken = Host(), Taken()
    agent.observe("parts", "0")
    async with subscribed(driver_of(agent, host), PARTS, taken=taken):
        agent.observe("parts", "1")
        await taken.until(lambda: 1 in taken.values(PARTS))
        await agent.cut()
    for count in range(2, 20):
        agent.observe("parts", str(count))
    await agent.restore()
    # The gateway makes a new driver for each contact; its host is the same.
    driver = driver_of(agent, host)
    async with subscribed(driver, PARTS, taken=taken):
        agent.observe("parts", "20")
        await taken.until(lambda: 20 in taken.values(PARTS))
    assert list(dict.fromkeys(taken.values(PARTS))) == list(range(21))
    assert not driver.refused
    assert any("from=" in request and "interval" not in request for request in agent.requests)


async def test_what_the_agent_no_longer_keeps_is_counted_and_the_state_asked_for(
    agent: MtconnectAgentSimulator,
) -> None:
    host, taken = Host(), Taken()
    agent.observe("parts", "0")
    async with subscribed(driver_of(agent, host), PARTS, taken=taken):
        await agent.cut()
    for count in range(1, 200):
        agent.observe("parts", str(count))
    await agent.restore()
    driver = driver_of(agent, host)
    async with subscribed(driver, PARTS, taken=taken):
        await taken.until(lambda: taken.values(PARTS)[-1] == 199)
        agent.observe("parts", "200")
        await taken.until(lambda: taken.values(PARTS)[-1] == 200)
    assert taken.values(PARTS) == [0, 199, 200]
    ((text, count),) = driver.refused.items()
    assert count == 1
    assert "no longer keeps" in text.en


async def test_a_restarted_agent_is_noticed(agent: MtconnectAgentSimulator) -> None:
    agent.observe("parts", "7")
    driver = driver_of(agent)
    async with subscribed(driver, PARTS) as taken:
        agent.restart()
        await taken.until(lambda: taken.rows[-1][2] & q.MASK == q.BAD)
        agent.observe("parts", "8")
        await taken.until(lambda: taken.values(PARTS) == [7, 8])
        assert any("restarted" in text.en for text in driver.refused)


async def test_unavailable_is_bad_and_no_number_says_why(agent: MtconnectAgentSimulator) -> None:
    agent.observe("xload", "12")
    driver = driver_of(agent)
    async with subscribed(driver, LOAD) as taken:
        agent.observe("xload", "UNAVAILABLE")
        await taken.until(lambda: taken.rows[-1][2] == q.BAD_NOT_CONNECTED)
        assert not driver.faults
        agent.observe("xload", "heavy")
        await taken.until(lambda: taken.rows[-1][2] == q.BAD_CONFIGURATION)
        assert "'heavy'" in driver.faults[LOAD.ordinal].zh
        agent.observe("xload", "13.5")
        await taken.until(lambda: taken.values(LOAD) == [12.0, 13.5])
        assert not driver.faults


async def test_the_worst_active_condition_counts(agent: MtconnectAgentSimulator) -> None:
    words = agent_tag(4, SampleKind.TEXT, "hydraulic")
    agent.observe("hydraulic", "NORMAL", "", "", "", "")
    async with subscribed(driver_of(agent), HYDRAULIC, words) as taken:
        for fields in (
            ("WARNING", "1", "", "HIGH", "Oil warm"), ("FAULT", "2", "", "", "Pump stopped"),
            ("WARNING", "1", "", "HIGH", "Oil hot"), ("NORMAL", "2", "", "", ""), ("NORMAL", "", "", "", ""),
        ):  # fmt: skip
            agent.observe("hydraulic", *fields)
        await taken.until(lambda: len(taken.values(words)) >= 6)
    assert taken.values(HYDRAULIC) == [0, 1, 2, 2, 1, 0]
    assert taken.values(words) == [
        "NORMAL", "WARNING 1: Oil warm", "FAULT 2: Pump stopped", "FAULT 2: Pump stopped", "WARNING 1: Oil hot",
        "NORMAL",
    ]  # fmt: skip


async def test_a_state_names_every_active_condition(agent: MtconnectAgentSimulator) -> None:
    agent.observe("hydraulic", "FAULT", "2", "", "", "Pump stopped")
    agent.observe("hydraulic", "WARNING", "1", "", "HIGH", "Oil warm")
    async with subscribed(driver_of(agent), HYDRAULIC) as taken:
        agent.observe("hydraulic", "NORMAL", "2", "", "", "")
        await taken.until(lambda: taken.values(HYDRAULIC) == [2, 1])


async def test_units_are_those_of_the_description(agent: MtconnectAgentSimulator) -> None:
    agent.observe("feed", "600")
    driver = driver_of(agent)
    await driver.connect()
    (batch,) = await driver.read(driver.prepare([agent_tag(1, SampleKind.FLOAT, "feed")]), 1)
    assert batch.value.tolist() == [10.0]
    await driver.close()


async def test_one_device_of_several(agent: MtconnectAgentSimulator) -> None:
    driver = driver_of(agent, device="Robot")
    await driver.connect()
    assert [node.name for node in await driver.browse(None, 10)] == ["Device Robot"]
    await driver.close()
    with pytest.raises(Rejected, match="NO_DEVICE"):
        await driver_of(agent, device="Lathe").connect()


async def test_browsing_gives_what_tags_need(agent: MtconnectAgentSimulator) -> None:
    agent.observe("path", "1 2.5 -3")
    agent.observe("parts", "17")
    driver = driver_of(agent)
    await driver.connect()
    mill, robot = await driver.browse(None, 10)
    assert (mill.name, mill.description, robot.id) == ("Device Mill", "Test mill", "d2")
    assert [node.name for node in await driver.browse("d1", 10)] == ["avail", "Linear X", "Controller cnc"]
    nodes = {node.name: node for node in await driver.browse("d1/c", 100)}
    assert nodes["execution"].kind is SampleKind.ENUMERATION
    assert nodes["execution"].address is not None
    assert nodes["execution"].address["values"][:2] == ["READY", "ACTIVE"]
    assert nodes["hand"].address == {"item": "hand", "values": ["LEFT", "RIGHT"]}
    assert (nodes["parts"].kind, nodes["parts"].value) == (SampleKind.INTEGER, "17")
    assert (nodes["feed"].unit, nodes["feed"].kind) == ("mm/s", SampleKind.FLOAT)
    assert nodes["path"].has_children
    assert nodes["path"].kind is SampleKind.ARRAY
    elements = await driver.browse("d1/c/path", 10)
    assert [(node.name, node.value, node.unit) for node in elements] == [
        ("path X", "1", "mm"), ("path Y", "2.5", "mm"), ("path Z", "-3", "mm"),
    ]  # fmt: skip
    for node in [*nodes.values(), *elements]:
        if node.address is not None:
            Mtconnect.Address.model_validate(node.address)
    assert await driver.browse("d1/nowhere", 10) == []
    assert len(await driver.browse("d1/c", 2)) == 2
    await driver.close()


async def test_malformed_documents_are_dropped_and_counted(agent: MtconnectAgentSimulator) -> None:
    agent.observe("parts", "1")
    driver = driver_of(agent)
    async with subscribed(driver, PARTS) as taken:
        agent.spoil = lambda document: document[:-40]
        agent.observe("parts", "2")
        async with asyncio.timeout(PATIENCE_S):
            while not driver.refused:
                await asyncio.sleep(0.01)
        agent.spoil = None
        agent.observe("parts", "3")
        await taken.until(lambda: taken.values(PARTS)[-1] == 3)
    assert {text.en for text in driver.refused} == {"A malformed document was dropped."}


async def test_an_agent_that_falls_silent_is_lost(agent: MtconnectAgentSimulator) -> None:
    agent.observe("parts", "1")
    driver = driver_of(agent, timeout_ms=3000, contact_timeout_ms=1500)
    taken = Taken()
    await driver.connect()
    task = asyncio.create_task(driver.subscribe([PARTS], taken.deliver))
    await taken.until(lambda: bool(taken.rows))
    agent.silent = True
    with pytest.raises(NotConnected, match="did not answer within"):
        await asyncio.wait_for(task, PATIENCE_S)
    await driver.close()


async def test_a_document_beyond_the_limit_is_refused(agent: MtconnectAgentSimulator) -> None:
    agent.spoil = lambda document: document + b" " * 100_000
    with pytest.raises(LimitExceeded) as refused:
        await driver_of(agent, document_bytes_max=65_536).connect()
    assert "65536" in refused.value.text.zh


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nnone", "status 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n<a>", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "not MTConnect"),
        (b"", "closed the connection"),
    ],
)
async def test_what_is_no_agent_is_said_in_words(answer: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    driver = Mtconnect(MtconnectConfig(url=url, timeout_ms=ANSWER_MS))
    with pytest.raises(MainspringError) as failed:
        await driver.connect()
    assert words in failed.value.text.en
    assert failed.value.text.zh.endswith("。")
    checks = [check async for check in driver.checks()]
    assert [check.ok for check in checks] == [True, True, False]
    server.close()
    await server.wait_closed()
