"""Readings of tags just made: they wait for their definitions and count as if these had come first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from nats.errors import Error as NatsError
from tests.bus.conftest import BusUnderTest
from tests.engine.plants import NOW, alarm, batch, plant, tag, tag_page
from tests.engine.running import current, define, engine, now_ms, send
from tests.engine.test_values import ask
from tests.waiting import until

from mainspring.core.definitions import BUCKET, Definition, tag_page_key
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.engine import kernels, newcomers
from mainspring.engine.alarms import Records, event_ids
from mainspring.engine.newcomers import Newcomers
from mainspring.engine.state import PlantState


class Door:
    """Definitions that have caught up when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def caught_up(self) -> None:
        self.asked.set()
        await self.answer


class Hall:
    """A plant whose new tags are waited for, as the engine does it."""

    def __init__(self, state: PlantState, caught_up: Callable[[], Awaitable[None]]) -> None:
        self.state = state
        self.newcomers = Newcomers(state, caught_up)
        self.events: list[Records] = []

    def come(self) -> None:
        self.events.append(self.newcomers.come())

    def take(self, sent: SampleBatch, sequence: int, tenant: str = "acme") -> None:
        self.come()
        self.events.append(self.state.update(sent, tenant, sequence, NOW))
        self.newcomers.hear(sent, tenant, sequence, NOW)

    def define(self, *tags: int) -> None:
        self.state.define("acme.tags.1", tag_page(*map(tag, tags), page=1), NOW)
        self.newcomers.defined()

    @property
    def ids(self) -> list[str]:
        return [identity for events in self.events for identity in event_ids(events)]

    @property
    def refused(self) -> int:
        return int(self.state.counts[kernels.FOREIGN])


async def test_what_came_before_its_definition_counts_as_if_it_had_come_after() -> None:
    alarms = [alarm(1, 1), alarm(2, 2), alarm(3, 3)]
    messages = [
        batch((1, 0, 5.0), (2, 0, 50.0), (9, 0, 1.0), (3, 0, 50.0)),
        batch((3, 10, 5.0), (1, 10, 50.0)),
        batch((2, 20, 5.0), (3, 20, 50.0), (1, 20, 5.0)),
    ]
    known = plant([tag(1), tag(2), tag(3)], alarms)
    wanted = [known.update(each, "acme", place, NOW) for place, each in enumerate(messages, 1)]
    hall = Hall(plant([tag(1)], alarms), Door().caught_up)
    hall.take(messages[0], 1)
    hall.take(messages[1], 2)
    assert (len(hall.newcomers), hall.refused) == (4, 0)
    # Others do not wait.
    assert (ask(hall.state, 1)[0]["number"], ask(hall.state, 2)[0]["flags"]) == (50.0, 0)
    hall.define(2, 3)
    hall.take(messages[2], 3)
    assert sorted(hall.ids) == sorted(identity for events in wanted for identity in event_ids(events))
    assert ask(hall.state, 1, 2, 3) == ask(known, 1, 2, 3)
    # Only the stranger is left.
    assert (len(hall.newcomers), hall.refused) == (1, 0)


async def test_texts_and_whole_numbers_and_late_values_wait_too() -> None:
    hall = Hall(PlantState(tags_max=1000), Door().caught_up)
    hall.take(batch((1, 0, "新"), column=Column.TEXT), 1)  # type: ignore[arg-type]
    hall.take(batch((2, 0, 2**62 + 1), column=Column.INT64), 2)
    hall.newcomers.hear(batch((3, -9000, 7.0)), "acme", 1, NOW, late=True)
    kinds = (SampleKind.TEXT, SampleKind.INTEGER, SampleKind.FLOAT)
    hall.state.define("acme.tags.0", tag_page(*(tag(place, kind) for place, kind in enumerate(kinds, 1))), NOW)
    hall.newcomers.defined()
    hall.come()
    one, two, three = ask(hall.state, 1, 2, 3)
    assert (one["text"], two["integer"], three["number"], three["time"]) == ("新", 2**62 + 1, 7.0, NOW - 9000)
    assert (len(hall.newcomers), hall.refused) == (0, 0)


