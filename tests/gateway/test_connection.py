"""One connection's life: what the tags say when devices come, go, hang and lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.devices import DEVICES, DRIVERS, Device, connection, tag
from tests.waiting import PATIENCE_S, until

from mainspring.core import quality as q
from mainspring.core.definitions import ConnectionDefinition, TagDefinition
from mainspring.core.drivers import Host
from mainspring.core.text import Text
from mainspring.gateway import connection as connection_module
from mainspring.gateway.batches import Gate, Gatherer
from mainspring.gateway.connection import Connection
from mainspring.gateway.settings import GatewaySettings

Seen = tuple[int, int, Any, int]


class Bench:
    """A connection that runs, and everything it has reported."""

    def __init__(self, made: Connection, gatherer: Gatherer, gate: Gate) -> None:
        self.connection = made
        self.gatherer = gatherer
        self.gate = gate
        self.samples: list[Seen] = []

    def collect(self) -> list[Seen]:
        for batch in self.gatherer.take():
            self.samples += [
                (int(t), int(at), value, int(quality))
                for t, at, value, quality in zip(
                    batch.tag, batch.time, batch.value.tolist(), batch.quality, strict=True
                )
            ]
        return self.samples

    def last(self, ordinal: int) -> Seen | None:
        return next((sample for sample in reversed(self.collect()) if sample[0] == ordinal), None)

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, told=lambda: (self.connection.state, self.connection.text, self.samples[-5:]))

    async def until_quality(self, ordinal: int, quality: int) -> None:
        await self.until(lambda: (self.last(ordinal) or (0, 0, 0, -1))[3] == quality)

    async def until_value(self, ordinal: int, value: float) -> None:
        await self.until(lambda: (self.last(ordinal) or (0, 0, None, 0))[2] == value)


@pytest.fixture
def device() -> Device:
    DEVICES["d"] = Device()
    DEVICES["d"].values = {"a": 1.5, "b": 2.5}
    return DEVICES["d"]


@asynccontextmanager
async def running(
    folder: Path, definition: ConnectionDefinition, tags: list[TagDefinition], **options: Any
) -> AsyncIterator[Bench]:
    gate = Gate()
    gatherer = Gatherer(gate, 1_000_000)
    settings = GatewaySettings(name="g1", tenant="acme", folder=folder, **options)
    made = Connection(definition, tags, DRIVERS, gatherer, gate, settings, Host())
    task = asyncio.create_task(made.run())
    try:
        yield Bench(made, gatherer, gate)
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_S)


async def test_tags_wait_then_come_alive_on_aligned_ticks(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id, scan_ms=100), tag(2, of.id, "b", scan_ms=100)]) as bench:
        await bench.until_quality(1, q.GOOD)
        for step in range(4):
            device.values["a"] = 10.0 + step
            await bench.until_value(1, 10.0 + step)
        of_1 = [sample for sample in bench.collect() if sample[0] == 1]
    assert of_1[0][3] == q.BAD_WAITING
    assert [sample[2] for sample in of_1[1:]] == [1.5, 10.0, 11.0, 12.0, 13.0]
    assert all(sample[1] % 100 == 0 for sample in of_1[2:])


async def test_every_reading_is_reported_or_counted_as_left_out(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id, scan_ms=100)]) as bench:
        await bench.until(lambda: bench.gatherer.came_total >= 5)
        device.values["a"] = 9.0
        await bench.until_value(1, 9.0)
        assert [sample[2] for sample in bench.collect() if sample[3] == q.GOOD] == [1.5, 9.0]
        assert bench.gatherer.left_out_total == bench.gatherer.came_total - 2
        # The gateway's own is the one sample that says that nothing was read yet.
        assert bench.gatherer.rows_total == len(bench.samples) == 3


async def test_a_lost_device_is_bad_at_once_with_its_last_value_and_comes_back(
    tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "BACK_OFF_FIRST_S", 0.1)
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id), tag(2, of.id, "b")]) as bench:
        await bench.until_quality(2, q.GOOD)
        device.reachable = False
        await bench.until_quality(2, q.BAD_NOT_CONNECTED)
        assert bench.last(1) is not None
        assert bench.last(1)[2:] == (1.5, q.BAD_NOT_CONNECTED)  # type: ignore[index]
        assert bench.connection.state in {"lost", "connecting"}
        assert bench.connection.text == Text("The device is away.", "设备不在。")
        errors = bench.connection.figures.errors
        await bench.until(lambda: bench.connection.figures.errors > errors + 2)
        assert [s[3] for s in bench.collect() if s[0] == 1].count(q.BAD_NOT_CONNECTED) == 1
        device.reachable = True
        await bench.until_quality(1, q.GOOD)


async def test_a_lost_device_is_lost_since_contact_ended_not_since_the_last_attempt(
    tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "BACK_OFF_FIRST_S", 0.05)
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id)]) as bench:
        await bench.until_quality(1, q.GOOD)
        live_ms = bench.connection.since_ms
        device.reachable = False
        await bench.until(lambda: bench.connection.state == "lost")
        lost_ms, errors = bench.connection.since_ms, bench.connection.figures.errors
        assert lost_ms > live_ms
        await bench.until(lambda: bench.connection.figures.errors > errors + 2)
        assert bench.connection.since_ms == lost_ms
        device.reachable = True
        await bench.until_quality(1, q.GOOD)
        assert bench.connection.since_ms > lost_ms


async def test_a_device_that_hangs_and_ignores_cancelling_is_given_up_within_its_time(
    tmp_path: Path, device: Device
) -> None:
    of, other = connection("d"), connection("e", name="press 2")
    DEVICES["e"] = Device()
    DEVICES["e"].values = {"a": 0.0}
    async with (
        running(tmp_path, of, [tag(1, of.id)], read_timeout_ms=200) as bench,
        running(tmp_path, other, [tag(7, other.id)]) as beside,
    ):
        await bench.until_quality(1, q.GOOD)
        device.hangs = True
        before = DEVICES["e"].reads
        await bench.until_quality(1, q.BAD_NOT_CONNECTED)
        assert "0.2 s" in str(bench.connection.text)
        await bench.until(lambda: DEVICES["e"].reads - before >= 3)
        assert beside.connection.state == "connected"


async def test_what_a_device_answers_while_its_connection_ends_is_kept(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id, scan_ms=100)]) as bench:
        await bench.until_value(1, 1.5)
        device.values["a"], device.slow_s, before = 7.0, 0.1, device.reads
        await bench.until(lambda: device.reads > before)
        await bench.connection.settle()
        assert (bench.last(1) or (0, 0, None, 0))[2] == 7.0
        after = device.reads
        await asyncio.sleep(0.3)
        assert device.reads == after


async def test_a_bug_of_a_driver_ends_only_this_contact(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id)]) as bench:
        await bench.until_quality(1, q.GOOD)
        device.breaks = True
        await bench.until_quality(1, q.BAD_NOT_CONNECTED)
        assert "ZeroDivisionError" in str(bench.connection.text)
        device.breaks = False
        await bench.until_quality(1, q.GOOD)


async def test_rejected_is_not_hammered(tmp_path: Path, device: Device) -> None:
    device.rejects = True
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id)]) as bench:
        await bench.until_quality(1, q.BAD_NOT_CONNECTED)
        await asyncio.sleep(1.5)
        assert bench.connection.state == "rejected"
        assert device.connects == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"driver": "unheard"}, "unheard"),
        ({"settings": {"device": "d", "prot": 1}}, "prot"),
    ],
)
async def test_wrong_settings_are_said_in_words(
    tmp_path: Path, device: Device, change: dict[str, Any], words: str
) -> None:
    of = connection("d", **change)
    async with running(tmp_path, of, [tag(1, of.id)]) as bench:
        await bench.until(lambda: bench.connection.state == "rejected")
        assert words in str(bench.connection.text)
        assert bench.connection.text is not None
        assert words in bench.connection.text.zh


async def test_a_wrong_address_costs_only_its_tag(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    tags = [tag(1, of.id), tag(2, of.id, address={"kee": "b"})]
    async with running(tmp_path, of, tags) as bench:
        await bench.until_quality(1, q.GOOD)
        await bench.until_quality(2, q.BAD_CONFIGURATION)
        assert "T2" in str(bench.connection.text)


async def test_a_tag_the_answer_leaves_out_does_not_stay_good(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id), tag(2, of.id, "b")]) as bench:
        await bench.until_quality(2, q.GOOD)
        device.omits = {"b"}
        await bench.until_quality(2, q.BAD_COMMUNICATION)
        assert bench.last(2)[2] == 2.5  # type: ignore[index]
        device.omits = set()
        await bench.until_quality(2, q.GOOD)


async def test_a_bad_tag_of_the_device_stays_beside_good_ones(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    device.bad = {"b"}
    async with running(tmp_path, of, [tag(1, of.id), tag(2, of.id, "b")]) as bench:
        await bench.until_quality(1, q.GOOD)
        await bench.until_quality(2, q.BAD_DEVICE_FAILURE)


async def test_a_changed_tag_list_keeps_the_contact(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    one, two = tag(1, of.id), tag(2, of.id, "b")
    async with running(tmp_path, of, [one]) as bench:
        await bench.until_quality(1, q.GOOD)
        bench.connection.retag([one, two])
        await bench.until_quality(2, q.GOOD)
        bench.connection.retag([two])
        await bench.until_quality(1, q.BAD_OUT_OF_SERVICE)
        assert device.connects == 1


async def test_disabled_is_out_of_service_and_never_connects(tmp_path: Path, device: Device) -> None:
    of = connection("d", enabled=False)
    async with running(tmp_path, of, [tag(1, of.id)]) as bench:
        await bench.until_quality(1, q.BAD_OUT_OF_SERVICE)
        assert device.connects == 0
        assert bench.connection.state == "disabled"


async def test_polling_pauses_while_the_log_is_full_and_says_so(tmp_path: Path, device: Device) -> None:
    of = connection("d")
    async with running(tmp_path, of, [tag(1, of.id)]) as bench:
        await bench.until_quality(1, q.GOOD)
        bench.gate.set(Text("The log is full.", "日志已满。"))
        await bench.until_quality(1, q.BAD_NOT_CONNECTED)
        reads = device.reads
        await asyncio.sleep(0.2)
        assert device.reads == reads
        assert str(bench.connection.text) == "The log is full."
        bench.gate.set(None)
        await bench.until_quality(1, q.GOOD)


async def subscribed(bench: Bench, device: Device) -> None:
    await bench.until_quality(1, q.GOOD)
    device.values["a"] = 9.0
    device.changed.set()
    await bench.until_value(1, 9.0)


async def test_a_subscription_reports_changes_and_its_end(
    tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "BACK_OFF_FIRST_S", 0.1)
    of = connection("d", driver="memory-subscribing")
    one, two = tag(1, of.id, silence_max_ms=1000), tag(2, of.id, "b")
    async with running(tmp_path, of, [one]) as bench:
        await subscribed(bench, device)
        bench.connection.retag([one, two])
        await bench.until_quality(2, q.GOOD)
        assert device.connects == 1
        count = len([sample for sample in bench.collect() if sample[0] == 1])
        await bench.until(lambda: len([s for s in bench.collect() if s[0] == 1]) > count)
        assert bench.last(1)[2:] == (9.0, q.GOOD)  # type: ignore[index]
        device.reachable = False
        device.changed.set()
        await bench.until_quality(1, q.BAD_NOT_CONNECTED)
        device.reachable = True
        await bench.until_quality(1, q.GOOD)


async def test_many_connections_pass_through_a_slow_one(tmp_path: Path, device: Device) -> None:
    made: list[Awaitable[Any]] = []
    benches: list[Bench] = []
    stack = [connection("d", name=f"press {number}") for number in range(50)]

    async def one(of: ConnectionDefinition, ordinal: int) -> None:
        async with running(tmp_path, of, [tag(ordinal, of.id)]) as bench:
            benches.append(bench)
            await bench.until_quality(ordinal, q.GOOD)

    made = [one(of, ordinal) for ordinal, of in enumerate(stack)]
    await asyncio.wait_for(asyncio.gather(*made), PATIENCE_S)
    assert len(benches) == 50
