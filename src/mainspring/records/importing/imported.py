"""What a sheet can fill - tags, or records of any kind - and what an import must know of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from mainspring.core.text import Text
from mainspring.records.defined.access import Access


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a column can fill."""

    key: str
    title: Text
    also: tuple[str, ...] = ()
    required: bool = False
    choices: tuple[str, ...] = ()
    """The only words it takes, if they are few."""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of one row, counted from 0; `cause` is what like faults have in common."""

    row: int
    field: str
    text: Text
    cause: Text
    suggestion: str = ""


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do; `made` and `before` are what it takes to undo it."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Fault] = field(default_factory=list)
    made: list[UUID] = field(default_factory=list)
    before: list[tuple[dict[str, Any], int]] = field(default_factory=list)


Planned = Callable[[Outcome], None]
"""Told what was made and changed, before it is stored for good."""


class Layout(Protocol):
    """How rows of cells become rows of an import."""

    @property
    def columns(self) -> Mapping[str, int]:
        """Field -> column."""

    def row(self, cells: list[str]) -> dict[str, Any]:
        """Return a row as an import takes it; raises Invalid for a cell that cannot be read."""


class Taker(Protocol):
    """Takes rows in pieces, each stored by itself."""

    @property
    def writes(self) -> bool:
        """Whether it writes, if only to take that back: others wait meanwhile."""

    def take(self, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> Outcome:
        """Check rows and, unless this is a dry run, store the right ones in one transaction."""


class Imported(ABC):
    """What a sheet fills."""

    @abstractmethod
    def require(self, access: Access) -> None:
        """Raise NotAllowed unless these may be imported."""

    @abstractmethod
    def fields(self, access: Access) -> Mapping[str, Field]:
        """Return what a column can be, by key."""

    @abstractmethod
    def layout(self, options: dict[str, Any], access: Access) -> Layout:
        """Read a layout as people settled it; raises Invalid for one that cannot work."""

    def order(self, layout: Any, rows: Sequence[list[str]], numbers: Sequence[int]) -> Sequence[int]:
        """Return the places of rows in the order in which they are taken; `numbers` are as people see them."""
        return range(len(rows))

    @abstractmethod
    def taker(self, access: Access, layout: Any, *, dry_run: bool, before_commit: Planned) -> Taker:
        """Return what takes the rows of one import, laid out and in their order."""

    @abstractmethod
    def undo(
        self, access: Access, made: Sequence[str], before: Sequence[tuple[dict[str, Any], int]]
    ) -> tuple[int, int]:
        """Take a piece back where nobody changed it since; returns how many were taken back and how many stay."""

    @abstractmethod
    def suggestion(self, key: str, cell: str) -> str:
        """Return what was probably meant by a cell, empty if nothing is near."""

    @abstractmethod
    def template(self, access: Access, language: str, only: str = "") -> tuple[list[str], tuple[str, list[list[str]]]]:
        """Return the heads of an empty sheet, and the sheet beside it with its title; `only` narrows the columns."""


def mapping_of(options: dict[str, Any]) -> dict[int, str]:
    """Return which column is which field, as people settled it."""
    return {int(column): key for column, key in options.get("mapping", {}).items() if key}
