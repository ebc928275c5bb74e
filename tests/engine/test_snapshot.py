"""A snapshot brings back exactly what belongs to today's definitions, or says why not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.engine.plants import NOW, alarm, alarm_id, alarm_page, batch, plant, tag, tag_page

from mainspring.core.alarms import Acknowledge
from mainspring.core.errors import StoreError
from mainspring.core.kinds import Column, SampleKind
from mainspring.engine import snapshot
from mainspring.engine.state import PlantState

TAGS = [tag(1), tag(2, SampleKind.INTEGER), tag(3, SampleKind.TEXT), tag(4)]
ALARMS = [alarm(1, 1, "H", 10), alarm(2, 1, "HH", 10), alarm(3, 2, "L", 0, on_delay_ms=5000), alarm(4, 4, "H", 1)]


def lived() -> PlantState:
    state = plant(TAGS, ALARMS)
    state.update(batch((1, 0, 11.0)), "acme", 1, NOW)
    state.update(batch((2, 0, -(2**60)), column=Column.INT64), "acme", 2, NOW)
    state.update(batch((3, 0, "切换"), column=Column.TEXT), "acme", 3, NOW)  # type: ignore[arg-type]
    state.update(batch((4, 0, 2.0), (4, 1, 0.0)), "acme", 4, NOW)
    state.handle(Acknowledge(alarms=(alarm_id(1),), by="p-17", comment="seen"), "acme", NOW + 5)
    return state


def through(tmp_path: Path, state: PlantState) -> snapshot.Snapshot:
    path = tmp_path / "engine.snapshot"
    snapshot.write(path, snapshot.take(state, 4, "made"), 9)
    loaded = snapshot.load(path)
    assert loaded is not None
    assert (loaded.live, loaded.live_made, loaded.alarm) == (4, "made", 9)
    return loaded


def rows(state: PlantState) -> list[dict[str, object]]:
    values = state.values.answer(np.arange(6, dtype=np.uint32), state.values.tenant("acme"), NOW)
    listing, _ = state.alarms.listed(state.values.tenant("acme"), 100)
    alarms = sorted(listing.alarms(0, 100), key=lambda row: row.alarm)
    return [*values.to_pylist(), *(row.model_dump() for row in alarms)]


def test_everything_comes_back(tmp_path: Path) -> None:
    state = lived()
    loaded = through(tmp_path, state)
    fresh = PlantState(tags_max=100_000)
    # Tenants are numbered as they come: another order must not mix them up.
    fresh.define("zeta.tags.0", tag_page(tag(5), tenant="zeta"), NOW + 50)
    fresh.define("acme.alarms.0", alarm_page(*reversed(ALARMS)), NOW + 50)
    fresh.define("acme.tags.0", tag_page(*TAGS), NOW + 50)
    assert snapshot.restore(fresh, loaded) == []
    assert repr(rows(fresh)) == repr(rows(state))
    # The running delay goes on where it was.
    assert fresh.sweep(NOW + 5000).tolist() != []
    assert state.sweep(NOW + 5000)["cause"].tolist() == [2 << 16]


def test_what_today_is_defined_otherwise_is_left_out(tmp_path: Path) -> None:
    loaded = through(tmp_path, lived())
    fresh = PlantState(tags_max=100_000)
    fresh.define("other.tags.0", tag_page(tag(1), tenant="other"), NOW)
    fresh.define("acme.tags.0", tag_page(tag(2), tag(3, SampleKind.TEXT)), NOW)
    fresh.define("acme.alarms.0", alarm_page(alarm(1, 3, "H", 10)), NOW)
    gone = snapshot.restore(fresh, loaded)
    assert sorted(event.alarm for _, event in gone) == [alarm_id(1), alarm_id(2), alarm_id(4)]
    assert {tenant for tenant, _ in gone} == {"acme"}
    assert fresh.values.tags["known"].sum() == 1
    assert rows(fresh)[3]["text"] == "切换"


@pytest.mark.parametrize("harm", ["half", "empty", "bit", "words", "other arrays"])
def test_a_damaged_file_is_told_apart(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "engine.snapshot"
    state = lived()
    snapshot.write(path, snapshot.take(state, 4, "made"), 9)
    content = bytearray(path.read_bytes())
    if harm == "half":
        del content[len(content) // 2 :]
    elif harm == "empty":
        content.clear()
    elif harm == "bit":
        content[len(content) // 2] ^= 4
    path.write_bytes(content)
    if harm == "words":
        np.savez(path.with_suffix(".npz"), words=np.zeros(3, np.uint8))
        path.with_suffix(".npz").replace(path)
    elif harm == "other arrays":
        np.savez(
            path.with_suffix(".npz"), words=np.frombuffer(b'{"format": 1}', np.uint8), tags=[1], alarms=[1], flags=[1]
        )
        path.with_suffix(".npz").replace(path)
    with pytest.raises(StoreError, match="cannot be read") as caught:
        snapshot.load(path)
    assert "快照" in caught.value.text.zh


def test_no_file_is_no_snapshot_and_a_full_or_closed_folder_is_told(tmp_path: Path) -> None:
    assert snapshot.load(tmp_path / "none") is None
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        snapshot.write(tmp_path / "file" / "engine.snapshot", snapshot.take(lived(), 1, ""), 1)


def test_the_old_file_stays_if_the_new_one_cannot_be_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "engine.snapshot"
    snapshot.write(path, snapshot.take(lived(), 4, "made"), 9)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        snapshot.write(path, snapshot.take(lived(), 5, "made"), 10)
    assert path.read_bytes() == before
