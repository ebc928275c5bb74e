"""The whole platform with its history on ClickHouse servers: killed there and here amid a flood, nothing is lost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.platform import Person, eventually, free_ports, running
from tests.faults.numbered import afterwards, configured, prepared
from tests.history import clickhouse_peer
from tests.history.clickhouse_http import PASSWORD
from tests.waiting import PATIENCE_S


def historian(person: Person) -> dict[str, Any]:
    """Return the health of the historian, nothing while it does not run."""
    return next((each for each in person.get("/health")["roles"] if each["role"] == "historian"), {})


def test_servers_and_the_historian_are_killed_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_HISTORY_PASSWORD", PASSWORD)
    folder = tmp_path / "server"
    folder.mkdir()
    port = free_ports(1)
    with ExitStack() as made:
        server = ExitStack()
        peer = server.enter_context(clickhouse_peer.running(folder, port))
        platform, mqtt_port = configured(tmp_path, f'[history]\nurl = "{peer.lasting("one")}"\n')
        # The platform is asked to stop before the server.
        made.callback(server.close)
        made.enter_context(running(platform))
        plant = prepared(platform, mqtt_port, devices=2, tags=50)
        source, person = plant.source, plant.person

        def flows(readings: int) -> None:
            before = source.acknowledged_total
            eventually(lambda: source.acknowledged_total > before + readings, PATIENCE_S, "readings flow")

        def stores() -> None:
            eventually(lambda: historian(person).get("state") == "running", PATIENCE_S, "the historian is at work")

        with source.publishing():
            flows(3000)
            server.close()
            told = eventually(lambda: historian(person).get("text"), PATIENCE_S, "health tells of it")
            assert "look at the ClickHouse server" in told["en"] and "ClickHouse" in told["zh"]
            flows(3000)
            server.enter_context(clickhouse_peer.running(folder, port))
            stores()
            platform.restarted("historian", platform.kill("historian"), 60)
            stores()
            # Both at once; the historian comes back first, finds no server, and is started until there is one.
            server.close()
            platform.kill("historian")
            flows(3000)
            server.enter_context(clickhouse_peer.running(folder, port))
            stores()
            flows(2000)
        counted = afterwards(platform, source)
        print(counted)
        assert counted.acknowledged > 10_000
        assert counted.right, counted
