"""Every role is killed in turn: it comes back, it is said in words, and no reading that was answered is missing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.e2e.device import COUNTER, Counter, wired
from tests.e2e.platform import BUS, Person, Platform, eventually
from tests.waiting import PATIENCE_S

SCAN_MS = 200
BACK_S = PATIENCE_S
LOST_AT_KILL_MAX = 2
"""Answers a killed gateway had read but not yet written to its log: one cycle, or two on a slow disk."""


@pytest.fixture(scope="module")
def counter(demo: Platform) -> Iterator[Counter]:
    person = demo.administrator()
    with wired(person, "counter") as made:
        tag = made.add("N-1", COUNTER, "uint32", scan_ms=SCAN_MS, silence_max_ms=1000)
        counter = Counter(person, tag["tag"])
        counter.flows_on()
        yield counter


@pytest.mark.parametrize("role", ["historian", "engine", "gateway", "web", BUS])
def test_a_killed_role_comes_back_and_nothing_is_lost(demo: Platform, counter: Counter, role: str) -> None:
    before = counter.flows_on()
    lost_before = len(counter.missing())
    killed = demo.kill(role)
    began = time.monotonic()
    if role not in ("web", BUS):
        said = eventually(lambda: _trouble(counter.person, role), PATIENCE_S, f"health tells of {role}")
        assert role in said["text"]["en"].lower() and said["text"]["zh"], said
        assert "started again" in said["text"]["en"]
    demo.restarted(role, killed)
    if role != BUS:
        eventually(
            lambda: any(f"{role} ended unexpectedly (SIGKILL)" in line for line in demo.said), PATIENCE_S, "said aloud"
        )
    eventually(lambda: _answers(counter), BACK_S, "pages answer")
    after = counter.flows_on()
    print(f"{role}: flowing and kept again {time.monotonic() - began:.1f} s after the kill")
    assert after > before
    lost = len(counter.missing()) - lost_before
    assert lost <= (LOST_AT_KILL_MAX if role == "gateway" else 0), f"{lost} answers are missing"


def test_a_restart_reaches_an_open_page_in_words(demo: Platform, counter: Counter) -> None:
    """The roles event of the live feed is what the banner shows."""
    stream = counter.person.post("/live", {"tags": [counter.tag]})["id"]
    events = _Listening(counter.person, f"/live/{stream}/stream")
    eventually(lambda: "roles" in events.kinds(), PATIENCE_S, "the first roles event")
    killed = demo.kill("engine")
    eventually(
        lambda: events.find("roles", lambda told: _names(told, "engine")), 60, "the roles event names the engine"
    )
    demo.restarted("engine", killed)
    eventually(lambda: not _names(events.last("roles"), "engine"), PATIENCE_S, "the roles event takes it back")
    counter.flows_on()
    events.close()


def _trouble(person: Person, role: str) -> Any:
    """Return what is said of a role; a gateway is named."""
    return next((each for each in person.get("/health")["degraded"] if each["role"].partition("-")[0] == role), None)


def _names(told: Any, role: str) -> bool:
    return role in [each["role"] for each in told["degraded"]]


def _answers(counter: Counter) -> bool:
    try:
        return counter.person.ask("GET", "/site").status == 200
    except OSError:
        return False


class _Listening:
    """Reads server-sent events in a thread."""

    def __init__(self, person: Person, path: str) -> None:
        import http.client

        self._events: list[tuple[str, Any]] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", person.port, timeout=PATIENCE_S)
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        self._connection.request("GET", f"/api/v1{path}", headers={"Cookie": cookies})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        kind = ""
        while not self._ended:
            line = self._answer.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self._events.append((kind, json.loads(line.removeprefix("data: "))))
            elif not line and self._answer.isclosed():
                return

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self._events}

    def last(self, kind: str) -> Any:
        return [told for name, told in self._events if name == kind][-1]

    def find(self, kind: str, holds: Callable[[Any], bool]) -> Any:
        return next((told for name, told in list(self._events) if name == kind and holds(told)), None)

    def close(self) -> None:
        self._ended = True
        self._thread.join(5)
        self._answer.close()
        self._connection.close()
