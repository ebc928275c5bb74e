"""The clock of the roles steps an hour ahead and an hour back while readings flow: none is lost, none is there twice.

libfaketime moves the clock of all roles written in Python; the bus asks the kernel itself and keeps its own.
Readings more than a minute ahead of the gateway's clock get the time of arrival, so only their numbers are counted.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.numbered import plant, settled

READINGS = 800
"""Two seconds of them, at each time of the clock before it steps on."""


def test_steps_of_the_clock_lose_and_repeat_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    assert found is not None, "libfaketime is missing: install the Debian package libfaketime"
    clock = tmp_path / "clock"
    clock.write_text("+0")
    monkeypatch.setenv("LD_PRELOAD", str(found))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
    # How long a process goes on by the clock it knows; asked at every reading of the clock, the file costs more than
    # all the roles do.
    monkeypatch.setenv("FAKETIME_CACHE_DURATION", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("NO_FAKE_STAT", "1")
    with plant(tmp_path) as made:
        source = made.source
        with source.publishing():
            for offset in ("+3600", "+0", "-3600", "+0"):
                source.flows_on(READINGS)
                clock.write_text(offset)
                source.flows_on(READINGS)
        counted = settled(made.platform, source, holds=lambda counted: not counted.lost)
        print(counted)
        # The clock did step: what came meanwhile lies at the time of its arrival.
        assert counted.unexpected > 0
        assert (counted.lost, counted.duplicate) == (0, 0), counted
