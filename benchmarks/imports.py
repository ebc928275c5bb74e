"""Imports on a running platform, as the page does them: a file is sent, checked by the columns guessed, and loaded."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any, Final

from benchmarks.platform_under_test import Platform

POLL_S: Final = 0.1
LIMIT_S: Final = 180


def sent(running: Platform, path: str, content: bytes | None = None) -> bytes:
    """Ask with a file, or for one."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.web_port}/api/v1{path}", content, method="GET" if content is None else "POST"
    )
    request.add_header("Authorization", f"Bearer {running.token}")
    request.add_header("Content-Type", "application/octet-stream")
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        body: bytes = answer.read()
    return body


def begun(running: Platform, query: str, content: bytes) -> dict[str, Any]:
    """Upload a file; returns the import's state."""
    found: dict[str, Any] = json.loads(sent(running, f"/imports?{query}", content))
    return found


def checked(running: Platform, state: dict[str, Any]) -> dict[str, Any]:
    """Check the rows by the columns that were guessed."""
    mapping = {str(place): column["field"] for place, column in enumerate(state["columns"])}
    return _done(running, state, "check", {"mapping": mapping})


def loaded(running: Platform, state: dict[str, Any]) -> dict[str, Any]:
    """Store the rows that are right."""
    return _done(running, state, "load", {})


def undone(running: Platform, state: dict[str, Any]) -> dict[str, Any]:
    """Take the rows back."""
    return _done(running, state, "undo", {})


def _done(running: Platform, state: dict[str, Any], verb: str, body: dict[str, Any]) -> dict[str, Any]:
    """Begin a step and wait until it is no longer worked on."""
    running.ask(f"/imports/{state['id']}/{verb}", body)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        now: dict[str, Any] = running.ask(f"/imports/{state['id']}")
        if now["stage"] not in {"checking", "loading", "undoing"}:
            return now
        time.sleep(POLL_S)
    sys.exit("the import did not end")
