"""An independent Modbus TCP device: a pymodbus server in a process of its own, which says its port and then serves."""

from __future__ import annotations

import asyncio
import sys

from pymodbus import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 4
REGISTERS = 10_000


def device() -> SimDevice:
    """Make a unit whose tables differ: values at the front of each, and holes in the holding registers."""
    holding = [
        SimData(0, values=[-123456789, 2147483647], datatype=DataType.INT32),
        SimData(4, values=3.14159, datatype=DataType.FLOAT32),
        SimData(6, values=-2.5e-300, datatype=DataType.FLOAT64),
        SimData(10, values=-(2**62), datatype=DataType.INT64),
        SimData(14, values=2**64 - 1, datatype=DataType.UINT64),
        SimData(18, values="Pump 7.", datatype=DataType.STRING),
        # 22 and 23 do not exist.
        SimData(24, values=0xA5A5, datatype=DataType.REGISTERS),
        SimData(25, values=[0] * 15, datatype=DataType.REGISTERS),
        SimData(100, values=list(range(REGISTERS)), datatype=DataType.REGISTERS),
    ]
    return SimDevice(
        UNIT,
        (
            [SimData(0, values=[True, False, True] + [False] * 29, datatype=DataType.BITS)],
            [SimData(0, values=[False, True] * 20, datatype=DataType.BITS)],
            holding,
            [SimData(0, values=[-7, 7], datatype=DataType.INT16)],
        ),
    )


async def serve() -> None:
    """Serve until the standard input closes."""
    names = {"VendorName": "ACME", "ProductCode": "chiller", "MajorMinorRevision": "2"}
    identity = ModbusDeviceIdentification(info_name=names)  # type: ignore[no-untyped-call]
    server = ModbusTcpServer(device(), address=("127.0.0.1", 0), identity=identity)
    await server.serve_forever(background=True)
    print(server.transport.sockets[0].getsockname()[1], flush=True)  # type: ignore[attr-defined]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    asyncio.run(serve())
