"""What a lost contact takes with it is not overtaken by what was published behind it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from nats.aio.msg import Msg
from tests.bus.conftest import BusUnderTest
from tests.ports import free_port
from tests.waiting import until

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects

BYTES = 256 * 1024
MESSAGES = 60


class Wire:
    """A way to the bus that can swallow everything, then break, and be whole again."""

    def __init__(self, bus_port: int) -> None:
        self.port = free_port()
        self._bus_port = bus_port
        self._whole = asyncio.Event()
        self._whole.set()
        self._ends: list[asyncio.StreamWriter] = []

    async def open(self) -> asyncio.Server:
        return await asyncio.start_server(self._join, "127.0.0.1", self.port)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._bus_port)
        self._ends += [writer, ours]
        await asyncio.gather(self._pass(reader, ours), self._pass(theirs, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while taken := await reader.read(65536):
                await self._whole.wait()
                writer.write(taken)
                await writer.drain()
        writer.close()

    def swallow(self) -> None:
        """Take nothing more."""
        self._whole.clear()

    def break_off(self) -> None:
        """End the connections with all that is on them; the next ones work."""
        ends, self._ends = self._ends, []
        for each in ends:
            each.transport.abort()
        self._whole.set()


async def test_nothing_published_before_contact_was_lost_is_sent_after_it(bus: BusUnderTest) -> None:
    wire = Wire(bus.settings.port)
    server = await wire.open()
    listener = await bus.connect("admin")
    sender = await Bus.connect(f"nats://127.0.0.1:{wire.port}", seed_file(bus.folder / "secrets", "admin"), "admin")
    subject = subjects.readings("acme", "g1")
    came: list[int] = []

    async def hear(message: Msg) -> None:
        came.append(int.from_bytes(message.data[:4], "big"))

    await listener.nc.subscribe(subject, cb=hear)
    await listener.nc.flush()

    async def send(number: int) -> None:
        await sender.nc.publish(subject, number.to_bytes(4, "big") + bytes(BYTES))

    await send(0)
    await until(lambda: came == [0])
    wire.swallow()
    # What the sockets do not hold waits in the transport, and what comes then in the client.
    sending = [asyncio.create_task(send(number)) for number in range(1, MESSAGES // 2)]
    await until(lambda: sender.nc.unsent > 2 * BYTES and sender.nc.pending_data_size == 0)
    sending += [asyncio.create_task(send(number)) for number in range(MESSAGES // 2, MESSAGES)]
    await until(lambda: sender.nc.pending_data_size > BYTES)
    before = sender.nc.stats["reconnects"]
    wire.break_off()
    await until(lambda: sender.connected and sender.nc.stats["reconnects"] > before)
    await asyncio.wait(sending)
    await sender.nc.flush()
    await send(MESSAGES)
    await until(lambda: MESSAGES in came)
    assert came[:-1] == list(range(len(came) - 1)), "something is missing before what came"
    assert len(came) < MESSAGES, "nothing was lost with the contact: nothing was tried"
    await sender.close()
    await listener.close()
    server.close()
