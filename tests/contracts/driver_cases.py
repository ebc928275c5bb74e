"""What the shared driver suite needs to know of each driver: one `DriverCase` per protocol.

A further driver adds `driver_cases_<name>.py` beside this file with a class derived from `DriverCase`
named `Case`; the suite finds it there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path

from mainspring.core.drivers import Driver, DriverTag, Settings, Value


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

    @abstractmethod
    def writable(self) -> list[tuple[DriverTag, Value]]:
        """Tags that take a value, each with one that differs from what it holds; empty if the driver cannot write."""

    @abstractmethod
    def read_only(self) -> DriverTag | None:
        """A numeric tag that the device refuses to write, or None if the driver cannot write."""

    @abstractmethod
    async def cut(self) -> None:
        """Break contact as a pulled cable or a stopped device does."""

    @abstractmethod
    async def restore(self) -> None:
        """Make the device reachable again at the same address."""

    @abstractmethod
    def nobody_there(self) -> Settings:
        """Settings of a loopback port on which nobody listens."""


def cases() -> dict[str, type[DriverCase]]:
    """Return the cases of all drivers by the name of their module."""
    found = sorted(Path(__file__).parent.glob("driver_cases_*.py"))
    modules = [import_module(f"tests.contracts.{path.stem}") for path in found]
    return {module.__name__.rpartition("driver_cases_")[2]: module.Case for module in modules}
