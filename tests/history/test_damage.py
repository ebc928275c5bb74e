"""What a disk or a crash has spoilt: it is found, it is named, and nothing else is lost or there twice."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.faults.rot import cut_end, flip_bit, spoil_all
from tests.history.conftest import ACME, Plant
from tests.history.test_historian import at_work, numbered, send, values
from tests.waiting import until

from mainspring.core import subjects
from mainspring.core.errors import StoreError
from mainspring.core.history import AggregateQuery, Entry, RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history import checked
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.intents import Journal, Position
from mainspring.history.late_marks import LateMarks, keys_of

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
NOW = time.time_ns() // 1_000_000
DICE = random.Random(5)


def gone(file: Path, dice: random.Random) -> None:
    """Remove it."""
    file.unlink()


DONE, BEGUN = "LIVE.json", "LIVE.intent.json"


@pytest.mark.parametrize(
    ("files", "harm"),
    [((DONE,), flip_bit), ((DONE,), gone), ((BEGUN,), cut_end), ((DONE, BEGUN), spoil_all), ((DONE, BEGUN), gone)],
)
async def test_a_spoilt_position_is_found_again_by_the_rows(
    plant: Plant, files: tuple[str, ...], harm: Callable[[Path, random.Random], None]
) -> None:
    async with at_work(plant):
        for first in range(0, 50, 10):
            sequence = await send(plant, numbered([1] * 10, first))
        await plant.stored(subjects.LIVE, sequence)
    for name in files:
        harm(plant.folder / "positions" / name, DICE)
    for first in range(50, 100, 10):
        sequence = await send(plant, numbered([1] * 10, first))
    async with at_work(plant) as store:
        await plant.stored(subjects.LIVE, sequence)
        await plant.stored(subjects.LIVE, await send(plant, numbered([1], 100)))
        assert sorted(values(store, ACME, (1,))) == list(range(101))
    # Known again, it is read as any other.
    assert Journal(plant.folder / "positions").read("LIVE")[0] is not None


async def test_what_is_doubted_stays_doubted_until_it_is_stored(plant: Plant) -> None:
    """Ended before all of it was looked up, the next historian does not take the rest for new."""
    async with at_work(plant):
        for first in range(0, 50, 10):
            sequence = await send(plant, numbered([1] * 10, first))
        await plant.stored(subjects.LIVE, sequence)
    for name in (DONE, BEGUN):
        spoil_all(plant.folder / "positions" / name, DICE)
    async with at_work(plant, rows_max=10) as store:
        append = store.append

        def first_alone(stream: str, entries: Sequence[Entry], first: int, last: int) -> None:
            if first > 1:
                raise OSError("the disk is gone")
            append(stream, entries, first, last)

        store.append = first_alone  # type: ignore[method-assign]
        await plant.health(lambda health: health.state == "degraded")
    async with at_work(plant) as store:
        await plant.stored(subjects.LIVE, await send(plant, numbered([1], 50)))
        assert sorted(values(store, ACME, (1,))) == list(range(51))


def test_the_position_written_last_counts_and_one_that_is_spoilt_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.read("LIVE") == (None, False)
    done, begun = Position("a", 5, taken={"acme.g1": [(1, 5)]}), Position("a", 5, (6, 9))
    journal.write("LIVE", done)
    journal.write("LIVE", begun)
    assert Journal(tmp_path).read("LIVE") == (begun, True)
    spoil_all(tmp_path / "LIVE.intent.json", DICE)
    assert Journal(tmp_path).read("LIVE") == (done, False)


def test_any_bit_of_a_small_document_that_flips_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    checked.write(file, {"number": 7, "text": "阀"})
    whole = file.read_bytes()
    for bit in range(8 * (len(whole) - 1)):
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        file.write_bytes(spoilt)
        try:
            assert checked.read(file) == {"number": 7, "text": "阀"}, bit
        except ValueError:
            continue


async def test_a_batch_that_the_bus_loses_while_it_is_being_stored_is_there_once(plant: Plant) -> None:
    """Killed between rows and position, and the bus went back: sent again under another number, in either stream."""

    async def numbered_by_gateway(number: int, *, late: bool = False) -> int:
        values = 10 * number + np.arange(10)
        batch = build(Column.FLOAT64, np.full(10, 1), NOW + values, values, 192, Origin.MACHINE)
        subject = subjects.readings("acme", "g1", late=late)
        answer = await plant.gateway.js.publish(
            subject, batch.encode(), headers={subjects.SEQUENCE_HEADER: str(number)}
        )
        return int(answer.seq)

    async def bus_again() -> None:
        await plant.server.start_again()
        await until(lambda: plant.gateway.connected and plant.admin.connected)

    async with at_work(plant):
        for number in range(3):
            sequence = await numbered_by_gateway(number)
        await plant.stored(subjects.LIVE, sequence)
    before, _ = Journal(plant.folder / "positions").read("LIVE")
    assert before is not None
    await plant.server.kill()
    shutil.copytree(plant.server.settings.folder, plant.folder / "saved")
    await bus_again()
    async with at_work(plant):
        for number in (3, 4):
            sequence = await numbered_by_gateway(number)
        await plant.stored(subjects.LIVE, sequence)
    # As if killed before the position was written, in a power cut that cost the bus its end.
    journal = Journal(plant.folder / "positions")
    after, _ = journal.read("LIVE")
    assert after is not None
    journal.write("LIVE", before)
    journal.write("LIVE", replace(before, intent=(sequence - 1, sequence), intent_mark=after.mark))
    await plant.server.kill()
    shutil.rmtree(plant.server.settings.folder)
    (plant.folder / "saved").rename(plant.server.settings.folder)
    await bus_again()
    async with at_work(plant) as store:
        for number in (5, 3):
            sequence = await numbered_by_gateway(number)
        await plant.stored(subjects.LATE, await numbered_by_gateway(4, late=True))
        await plant.stored(subjects.LIVE, sequence)
        assert sorted(values(store, ACME, (1,))) == list(range(60))


async def test_messages_that_the_bus_has_lost_are_named_and_all_others_stored(plant: Plant) -> None:
    async with at_work(plant):
        await plant.stored(subjects.LIVE, await send(plant, numbered([1])))
    for first in (1, 2, 3, 4):
        sequence = await send(plant, numbered([1], first))
    for lost in (sequence - 2, sequence - 1):
        await plant.admin.js.delete_msg(subjects.LIVE, lost)
    async with at_work(plant) as store:
        await plant.stored(subjects.LIVE, sequence)
        health = await plant.health(lambda health: health.figures["messages_missing"] == 2)
        assert sorted(values(store, ACME, (1,))) == [0, 1, 4]
        assert health.text is not None
        assert health.state == "degraded"
        assert f"messages {sequence - 2} to {sequence - 1} of LIVE" in health.text["en"]
        assert f"{sequence - 2} 至 {sequence - 1}" in health.text["zh"]


def filled(folder: Path) -> None:
    """Keep three days of twenty tags, each day a part of its own."""
    store = ChdbStore(folder)
    noise = np.random.default_rng(1)
    for day in range(3):
        tags = np.repeat(np.arange(1, 21), 5000)
        times = NOW // DAY * DAY - day * DAY - 1 - np.tile(np.arange(5000) * 1000, 20)
        batch = build(Column.FLOAT64, tags, times, noise.normal(size=len(tags)), 192, Origin.MACHINE)
        store.append("LIVE", [Entry(day + 1, 1, batch)], day + 1, day + 1)
    store.close()


def part_file(folder: Path, name: str) -> Path:
    """Return a file of the part of the oldest day."""
    return min(folder.glob(f"clickhouse/store/*/*/0-*/{name}"), key=lambda file: file.parent.name)


def test_a_bit_that_flips_in_stored_readings_is_named_and_others_answer(tmp_path: Path) -> None:
    filled(tmp_path)
    flip_bit(part_file(tmp_path, "data.bin"), DICE)
    store = ChdbStore(tmp_path)
    named = [name for piece in store.inspect() for name in piece]
    assert len(named) == 1
    assert named[0].startswith("sample_float64 standard (0,")
    whole = {"start_ms": 0, "end_ms": 2**51}
    told, answered = 0, 0
    for tag in range(1, 21):
        try:
            answered += sum(len(chunk) for chunk in store.raw(1, RawQuery(tags=(tag,), **whole)))
        except StoreError as error:
            assert "CHECKSUM_DOESNT_MATCH" in str(error)
            told += 1
    # A block of a part holds eight thousand readings of its tags; what lies in others is there.
    assert 1 <= told <= 6
    assert answered == (20 - told) * 15_000
    later = {"start_ms": NOW // DAY * DAY - 2 * DAY, "end_ms": NOW}
    for tag in range(1, 21):
        assert sum(len(chunk) for chunk in store.raw(1, RawQuery(tags=(tag,), **later))) == 10_000
    store.close()


async def test_a_part_that_cannot_even_be_opened_is_told_by_health(plant: Plant) -> None:
    filled(plant.folder / "history")
    part_file(plant.folder / "history", "checksums.txt").write_bytes(b"none")
    async with at_work(plant) as store:
        health = await plant.health(lambda health: health.figures["damaged_parts"] > 0)
        assert health.text is not None
        assert "sample_float64 (broken-on-start_0-" in health.text["en"]
        assert "restore these days from a backup" in health.text["en"]
        assert "备份" in health.text["zh"]
        assert store.extent(1).samples == 200_000


@pytest.mark.parametrize("spoilt", [("rollups.json",), ("rollups.json", "rollups.copy.json")])
def test_a_spoilt_state_of_rollups_is_found_again(tmp_path: Path, spoilt: tuple[str, ...]) -> None:
    """What was given up stays rows of minutes, what is there is made again, and what comes late changes the rest."""
    start = NOW // DAY * DAY - 3 * DAY
    store = ChdbStore(tmp_path, rollup_quiet_s=0)
    for day in range(3):
        times = start + day * DAY + np.arange(0, DAY, MINUTE)
        batch = build(Column.FLOAT64, np.full(len(times), 1), times, np.ones(len(times)), 192, Origin.MACHINE)
        store.append("LIVE", [Entry(day + 1, 1, batch)], day + 1, day + 1)
    for _ in store.roll_up(NOW):
        pass
    assert store.retain(NOW, {"standard": 2}, 10**15)
    store.close()
    for name in spoilt:
        flip_bit(tmp_path / name, DICE)
    store = ChdbStore(tmp_path, rollup_quiet_s=0)
    late = build(Column.FLOAT64, [1, 1], [start + 5, start + 2 * DAY + 5], [7.0, 9.0], 192, Origin.MACHINE)
    store.append("LIVE", [Entry(9, 1, late)], 9, 9)
    for _ in store.roll_up(NOW):
        pass
    query = AggregateQuery(
        tags=(1,), start_ms=start, end_ms=start + 3 * DAY, step_ms=DAY, functions=("count", "max")
    )  # fmt: skip
    assert [(row["count"], row["max"]) for row in store.aggregate(1, query).to_pylist()] == [
        (1440, 1.0), (1440, 1.0), (1441, 9.0),
    ]  # fmt: skip
    store.close()


def test_marks_survive_a_torn_end_and_a_flipped_one_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "rollups.late"
    marks = LateMarks(file)
    for tag in range(20):
        marks.note(1, keys_of(np.array([tag], np.uint32), np.array([NOW])))
    written = file.read_bytes()
    assert len(written) == 20 * 16
    file.write_bytes(written + DICE.randbytes(100))
    assert (len(LateMarks(file)), LateMarks(file).spoilt) == (20, False)
    file.write_bytes(written[:-3])
    assert (len(LateMarks(file)), LateMarks(file).spoilt) == (19, False)
    for bit in range(8 * 16):
        spoilt = bytearray(written)
        spoilt[5 * 16 + bit // 8] ^= 1 << bit % 8
        file.write_bytes(spoilt)
        assert LateMarks(file).spoilt, bit


def test_a_flipped_mark_makes_all_rows_again(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path, rollup_quiet_s=3600)
    start = NOW // HOUR * HOUR - 5 * HOUR

    def put(sequence: int, at: int, value: float) -> None:
        batch = build(Column.FLOAT64, [1], [at], [value], 192, Origin.MACHINE)
        store.append("LIVE", [Entry(sequence, 1, batch)], sequence, sequence)

    put(1, start, 1.0)
    for _ in store.roll_up(NOW):
        pass
    put(2, start + 1, 3.0)
    put(3, start + HOUR, 5.0)
    store.close()
    marks = tmp_path / "rollups.late"
    written = bytearray(marks.read_bytes())
    written[9] ^= 4
    marks.write_bytes(written)
    store = ChdbStore(tmp_path, rollup_quiet_s=0)
    for _ in store.roll_up(NOW):
        pass
    query = AggregateQuery(tags=(1,), start_ms=start, end_ms=start + HOUR, step_ms=HOUR, functions=("max",))
    answer = store.aggregate(1, query)
    assert (answer.schema.metadata[b"source"], answer["max"].to_pylist()) == (b"hour", [3.0])
    store.close()


async def test_readings_are_stored_while_history_is_dropped(plant: Plant) -> None:
    """Dropping goes on beside storing: it is held up for as long as this test likes, and readings come in."""
    async with at_work(plant, retain_every_s=1, retention_bytes={"standard": 0}) as store:
        drop, waits = store._engine.drop, [True]
        reached: list[str] = []

        def held(table: str, partition: str) -> None:
            reached.append(partition)
            while waits:
                time.sleep(0.01)
            drop(table, partition)

        store._engine.drop = held  # type: ignore[method-assign]
        old = build(Column.FLOAT64, [1], NOW - np.array([5 * DAY]), [7.0], 192, Origin.MACHINE)
        await plant.stored(subjects.LIVE, await send(plant, old))
        await until(lambda: bool(reached))
        for first in range(3):
            await plant.stored(subjects.LIVE, await send(plant, numbered([2], first)))
        assert values(store, ACME, (2,)) == [0, 1, 2]
        waits.clear()
        query = RawQuery(tags=(1,), start_ms=0, end_ms=NOW)
        await until(lambda: not list(store.raw(ACME, query)))
