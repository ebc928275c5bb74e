"""The Python client at the demo plant, as a program of the plant would use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.e2e.device import wired
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S

from mainspring.client import Client, NotWritten, PlatformError
from mainspring.core import quality as q
from mainspring.core.errors import ConfigurationError, NotConnected, NotFound, Rejected
from mainspring.core.kinds import Origin

COUNTER_64 = 60
NAMES = ("XMEAS_9", "XMEAS_7", "supply_temperature")


@pytest.fixture(scope="module")
def person(demo: Platform) -> Person:
    return demo.administrator()


@pytest.fixture(scope="module")
def paths(person: Person) -> list[str]:
    return [person.tag(name)["path"] for name in NAMES]


@pytest.fixture(scope="module")
def client(demo: Platform, person: Person) -> Iterator[Client]:
    token = person.post("/tokens", {"name": "a program", "role": "engineer"})["token"]
    with Client(demo.url, token) as made:
        yield made


def has_history(client: Client, paths: list[str]) -> None:
    eventually(lambda: len(client.raw(paths, "1h")) > 20 * len(paths), PATIENCE_S, "some history")


def test_samples_come_as_arrow_with_paths_times_and_units(client: Client, paths: list[str]) -> None:
    has_history(client, paths)
    readings = client.raw(paths, "1h")
    table = readings.arrow
    assert table.schema.field("time").type == pa.timestamp("ms", tz="UTC")
    assert set(table.column("tag").to_pylist()) == set(paths)
    assert set(table.column("origin").to_pylist()) == {Origin.REPLAYED}
    assert readings.units[paths[0]] == "Cel"
    newest: datetime = max(readings.pandas()["time"]).to_pydatetime()
    assert datetime.now(UTC) - newest < timedelta(minutes=1)
    halves = [client.raw(paths[:1], "1h", newest), client.raw(paths[:1], newest, newest + timedelta(milliseconds=1))]
    assert len(halves[1]) <= 1 < len(halves[0])


def test_statistics_become_frames_with_a_column_for_each_tag(client: Client, paths: list[str]) -> None:
    has_history(client, paths)
    readings = client.aggregate(paths, "1h", step="10s", functions=["min", "mean", "max"])
    wide = readings.pandas(wide="mean")
    assert set(wide.columns) == set(paths)
    assert wide.index.is_monotonic_increasing
    other = readings.polars(wide="mean")
    assert other.columns[0] == "time"
    assert other.height == len(wide)
    assert np.allclose(other[paths[0]].to_numpy(), wide[paths[0]].to_numpy(), equal_nan=True)
    every = readings.pandas().query("good > 0")
    assert len(every) > 0
    assert (every["min"] <= every["mean"]).all()
    assert (every["mean"] <= every["max"]).all()


def test_current_values_and_what_changes(client: Client, paths: list[str]) -> None:
    eventually(lambda: all(client.current(paths).arrow.column("known").to_pylist()), PATIENCE_S, "all values known")
    first = client.current(paths).arrow
    assert first.column("tag").to_pylist() != []
    assert None not in first.column("value").to_pylist()
    seen: dict[str, set[float]] = {path: set() for path in paths}
    ends = time.monotonic() + 60
    for changed in client.live(paths):
        for row in changed.arrow.to_pylist():
            seen[row["tag"]].add(row["value"])
        if all(len(values) > 2 for values in seen.values()):
            break
        assert time.monotonic() < ends, seen


def test_tags_are_found_by_words_and_named_by_path_or_ordinal(client: Client, paths: list[str]) -> None:
    found = client.tags("XMEAS_9")
    assert paths[0] in {tag["path"] for tag in found}
    ordinal = next(tag["tag"] for tag in found if tag["path"] == paths[0])
    assert client.current([ordinal]).arrow.column("tag").to_pylist() == [paths[0]]
    with pytest.raises(NotFound, match="no/such/tag"):
        client.current(["no/such/tag"])


def test_what_is_refused_is_told_in_words(demo: Platform, client: Client, paths: list[str]) -> None:
    with Client(demo.url, "ms_0_wrong") as stranger, pytest.raises(PlatformError) as refused:
        stranger.tags()
    assert refused.value.status == 401
    with pytest.raises(PlatformError):
        client.aggregate(paths, "1h", step=1)
    with pytest.raises(Rejected, match="names no zone"):
        client.raw(paths, datetime(2026, 1, 1))
    with pytest.raises(Rejected, match="is not a time"):
        client.raw(paths, "the day before")
    with Client("http://127.0.0.1:9", "t") as lost, pytest.raises(NotConnected, match="does not answer"):
        lost.tags()
    with pytest.raises(ConfigurationError, match="in clear"):
        Client("http://plant.example", "t")


def test_a_token_without_the_right_writes_nothing(demo: Platform, person: Person, paths: list[str]) -> None:
    token = person.post("/tokens", {"name": "a reader", "role": "viewer"})["token"]
    with Client(demo.url, token) as reader, pytest.raises(PlatformError) as refused:
        reader.write({paths[0]: 1.0}, reason="to see")
    assert refused.value.status == 403


def test_whole_numbers_beyond_2_to_the_53_stay_exact(demo: Platform, person: Person) -> None:
    first, second = 2**53 + 1, -(2**62) - 3
    token = person.post("/tokens", {"name": "a writer", "role": "engineer"})["token"]
    with wired(person, "counter-64") as plant, Client(demo.url, token) as client:
        path = plant.add("count", COUNTER_64, "int64", kind="int64", writable=True, scan_ms=200)["path"]

        def seen(value: int) -> bool:
            now = client.current([path]).arrow
            # A tag that waits for its first value holds a zero, too; it is bad.
            return now.column("integer").to_pylist() == [value] and q.is_good(now.column("quality")[0].as_py())

        def written(value: int) -> list[dict[str, Any]] | None:
            try:
                items: list[dict[str, Any]] = client.write({path: value}, reason="to count on")["items"]
            except NotWritten as refusal:
                assert "has not reported" in str(refusal), refusal
                return None
            return items

        eventually(lambda: seen(0), PATIENCE_S, "the counter is live")
        for value in (first, second):
            [item] = eventually(
                partial(written, value), PATIENCE_S, "a write that is not refused while the gateway is busy"
            )
            assert item["outcome"] == "done", item
            assert int(item["read_back"]) == value
            eventually(partial(seen, value), PATIENCE_S, "the written value is live")
        # As text in JSON, as int64 in Arrow: a float would have made both of them even.
        tag = person.tag("count")["tag"]
        assert int(person.current(tag)[tag]["value"]) == second

        def kept() -> list[int | None]:
            table = client.raw([path], "1h").arrow
            assert table.schema.field("value").type == pa.int64()
            return list(dict.fromkeys(table.column("value").to_pylist()))

        eventually(lambda: kept() == [0, first, second], PATIENCE_S, "all three values in the history")
        now_ms = time.time_ns() // 1_000_000
        asked = {"tags": [tag], "start_ms": now_ms - 600_000, "end_ms": now_ms + 60_000, "column": "int64"}
        [series] = person.post("/history/raw", asked)["series"]
        assert list(dict.fromkeys(map(int, series["value"]))) == [0, first, second]
