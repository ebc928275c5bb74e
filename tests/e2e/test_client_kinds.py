"""The Python client: tags of several kinds in one question, steps that are whole, and writes that did not happen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S

from mainspring.client import Client, MainspringError, NotFound, NotWritten, PlatformError, Rejected


@pytest.fixture(scope="module")
def person(demo: Platform) -> Person:
    return demo.administrator()


@pytest.fixture(scope="module")
def client(demo: Platform, person: Person) -> Iterator[Client]:
    token = person.post("/tokens", {"name": "a program of kinds", "role": "engineer"})["token"]
    with Client(demo.url, token) as made:
        yield made


def test_tags_of_several_kinds_come_in_one_table(client: Client, person: Person) -> None:
    flow, pump = (person.tag(name)["path"] for name in ("condenser_flow", "pump"))

    def both() -> Any:
        found = client.raw([pump, flow], "1h").arrow
        return found if set(found.column("tag").to_pylist()) == {pump, flow} else None

    table = eventually(both, PATIENCE_S, "samples of both kinds")
    assert table.column_names == ["tag", "time", "value", "integer", "text", "quality", "origin", "flags"]
    times = table.column("time").to_pylist()
    assert times == sorted(times)
    for row in table.to_pylist():
        assert row["text"] is None
        assert (row["integer"] is None) == (row["tag"] == flow)
        assert row["tag"] == flow or row["value"] == row["integer"]


def test_steps_of_a_length_before_now_are_whole(client: Client, person: Person) -> None:
    path = person.tag("XMEAS_9")["path"]
    readings = client.aggregate([path], "5m", step="1min", functions=["count"])
    times_ms = readings.arrow.column("time").cast(pa.int64()).to_numpy()
    assert len(times_ms)
    assert not (times_ms % 60_000).any()


def test_a_write_that_did_not_happen_is_raised(client: Client, person: Person) -> None:
    path = person.tag("remote_setpoint")["path"]
    eventually(
        lambda: all(client.current([path]).arrow.column("known").to_pylist()), PATIENCE_S, "the set point is known"
    )
    with pytest.raises(NotWritten, match="remote_setpoint") as refused:
        client.write({path: 99.0}, reason="too warm")
    [item] = refused.value.answer["items"]
    assert item["outcome"] == "refused"
    assert item["text"]["zh"] in refused.value.text.zh
    assert client.write({path: 99.0}, reason="too warm", check=False)["items"][0]["outcome"] == "refused"
    assert client.write({path: 45.0}, reason="as it should be")["items"][0]["outcome"] == "done"


def test_all_errors_are_of_one_family() -> None:
    assert all(issubclass(each, MainspringError) for each in (NotFound, NotWritten, PlatformError, Rejected))
