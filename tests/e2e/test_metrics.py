"""What Prometheus scrapes from the demo plant."""

from __future__ import annotations

import http.client

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def person(demo: Platform) -> Person:
    return demo.administrator()


def scraped(demo: Platform, token: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=PATIENCE_S)
    connection.request("GET", "/api/v1/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_roles_and_connections_are_scraped_with_a_token(demo: Platform, person: Person) -> None:
    token = person.post("/tokens", {"name": "prometheus", "role": "viewer"})["token"]

    def complete() -> dict[str, list[dict[str, str]]] | None:
        status, body = scraped(demo, token)
        assert status == 200
        found = {
            family.name: [dict(sample.labels) | {"value": str(sample.value)} for sample in family.samples]
            for family in text_string_to_metric_families(body)
        }
        roles = {labels["role"] for labels in found["mainspring_role_up"]}
        flowing = [each for each in found["mainspring_connection_samples_per_second"] if float(each["value"]) > 0]
        return found if {"historian", "engine", "gateway"} <= roles and len(flowing) >= 2 else None

    found = eventually(complete, PATIENCE_S, "all roles and both sources in the metrics")
    connected = [each for each in found["mainspring_connection_state"] if each["state"] == "connected"]
    assert {each["name"] for each in connected} == {each["name"] for each in person.get("/connections")["items"]}
    assert "mainspring_lag_seconds" in found
    assert all(float(each["value"]) > 1e6 for each in found["mainspring_role_memory_bytes"] if each["role"] == "engine")


def test_nobody_scrapes_without_a_token(demo: Platform) -> None:
    assert scraped(demo, "")[0] == 401
