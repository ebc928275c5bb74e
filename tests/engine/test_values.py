"""What becomes a current value and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.engine.plants import BAD, NOW, alarm, batch, plant, tag, tag_page

from mainspring.core.current import KNOWN, SCHEMA, STALE
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import build
from mainspring.engine import kernels
from mainspring.engine.state import PlantState


def ask(state: PlantState, *ordinals: int, tenant: str = "acme", at: int = 0) -> list[dict[str, Any]]:
    answer = state.values.answer(np.array(ordinals, np.uint32), state.values.tenant(tenant), NOW + at)
    answer.validate(full=True)
    assert answer.schema == SCHEMA
    return answer.to_pylist()


def test_three_columns_come_back_exactly() -> None:
    state = plant([tag(1), tag(2, SampleKind.INTEGER), tag(3, SampleKind.TEXT), tag(4)], [])
    state.update(build(Column.FLOAT64, [1], NOW, [2.5], 0xC0, Origin.REPLAYED), "acme", 1, NOW)
    state.update(batch((2, 0, 2**62 + 1), column=Column.INT64), "acme", 2, NOW)
    state.update(batch((3, 0, "旧"), (3, 1, "新"), column=Column.TEXT), "acme", 3, NOW)  # type: ignore[arg-type]
    number, integer, text, none = ask(state, 1, 2, 3, 4)
    assert (number["number"], number["origin"], number["time"], number["flags"]) == (2.5, 5, NOW, KNOWN)
    assert (integer["integer"], text["text"]) == (2**62 + 1, "新")
    assert (none["flags"], none["quality"], none["text"], none["integer"]) == (0, 0, None, None)


def test_an_older_sample_does_not_replace_a_newer_one() -> None:
    state = plant([tag(1)], [alarm(1, 1, "H", 10)])
    state.update(batch((1, 1000, 5.0)), "acme", 1, NOW + 1000)
    assert len(state.update(batch((1, 500, 99.0)), "acme", 2, NOW + 1100)) == 0
    assert ask(state, 1)[0]["number"] == 5.0
    assert state.counts[kernels.LATE] == 1
    state.update(batch((1, 1000, 6.0)), "acme", 3, NOW + 1200)
    assert ask(state, 1)[0]["number"] == 6.0


def test_an_impossible_time_is_counted_and_not_taken() -> None:
    state = plant([tag(1)], [alarm(1, 1, "H", 10)])
    years = 5 * 365 * 86_400_000
    assert len(state.update(batch((1, years, 50.0), (1, -NOW - 1, 50.0)), "acme", 1, NOW)) == 0
    assert ask(state, 1)[0]["flags"] == 0
    assert state.counts[kernels.IMPOSSIBLE] == 2
    state.update(batch((1, 0, 1.0)), "acme", 2, NOW)
    assert ask(state, 1)[0]["number"] == 1.0


def test_a_clock_that_ran_ahead_and_was_put_right_does_not_shut_the_tag_out() -> None:
    state = plant([tag(1)], [])
    state.update(batch((1, 7_200_000, 1.0)), "acme", 1, NOW)
    state.update(batch((1, 100, 2.0)), "acme", 2, NOW + 100)
    assert ask(state, 1)[0]["number"] == 2.0


def test_a_clock_put_back_is_followed_once_the_tag_is_stale() -> None:
    state = plant([tag(1, stale_ms=3000)], [])
    state.update(batch((1, 0, 1.0)), "acme", 1, NOW)
    state.update(batch((1, -3_599_000, 2.0)), "acme", 2, NOW + 1000)
    assert ask(state, 1)[0]["number"] == 1.0
    state.update(batch((1, -3_596_000, 3.0)), "acme", 3, NOW + 4000)
    assert ask(state, 1)[0]["number"] == 3.0


def test_foreign_unknown_and_mismatched_samples_are_refused_and_counted() -> None:
    state = plant([tag(1)], [])
    state.define("other.tags.0", tag_page(tag(2), tenant="other"), NOW)
    state.update(batch((2, 0, 1.0), (3, 0, 1.0), (4_000_000_000, 0, 1.0)), "acme", 1, NOW)
    state.update(batch((1, 0, 1.0)), "stranger", 2, NOW)
    state.update(batch((1, 0, 1), column=Column.INT64), "acme", 3, NOW)
    assert state.counts.tolist() == [0, 4, 1, 0, 0]
    assert [row["flags"] for row in ask(state, 1, 2, 3, 4_000_000_000)] == [0, 0, 0, 0]


def test_a_tag_of_another_tenant_is_not_known() -> None:
    state = plant([tag(1)], [])
    state.update(batch((1, 0, 1.0)), "acme", 1, NOW)
    for tenant in ("other", "stranger"):
        state.define("other.tags.0", tag_page(tenant="other"), NOW)
        row = ask(state, 1, tenant=tenant)[0]
        assert (row["flags"], row["time"], row["quality"], row["number"] == row["number"]) == (0, 0, 0, False)


def test_staleness_is_decided_by_arrival() -> None:
    state = plant([tag(1, silence_max_ms=1000)], [])
    state.update(batch((1, -9_000_000, 1.0, BAD)), "acme", 1, NOW)
    assert ask(state, 1, at=3000)[0]["flags"] == KNOWN
    assert ask(state, 1, at=3001)[0]["flags"] == KNOWN | STALE


def test_a_removed_tag_is_forgotten_and_a_changed_kind_starts_anew() -> None:
    state = plant([tag(1), tag(2), tag(3)], [alarm(1, 2, "H", 10)])
    state.update(batch((1, 0, 1.0), (2, 0, 1.0), (3, 0, 1.0)), "acme", 1, NOW)
    state.define("acme.tags.0", tag_page(tag(2, SampleKind.INTEGER), tag(3, stale_ms=5)), NOW)
    assert [row["flags"] & KNOWN for row in ask(state, 1, 2, 3)] == [0, 0, 1]
    assert len(state.update(batch((2, 10, 11), column=Column.INT64), "acme", 2, NOW + 10)) == 1
    assert state.values.owned == 2


def test_ordinals_beyond_the_limit_take_no_memory() -> None:
    state = PlantState(tags_max=5000)
    state.define("acme.tags.0", tag_page(tag(4_000_000_000), tag(10)), NOW)
    state.define("acme.alarms.0", tag_page(), NOW)
    assert len(state.values.tags) <= 5000
    assert state.values.owned == 1


def test_a_read_only_and_unaligned_batch_is_taken() -> None:
    state = plant([tag(1)], [])
    sample = batch((1, 0, 4.5))
    crooked = np.frombuffer(b"x" + sample.value.tobytes(), np.float64, offset=1)
    assert not crooked.flags.aligned
    state.update(
        type(sample)(sample.column, sample.tag, sample.time, crooked, sample.quality, sample.origin), "acme", 1, NOW
    )
    assert ask(state, 1)[0]["number"] == 4.5
