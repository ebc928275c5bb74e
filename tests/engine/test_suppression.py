"""Alarms suppressed by design: nobody is told while the condition holds; back at once, and through restarts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bus.conftest import BusUnderTest
from tests.engine.plants import BAD, NOW, alarm, alarm_id, alarm_page, batch, said, spoken, tag, tag_page
from tests.engine.running import listed, now_ms, recorded, send, start
from tests.waiting import until

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import Acknowledge, OutOfService, Shelve, View
from mainspring.core.definitions import (
    AlarmDefinition,
    AlarmPage,
    ExpressionInput,
    Suppression,
    Words,
    alarm_page_key,
    tag_page_key,
)
from mainspring.engine import snapshot
from mainspring.engine.state import PlantState

FLOW, PUMP, VALVE = 1, 2, 3
STOPPED = alarm_id(900)
CLOSED = alarm_id(901)


def suppression(identity: Any, expression: str, **ordinals: int) -> Suppression:
    inputs = tuple(ExpressionInput(name=name, tag=ordinal) for name, ordinal in ordinals.items())
    return Suppression(id=identity, expression=expression, inputs=inputs, reason=Words(en="Pump stopped", zh="泵已停"))


STOP = suppression(STOPPED, "PUMP < 1", PUMP=PUMP)
CLOSE = suppression(CLOSED, "VALVE == 0", VALVE=VALVE)


def low(number: int = 1, by: tuple[Any, ...] = (STOPPED,), **changes: Any) -> AlarmDefinition:
    return alarm(number, FLOW, "L", 10, suppressed_by=by, **changes)


def page(*alarms: AlarmDefinition, conditions: tuple[Suppression, ...] = (STOP,)) -> AlarmPage:
    return alarm_page(*alarms).model_copy(update={"suppressions": conditions})


def made(*alarms: AlarmDefinition, conditions: tuple[Suppression, ...] = (STOP,), stale_ms: int = 0) -> PlantState:
    state = PlantState(tags_max=1000)
    tags = [tag(ordinal, stale_ms=stale_ms) for ordinal in (FLOW, PUMP, VALVE)]
    state.define("acme.tags.0", tag_page(*tags), NOW)
    state.define("acme.alarms.0", page(*alarms, conditions=conditions), NOW)
    return state


def feed(state: PlantState, *rows: Any, at: int = 0) -> list[tuple[str, str, int]]:
    return said(state.update(batch(*rows), "acme", int(state.counts.sum()) + 1, NOW + at))


def view(state: PlantState, name: View) -> list[Any]:
    listing, _ = state.alarms.listed(0, 100, name)
    return listing.alarms(0, 100)


def test_an_alarm_is_silent_while_the_condition_holds_and_back_at_once_after_it() -> None:
    state = made(low())
    assert feed(state, (PUMP, 0, 5.0), (FLOW, 0, 50.0)) == []
    assert feed(state, (PUMP, 1000, 0.0)) == [("suppressed", "suppressed", 1000)]
    assert feed(state, (FLOW, 2000, 3.0)) == [("raised", "suppressed", 2000)]
    assert state.alarms.counts() == (0, 0)
    assert view(state, View.ACTIVE) == []
    (row,) = view(state, View.SUPPRESSED)
    assert (row.state, row.active, row.since_ms, row.suppressed_by) == ("suppressed", True, NOW + 1000, STOPPED)
    _, refused = state.handle(Acknowledge(alarms=(alarm_id(1),), by="p"), "acme", NOW)
    assert "suppressed" in refused[str(alarm_id(1))].en
    assert feed(state, (PUMP, 3000, 5.0)) == [("unsuppressed", "active-unacknowledged", 3000)]
    assert [row.state for row in view(state, View.ACTIVE)] == ["active-unacknowledged"]
    assert (view(state, View.SUPPRESSED), state.alarms.counts()) == ([], (1, 1))


def test_what_ended_meanwhile_is_told_to_nobody() -> None:
    state = made(low())
    feed(state, (PUMP, 0, 5.0), (FLOW, 0, 3.0))
    assert feed(state, (PUMP, 1, 0.0)) == [("suppressed", "suppressed", 1)]
    assert feed(state, (FLOW, 2, 50.0)) == [("cleared", "suppressed", 2)]
    assert feed(state, (PUMP, 3, 5.0)) == [("unsuppressed", "normal", 3)]
    assert state.alarms.counts() == (0, 0)


@pytest.mark.parametrize("never", [False, True])
def test_bad_and_missing_values_suppress_nothing(never: bool) -> None:
    state = made(low())
    if never:
        assert feed(state, (FLOW, 0, 3.0)) == [("raised", "active-unacknowledged", 0)]
        return
    feed(state, (PUMP, 0, 0.0), (FLOW, 0, 3.0))
    assert feed(state, (PUMP, 1, 0.0, BAD)) == [("unsuppressed", "active-unacknowledged", 1)]
    assert feed(state, (PUMP, 2, 0.0)) == [("suppressed", "suppressed", 2)]
    assert feed(state, (PUMP, 3, float("nan"))) == [("unsuppressed", "active-unacknowledged", 3)]


def test_a_stale_condition_suppresses_nothing() -> None:
    state = made(low(), stale_ms=5000)
    feed(state, (PUMP, 0, 0.0), (FLOW, 0, 3.0))
    assert said(state.sweep(NOW + 5000)) == []
    assert said(state.sweep(NOW + 5001)) == [("unsuppressed", "active-unacknowledged", 5001)]
    assert said(state.sweep(NOW + 6000)) == []
    assert feed(state, (PUMP, 7000, 0.0), at=7000) == [("suppressed", "suppressed", 7000)]


def test_two_conditions_and_people_beside_them() -> None:
    state = made(low(by=(STOPPED, CLOSED)), conditions=(STOP, CLOSE))
    feed(state, (PUMP, 0, 5.0), (VALVE, 0, 1.0), (FLOW, 0, 3.0))
    assert feed(state, (PUMP, 1, 0.0)) == [("suppressed", "suppressed", 1)]
    assert feed(state, (VALVE, 2, 0.0)) == []
    assert feed(state, (PUMP, 3, 5.0)) == []
    assert view(state, View.SUPPRESSED)[0].suppressed_by == CLOSED
    shelve = Shelve(alarms=(alarm_id(1),), by="p", comment="c", until_ms=NOW + 10_000)
    assert said(state.handle(shelve, "acme", NOW)[0]) == [("shelved", "shelved", 0)]
    assert (len(view(state, View.SHELVED)), view(state, View.SUPPRESSED)) == (1, [])
    assert feed(state, (VALVE, 4, 1.0)) == [("unsuppressed", "shelved", 4)]
    assert feed(state, (VALVE, 5, 0.0)) == [("suppressed", "shelved", 5)]
    assert said(state.sweep(NOW + 10_000)) == [("unshelved", "suppressed", 10_000)]
    out = OutOfService(alarms=(alarm_id(1),), by="p", comment="c")
    assert said(state.handle(out, "acme", NOW + 11)[0])[0][:2] == ("out-of-service", "out-of-service")
    assert feed(state, (VALVE, 6, 1.0)) == [("unsuppressed", "out-of-service", 6)]
    returned = state.handle(out.model_copy(update={"out": False}), "acme", NOW + 12)[0]
    assert said(returned)[0][:2] == ("in-service", "active-unacknowledged")


def test_a_group_turns_together_and_others_are_left_alone() -> None:
    group = [alarm(number, FLOW, "L", number, suppressed_by=(STOPPED,)) for number in range(1, 51)]
    state = made(*group, alarm(60, FLOW, "H", 100))
    feed(state, (PUMP, 0, 5.0), (FLOW, 0, 200.0))
    assert len(feed(state, (PUMP, 1, 0.0))) == 50
    events = feed(state, (FLOW, 2, 0.5))
    assert {each[:2] for each in events} == {("raised", "suppressed"), ("cleared", "cleared-unacknowledged")}
    assert {each[:2] for each in feed(state, (PUMP, 3, 5.0))} == {("unsuppressed", "active-unacknowledged")}


def test_a_changed_definition_counts_at_once() -> None:
    state = made(low(by=()))
    feed(state, (PUMP, 0, 0.0), (VALVE, 0, 1.0), (FLOW, 0, 3.0))
    assert said(state.define("acme.alarms.0", page(low()), NOW + 5)) == [("suppressed", "suppressed", 5)]
    # A new alarm under a condition that holds is never told.
    both = page(low(), alarm(2, FLOW, "LL", 5, suppressed_by=(STOPPED,)))
    assert said(state.define("acme.alarms.0", both, NOW + 6)) == [
        ("suppressed", "suppressed", 6), ("raised", "suppressed", 6),
    ]  # fmt: skip
    other = Suppression(id=STOPPED, expression="PUMP > 1", inputs=STOP.inputs, reason=STOP.reason)
    changed = state.define("acme.alarms.0", page(low(), conditions=(other,)), NOW + 7)
    assert sorted(said(changed)) == [("removed", "normal", 7), ("unsuppressed", "active-unacknowledged", 7)]
    assert feed(state, (PUMP, 8, 2.0)) == [("suppressed", "suppressed", 8)]
    assert said(state.define("acme.alarms.0", page(low(by=()), conditions=()), NOW + 9)) == [
        ("unsuppressed", "active-unacknowledged", 9)
    ]


def test_a_condition_that_makes_no_sense_suppresses_nothing() -> None:
    state = made(low(), conditions=(suppression(STOPPED, "PUMP <", PUMP=PUMP),))
    assert feed(state, (PUMP, 0, 0.0), (FLOW, 0, 3.0)) == [("raised", "active-unacknowledged", 0)]


def test_the_reason_goes_with_the_transition() -> None:
    state = made(low())
    events = state.update(batch((PUMP, 0, 0.0)), "acme", 1, NOW)
    reasons = state.alarms.suppressions.reasons
    assert [reasons[place] for place in events["reason"].tolist()] == ["Pump stopped · 泵已停"]
    assert state.update(batch((FLOW, 0, 3.0)), "acme", 2, NOW)["reason"].tolist() == [0]


def test_the_same_readings_make_the_same_ids() -> None:
    def ids() -> list[str]:
        state = made(low())
        rows = [(PUMP, 0, 5.0), (FLOW, 0, 3.0), (PUMP, 1, 0.0), (PUMP, 2, 5.0), (PUMP, 3, 0.0)]
        return [each.id for place, row in enumerate(rows) for each in spoken(
            state.update(batch(row), "acme", place + 1, NOW))]  # fmt: skip

    first = ids()
    assert len(set(first)) == len(first) == 4
    assert ids() == first


def test_a_snapshot_keeps_it(tmp_path: Path) -> None:
    state = made(low())
    feed(state, (PUMP, 0, 0.0), (FLOW, 0, 3.0))
    snapshot.write(tmp_path / "s", snapshot.take(state, 5, "made"), 9)
    saved = snapshot.load(tmp_path / "s")
    assert saved is not None
    again = made(low())
    snapshot.restore(again, saved)
    assert [row.since_ms for row in view(again, View.SUPPRESSED)] == [NOW]
    assert said(again.judge_all(NOW + 1)) == []
    assert feed(again, (PUMP, 2, 5.0)) == [("unsuppressed", "active-unacknowledged", 2)]
    # The condition was taken away while nobody ran.
    without = made(low(by=()), conditions=())
    snapshot.restore(without, saved)
    assert said(without.judge_all(NOW + 1)) == [("unsuppressed", "active-unacknowledged", 1)]


def test_random_plants_follow_the_rule() -> None:
    """Whatever comes: suppressed exactly while the condition is decided and holds, and no alarm is lost."""
    random = np.random.default_rng(7)
    state = made(low(1), alarm(2, FLOW, "H", 60, suppressed_by=(STOPPED, CLOSED)), conditions=(STOP, CLOSE))
    values: dict[int, tuple[float, int]] = {}
    for step in range(400):
        rows = []
        for ordinal, highest in ((FLOW, 100), (PUMP, 3), (VALVE, 2)):
            if random.random() < 0.4:
                quality = BAD if random.random() < 0.2 else 0xC0
                values[ordinal] = float(random.integers(0, highest)), quality
                rows.append((ordinal, step, *values[ordinal]))
        if not rows:
            continue
        feed(state, *rows, at=step)
        stopped = values.get(PUMP, (9.0, BAD))[1] == 0xC0 and values[PUMP][0] < 1
        closed = values.get(VALVE, (9.0, BAD))[1] == 0xC0 and values[VALVE][0] == 0
        hidden = {row.alarm for row in view(state, View.SUPPRESSED)}
        covered = ((alarm_id(1), stopped), (alarm_id(2), stopped or closed))
        assert hidden == {identity for identity, holds in covered if holds}
        open_ones = {row.alarm for row in view(state, View.ACTIVE) if row.active}
        number, quality = values.get(FLOW, (50.0, BAD))
        if quality == 0xC0:
            wanted = {alarm_id(1)} if number < 10 else {alarm_id(2)} if number > 60 else set()
            assert open_ones == wanted - hidden


async def define(admin: Bus, wanted: AlarmPage) -> None:
    tags = [tag(ordinal) for ordinal in (FLOW, PUMP, VALVE)]
    await admin.put_definition(tag_page_key("acme", 0), tag_page(*tags))
    await admin.put_definition(alarm_page_key("acme", 0), wanted)


@pytest.mark.parametrize("kept", ["from before", "from after", "none"])
async def test_it_survives_a_killed_engine(bus: BusUnderTest, tmp_path: Path, kept: str) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    await define(admin, page(low()))
    one = await start(bus, tmp_path / "e")
    begun = now_ms()
    await send(gateway, FLOW, 3.0, begun)

    async def hidden() -> bool:
        answer = json.loads(await web.ask(subjects.alarms("acme", "list"), b'{"view":"suppressed"}'))
        return [row["suppressed_by"] for row in answer["alarms"]] == [str(STOPPED)]

    async def told() -> bool:
        return [row["state"] for row in await listed(web)] == ["active-unacknowledged"]

    await until(told)
    if kept == "from before":
        await one.engine._save()
    await send(gateway, PUMP, 0.0, begun + 1)
    await until(hidden)
    if kept == "from after":
        await one.engine._save()
    await one.kill()
    two = await start(bus, tmp_path / "e")
    assert await hidden()
    await send(gateway, PUMP, 5.0, begun + 2)
    await until(told)
    events = await recorded(admin)
    assert [(event.transition.value, event.comment) for event in events] == [
        ("raised", ""), ("suppressed", "Pump stopped · 泵已停"), ("unsuppressed", "Pump stopped · 泵已停"),
    ]  # fmt: skip
    await two.stop()
    await asyncio.gather(*(each.close() for each in (admin, gateway, web)))
