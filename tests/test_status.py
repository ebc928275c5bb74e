"""What `mainspring status` tells: what runs, where, since when, what is wrong and what to do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.ports import free_port

from mainspring.configuration import BusSection, Configuration
from mainspring.core import subjects
from mainspring.core.errors import NotConnected
from mainspring.core.health import ConnectionHealth, Foreign, GatewayConnections, Health
from mainspring.status import EXPECTED, Heard, holder_of, language_of, status, told
from mainspring.supervisor import hold_folder

NOW_MS = time.time_ns() // 1_000_000
LOST = {"en": "The device does not answer. Check its address.", "zh": "设备无应答，请检查地址。"}


def health(role: str, **more: Any) -> Health:
    # Of now, not of when this file was read: the whole suite takes many minutes.
    now_ms = time.time_ns() // 1_000_000
    fields = {"instance": "main", "pid": 7, "time_ms": now_ms, "started_ms": now_ms - 7_530_000, "memory_bytes": 2**26}
    return Health.model_validate({"role": role} | fields | more)


def reports(*without: str, **more: Any) -> Heard:
    heard = Heard({role: health(role, **more.get(role, {})) for role in EXPECTED if role not in without})
    connection = ConnectionHealth(connection=UUID(int=1), state="connected", since_ms=NOW_MS)
    subject = subjects.connections("plant", "main")
    heard.gateways[subject] = GatewayConnections(gateway="main", time_ms=NOW_MS, connections=(connection,))
    return heard


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(data_folder=tmp_path / "data", bus=BusSection(port=free_port()))


async def test_where_nothing_runs_the_next_step_is_told(configuration: Configuration) -> None:
    with pytest.raises(NotConnected, match="`mainspring up`") as nothing:
        await status(configuration, as_json=False)
    assert str(configuration.data_folder) in nothing.value.text.zh
    with hold_folder(configuration.data_folder):
        assert holder_of(configuration.data_folder) == str(os.getpid())
        with pytest.raises(NotConnected, match=rf"process {os.getpid()}.*may be starting"):
            await status(configuration, as_json=False)
    assert holder_of(configuration.data_folder) is None


@pytest.mark.parametrize(
    ("language", "words"), [("en", ("since", "2 h 05 m", "Everything is well")), ("zh", ("2 h 05 m", "一切正常"))]
)
def test_a_platform_that_is_well(configuration: Configuration, language: str, words: tuple[str, ...]) -> None:
    figures = {"disk_free_bytes": 5 * 2**30}
    with hold_folder(configuration.data_folder):
        text = told(configuration, reports(supervisor={"figures": figures}), language)
    shown = (*words, str(configuration.data_folder), "http://127.0.0.1:8460/", "5.0 GB", "plant/main", *EXPECTED)
    assert [word for word in shown if word not in text] == []


def test_what_is_wrong_is_told_first_with_its_next_step(configuration: Configuration) -> None:
    foreign = Foreign(tenant="acme", gateway="g1", samples=3)
    heard = reports("historian", web={"state": "degraded", "text": LOST}, engine={"foreign": (foreign,)})
    (subject,) = heard.gateways
    lost = ConnectionHealth(connection=UUID(int=2), name="PLC 2", state="lost", since_ms=NOW_MS, text=LOST)
    heard.gateways[subject] = heard.gateways[subject].model_copy(update={"connections": (lost,)})
    with hold_folder(configuration.data_folder):
        text = told(configuration, heard, "en")
    wrong = text.split("\n\n")[1].splitlines()
    assert wrong[0] == "4 to look at:"
    assert "historian-main.log" in wrong[1]
    assert "3 readings of foreign tags" in wrong[2]
    assert wrong[3] == f"  - web main: {LOST['en']}"
    assert wrong[4] == f"  - plant/main PLC 2: {LOST['en']}"
    assert "Everything is well" not in text


@pytest.mark.parametrize(
    ("environment", "language"),
    [({"LANG": "zh_CN.UTF-8"}, "zh"), ({"LC_ALL": "en_US", "LANG": "zh_CN"}, "en"), ({"LANG": "C"}, "en"), ({}, "en")],
)
def test_the_language_is_the_reader_s(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language
