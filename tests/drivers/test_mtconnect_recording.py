"""The recorded machine tool over both ways: what the agent streams is what the adapter says."""

from __future__ import annotations

import asyncio

from tests.drivers.mtconnect_machine import adapter_tag, agent_tag
from tests.drivers.test_mtconnect import Taken
from tests.waiting import ANSWER_MS

from mainspring.core import quality as q
from mainspring.core.kinds import SampleKind
from mainspring.demo.machine import AGENT_TAGS
from mainspring.demo.machine_replay import MachineReplay
from mainspring.drivers.mtconnect import Mtconnect, MtconnectConfig
from mainspring.drivers.shdr import Shdr, ShdrConfig

STEPS = 60
LIMITS = {"timeout_ms": ANSWER_MS, "contact_timeout_ms": ANSWER_MS}
KEYS = ("X1actw", "Z1load", "S1speed", "pexecution", "pprogram", "ppartcount")


async def test_agent_and_adapter_say_the_same() -> None:
    replay = MachineReplay(0, 0, speed=1000.0)
    await replay.start()
    kinds = {tag.name: tag.kind for tag in AGENT_TAGS}
    values = {tag.name: tag.address.get("values", ()) for tag in AGENT_TAGS}
    over_agent = [agent_tag(n, kinds[key], key, values=values[key]) for n, key in enumerate(KEYS)]
    over_adapter = [adapter_tag(n, kinds[key], key, values=values[key]) for n, key in enumerate(KEYS)]
    drivers: tuple[Mtconnect | Shdr, ...] = (
        Mtconnect(MtconnectConfig(url=replay.agent.url, interval_ms=0, **LIMITS)),
        Shdr(ShdrConfig(host="127.0.0.1", port=replay.adapter.port, **LIMITS)),
    )
    both = (Taken(), Taken())
    tasks = []
    for driver, tags, taken in zip(drivers, (over_agent, over_adapter), both, strict=True):
        await driver.connect()
        tasks.append(asyncio.create_task(driver.subscribe(tags, taken.deliver)))
        await taken.until(lambda taken=taken: len(taken.rows) >= len(KEYS))  # type: ignore[misc]
    for number in range(STEPS):
        await replay.show(number)
    replay.agent.observe("pprogram", "END")
    replay.adapter.say("|pprogram|END")
    for taken in both:
        await taken.until(lambda taken=taken: "END" in taken.values(over_agent[4]))  # type: ignore[misc]
    for tag in over_agent:
        assert both[0].values(tag) == both[1].values(tag)
        assert len(both[0].values(tag)) >= 1
    assert len(both[0].values(over_agent[0])) > 5
    assert both[0].values(over_agent[3]) == [0, 1]
    assert not any(driver.faults or driver.refused for driver in drivers)
    for task, driver in zip(tasks, drivers, strict=True):
        task.cancel()
        await driver.close()
    await replay.stop()


async def test_every_tag_of_the_demo_plant_is_described_and_has_a_value() -> None:
    replay = MachineReplay(0, 0, speed=1.0)
    await replay.start()
    await replay.show(0)
    driver = Mtconnect(MtconnectConfig(url=replay.agent.url, **LIMITS))
    await driver.connect()
    tags = [agent_tag(n, tag.kind, **tag.address) for n, tag in enumerate(AGENT_TAGS)]
    batches = await driver.read(driver.prepare(tags), 1)
    found = {int(tag): int(level) for batch in batches for tag, level in zip(batch.tag, batch.quality, strict=True)}
    assert found == dict.fromkeys(range(len(AGENT_TAGS)), q.GOOD)
    assert not driver.faults
    assert {tag.kind for tag in AGENT_TAGS} == {
        SampleKind.FLOAT, SampleKind.INTEGER, SampleKind.ENUMERATION, SampleKind.TEXT,
    }  # fmt: skip
    await driver.close()
    await replay.stop()


async def test_the_recording_goes_round() -> None:
    replay = MachineReplay(0, 0, speed=1.0)
    steps = replay._whole_ms // 1000 + 3
    before = replay.agent._next
    for number in range(steps):
        await replay.show(number)
    rounds = replay.agent._next - before
    assert replay._place > 0
    assert rounds > 15_000
