"""Cold history in S3, and cold files read straight by programs that know nothing of the platform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pytest
from tests.history import seaweed
from tests.history.clickhouse_peer import Peer
from tests.history.cold_cases import (
    DAY,
    FLOATS,
    NOW,
    START,
    TODAY,
    answers,
    correct,
    differences,
    fill,
    floats,
    hot_days,
    late,
    move,
    opened,
)
from tests.ports import free_port

from mainspring.core.cold import ColdSettings
from mainspring.core.errors import ConfigurationError, StoreError
from mainspring.core.history import AggregateQuery, RawQuery
from mainspring.history.clickhouse_store import ClickhouseStore
from mainspring.history.cold.place import S3Place

COLD_END = TODAY - DAY


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ColdSettings]:
    with seaweed.running(tmp_path_factory.mktemp("weed")) as settings:
        yield settings


def test_all_answers_stay_the_same_when_days_go_to_s3(service: ColdSettings, tmp_path: Path) -> None:
    settings = seaweed.apart(service, "embedded")
    with opened(tmp_path, replace(settings, after_days=1000)) as store:
        sequence = fill(store)
        correct(store)
        move(store)
        late(store, sequence)
        move(store)
        before = answers(store)
    with opened(tmp_path, settings) as store:
        move(store)
        assert hot_days(store) == {COLD_END, TODAY}
        assert not differences(before, answers(store))
        late(store, sequence + 100)
        after = floats(store)
        move(store, NOW + DAY)
        assert hot_days(store) == {TODAY}
        assert after == floats(store)
        assert len(after) == len(before["raw 7 float64 all"]) + 7
    (tmp_path / "history" / "cold.sqlite").unlink()
    with opened(tmp_path, settings) as store:
        assert after == floats(store), "known from the manifests"
    place = S3Place(settings)
    names = place.names("")
    place.remove([name for name in names if name.endswith(".parquet")][:1])
    assert len(place.names("")) == len(names) - 1
    assert not place.names("tenant=9")


@pytest.mark.parametrize("cluster", ["", "one"])
def test_history_on_clickhouse_servers_goes_to_s3(
    service: ColdSettings, server: tuple[Peer, Path], tmp_path: Path, cluster: str
) -> None:
    settings, (peer, _folder) = seaweed.apart(service, f"servers{cluster}"), server
    with peer.history(cluster) as url:
        store = ClickhouseStore(url, peer.password, tmp_path, rollup_quiet_s=0, cold=replace(settings, after_days=1000))
        sequence = fill(store)
        move(store)
        before = answers(store)
        store.close()
        store = ClickhouseStore(url, peer.password, tmp_path, rollup_quiet_s=0, cold=settings)
        move(store)
        assert hot_days(store) == {COLD_END, TODAY}
        assert not differences(before, answers(store))
        assert fill(store) == sequence
        move(store)
        assert not differences(before, answers(store)), "a repetition"
        store.close()
    with pytest.raises(ConfigurationError, match="bucket"):
        ClickhouseStore("clickhouse://x", "", tmp_path, cold=ColdSettings(str(tmp_path)))


def test_a_service_that_refuses_says_so_without_telling_the_secret(service: ColdSettings, tmp_path: Path) -> None:
    settings = seaweed.apart(service, "refused")
    with opened(tmp_path, settings) as store:
        fill(store)
        move(store)
        held = floats(store)
    wrong = replace(settings, secret="another-secret-nobody-may-read")
    with opened(tmp_path, wrong) as store:
        query = RawQuery(tags=FLOATS, start_ms=START, end_ms=NOW)
        with pytest.raises(StoreError, match="look at the S3 service") as refused:
            list(store.raw(7, query))
        assert "secret" not in f"{refused.value} {refused.value.text.zh}"
        assert sum(len(chunk) for chunk in store.raw(7, query.model_copy(update={"start_ms": COLD_END}))), "hot days"
        late(store, 10**6)
        with pytest.raises(StoreError) as refused:
            move(store, NOW + DAY)
        assert store.trouble() == refused.value.text
        assert "secret" not in f"{refused.value} {refused.value.text.zh}"
        assert "secret" not in repr(wrong)
        assert START + DAY in hot_days(store), "nothing is dropped"
    nowhere = replace(settings, endpoint=f"http://127.0.0.1:{free_port()}")
    with opened(tmp_path, nowhere) as store, pytest.raises(StoreError, match="refused"):
        list(store.raw(7, query))
    with opened(tmp_path, settings) as store:
        move(store, NOW + DAY)
        assert store.trouble() is None
        assert len(floats(store)) == len(held) + 7


def test_duckdb_and_daft_find_the_same_in_the_files(service: ColdSettings, tmp_path: Path) -> None:
    settings = seaweed.apart(service, "straight")
    with opened(tmp_path, settings) as store:
        fill(store)
        move(store)
        whole = {"tags": FLOATS, "start_ms": START, "end_ms": COLD_END, "step_ms": COLD_END - START}
        table = store.aggregate(7, AggregateQuery(functions=("count", "mean", "max"), **whole))
        bad = dict(zip(table["tag"].to_pylist(), table["bad"].to_pylist(), strict=True))
        said = {row["tag"]: (row["count"], pytest.approx(row["mean"]), row["max"]) for row in table.to_pylist()}
    assert all(bad.values())
    good = "quality >= 192 and not isnan(value)"
    wanted = f"count(*) filter ({good}), avg(value) filter ({good}), max(value) filter ({good})"
    files = f"s3://{seaweed.BUCKET}/straight/tenant=7/*/kind=float64/*/*.parquet"

    columns: list[pa.Field[Any]] = [
        pa.field("day", pa.date32()),
        pa.field("kind", pa.string()),
        pa.field("class", pa.string()),
    ]
    partitioning: Any = pyarrow.dataset.HivePartitioning(pa.schema(columns))
    lake = pyarrow.dataset.dataset(
        f"{seaweed.BUCKET}/straight/tenant=7", filesystem=seaweed.bucket(settings), partitioning=partitioning
    ).filter(pyarrow.dataset.field("kind") == "float64")
    with duckdb.connect() as db:
        db.register("lake", lake)
        found = db.sql(f"select tag, {wanted}, min(class), count(distinct day) from lake group by tag").fetchall()
    assert {row[0]: row[1:4] for row in found} == said
    assert {row[0]: row[4] for row in found} == {1: "standard", 2: "standard", 3: "long"}
    assert {row[5] for row in found} == {(COLD_END - START) // DAY}

    import daft
    import daft.functions
    from daft.io import IOConfig, S3Config

    access = S3Config(endpoint_url=settings.endpoint, key_id=settings.key, access_key=settings.secret,
                      region_name=settings.region, use_ssl=False)  # fmt: skip
    frame = daft.read_parquet(files, io_config=IOConfig(s3=access))
    frame = frame.where("quality >= 192").where(~daft.functions.is_nan(daft.col("value")))
    grouped = frame.groupby("tag").agg(
        daft.col("value").count().alias("n"), daft.col("value").mean(), daft.col("value").max().alias("most")
    )
    answer = grouped.to_pydict()
    rows = zip(answer["tag"], answer["n"], answer["value"], answer["most"], strict=True)
    assert {tag: (number, mean, most) for tag, number, mean, most in rows} == said
