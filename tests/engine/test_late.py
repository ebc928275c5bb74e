"""What comes late becomes a current value if it is the newest there is; what lies between is history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.bus.conftest import BusUnderTest
from tests.engine.plants import BAD, NOW, alarm, batch, plant, tag
from tests.engine.running import current, define, engine, now_ms, recorded
from tests.engine.test_values import ask
from tests.waiting import until

from mainspring.core import subjects
from mainspring.core.current import KNOWN, STALE
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import build
from mainspring.engine import kernels


def test_the_newest_of_a_late_batch_becomes_current_and_nothing_older_does() -> None:
    state = plant([tag(1), tag(2), tag(3, SampleKind.TEXT), tag(4, SampleKind.INTEGER)], [])
    state.update(batch((1, 100, 1.0), (2, 5000, 2.0)), "acme", 1, NOW + 5000)
    late = batch((1, 300, 4.0), (2, 4000, 9.0), (1, 200, 3.0), (1, 50, 0.5), (77, 300, 1.0), (4, 300, 1.0))
    state.update_late(late, "acme", 7, NOW + 6000)
    state.update_late(batch((3, 1, "旧"), (3, 2, "新"), column=Column.TEXT), "acme", 8, NOW + 6000)  # type: ignore[arg-type]
    state.update_late(batch((4, 5, 2**62 + 1), column=Column.INT64), "acme", 9, NOW + 6000)
    one, two, three, four = ask(state, 1, 2, 3, 4)
    assert (one["number"], one["time"]) == (4.0, NOW + 300)
    assert (two["number"], two["time"]) == (2.0, NOW + 5000)
    assert (three["text"], four["integer"]) == ("新", 2**62 + 1)
    state.update_late(batch((1, 900, 8.0)), "other", 10, NOW + 6000)
    state.update_late(batch((1, 86_400_000, 8.0)), "acme", 11, NOW + 6000)
    assert ask(state, 1)[0]["number"] == 4.0
    # The next fresh one counts as ever.
    state.update(batch((1, 6500, 5.0)), "acme", 2, NOW + 6500)
    assert ask(state, 1)[0]["number"] == 5.0


def test_a_value_that_came_late_is_as_old_as_it_is() -> None:
    state = plant([tag(1, stale_ms=10_000)], [])
    state.update_late(batch((1, 0, 1.0)), "acme", 1, NOW + 60_000)
    assert ask(state, 1, at=60_000)[0]["flags"] == KNOWN | STALE
    state.update_late(batch((1, 59_000, 2.0)), "acme", 2, NOW + 60_000)
    assert ask(state, 1, at=60_000)[0]["flags"] == KNOWN


def test_an_alarm_is_judged_by_the_value_that_holds_and_an_excursion_between_is_history() -> None:
    state = plant([tag(1), tag(2)], [alarm(1, 1, "H", 10), alarm(2, 2, "H", 10)])
    state.update(batch((1, 0, 5.0), (2, 0, 5.0)), "acme", 1, NOW)
    events = state.update_late(
        batch((1, 100, 50.0), (1, 200, 6.0), (2, 100, 6.0), (2, 200, 50.0)), "acme", 1, NOW + 9000
    )
    assert [(event["tag"], event["transition"], event["value"]) for event in events] == [(2, kernels.RAISED, 50.0)]
    assert len(state.update_late(batch((2, 150, 5.0)), "acme", 2, NOW + 9000)) == 0
    cleared = state.update_late(batch((2, 300, 5.0), (1, 400, 99.0, BAD)), "acme", 3, NOW + 9000)
    assert [(event["tag"], event["transition"]) for event in cleared] == [(2, kernels.CLEARED)]


async def test_an_engine_takes_late_values_also_those_from_before_its_start(bus: BusUnderTest, tmp_path: Path) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, [tag(7), tag(8)], [alarm(1, 7, "H", 10)])

    async def send(ordinal: int, value: float, at_ms: int, *, late: bool) -> None:
        sample = build(Column.FLOAT64, [ordinal], [at_ms], [value], 192, Origin.MACHINE)
        await gateway.js.publish(subjects.readings("acme", "g1", late=late), sample.encode())

    async def numbers() -> list[float]:
        return [row["number"] for row in await current(web, 7, 8)]

    now = now_ms()
    await send(7, 5.0, now - 9000, late=False)
    await send(8, 1.0, now - 1000, late=False)
    await send(7, 11.0, now - 5000, late=True)
    await send(8, 99.0, now - 5000, late=True)
    for _ in range(2):
        async with engine(bus, tmp_path / "e"):
            await until(lambda: _is(numbers, [11.0, 1.0]))
            await until(lambda: _count(admin))
    async with engine(bus, tmp_path / "e"):
        await send(7, 12.0, now_ms() - 500, late=True)
        await until(lambda: _is(numbers, [12.0, 1.0]))
    assert [(event.transition, event.value) for event in await recorded(admin)] == [("raised", 11.0)]
    for each in (admin, gateway, web):
        await each.close()


async def _is(numbers: object, wanted: list[float]) -> bool:
    assert callable(numbers)
    return bool(np.array_equal(await numbers(), wanted))


async def _count(admin: object) -> bool:
    return len(await recorded(admin)) == 1  # type: ignore[arg-type]
