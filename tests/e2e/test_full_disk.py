"""A disk that fills: the free-space marks stand in for it, so that the machine of the tests stays whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.e2e.device import COUNTER, Counter, Device, Wired
from tests.e2e.platform import Person, Platform, eventually, free_ports, running
from tests.waiting import PATIENCE_S

SCAN_MS = 200
SAID_S = PATIENCE_S
OWN_PASSWORD = "a longer one of my own"


def settings(folder: Path, web: int, more: str) -> None:
    (folder / "mainspring.toml").write_text(f"[web]\nport = {web}\n[bus]\nport = {web + 1}\n{more}")


def degraded(person: Person, role: str) -> Any:
    return next((each for each in person.get("/health")["roles"] if each["role"] == role and each["text"]), None)


def test_nothing_is_lost_while_the_disk_is_full(tmp_path: Path) -> None:
    """First the historian, then the gateway finds too little space; with space again every reading is there."""
    web = free_ports(2)
    too_much = shutil.disk_usage(tmp_path).free * 2
    settings(tmp_path, web, f"[history]\ndisk_free_min_bytes = {too_much}\n")
    with Device() as device:
        platform = Platform(tmp_path, ["up"], web)
        with running(platform):
            person = platform.administrator()
            person.post("/session/password", {"old": platform.password, "new": OWN_PASSWORD})
            tag = Wired(person, device, "counter").add("N-1", COUNTER, "uint32", scan_ms=SCAN_MS)["tag"]
            counter = Counter(person, tag)
            said = eventually(lambda: degraded(person, "historian"), SAID_S, "the historian says it")
            assert "Nothing is stored until there is space" in said["text"]["en"] and said["text"]["zh"]
            assert "Free some space" in said["text"]["en"]
            eventually(lambda: counter.live() >= 20, SAID_S, "values stay live")
            assert counter.kept() == [], "nothing is written below the mark"

        settings(tmp_path, web, f"[gateways.main]\ndisk_free_min_bytes = {too_much}\n")
        with running(platform):
            person.sign_in("admin", OWN_PASSWORD)
            said = eventually(lambda: degraded(person, "gateway"), SAID_S, "the gateway says it")
            assert "disk" in said["text"]["en"].lower() and said["text"]["zh"]
            eventually(lambda: len(counter.kept()) >= 20, SAID_S, "what waited is stored")
            assert counter.kept()[0] <= 2, "from the first reading on"
            assert counter.missing() == []
            # There is space again: the mark stands in for it, and a role reads its settings when it starts.
            settings(tmp_path, web, "")
            platform.restarted("gateway", platform.kill("gateway"))
            counter.flows_on()