async def test_what_nobody_had_defined_is_refused_and_not_waited_for_again() -> None:
    door = Door()
    hall = Hall(plant([tag(1)], []), door.caught_up)
    work = asyncio.create_task(hall.newcomers.run(hall.come))
    hall.take(batch((1, 0, 1.0), (77, 0, 1.0)), 1)
    await door.asked.wait()
    hall.take(batch((78, 0, 1.0)), 2)
    hall.define(78)
    assert (len(hall.newcomers), hall.refused) == (2, 0)
    door.answer.set_result(None)
    await hall.newcomers.settled()
    assert (len(hall.newcomers), hall.refused, ask(hall.state, 78)[0]["number"]) == (0, 1, 1.0)
    hall.take(batch((77, 1, 1.0)), 3)
    assert (len(hall.newcomers), hall.refused) == (0, 2)
    # A tenant of which nothing is known has to be waited for as well.
    hall.take(batch((5, 1, 1.0)), 4, tenant="other")
    assert len(hall.newcomers) == 1
    await hall.newcomers.settled()
    assert hall.refused == 3
    work.cancel()


async def test_the_oldest_gives_way_where_too_many_wait_or_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise NatsError

    hall = Hall(PlantState(tags_max=1000), away)
    monkeypatch.setattr(newcomers, "BYTES_MAX", 3 * (newcomers.MESSAGE_BYTES + newcomers.ROW_BYTES))
    for sequence in range(1, 6):
        hall.take(batch((sequence, 0, float(sequence))), sequence)
    assert (len(hall.newcomers), hall.newcomers.given_up, hall.refused) == (3, 2, 2)
    hall.define(1, 2, 3)
    hall.come()
    assert [row["flags"] for row in ask(hall.state, 1, 2, 3)] == [0, 0, 1]
    monkeypatch.setattr(newcomers, "WAIT_S", 0.0)
    work = asyncio.create_task(hall.newcomers.run(hall.come))
    await hall.newcomers.settled()
    assert (hall.newcomers.given_up, hall.refused) == (4, 4)
    work.cancel()


async def test_an_engine_shows_the_first_reading_of_a_tag_whose_definition_comes_later(
    bus: BusUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7)], [alarm(1, 7), alarm(2, 9000)])
    defined = PlantState.define

    def slowly(self: PlantState, key: str, definition: Definition | None, now_ms: int) -> Records:
        time.sleep(0.05)
        return defined(self, key, definition, now_ms)

    async def numbers() -> list[float]:
        return [row["number"] for row in await current(web, 7, 9000, 9001)]

    async def shown(*wanted: float) -> bool:
        return bool(np.array_equal(await numbers(), wanted, equal_nan=True))

    async with engine(bus, tmp_path / "e") as running:
        await send(gateway, 8000, 1.0)
        monkeypatch.setattr(PlantState, "define", slowly)
        for page in range(1, 60):
            document = tag_page(tag(100 + page), page=page).model_dump_json().encode()
            await admin.nc.publish(f"$KV.{BUCKET}.{tag_page_key('acme', page)}", document)
        await admin.put_definition(tag_page_key("acme", 60), tag_page(tag(9000), tag(9001), page=60))
        at = now_ms()
        await send(gateway, 9000, 11.0, at)
        await send(gateway, 9001, 12.0, at)
        await send(gateway, 7, 5.0, at)
        await until(lambda: shown(5.0, 11.0, 12.0))
        await running.engine.newcomers.settled()
        assert running.engine.state.counts[kernels.FOREIGN] == 1
    # Nothing of it is lost at a restart.
    async with engine(bus, tmp_path / "e"):
        assert await shown(5.0, 11.0, 12.0)
    for each in (admin, gateway, web):
        await each.close()


async def test_what_waits_when_the_engine_ends_is_read_again(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7)], [])
    async with engine(bus, tmp_path / "e") as running:
        door = Door()
        running.engine.newcomers._caught_up = door.caught_up
        await send(gateway, 8, 1.0)
        await door.asked.wait()
    await admin.put_definition(tag_page_key("acme", 1), tag_page(tag(8), page=1))
    async with engine(bus, tmp_path / "e"):
        assert (await current(web, 8))[0]["number"] == 1.0
    for each in (admin, gateway, web):
        await each.close()
