"""What a Sparkplug host makes of births, values, deaths and of everything that goes wrong between them."""

from __future__ import annotations

import math
import time

import pytest
from tests.drivers.sparkplug_edge import Plant, metric, payload

from mainspring.core import quality as q
from mainspring.core.kinds import SampleKind
from mainspring.drivers import mqtt_sparkplug_host
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_sparkplug_nodes import Rows
from mainspring.drivers.mqtt_sparkplug_payload import DataType

GOOD = q.GOOD


@pytest.fixture
def plant() -> Plant:
    made = Plant()
    made.bind(made.tag(1, "T"), made.tag(2, "P", "Press"))
    made.asked()
    return made


def temperature(value: float = 20.0, **more: object) -> dict[str, object]:
    return metric("T", DataType.DOUBLE, alias=7, double_value=value, **more)


def pressure(value: float = 3.0, **more: object) -> dict[str, object]:
    return metric("P", DataType.FLOAT, alias=8, float_value=value, **more)


def alive(plant: Plant) -> None:
    assert plant.born(temperature()) == [(1, 20.0, GOOD, 1000)]
    assert plant.send("DBIRTH", pressure(), device="Press") == [(2, 3.0, GOOD, 1000)]


def test_values_come_by_alias_with_their_own_time(plant: Plant) -> None:
    alive(plant)
    assert plant.send("NDATA", metric(alias=7, double_value=21.5, timestamp=1234)) == [(1, 21.5, GOOD, 1234)]
    assert plant.send("DDATA", metric("P", float_value=4.0), device="Press") == [(2, 4.0, GOOD, 1000)]
    assert not plant.refused
    assert not plant.faults


def test_the_sequence_wraps_and_a_gap_asks_for_a_rebirth(plant: Plant) -> None:
    plant.born(temperature())
    for number in range(600):
        plant.send("NDATA", metric(alias=7, double_value=float(number)))
    assert not plant.refused
    plant.sequence += 1
    assert plant.send("NDATA", metric(alias=7, double_value=9.5)) == [(1, 9.5, GOOD, 1000)], "aliases still hold"
    assert plant.count("missing in the sequence") == 1
    assert plant.asked() == [("G", "E")]


def test_requests_for_rebirth_are_rare(plant: Plant) -> None:
    now_s = time.monotonic()
    for _ in range(100):
        plant.take("NDATA", payload(metric(alias=7, double_value=1.0), seq=3))
    assert plant.count("without a birth") == 100
    assert plant.application.due(now_s + 10)[0] == [("G", "E")]
    plant.take("NDATA", payload(metric(alias=7, double_value=1.0), seq=3))
    keys, following = plant.application.due(now_s + 11)
    assert keys == []
    assert following == pytest.approx(now_s + 15, abs=1)
    alive(plant)
    assert plant.asked() == [], "the birth has come"


def test_a_late_host_asks_the_nodes_of_its_tags() -> None:
    plant = Plant()
    assert plant.bind(plant.tag(1, "T")) == []
    assert "No birth of G/E" in plant.faults[1].en
    assert plant.asked() == [("G", "E")]


def test_a_death_is_bad_at_once_for_node_and_devices(plant: Plant) -> None:
    alive(plant)
    assert sorted(plant.die()) == [
        (1, 20.0, q.BAD_NOT_CONNECTED, plant.now_ms), (2, 3.0, q.BAD_NOT_CONNECTED, plant.now_ms)
    ]  # fmt: skip
    assert plant.die() == []
    assert plant.send("NDATA", metric(alias=7, double_value=1.0)) == []
    assert plant.count("without a birth") == 1


def test_a_death_of_a_former_session_is_passed_over(plant: Plant) -> None:
    plant.born(temperature(), session=4)
    assert plant.die(session=3) == []
    assert plant.count("former session") == 1
    assert len(plant.die(session=4)) == 1


def test_a_birth_without_a_death_buries_the_devices_of_the_session_before(plant: Plant) -> None:
    alive(plant)
    rows = plant.born(temperature(30.0), session=1)
    assert (2, 3.0, q.BAD_NOT_CONNECTED, plant.now_ms) in rows
    assert (1, 30.0, GOOD, 1000) in rows
    assert plant.count("without the death") == 1


def test_a_rebirth_does_not_flicker_and_buries_who_is_not_born_again(plant: Plant) -> None:
    alive(plant)
    assert plant.born(temperature()) == [(1, 20.0, GOOD, 1000)]
    assert not plant.refused
    rows = Rows(lambda _content, _kind: "", {})
    plant.application.bury(time.monotonic() + 1, plant.now_ms, rows)
    assert rows.batches() == []
    assert plant.application.due(time.monotonic())[1] is not None
    plant.application.bury(time.monotonic() + 60, plant.now_ms, rows)
    (buried,) = rows.batches()
    assert (buried.tag.tolist(), buried.quality.tolist()) == ([2], [q.BAD_NOT_CONNECTED])
    assert plant.application.due(time.monotonic())[1] is None


def test_a_device_dies_alone_and_comes_back(plant: Plant) -> None:
    alive(plant)
    assert plant.send("DDEATH", device="Press") == [(2, 3.0, q.BAD_NOT_CONNECTED, plant.now_ms)]
    assert plant.send("DDATA", metric(alias=8, float_value=1.0), device="Press") == []
    assert plant.count("without a birth") == 1
    assert plant.send("DBIRTH", pressure(5.0), device="Press") == [(2, 5.0, GOOD, 1000)]
    assert plant.send("NDATA", metric(alias=7, double_value=1.0)) == [(1, 1.0, GOOD, 1000)]


