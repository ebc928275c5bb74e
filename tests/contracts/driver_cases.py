"""What the shared driver suite needs to know of each driver: one `DriverCase` per protocol.

A further driver adds `driver_cases_<name>.py` beside this file with a class derived from `DriverCase`
named `Case`; the suite finds it there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from mainspring.core.drivers import Driver, DriverTag, Settings, Value
from mainspring.core.kinds import SampleKind


class DriverCase(ABC):
    """One driver with a device of its own, started for each test on a free loopback port.

    The device starts with the good tags holding the values `expected` says.
    """

    driver: type[Driver]

    @abstractmethod
    async def start(self) -> None:
        """Start the device."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop the device; safe when it is cut."""

    @abstractmethod
    def config(self) -> Settings:
        """Settings that reach the running device, with long for each answer: no test here is about a slow device."""

    @abstractmethod
    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        """Tags the device has, of every column type it can, by ordinal, each with its expected value."""

    @abstractmethod
    def absent(self) -> DriverTag:
        """A tag whose address is well formed but which the device does not have."""

    def give_up(self, driver: Driver) -> None:  # noqa: B027
        """Let the driver, which knows the good values by now, wait no longer for what does not come; most never do."""

    def writable(self) -> list[tuple[DriverTag, Value]]:
        """Tags that take a value, each with one that differs from what it holds; empty if the driver cannot write."""
        return []

    def read_only(self) -> DriverTag | None:
        """A numeric tag that the device refuses to write, or None if the driver cannot write."""
        return None

    @abstractmethod
    async def cut(self) -> None:
        """Break contact as a pulled cable or a stopped device does."""

    @abstractmethod
    async def restore(self) -> None:
        """Make the device reachable again at the same address."""

    @abstractmethod
    def nobody_there(self) -> Settings:
        """Settings of a loopback port on which nobody listens."""


class SimulatorCase(DriverCase):
    """A driver whose device is a simulator and nothing else."""

    simulator: Any

    async def start(self) -> None:
        await self.simulator.start()

    async def stop(self) -> None:
        await self.simulator.stop()

    async def cut(self) -> None:
        await self.simulator.cut()

    async def restore(self) -> None:
        await self.simulator.restore()


HELD: Final[dict[int, tuple[SampleKind, Value]]] = {
    1: (SampleKind.FLOAT, 20.5),
    2: (SampleKind.INTEGER, 2**53 + 1),
    3: (SampleKind.BOOLEAN, 1),
    4: (SampleKind.ENUMERATION, 2),
    5: (SampleKind.TEXT, "批次 7"),
}
"""What a unit holds whose values are found by name: one of every kind, under the name of its kind."""


class UnitCase(DriverCase):
    """A driver of a unit that holds `HELD`, and Setpoint, Recipe and Locked."""

    @abstractmethod
    def tag(self, ordinal: int, kind: SampleKind, name: str) -> DriverTag:
        """Return the tag of a value of the unit."""

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        return {ordinal: (self.tag(ordinal, kind, kind.value), value) for ordinal, (kind, value) in HELD.items()}

    def absent(self) -> DriverTag:
        return self.tag(90, SampleKind.FLOAT, "Nowhere")

    def writable(self) -> list[tuple[DriverTag, Value]]:
        return [
            (self.tag(6, SampleKind.FLOAT, "Setpoint"), 42.5),
            (self.tag(7, SampleKind.TEXT, "Recipe"), "配方 B"),
        ]

    def read_only(self) -> DriverTag:
        return self.tag(8, SampleKind.FLOAT, "Locked")


def cases() -> dict[str, type[DriverCase]]:
    """Return the cases of all drivers by the name of their module."""
    found = sorted(Path(__file__).parent.glob("driver_cases_*.py"))
    modules = [import_module(f"tests.contracts.{path.stem}") for path in found]
    return {module.__name__.rpartition("driver_cases_")[2]: module.Case for module in modules}
