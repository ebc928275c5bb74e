"""Times as programs write them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from mainspring.client.times import Moment, is_length, length_ms, moment_ms
from mainspring.core.errors import Rejected

AT = datetime(2026, 11, 21, tzinfo=UTC)
AT_MS = 1_795_219_200_000


@pytest.mark.parametrize(
    "moment",
    [AT, AT_MS, float(AT_MS), AT_MS + 0.4, str(AT_MS), "2026-11-21T08:00+08:00", "2026-11-21T00:00:00Z"],
)
def test_a_moment_is_milliseconds_however_it_is_written(moment: Moment) -> None:
    assert moment_ms(moment) == AT_MS


def test_lengths_lie_before_now() -> None:
    assert moment_ms("1h") == pytest.approx(time.time() * 1000 - 3_600_000, abs=60_000)
    assert length_ms("5m") == length_ms("5min") == 300_000
    assert [is_length(each) for each in ("5m", " 8h ", "now", AT, AT_MS, None)] == [True, True] + 4 * [False]
    assert moment_ms(None) == pytest.approx(moment_ms("now"), abs=60_000)


@pytest.mark.parametrize("moment", ["2026-11-21T08:00", "20261121", "yesterday evening", "", "²²²²²²²²²²²"])
def test_what_names_no_moment_is_refused(moment: str) -> None:
    with pytest.raises(Rejected):
        moment_ms(moment)
