"""Values a second that one core takes in over OPC UA subscriptions, and the processor time of the idle simulator.

    python benchmarks/opcua_subscribe.py

The server is the simulator in a process of its own; only the client's processor time counts, so that the server's speed
does not matter.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection

from benchmarks.figures import say
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers.opcua import OpcUa, OpcUaAddress, OpcUaConfig
from mainspring.drivers.opcua_certificates import fingerprint
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

SECONDS = 8


def serve(pipe: Connection, kinds: list[SampleKind], period_s: float, secure: bool) -> None:
    asyncio.run(_serve(pipe, kinds, period_s, secure))


async def _serve(pipe: Connection, kinds: list[SampleKind], period_s: float, secure: bool) -> None:
    nodes = [SimulatedNode(f"N{place}", kind) for place, kind in enumerate(kinds)]
    simulator = OpcUaSimulator(nodes, secure=secure)
    await simulator.start()
    pipe.send((simulator.url, simulator.certificate))
    started, last = time.process_time(), time.monotonic()
    turn = 0
    while not pipe.poll():
        turn += 1
        for node in nodes:
            await simulator.set(node.name, float(turn) if node.kind is SampleKind.FLOAT else turn)
        await asyncio.sleep(max(0.0, last + turn * period_s - time.monotonic()))
    pipe.send((time.process_time() - started) / (time.monotonic() - last))
    await simulator.stop()


async def measure(kinds: list[SampleKind], period_s: float, *, secure: bool) -> tuple[float, float, float]:
    """Return values a second, client's values a core-second and server's share of a core."""
    near, far = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(far, kinds, period_s, secure))
    process.start()
    url, certificate = await asyncio.to_thread(near.recv)
    with tempfile.TemporaryDirectory() as folder:
        config = OpcUaConfig.model_validate({
            "url": url, "security_policy": "Basic256Sha256" if secure else "none", "state_folder": folder,
            "trusted_fingerprints": [fingerprint(certificate)],
        })  # fmt: skip
        driver = OpcUa(config)
        await driver.connect()
    tags = [DriverTag(place, kind, OpcUaAddress(node=f"ns=2;s=N{place}")) for place, kind in enumerate(kinds)]
    taken = 0

    def deliver(batch: SampleBatch) -> None:
        nonlocal taken
        taken += len(batch)

    task = asyncio.create_task(driver.subscribe(tags, deliver))
    await asyncio.sleep(3)
    before, started, clock = taken, time.process_time(), time.monotonic()
    await asyncio.sleep(SECONDS)
    values, spent, passed = taken - before, time.process_time() - started, time.monotonic() - clock
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await driver.close()
    near.send("stop")
    share: float = await asyncio.to_thread(near.recv)
    process.join()
    return values / passed, values / spent, share


def main() -> None:
    double = [SampleKind.FLOAT]
    mixed = [SampleKind.FLOAT, SampleKind.INTEGER, SampleKind.FLOAT, SampleKind.ENUMERATION]
    for title, kinds, period, secure in (
        ("5,000 doubles", double * 5000, 1.0, False),
        ("5,000 doubles, signed and encrypted", double * 5000, 1.0, True),
        ("4,000 of four types in turn", mixed * 1000, 1.0, False),
        ("53 doubles at 1 Hz", double * 53, 1.0, False),
    ):
        rate, core, share = asyncio.run(measure(kinds, period, secure=secure))
        for figure, value, unit in (
            ("values that arrive", rate, "values/s"),
            ("values per core-second of the client", core, "values"),
            ("simulator", 100 * share, "% of a core"),
        ):
            say(title, figure, value, unit)


if __name__ == "__main__":
    main()
