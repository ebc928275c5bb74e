"""What is shelved, out of service or commented survives a killed engine, with its snapshot and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.bus.conftest import BusUnderTest
from tests.engine.plants import alarm, alarm_id, tag
from tests.engine.running import define, listed, now_ms, recorded, send, start
from tests.waiting import until

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.definitions import ExpressionInput


async def ask(web: Bus, verb: str, number: int, **more: Any) -> dict[str, Any]:
    body = {"alarms": [str(alarm_id(number))], "by": "p-17", "comment": "cleaning", **more}
    answer: dict[str, Any] = json.loads(await web.ask(subjects.alarms("acme", verb), json.dumps(body).encode()))
    return answer


async def seen(web: Bus, view: str) -> list[dict[str, Any]]:
    payload = json.dumps({"view": view}).encode()
    return list(json.loads(await web.ask(subjects.alarms("acme", "list"), payload))["alarms"])


@pytest.mark.parametrize("snapshot", ["from before", "from after", "none"])
async def test_shelves_come_back_after_a_kill(bus: BusUnderTest, tmp_path: Path, snapshot: str) -> None:
    admin, gateway, web = [await bus.connect(name) for name in ("admin", "gateway-acme-g1", "web")]
    inputs = (ExpressionInput(name="T7", tag=7), ExpressionInput(name="T8", tag=8))
    await define(
        admin,
        [tag(7), tag(8)],
        [
            alarm(1, 7, "H", 10),
            alarm(2, 8, "H", 10),
            alarm(3, 7, "expression", expression="T7 + T8 > 30", inputs=inputs),
        ],
    )
    one = await start(bus, tmp_path / "e")
    await send(gateway, 7, 20.0)
    await send(gateway, 8, 20.0)

    async def standing() -> bool:
        return len(await listed(web)) == 3

    await until(standing)
    if snapshot == "from before":
        await one.engine._save()
    shelf_ends = now_ms() + 3_600_000
    assert (await ask(web, "shelve", 1, until_ms=shelf_ends))["done"] == [str(alarm_id(1))]
    assert (await ask(web, "out-of-service", 2))["done"] == [str(alarm_id(2))]
    assert (await ask(web, "comment", 3))["done"] == [str(alarm_id(3))]
    # Judged on while it is shelved, and told as such.
    await send(gateway, 7, 5.0)

    async def over() -> bool:
        return not (await seen(web, "shelved"))[0]["active"]

    await until(over)
    if snapshot == "from after":
        await one.engine._save()
    await one.kill()
    two = await start(bus, tmp_path / "e")
    (shelved,) = await seen(web, "shelved")
    assert (shelved["alarm"], shelved["until_ms"], shelved["by"], shelved["comment"], shelved["active"]) == (
        str(alarm_id(1)), shelf_ends, "p-17", "cleaning", False,
    )  # fmt: skip
    (out,) = await seen(web, "out-of-service")
    assert (out["alarm"], out["until_ms"], out["active"]) == (str(alarm_id(2)), None, True)
    assert [each["state"] for each in await listed(web)] == ["cleared-unacknowledged"]
    await ask(web, "out-of-service", 2, out=False)
    await ask(web, "shelve", 3, until_ms=now_ms() + 1500)

    async def returned() -> bool:
        return [each["alarm"] for each in await seen(web, "shelved")] == [str(alarm_id(1))]

    await until(returned)
    told = [event.transition.value for event in await recorded(admin)]
    assert sorted(told) == sorted(
        ["raised"] * 3 + ["shelved", "out-of-service", "commented"] + ["cleared"] * 2 + ["in-service", "shelved"]
        + ["unshelved"]
    )  # fmt: skip
    assert {each["alarm"]: each["state"] for each in await listed(web)} == {
        str(alarm_id(2)): "active-unacknowledged"
    }  # fmt: skip
    await two.stop()
    for each in (admin, gateway, web):
        await each.close()
