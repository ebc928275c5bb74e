"""Days that went cold answer as if they had not, whatever happens on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.history.cold_cases import (
    DAY,
    DAYS,
    FLOATS,
    NOW,
    START,
    STEP_MS,
    TENANTS,
    TODAY,
    answers,
    correct,
    differences,
    files,
    fill,
    hot_days,
    late,
    move,
    opened,
    put,
)

from mainspring.configuration import HistorySection
from mainspring.core.cold import ColdSettings
from mainspring.core.errors import ConfigurationError, StoreError
from mainspring.core.history import AggregateQuery, RawQuery, TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import GOOD
from mainspring.core.samples import build
from mainspring.history.cold.place import place_of
from mainspring.history.sql_store import SqlStore
from mainspring.roles import history_store

YESTERDAY = TODAY - DAY


def test_all_answers_stay_the_same_when_days_go_cold(tmp_path: Path) -> None:
    place = tmp_path / "cold"
    with opened(tmp_path, place, after_days=1000) as store:
        fill(store)
        correct(store)
        move(store)
        before = answers(store)
        assert before["extent 7"][0] > 1000
        assert not files(place)
    with opened(tmp_path, place) as store:
        move(store)
        assert hot_days(store) == {YESTERDAY, TODAY}
        assert not differences(before, answers(store))
    with opened(tmp_path, place) as store:
        assert not differences(before, answers(store)), "after opening again"
        move(store, NOW + DAY)
        assert hot_days(store) == {TODAY}
        assert not differences(before, answers(store)), "a day later"


def test_readings_that_come_after_their_day_went_cold_are_there_at_once_and_folded_in_later(tmp_path: Path) -> None:
    said = []
    for name, after_days in (("hot", 1000), ("moved", 1)):
        place = tmp_path / name / "cold"
        with opened(tmp_path / name, place, after_days) as store:
            sequence = fill(store)
            move(store)
            before = files(place)
            correct(store)
            late(store, sequence)
            said.append(answers(store))
            move(store)
            said.append(answers(store))
            assert files(place) == before, "they stay in the tables for the day"
            assert START + DAY in hot_days(store)
            late(store, sequence + 100)
            move(store, NOW + DAY)
            said.append(answers(store))
    assert hot_days_after(tmp_path / "moved") == {TODAY}
    assert not differences(said[0], said[3]), "before rollups are made again"
    assert not differences(said[1], said[4]), "after"
    assert not differences(said[2], said[5]), "folded in"
    gone = set(before) - set(files(place))
    assert gone
    assert not [path for path in gone if "kind=float64" not in path], "what nothing came for is left alone"


def hot_days_after(folder: Path) -> set[int]:
    with opened(folder, folder / "cold") as store:
        return hot_days(store)


def test_a_repetition_of_what_went_cold_is_not_stored_again(tmp_path: Path) -> None:
    with opened(tmp_path, tmp_path / "cold") as store:
        sequence = fill(store)
        move(store)
        before = answers(store)
    with opened(tmp_path, tmp_path / "cold") as store:
        assert fill(store) == sequence
        move(store)
        assert not differences(before, answers(store))
        store.doubt("LIVE@2", 10**6)
        fill(store, 10**5, "LIVE@2")
        assert store.extent(TENANTS[0]).samples == before[f"extent {TENANTS[0]}"][0]


def test_a_query_under_way_reads_on_while_its_day_is_moved(tmp_path: Path) -> None:
    with opened(tmp_path, tmp_path / "cold") as store:
        size = 300_000
        times = START + np.arange(size)
        put(store, 7, build(Column.FLOAT64, np.full(size, 1), times, np.arange(size), GOOD, Origin.MACHINE), 1)
        chunks = store.raw(7, RawQuery(tags=(1,), start_ms=START, end_ms=START + DAY))
        first = next(chunks)
        for _ in store.roll_up(NOW):
            pass
        assert hot_days(store) == {START}, "it is dropped when nobody reads it any more"
        again = store.raw(7, RawQuery(tags=(1,), start_ms=START, end_ms=START + DAY))
        assert sum(len(chunk) for chunk in again) == size, "the file and not the table, too"
        assert store.extent(7).samples == size
        values = np.concatenate([first["value"].to_numpy(), *(chunk["value"].to_numpy() for chunk in chunks)])
        assert np.array_equal(values, np.arange(size))
        move(store)
        assert hot_days(store) == set()
        assert store.extent(7).samples == size


def test_a_file_is_of_one_company_in_order_with_a_manifest_that_says_so(tmp_path: Path) -> None:
    place = tmp_path / "cold"
    with opened(tmp_path, place) as store:
        fill(store)
        move(store)
        held = {tenant: store.extent(tenant).samples for tenant in TENANTS}
        hot = {
            tenant: sum(
                len(chunk)
                for column, tags in ((Column.FLOAT64, FLOATS), (Column.INT64, (10, 11)), (Column.TEXT, (20,)))
                for chunk in store.raw(
                    tenant, RawQuery(tags=tags, start_ms=YESTERDAY, end_ms=NOW, column=column, limit=10**6)
                )
            )
            for tenant in TENANTS
        }
    for tenant in TENANTS:
        rows = 0
        manifests = sorted((place / f"tenant={tenant}").glob("day=*/_manifest.json"))
        assert len(manifests) == DAYS - 1
        for manifest in manifests:
            told = json.loads(manifest.read_text())
            assert told["tenant"] == tenant
            lie = {path for path in files(manifest.parent) if path.endswith(".parquet")}
            assert {file["path"] for file in told["files"]} == lie
            for file in told["files"]:
                table = pq.read_table(manifest.parent / file["path"], partitioning=None)
                assert table.num_rows == file["rows"]
                order = list(zip(table["tag"].to_pylist(), table["time"].to_pylist(), strict=True))
                assert order == sorted(order)
                rows += table.num_rows
        assert rows + hot[tenant] == held[tenant]


def test_an_index_that_is_lost_is_made_anew_from_the_manifests(tmp_path: Path) -> None:
    with opened(tmp_path, tmp_path / "cold") as store:
        fill(store)
        move(store)
        before = answers(store)
    (tmp_path / "history" / "cold.sqlite").unlink()
    with opened(tmp_path, tmp_path / "cold") as store:
        assert not differences(before, answers(store))
        move(store)
        assert not differences(before, answers(store))
    (tmp_path / "history" / "cold.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 200)
    with pytest.raises(StoreError, match=r"cold\.sqlite"), opened(tmp_path, tmp_path / "cold"):
        pass


def test_a_history_with_cold_days_does_not_open_without_them(tmp_path: Path) -> None:
    with opened(tmp_path, tmp_path / "cold") as store:
        assert store.extent(7).samples == 0
    with opened(tmp_path, None) as store:
        fill(store)
    with opened(tmp_path, tmp_path / "cold") as store:
        move(store)
    with pytest.raises(ConfigurationError, match="cold storage"), opened(tmp_path, None):
        pass


def test_cold_days_are_given_up_by_age_and_their_rollups_stay(tmp_path: Path) -> None:
    place = tmp_path / "cold"
    with opened(tmp_path, place) as store:
        fill(store)
        move(store)
        days = len({path.split("/")[1] for path in files(place)})
        whole = TrendQuery(tags=(1,), start_ms=START, end_ms=TODAY, buckets=30)
        before = store.trend(7, whole)["good"].to_pylist()
        dropped = store.retain(NOW, {"standard": 2, "long": 3650}, 10**15)
        assert any("cold" in each for each in dropped)
        move(store)
        gone = [path for path in files(place) if "class=standard" in path and f"day={_date(START)}" in path]
        assert not gone
        assert [path for path in files(place) if "class=long" in path and f"day={_date(START)}" in path]
        assert len({path.split("/")[1] for path in files(place)}) == days
        query = RawQuery(tags=(1,), start_ms=START, end_ms=START + DAY)
        assert sum(len(chunk) for chunk in store.raw(7, query)) == 0
        found = store.trend(7, whole)
        assert found["good"].to_pylist() == before
        assert found.schema.metadata[b"source"] == b"hour"
        store.retain(NOW, {"standard": 2, "long": 2}, 10**15)
        move(store)
        assert len({path.split("/")[1] for path in files(place)}) == 1, "yesterday but one"


@pytest.mark.slow
def test_duckdb_and_ray_read_a_folder_straight(tmp_path: Path) -> None:
    place = tmp_path / "cold"
    with opened(tmp_path, place) as store:
        fill(store)
        move(store)
        whole = {"tags": FLOATS, "start_ms": START, "end_ms": YESTERDAY, "step_ms": YESTERDAY - START}
        table = store.aggregate(7, AggregateQuery(functions=("count", "mean"), **whole))
        said = {row["tag"]: (row["count"], pytest.approx(row["count"] * row["mean"])) for row in table.to_pylist()}
    good = "quality >= 192 and not isnan(value)"
    with duckdb.connect() as db:
        rows = db.sql(
            f"select tag, count(*) filter ({good}), sum(value) filter ({good}), min(class), min(epoch_ms(time)) from "
            f"read_parquet('{place}/tenant=7/*/kind=float64/*/*.parquet', hive_partitioning = true) group by tag"
        ).fetchall()
    assert {tag: (count, total) for tag, count, total, _, _ in rows} == said
    assert {tag: name for tag, _, _, name, _ in rows} == {1: "standard", 2: "standard", 3: "long"}
    assert min(oldest for *_, oldest in rows) == START
    script = Path(__file__).with_name("cold_ray.py")
    with tempfile.TemporaryDirectory(prefix="ray") as short:
        command = [sys.executable, str(script), str(place / "tenant=7"), short]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    assert {int(tag): tuple(figures) for tag, figures in found.items()} == said


def test_an_import_knows_what_went_cold_and_brings_more(tmp_path: Path) -> None:
    with opened(tmp_path, tmp_path / "cold") as store:
        fill(store)
        move(store)
        samples = store.extent(7).samples
        times = START + np.arange(0, DAYS * DAY // 2, STEP_MS // 2)
        batch = build(Column.INT64, [10] * len(times), times, np.arange(len(times)), GOOD, Origin.IMPORTED)
        became = store.place(7, batch, {})
        assert np.array_equal(became, np.arange(len(times)) % 2 == 0), "every other one is there"
        assert store.extent(7).samples == samples + len(times) // 2
        assert (store.place(7, batch, {}) == 1).all()
        move(store, NOW + DAY)
        assert (store.place(7, batch, {}) == 1).all(), "folded in"
        assert store.extent(7).samples == samples + len(times) // 2
        assert hot_days(store) == {TODAY}


def test_settings_name_a_folder_or_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cold in ("s3:bucket", "s3://Bucket/x", "s3://bucket/../x", "s3://bucket/{a,b}"):
        with pytest.raises(ValueError, match="s3://bucket/prefix"):
            HistorySection(cold=cold)
    assert HistorySection(cold="s3://plant-history/one/two").cold
    for folder in ("a*", "a{b,c}", "it's"):
        with pytest.raises(ConfigurationError, match="Name a folder"):
            place_of(ColdSettings(str(tmp_path / folder)))
    monkeypatch.setenv("MAINSPRING_COLD_SECRET", "hidden")
    section = HistorySection(cold=str(tmp_path / "cold"), cold_after_days=1)
    store = history_store(section, tmp_path / "history")
    fill(cast("SqlStore", store))
    move(cast("SqlStore", store))
    store.close()
    assert files(tmp_path / "cold")
    with pytest.raises(ConfigurationError, match="bucket they reach"):
        history_store(HistorySection(url="clickhouse://h@127.0.0.1:1/x", cold="/cold"), tmp_path / "other")


def test_what_the_tables_have_no_room_for_goes_cold_early(tmp_path: Path) -> None:
    with opened(tmp_path, tmp_path / "cold", after_days=1000) as store:
        fill(store)
        move(store)
        samples = store.extent(7).samples
        dropped = store.retain(NOW, {}, 1)
        assert not [each for each in dropped if each.startswith("sample")]
        move(store)
        assert hot_days(store) == {TODAY}
        assert store.extent(7).samples == samples


def _date(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms").astype("datetime64[D]"))
