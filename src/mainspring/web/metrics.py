"""Metrics for Prometheus: what the roles and the connections of one tenant say of themselves, as text at scrape time.

Nothing is counted here: names are made from the reports' own figures, with base units as Prometheus wants them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from mainspring.core.health import ConnectionHealth, Health
from mainspring.web.runtime import REPORT_AGE_MAX_MS, runtime

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
CONNECTIONS_MAX: Final = 20_000
_NAME: Final = re.compile(r"[^a-z0-9_]")
_STATES: Final = ("connected", "connecting", "lost", "rejected", "disabled")
_CONNECTION: Final = {
    "tags": "tags of the connection",
    "tags_bad": "tags without a usable value",
    "samples_per_s": "samples that come in each second",
    "requests_per_s": "requests sent each second",
    "errors_per_min": "errors in the last minute",
    "round_trip_ms": "how long the device takes to answer",
}


class _Reports:
    """A collector over the reports that the web role holds."""

    def __init__(self, tenant: str, names: dict[str, str]) -> None:
        self._tenant = tenant
        self._names = names

    def collect(self) -> Iterator[Metric]:
        now_ms = time.time_ns() // 1_000_000
        reports = runtime.reports(self._tenant)
        yield from _roles([report for report in reports if now_ms - report.time_ms < REPORT_AGE_MAX_MS])
        yield from self._connections(now_ms)

    def _connections(self, now_ms: int) -> Iterator[Metric]:
        found: list[tuple[str, ConnectionHealth]] = [
            (gateway, connection)
            for (tenant, gateway), report in runtime.gateways.items()
            if tenant == self._tenant and now_ms - report.time_ms < REPORT_AGE_MAX_MS
            for connection in report.connections
        ][:CONNECTIONS_MAX]
        labels = ["gateway", "connection", "name"]

        def place(gateway: str, connection: ConnectionHealth) -> list[str]:
            identity = str(connection.connection)
            return [gateway, identity, self._names.get(identity, "")]

        state = GaugeMetricFamily("mainspring_connection_state", "1 for the state it is in", labels=[*labels, "state"])
        for gateway, connection in found:
            for each in _STATES:
                state.add_metric([*place(gateway, connection), each], float(connection.state == each))
        yield state
        for figure, words in _CONNECTION.items():
            name, factor = _base_unit(f"mainspring_connection_{figure}")
            family = GaugeMetricFamily(name, words, labels=labels)
            for gateway, connection in found:
                family.add_metric(place(gateway, connection), float(getattr(connection, figure)) * factor)
            yield family
        refused = GaugeMetricFamily(
            "mainspring_connection_refused", "what was not taken, by reason", labels=[*labels, "reason"]
        )
        for gateway, connection in found:
            for refusal in connection.refused:
                refused.add_metric([*place(gateway, connection), refusal.text["en"]], refusal.count)
        yield refused


def exposition(tenant: str, names: dict[str, str]) -> bytes:
    """Return all metrics of a tenant as text; `names` has the connections' names by id."""
    return generate_latest(_Reports(tenant, names))


def _roles(reports: Iterable[Health]) -> Iterator[Metric]:
    labels = ["role", "instance"]
    up = GaugeMetricFamily("mainspring_role_up", "1 while it runs well, 0 while degraded", labels=labels)
    memory = GaugeMetricFamily("mainspring_role_memory_bytes", "resident memory", labels=labels)
    started = GaugeMetricFamily("mainspring_role_started_seconds", "start, seconds since 1970 UTC", labels=labels)
    figures: dict[str, GaugeMetricFamily] = {}
    for report in reports:
        place = [report.role, report.instance]
        up.add_metric(place, float(report.state == "running"))
        memory.add_metric(place, report.memory_bytes)
        started.add_metric(place, report.started_ms / 1000)
        for figure, value in report.figures.items():
            name, factor = _base_unit("mainspring_" + _NAME.sub("_", figure.lower()))
            family = figures.get(name)
            if family is None:
                family = figures[name] = GaugeMetricFamily(name, f"figure {figure} of a role", labels=labels)
            family.add_metric(place, value * factor)
    yield from (up, memory, started, *figures.values())


def _base_unit(name: str) -> tuple[str, float]:
    """Return a name in seconds instead of milliseconds, and the factor to it."""
    if name.endswith("_ms"):
        return name.removesuffix("_ms") + "_seconds", 0.001
    for ending, spelled in (("_per_s", "_per_second"), ("_per_min", "_per_minute")):
        if name.endswith(ending):
            return name.removesuffix(ending) + spelled, 1.0
    return name, 1.0
