"""Documents of events that others wrote, valid and invalid, and what makes two of them say the same."""

from __future__ import annotations

import json
import re
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

ARCHIVE = Path(__file__).with_name("epcis_documents.tar.gz")


@cache
def files() -> dict[str, bytes]:
    """Return every JSON and XML document by its path in the archive."""
    with tarfile.open(ARCHIVE) as archive:
        members = [member for member in archive if member.isfile() and member.name.endswith((".json", ".xml"))]
        return {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def valid() -> list[str]:
    return [name for name in files() if "Invalid" not in Path(name).parts]


def invalid() -> list[str]:
    return [name for name in files() if "Invalid" in Path(name).parts]


def prefixes(*contexts: Any) -> dict[str, str]:
    parts = [part for context in contexts for part in (context if isinstance(context, list) else [context])]
    return {prefix: uri for part in parts if isinstance(part, dict) for prefix, uri in part.items()}


def plain(event: dict[str, Any], shared: Any = None) -> Any:
    """Return an event with names of extensions in full, without what a repository adds."""
    known = prefixes(shared, event.get("@context"))
    left_out = {"@context"} | ({"eventID"} if str(event.get("eventID", "")).startswith("urn:uuid:0") else set())
    return _expanded({name: value for name, value in event.items() if name not in left_out}, known)


def _expanded(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_name(name, known): _expanded(inner, known) for name, inner in value.items()}
    return [_expanded(inner, known) for inner in value] if isinstance(value, list) else value


def _name(name: str, known: dict[str, str]) -> str:
    prefix, colon, rest = name.partition(":")
    return f"{known[prefix]}{rest}" if colon and prefix in known else name


def loose(value: Any) -> Any:
    """Return what two notations of one document share: times in UTC, numbers as floats, sets in order."""
    if isinstance(value, dict):
        return {name: loose(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted((loose(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        from mainspring.records.events.forms import milliseconds

        return milliseconds(value)
    return value
