"""The demo plant's devices: a process, a chiller, a machine tool and an edge node that replay recordings for ever."""

from __future__ import annotations

import asyncio
import csv
import gzip
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import structlog

from mainspring.configuration import DemoSection
from mainspring.demo import chiller_controls, plant
from mainspring.demo.edge_replay import STEP_S as EDGE_STEP_S
from mainspring.demo.edge_replay import EdgeReplay
from mainspring.demo.machine_replay import STEP_S as MACHINE_STEP_S
from mainspring.demo.machine_replay import MachineReplay
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

log = structlog.get_logger(__name__)

PROCESS_STEP_S: Final = 1.0
"""One recorded sample of the process, three minutes of plant time, each second."""
CHILLER_STEP_S: Final = 5.0
"""One recorded sample of the chiller, a quarter of an hour, each five seconds."""


def recording(name: str) -> list[dict[str, str]]:
    """Return the rows of a packaged recording."""
    file = resources.files("mainspring.demo") / "recordings" / f"{name}.csv.gz"
    return list(csv.DictReader(gzip.decompress(file.read_bytes()).decode().splitlines()))


class ProcessReplay:
    """The Tennessee Eastman process behind an OPC UA server."""

    def __init__(self, port: int) -> None:
        self._rows = recording("tennessee_eastman")
        nodes = [
            SimulatedNode(plant.node_name(tag.column), unit=tag.unit, low=tag.low or 0.0, high=tag.high or 0.0)
            for tag in plant.PROCESS_TAGS
        ]
        self.simulator = OpcUaSimulator(nodes, port=port)
        self._shown: dict[str, str] = {}

    async def show(self, number: int) -> None:
        """Show one recorded sample, counted round and round."""
        row = self._rows[number % len(self._rows)]
        for tag in plant.PROCESS_TAGS:
            if self._shown.get(tag.column) != row[tag.column]:
                await self.simulator.set(plant.node_name(tag.column), float(row[tag.column]))
        self._shown = row


class ChillerReplay:
    """The chiller behind Modbus registers."""

    def __init__(self, port: int) -> None:
        self._rows = recording("chiller")
        self.simulator = ModbusTcpSimulator(port=port, units=(plant.CHILLER_UNIT,))
        chiller_controls.put(self.simulator)

    async def show(self, number: int) -> None:
        """Show one recorded sample, counted round and round."""
        row = self._rows[number % len(self._rows)]
        for tag in plant.CHILLER_TAGS:
            raw = float(row[tag.column]) / tag.gain
            value = raw if tag.address["type"] == "float32" else round(raw)
            self.simulator.set("input", tag.address["register"], tag.address["type"], tag.address["order"], value)


async def _for_ever(show: Callable[[int], Awaitable[None]], step_s: float) -> None:
    loop = asyncio.get_running_loop()
    # At whole steps of the clock, where the gateway polls too: what comes together is written together.
    began = loop.time() - time.time() % step_s
    number = 0
    while True:
        await show(number)
        number += 1
        await asyncio.sleep(max(began + number * step_s - loop.time(), 0))


async def run(section: DemoSection, secrets_folder: Path, stop: asyncio.Event) -> None:
    """Replay the recordings until `stop` is set.

    For a person who wants to see a device fail, SIGUSR1 cuts the chiller off and SIGUSR2 brings it back.
    """
    speed = section.speed
    process, chiller = ProcessReplay(section.opcua_port), ChillerReplay(section.modbus_port)
    machine = MachineReplay(section.mtconnect_port, section.shdr_port, speed)
    edge = EdgeReplay(section.mqtt_port, secrets_folder)
    await edge.simulator.start()
    await chiller.simulator.start()
    await machine.start()
    await process.simulator.start()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: _keep(loop.create_task(chiller.simulator.cut())))
    loop.add_signal_handler(signal.SIGUSR2, lambda: _keep(loop.create_task(chiller.simulator.restore())))
    tasks: Sequence[asyncio.Task[None]] = [
        asyncio.create_task(_for_ever(process.show, PROCESS_STEP_S / speed)),
        asyncio.create_task(_for_ever(chiller.show, CHILLER_STEP_S / speed)),
        asyncio.create_task(_for_ever(machine.show, MACHINE_STEP_S / speed)),
        asyncio.create_task(_for_ever(edge.show, EDGE_STEP_S / speed)),
    ]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        await process.simulator.stop()
        await chiller.simulator.stop()
        await machine.stop()
        await edge.simulator.stop()


_tasks: set[asyncio.Task[None]] = set()


def _keep(task: asyncio.Task[None]) -> None:
    """Hold a task until it is done; the loop alone would let it be collected."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
