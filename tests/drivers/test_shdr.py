"""The SHDR driver over real sockets, and lines that are not what they should be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drivers.mtconnect_machine import DEVICES, adapter_tag
from tests.drivers.test_mtconnect import Taken
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import DecodeError, NotConnected, Rejected
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mtconnect_samples import Observation
from mainspring.drivers.mtconnect_shdr import LINE_BYTES_MAX, Clock, Form, Lines, entries_of, parse_line
from mainspring.drivers.shdr import KEYS_MAX, Shdr, ShdrConfig
from mainspring.simulators.shdr import ShdrSimulator

LOAD = adapter_tag(1, SampleKind.FLOAT, "load")
NOW = 1_795_000_000_000


@pytest.fixture
async def adapter() -> AsyncIterator[ShdrSimulator]:
    simulator = ShdrSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


def driver_of(adapter: ShdrSimulator, **settings: Any) -> Shdr:
    defaults = {"host": "127.0.0.1", "port": adapter.port, "timeout_ms": ANSWER_MS, "contact_timeout_ms": ANSWER_MS}
    return Shdr(ShdrConfig.model_validate(defaults | settings))


async def listening(driver: Shdr, *tags: DriverTag) -> tuple[Taken, asyncio.Task[None]]:
    await driver.connect()
    taken = Taken()
    task = asyncio.create_task(driver.subscribe(tags, taken.deliver))
    await taken.until(lambda: bool(taken.rows))
    return taken, task


async def test_changes_come_with_the_adapter_s_times(adapter: ShdrSimulator) -> None:
    driver = driver_of(adapter, time_offset_ms=-500)
    taken, task = await listening(driver, LOAD)
    assert taken.rows[0][2] == q.BAD_WAITING
    assert "'load'" in driver.faults[1].en
    adapter.say("2026-11-21T08:00:00.5Z|other|1|load|41.5\n2026-11-21T08:00:01.5Z@3|load|42")
    await taken.until(lambda: len(taken.rows) == 3)
    assert taken.rows[1:] == [(1, 41.5, q.GOOD, 1795248000000), (1, 42.0, q.GOOD, 1795248001000)]
    assert not driver.faults
    await driver.close()
    with pytest.raises(NotConnected):
        await task


async def test_the_gateway_s_clock_can_be_chosen(adapter: ShdrSimulator) -> None:
    driver = driver_of(adapter, clock="gateway")
    before_ms = time.time_ns() // 1_000_000
    taken, task = await listening(driver, LOAD)
    adapter.say("1999-01-01T00:00:00Z|load|1")
    await taken.until(lambda: taken.values(LOAD) == [1.0])
    assert taken.rows[-1][3] >= before_ms
    task.cancel()
    await driver.close()


async def test_assets_messages_and_devices_before_keys(adapter: ShdrSimulator) -> None:
    note = adapter_tag(2, SampleKind.TEXT, "note", form="message")
    driver = driver_of(adapter, device="mill")
    taken, task = await listening(driver, LOAD, note)
    adapter.say(
        "2026-11-21T08:00:00Z|@ASSET@|T1|CuttingTool|--multiline--0F\n<CuttingTool>\nload|99\n</CuttingTool>\n"
        "--multiline--0F\n2026-11-21T08:00:00Z|@REMOVE_ASSET@|T1\n"
        "2026-11-21T08:00:01Z|mill:load|5|robot:load|6|mill:note|17|Door open"
    )
    await taken.until(lambda: taken.values(note) == ["Door open"])
    assert taken.values(LOAD) == [5.0]
    task.cancel()
    await driver.close()


async def test_an_adapter_without_heartbeat_is_taken_as_it_is(adapter: ShdrSimulator) -> None:
    adapter.heartbeat = False
    adapter.state["a"] = "2026-11-21T08:00:00Z|load|7"
    driver = driver_of(adapter, timeout_ms=2000)
    taken, task = await listening(driver, LOAD)
    assert taken.values(LOAD) == [7.0]
    task.cancel()
    await driver.close()


async def test_who_says_nothing_is_no_adapter(adapter: ShdrSimulator) -> None:
    adapter.silent = True
    with pytest.raises(NotConnected, match="has said nothing"):
        await driver_of(adapter, timeout_ms=1000).connect()


async def test_a_heartbeat_that_stops_ends_contact(adapter: ShdrSimulator) -> None:
    driver = driver_of(adapter, contact_timeout_ms=1500)
    taken, task = await listening(driver, LOAD)
    adapter.silent = True
    with pytest.raises(NotConnected, match="1500 ms"):
        await asyncio.wait_for(task, PATIENCE_S)
    assert taken.rows
    await driver.close()


async def test_the_round_trip_is_that_of_the_last_sign_of_life(adapter: ShdrSimulator) -> None:
    driver = driver_of(adapter, contact_timeout_ms=1500)
    await driver.connect()
    slow_start_ms = driver.traffic.round_trip_ms = 711.0
    await until(lambda: driver.traffic.round_trip_ms != slow_start_ms)
    assert driver.traffic.round_trip_ms > 0
    await driver.close()


async def test_what_is_wrong_is_counted_and_the_rest_taken(adapter: ShdrSimulator) -> None:
    driver = driver_of(adapter)
    taken, task = await listening(driver, LOAD)
    adapter.say("no time|load|1\n2026-11-21T08:00:00Z|load\n2026-11-21T08:00:00Z|load|" + "9" * (LINE_BYTES_MAX + 10))
    adapter.say("2026-11-21T08:00:00Z|load|3")
    await taken.until(lambda: 3.0 in taken.values(LOAD))
    sentences = {text.en for text in driver.refused}
    assert {"A line without a valid time was dropped.", "A key without a value was dropped."} <= sentences
    assert "A line that was too long was dropped." in sentences
    task.cancel()
    await driver.close()


async def test_keys_without_end_are_refused(adapter: ShdrSimulator) -> None:
    driver = driver_of(adapter)
    last = adapter_tag(2, SampleKind.FLOAT, "load")
    adapter.state["first"] = "2026-11-21T08:00:00Z|load|1"
    taken, task = await listening(driver, last)
    for start in range(0, KEYS_MAX + 100, 1000):
        adapter.say("2026-11-21T08:00:00Z|" + "|".join(f"k{key}|1" for key in range(start, start + 1000)))
    adapter.say("2026-11-21T08:00:00Z|load|2")
    await taken.until(lambda: 2.0 in taken.values(last))
    assert any("10,000" in text.en for text in driver.refused)
    task.cancel()
    await driver.close()


async def test_browsing_what_was_sent_and_described(adapter: ShdrSimulator, tmp_path: Path) -> None:
    file = tmp_path / "Devices.xml"
    file.write_bytes(DEVICES)
    adapter.state["a"] = "2026-11-21T08:00:00Z|Xact|20.5|execution|READY|path|1 2 -3|own|text|feed|600"
    adapter.state["b"] = "2026-11-21T08:00:00Z|hydraulic|WARNING|3||HIGH|Oil warm"
    driver = driver_of(adapter, description=str(file))
    await driver.connect()
    nodes = {node.id: node for node in await driver.browse(None, 100)}
    assert (nodes["Xact"].unit, nodes["Xact"].value, nodes["Xact"].kind) == ("mm", "20.5", SampleKind.FLOAT)
    assert nodes["execution"].address is not None
    assert nodes["execution"].address["values"][0] == "READY"
    assert nodes["hydraulic"].value == "WARNING 3: Oil warm"
    assert nodes["feed"].unit == "mm/min"
    assert nodes["own"].kind is SampleKind.TEXT
    assert [node.address for node in await driver.browse("path", 2)] == [
        {"key": "path", "index": 0}, {"key": "path", "index": 1},
    ]  # fmt: skip
    batches = await driver.read(driver.prepare([adapter_tag(1, SampleKind.ENUMERATION, "execution")]), 1)
    assert batches[0].value.tolist() == [0]
    await driver.close()
    file.write_text("<a/>")
    with pytest.raises(Rejected, match=r"Devices\.xml"):
        await driver.connect()
    await driver.close()


def observed(line: str, **forms: Form) -> list[tuple[str, str, str, str]]:
    found = parse_line(line, forms).observations
    return [(each.item, each.text, each.level, each.code) for each in found]


def test_lines() -> None:
    assert observed("T|a|1|b|") == [("a", "1", "", ""), ("b", "", "", "")]
    assert observed("T|c|fault|7|1|LOW|text") == [("c", "text", "FAULT", "7")]
    assert observed("T|c|NORMAL||||") == [("c", "", "NORMAL", "")]
    assert observed("T|c|UNAVAILABLE||||") == [("c", "", "UNAVAILABLE", "")]
    assert observed("T|c|NORMAL|a|1") == [("c", "NORMAL", "", ""), ("a", "1", "", "")]
    assert observed("T|c|NORMAL", c=Form.CONDITION) == [("c", "", "NORMAL", "")]
    assert observed("T|m|17|open", m=Form.MESSAGE) == [("m", "open", "", "17")]
    assert observed('T|a|"x\\|y"|b|2') == [("a", "x|y", "", ""), ("b", "2", "", "")]
    assert parse_line("* PONG 10000", {}).command == "PONG 10000"
    assert parse_line("T", {}).incomplete


def test_data_sets() -> None:
    assert entries_of("a=1 b={two words} c='x y' d=") == {"a": "1", "b": "two words", "c": "x y", "d": "UNAVAILABLE"}


def test_clocks() -> None:
    clock = Clock(0, ours=False)
    assert [clock.time_ms(stamp, NOW) for stamp in ("100", "350.5", "", "x")] == [NOW, NOW + 250, NOW, None]
    assert Clock(0, ours=True).time_ms("2000-01-01T00:00:00Z", NOW) == NOW


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_any_bytes_are_cut_into_lines(pieces: list[bytes]) -> None:
    lines = Lines()
    for piece in pieces:
        for line in lines.take(piece):
            for each in parse_line(line, {"a": Form.CONDITION, "b": Form.MESSAGE}).observations:
                assert isinstance(each, Observation)


@given(st.text(alphabet="ab= {}'\"1", max_size=40))
def test_any_data_set_is_read(text: str) -> None:
    assert all(isinstance(value, str) for value in entries_of(text).values())


def test_a_line_without_end_is_refused_once() -> None:
    lines = Lines()
    with pytest.raises(DecodeError):
        list(lines.take(b"x" * (LINE_BYTES_MAX + 1)))
    assert list(lines.take(b"tail\nT|a|1\n")) == ["tail", "T|a|1"]
    taken = []
    with pytest.raises(DecodeError):
        for line in lines.take(b"T|a|" + b"x" * LINE_BYTES_MAX + b"\nT|a|2\n"):
            taken.append(line)
    assert taken == ["T|a|2"]
