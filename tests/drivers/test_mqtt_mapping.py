"""Messages to samples: layouts, times, kinds, and everything that does not fit."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mqtt import Mqtt, MqttAddress, MqttConfig
from mainspring.drivers.mqtt_mapping import Mapping, moment
from mainspring.drivers.mqtt_packets import Message

NOW_MS = time.time_ns() // 1_000_000
TOPIC = "plant/press"


def tag(ordinal: int, path: str, kind: SampleKind = SampleKind.FLOAT) -> DriverTag:
    return DriverTag(ordinal, kind, MqttAddress(topic=TOPIC, path=path))


class Tried:
    """A mapping with tags, and what came of a message."""

    def __init__(self, *tags: DriverTag, **settings: Any) -> None:
        self.refused: dict[str, int] = {}
        self.mapping = Mapping(MqttConfig(**settings).compiled, self._refuse, {})
        self.mapping.plan(tags)

    def _refuse(self, text: Any, count: int) -> None:
        assert text.zh
        self.refused[text.en] = self.refused.get(text.en, 0) + count

    def take(self, content: Any, *, retain: bool = False) -> dict[int, tuple[Any, int, int]]:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        batches = self.mapping.take([Message(TOPIC, payload, 1, retain)], NOW_MS)
        return {
            int(ordinal): (value, int(quality), int(at))
            for batch in batches
            for ordinal, value, quality, at in zip(
                batch.tag, batch.value.tolist(), batch.quality, batch.time, strict=True
            )
        }

    def told(self, words: str) -> int:
        return sum(count for text, count in self.refused.items() if words in text)


def test_values_at_paths() -> None:
    tried = Tried(
        tag(1, "t"), tag(2, "motor.axes[1].load"), tag(3, "n", SampleKind.INTEGER), tag(4, "on", SampleKind.BOOLEAN),
        tag(5, "state", SampleKind.TEXT), tag(6, "mode", SampleKind.ENUMERATION), tag(7, "absent"),
    )  # fmt: skip
    found = tried.take(
        {"t": 20, "motor": {"axes": [{}, {"load": 1.5}]}, "n": 2**53 + 1, "on": True, "state": "运行", "mode": 3.0}
    )
    assert {ordinal: value for ordinal, (value, _, _) in found.items()} == {
        1: 20.0, 2: 1.5, 3: 2**53 + 1, 4: 1, 5: "运行", 6: 3,
    }  # fmt: skip
    assert {level for _, level, _ in found.values()} == {q.GOOD}
    assert not tried.refused


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1.5, "b": 2, "c": -3.25}, {"a": 1.5, "b": 2}, {"a": 1.5, "b": None, "c": 0},
        {"a": True, "b": 2, "c": "3"}, {"a": 1, "b": [2], "c": 2**64 - 1}, {"a": 1, "b": 2, "c": 3, "at": NOW_MS - 5},
        {"a": 1, "b": 2, "c": 3, "at": 1}, {"a": 1, "b": 2, "c": 3, "at": "?"}, {}, [1, 2, 3], "abc", 7, None, b"{",
    ],
)  # fmt: skip
def test_values_taken_all_at_once_are_what_they_are_one_by_one(content: Any) -> None:
    tags = [tag(1, "a"), tag(2, "b"), tag(3, "c")]
    together, singly = Tried(*tags, time_path="at"), Tried(*tags, time_path="at")
    assert together.mapping.plans[TOPIC].pick is not None
    singly.mapping.plans[TOPIC].pick = None
    # A tag that was wrong before is right again, or still wrong, in both ways.
    for sent in (content, {"a": "wrong", "b": 1, "c": 2}, content):
        # As texts: an unknown value is not even equal to itself.
        assert str(together.take(sent, retain=True)) == str(singly.take(sent, retain=True))
    assert together.refused == singly.refused


def test_a_bare_value_is_a_message() -> None:
    assert Tried(tag(1, "")).take(b"21.5")[1][0] == 21.5


def test_a_list_of_measurements_with_times_and_qualities_of_their_own() -> None:
    tried = Tried(
        tag(1, "T1"), tag(2, "T2"), layout="list", list_path="values", name_path="id", value_path="v", time_path="at",
        time_format="s", quality_path="q",
    )  # fmt: skip
    now_s = NOW_MS // 1000
    found = tried.take(
        {"at": now_s, "q": "good", "values": [
            {"id": "T1", "v": 1, "at": now_s - 5}, {"id": "T2", "v": 2.5, "q": "broken"}, {"id": "T3", "v": 9}, 7,
        ]}
    )  # fmt: skip
    assert found == {1: (1.0, q.GOOD, (now_s - 5) * 1000), 2: (2.5, q.BAD, now_s * 1000)}


@pytest.mark.parametrize(
    ("form", "written", "expected"),
    [
        ("ms", 1_790_000_000_123, 1_790_000_000_123),
        ("s", 1_790_000_000.5, 1_790_000_000_500),
        ("us", 1_790_000_000_123_456, 1_790_000_000_123),
        ("ns", 1_790_000_000_123_456_789, 1_790_000_000_123),
        ("iso8601", "2026-11-20T10:00:00.250Z", 1_795_168_800_250),
        ("iso8601", "2026-11-20T18:00:00+08:00", 1_795_168_800_000),
        ("iso8601", "2026-11-20T10:00:00", 1_795_168_800_000),
        ("iso8601", "yesterday", None), ("iso8601", 5, None), ("ms", "5", None), ("ms", True, None), ("s", 1e300, None),
        ("ms", 10**40, None),
    ],
)  # fmt: skip
def test_forms_of_time(form: Any, written: Any, expected: int | None) -> None:
    assert moment(written, form) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b'{"v": NaN}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ({"other": 1, "at": NOW_MS}, "none of its values"),
        ({"v": 1, "at": NOW_MS - 3 * 366 * 86_400_000}, "a year old"),
        ({"v": 1, "at": NOW_MS + 2 * 86_400_000}, "a day ahead"),
        ([1, 2], "none of its values"),
    ],
)
def test_messages_that_do_not_fit_are_dropped_and_counted(content: Any, words: str) -> None:
    tried = Tried(tag(1, "v"), time_path="at")
    assert not tried.take(content)
    assert tried.told(words) == 1
    assert tried.take({"v": 2, "at": NOW_MS}) == {1: (2.0, q.GOOD, NOW_MS)}


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (SampleKind.FLOAT, "20", "another type"), (SampleKind.FLOAT, {"a": 1}, "another type"),
        (SampleKind.INTEGER, 1.5, "another type"), (SampleKind.INTEGER, 2**63, "64 bits"),
        (SampleKind.INTEGER, 1e300, "64 bits"), (SampleKind.BOOLEAN, 2, "another type"),
        (SampleKind.ENUMERATION, "run", "another type"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_makes_its_tag_bad_and_no_other(kind: SampleKind, value: Any, words: str) -> None:
    tried = Tried(tag(1, "v", kind), tag(2, "w"))
    found = tried.take({"v": value, "w": 7})
    assert found[1][1] == q.BAD_CONFIGURATION
    assert found[2][:2] == (7.0, q.GOOD)
    assert tried.told(words) == 1
    assert 1 in tried.mapping._faults
    tried.take({"v": 1})
    assert not tried.mapping._faults


def test_null_is_a_value_the_device_does_not_know() -> None:
    assert Tried(tag(1, "v", SampleKind.INTEGER)).take({"v": None})[1][:2] == (0, q.BAD_SENSOR_FAILURE)


def test_an_array_is_kept_as_a_blob() -> None:
    found = Tried(tag(1, "wave", SampleKind.BLOB)).take({"wave": [1, 2, 3]})
    assert found[1][0].startswith("sha256:")
    assert found[1][0].endswith(";application/json;7")


def test_a_retained_message_without_a_time_is_of_unknown_age() -> None:
    assert Tried(tag(1, "v")).take({"v": 1}, retain=True)[1][1] == q.UNCERTAIN_LAST_USABLE
    assert Tried(tag(1, "v"), time_path="at").take({"v": 1, "at": NOW_MS}, retain=True)[1][1] == q.GOOD


calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abv"), inner, max_size=3),
    max_leaves=8,
)


@calm
@given(json_values, st.sampled_from(list(SampleKind)), st.sampled_from(["v", "a.b", "[0].v", ""]), st.booleans())
def test_no_json_breaks_the_mapping(content: Any, kind: SampleKind, path: str, listed: bool) -> None:
    tried = Tried(tag(1, path, kind), layout="list" if listed else "values", time_path="a", quality_path="b")
    tried.take(content)
    Mqtt.try_mapping(MqttConfig(time_path="a"), TOPIC, json.dumps(content).encode())


@calm
@given(st.binary(max_size=60))
def test_no_bytes_break_the_mapping(payload: bytes) -> None:
    Tried(tag(1, "v")).take(payload)
    Mqtt.try_mapping(MqttConfig(layout="list"), TOPIC, payload)


@pytest.mark.parametrize(
    "settings",
    [{"topics": ("a/#/b",)}, {"topics": ()}, {"time_path": "a..b"}, {"time_path": "a["}, {"time_format": "days"}],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MqttConfig(**settings)


@pytest.mark.parametrize(
    "address",
    [{"topic": "a/+"}, {"topic": ""}, {"topic": "a", "command_topic": "b/#"}, {"topic": "a", "command": "{value"},
     {"topic": "a", "command": "3"}],
)  # fmt: skip
def test_wrong_addresses_are_refused(address: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MqttAddress(**address)


def test_what_a_device_kept_while_it_was_away_is_history_and_not_news() -> None:
    driver = Mqtt(MqttConfig(time_path="at"))
    fresh: list[float] = []
    late: list[float] = []
    driver.host.late = lambda batch: late.extend(batch.value.tolist())
    driver._plan([tag(1, "v")])
    driver._deliver = lambda batch: fresh.extend(batch.value.tolist())
    now_ms = time.time_ns() // 1_000_000
    ages_ms = {1.0: 3 * 86_400_000, 2.0: 7_200_000, 3.0: 60_000, 4.0: 0}
    driver._take(
        [
            Message(TOPIC, json.dumps({"v": value, "at": now_ms - age_ms}).encode(), 1, False)
            for value, age_ms in ages_ms.items()
        ]
    )
    assert late == [1.0, 2.0]
    assert fresh == [3.0, 4.0]
