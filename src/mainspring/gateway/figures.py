"""Rates of one connection, from what its driver counts and what comes in."""

from __future__ import annotations

from collections import deque
from typing import Final

from mainspring.core.drivers import Driver, Traffic

WINDOW_S: Final = 60


class Figures:
    """Counts samples and errors; `second` turns them into rates once a second."""

    def __init__(self) -> None:
        self.errors = 0
        self.foreign = 0
        self.samples = 0
        self.last_sample_ms: int | None = None
        self.samples_per_s = 0.0
        self.requests_per_s = 0.0
        self.errors_per_min = 0.0
        self._traffic = Traffic()
        self._requests = 0
        self._driver_errors = 0
        self._before = (0, 0)
        self._minute: deque[int] = deque(maxlen=WINDOW_S)

    @property
    def round_trip_ms(self) -> float:
        """How long the device takes to answer."""
        return self._traffic.round_trip_ms

    def follow(self, driver: Driver) -> None:
        """Count a new driver's traffic on top of the earlier ones'."""
        self._requests += self._traffic.requests
        self._driver_errors += self._traffic.errors
        self._traffic = driver.traffic

    def count(self, rows: int, foreign: int, time_ms: int) -> None:
        """Count samples that came in; foreign ones belong to no tag of the connection."""
        self.samples += rows - foreign
        self.foreign += foreign
        if rows > foreign:
            self.last_sample_ms = time_ms

    def second(self, elapsed_s: float) -> None:
        """Work out the rates of the time since the last call."""
        samples, requests = self._before
        requests_now = self._requests + self._traffic.requests
        self.samples_per_s = (self.samples - samples) / elapsed_s
        self.requests_per_s = (requests_now - requests) / elapsed_s
        self._before = (self.samples, requests_now)
        errors = self.errors + self._driver_errors + self._traffic.errors
        self._minute.append(errors)
        self.errors_per_min = float(errors - self._minute[0]) if len(self._minute) > 1 else float(errors)
