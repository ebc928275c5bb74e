"""Replays the recorded temperature as an edge node with one device."""

from __future__ import annotations

import csv
import gzip
from importlib import resources
from pathlib import Path
from typing import Final

from mainspring.demo import edge
from mainspring.simulators.sparkplug import SimulatedMetric, SparkplugSimulator

STEP_S: Final = 1.0
"""One recorded sample, five minutes of plant time, each second."""


class EdgeReplay:
    """The edge node; it knows its password from the file it was given."""

    def __init__(self, port: int, secrets_folder: Path) -> None:
        file = resources.files("mainspring.demo") / "recordings" / "machine_temperature.csv.gz"
        rows = csv.DictReader(gzip.decompress(file.read_bytes()).decode().splitlines())
        self._values = [float(row["temperature"]) for row in rows]
        metric = SimulatedMetric(edge.METRIC, "Double", self._values[0], edge.DEVICE, unit="[degF]", read_only=True)
        self.simulator = SparkplugSimulator(
            [metric],
            group=edge.GROUP,
            node=edge.NODE,
            port=port,
            user=edge.USER,
            password=edge.password_file(secrets_folder).read_text(encoding="utf-8"),
        )

    async def show(self, number: int) -> None:
        """Send one recorded sample, counted round and round."""
        self.simulator.set(edge.METRIC, self._values[number % len(self._values)], edge.DEVICE)
