"""The tags that names in a file of history stand for, looked up once for each name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.history.importing.rows import BOOLEAN_WORDS, NOBODY, TAKEN_AS, Target
from mainspring.records.audit import Author
from mainspring.records.importing.tag_import import Importer
from mainspring.records.plant.asset import slug_of
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant

AT_ONCE: Final = 500
CREATED_MAX: Final = 10_000
NOT_CREATED: Final = Text(
    "{count} tags could not be made; the first is {name} ({reason}).",
    "{count} 个测点无法创建，第一个是 {name}（{reason}）。",
)
_COLUMNS: Final = ("path", "name", "ordinal", "sample_kind", "words", "connection_id")


class Tags:
    """A tenant's tags by path - assets by their short or full names - and by name where only one has it.

    What was made below an asset is found without that asset's path, too.
    """

    def __init__(self, tenant: Tenant, below: str | None = None) -> None:
        self._tenant = tenant
        self._below = below
        self._known: dict[str, Target] = {}

    def __call__(self, name: str) -> Target:
        """Return the tag of a name that was looked for."""
        return self._known.get(name, NOBODY)

    @property
    def count(self) -> int:
        """How many names are known."""
        return len(self._known)

    def look_for(self, names: Iterable[str]) -> None:
        """Read those of some names that are not known yet."""
        # PostgreSQL takes no NUL in a question, and no tag has one.
        fresh = sorted(name for name in set(names) - self._known.keys() if "\0" not in name)
        for start in range(0, len(fresh), AT_ONCE):
            part = fresh[start : start + AT_ONCE]
            found = {row["path"]: _target(row) for row in self._rows(path__in=part)}
            for other in (_in_short, self._below_asset):
                paths = {name: other(name) for name in part if name not in found}
                there = {row["path"]: _target(row) for row in self._rows(path__in=set(paths.values()))}
                found |= {name: there[path] for name, path in paths.items() if path in there}
            named = [name for name in part if name not in found and "/" not in name]
            by_name: dict[str, list[Target]] = {}
            for row in self._rows(name__in=named) if named else ():
                by_name.setdefault(row["name"], []).append(_target(row))
            found |= {name: targets[0] for name, targets in by_name.items() if len(targets) == 1}
            self._known |= {name: found.get(name, NOBODY) for name in part}

    def _below_asset(self, name: str) -> str:
        return _in_short(path_below(self._below, name)) if self._below else name

    def _rows(self, **condition: Any) -> Any:
        return Tag.objects.of(self._tenant).filter(**condition).values(*_COLUMNS)


def _in_short(name: str) -> str:
    """Return a path with the short names of its assets."""
    *assets, own = name.split("/")
    return "/".join([*(slug_of({"en": part.strip(), "zh": part.strip()}) for part in assets), own])


def path_below(below: str, name: str) -> str:
    """Return the path of a name below an asset, unless it says so itself."""
    return f"{below}/{name}" if below and not name.startswith(f"{below}/") else name


def _target(row: dict[str, Any]) -> Target:
    kind = SampleKind(row["sample_kind"])
    words = dict(BOOLEAN_WORDS) if kind is SampleKind.BOOLEAN else {}
    for number, word in (row["words"] or {}).items():
        words |= {str(said).strip().lower(): int(number) for said in word.values() if said}
    return Target(row["ordinal"], TAKEN_AS[kind], words, row["connection_id"] is not None)


def create(author: Author, names: Iterable[str], below: str) -> tuple[int, Text | None]:
    """Make tags for names, of numbers, with assets of their paths; returns how many, and what went wrong first."""
    rows = []
    for name in names:
        asset, _, own = path_below(below, name).rpartition("/")
        rows.append({"asset": asset, "name": own, "kind": str(SampleKind.FLOAT), "create_assets": True})
    importer = Importer(author)
    made = 0
    wrong: list[tuple[str, Text]] = []
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        outcome = importer.take(part, range(start, start + len(part)))
        made += outcome.created
        wrong += [(str(part[fault.row]["name"]), fault.text) for fault in outcome.refused]
    if not wrong:
        return made, None
    name, reason = wrong[0]
    return made, NOT_CREATED.format(count=len(wrong), name=name, reason=reason.en)
