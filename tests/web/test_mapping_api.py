"""The mapping tried on a sample message, as the page does before a connection is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mainspring.records.rights import Role

URL = "/api/v1/connections/try-mapping"


def tried(client: Any, sample: str, driver: str = "mqtt", **settings: Any) -> Any:
    body = {"driver": driver, "settings": settings, "topic": "plant/line-1/press", "sample": sample}
    return client.post(URL, body, content_type="application/json")


def test_values_of_a_message_with_their_addresses(signed_in: Callable[..., Any]) -> None:
    answer = tried(
        signed_in(Role.ENGINEER), '{"at": "2026-11-20T10:00:00Z", "axes": [{"load": 2.5}], "on": true}',
        time_path="at", time_format="iso8601",
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.json() == {
        "values": [
            {"address": {"topic": "plant/line-1/press", "path": path}, "kind": kind, "value": value,
             "time_ms": 1_795_168_800_000}
            for path, kind, value in (("axes[0].load", "float64", "2.5"), ("on", "boolean", "true"))
        ],
        "faults": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sample", "settings", "words"),
    [
        ("{", {}, "not JSON"),
        ('{"v": 1}', {"layout": "list", "list_path": "values"}, "no list"),
        ('{"v": 1}', {"time_path": "at"}, "no time"),
        ('{"v": 1, "at": 5}', {"time_path": "at"}, "a year old"),
        ("[]", {"layout": "list"}, "none of its values"),
    ],
)
def test_what_does_not_fit_is_told(
    signed_in: Callable[..., Any], sample: str, settings: dict[str, Any], words: str
) -> None:
    faults = tried(signed_in(Role.ENGINEER), sample, **settings).json()["faults"]
    assert words in faults[0]["text"]["en"]
    assert faults[0]["text"]["zh"]


def test_wrong_settings_and_drivers_without_mapping_are_named(signed_in: Callable[..., Any]) -> None:
    client = signed_in(Role.ENGINEER)
    wrong = tried(client, "{}", time_path="a..b")
    assert wrong.status_code == 422
    assert list(wrong.json()["fields"]) == ["settings.time_path"]
    none = tried(client, "{}", "modbus-tcp", host="127.0.0.1")
    assert none.status_code == 422
    assert list(none.json()["fields"]) == ["driver"]


def test_only_who_configures_may_try(signed_in: Callable[..., Any]) -> None:
    assert tried(signed_in(Role.VIEWER), "{}").status_code == 403