def test_an_unknown_alias_is_dropped_alone(plant: Plant) -> None:
    alive(plant)
    found = plant.send("NDATA", metric(alias=99, double_value=5.0), metric(alias=7, double_value=6.0))
    assert found == [(1, 6.0, GOOD, 1000)]
    assert plant.send("NDATA", metric(double_value=5.0)) == [], "neither name nor alias"
    assert plant.count("does not declare") == 2
    assert plant.asked() == [("G", "E")]


def test_a_metric_the_birth_does_not_have_is_bad_with_a_reason(plant: Plant) -> None:
    (row,) = plant.born(metric("Other", DataType.DOUBLE, double_value=1.0))
    assert row[0] == 1
    assert math.isnan(row[1])
    assert row[2] == q.BAD_CONFIGURATION
    assert "does not declare the metric T" in plant.faults[1].en
    assert plant.born(temperature()) == [(1, 20.0, GOOD, 1000)]
    assert 1 not in plant.faults


def test_a_metric_that_a_rebirth_leaves_out_does_not_stay_good(plant: Plant) -> None:
    alive(plant)
    rows = plant.born(metric("Other", DataType.DOUBLE, double_value=1.0))
    assert rows[-1][2] == q.BAD_CONFIGURATION


def test_historical_values_come_late_and_never_become_current(plant: Plant) -> None:
    alive(plant)
    assert plant.send("NDATA", metric(alias=7, double_value=9.0, timestamp=77, is_historical=True)) == []
    assert plant.late == [(1, 9.0, GOOD, 77)]
    scope = plant.application.find(("G", "E", ""))
    assert scope is not None
    assert scope.metrics["T"].value == 20.0


def test_null_and_quality_are_told(plant: Plant) -> None:
    alive(plant)
    (row,) = plant.send("NDATA", metric(alias=7, is_null=True))
    assert row[2] == q.BAD_WAITING
    for told, quality in ((192, q.GOOD), (0, q.BAD), (500, q.UNCERTAIN_LAST_USABLE), (777, q.BAD), (80, 80)):
        assert plant.send("NDATA", metric(alias=7, double_value=1.0, properties={"Quality": told})) == [
            (1, 1.0, quality, 1000)
        ]


def test_new_tags_show_what_is_known(plant: Plant) -> None:
    alive(plant)
    assert plant.bind(plant.tag(5, "T"), plant.tag(6, "T", kind=SampleKind.TEXT)) == [
        (5, 20.0, GOOD, 1000), (6, "20.0", GOOD, 1000)
    ]  # fmt: skip
    found = plant.send("NDATA", metric(alias=7, double_value=1.5))
    assert found == [(5, 1.5, GOOD, 1000), (6, "1.5", GOOD, 1000)]


def test_a_second_connection_learns_from_the_first(plant: Plant) -> None:
    alive(plant)
    other = Plant((plant.application,))
    assert other.bind(other.tag(9, "P", "Press")) == [(9, 3.0, GOOD, 1000)]
    assert other.asked() == []
    found = other.take("DDATA", payload(metric(alias=8, float_value=2.5), seq=2), "Press")
    assert found == [(9, 2.5, GOOD, 1000)]
    assert not other.refused


def test_too_many_metrics_are_refused(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_sparkplug_host, "METRICS_MAX", 3)
    alive(plant)
    many = [metric(f"M{number}", DataType.DOUBLE, double_value=1.0) for number in range(3)]
    plant.send("DBIRTH", *many, device="Other")
    assert plant.count("too many") == 1
    alive(plant)


def test_too_many_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_sparkplug_host, "NODES_MAX", 2)
    plant = Plant()
    for node in ("a", "b", "c"):
        plant.take("NBIRTH", payload(temperature(), seq=0), node=node)
    assert plant.count("too many") == 1
    assert len(plant.application.nodes) == 2


def test_what_is_not_sparkplug_is_counted(plant: Plant) -> None:
    for topic in (
        "spBv1.0/G/NDATA",
        "spAv1.0/G/NDATA/E",
        "spBv1.0/G/XDATA/E",
        "spBv1.0/G/NDATA/E/D",
        "a",
        "a/b/c/d/e/f",
    ):
        rows, late = Rows(lambda _c, _k: "", {}), Rows(lambda _c, _k: "", {})
        plant.application.take([Message(topic, b"")], 1, rows, late)
    assert plant.count("not one of Sparkplug B") == 6
    plant.take("NDATA", b"\xff\xff\xff")
    assert plant.count("is not Sparkplug B (wrong bytes)") == 1


@pytest.mark.parametrize("state", [b"", b"ONLINE", b"[]", b"{}", b"\xff", b"1"])
def test_a_wrong_state_is_counted(plant: Plant, state: bytes) -> None:
    rows, late = Rows(lambda _c, _k: "", {}), Rows(lambda _c, _k: "", {})
    plant.application.take([Message("spBv1.0/STATE/host", state)], 1, rows, late)
    assert plant.count("host state") == 1
    assert not plant.application.said_offline


def test_a_false_word_about_our_state_is_noticed(plant: Plant) -> None:
    rows, late = Rows(lambda _c, _k: "", {}), Rows(lambda _c, _k: "", {})
    for topic, offline in (("spBv1.0/STATE/other", False), ("spBv1.0/STATE/host", True)):
        plant.application.take([Message(topic, b'{"online": false, "timestamp": 1}')], 1, rows, late)
        assert plant.application.said_offline is offline
