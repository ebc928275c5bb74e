"""What is declared beside the fields of a business record: its words, its key, its list, its states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Q

from mainspring.core.text import Text
from mainspring.records.defined.fields import Choices
from mainspring.records.rights import Right


class Group(Choices):
    """Where a kind of record is found among the others."""

    PRODUCTION = "production", "Production", "生产"
    MATERIAL = "material", "Material", "物料"
    QUALITY = "quality", "Quality", "质量"
    MAINTENANCE = "maintenance", "Maintenance", "维护"
    ENERGY = "energy", "Energy", "能源"
    SAFETY = "safety", "Safety", "安全"
    SUPPLY = "supply", "Supply", "供应"
    ENGINEERING = "engineering", "Engineering", "工程"
    PLATFORM = "platform", "Platform", "平台"


@dataclass(frozen=True, slots=True)
class Move:
    """A step from one state to another, with a button of its own."""

    name: str
    sources: tuple[str, ...]
    target: str
    words: Text
    right: Right = Right.CONFIGURE
    needs: tuple[str, ...] = ()
    """Fields that must be filled in before."""


@dataclass(frozen=True, slots=True)
class States:
    """The states of a record, the first being the one it begins in; most parts of a whole have none."""

    words: Mapping[str, Text] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    fixed: frozenset[str] = frozenset()
    """States in which fields do not change any more."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fields that are never empty in a state; the database holds that, too."""

    def __post_init__(self) -> None:
        for move in self.moves:
            unknown = {*move.sources, move.target} - self.words.keys()
            assert not unknown, f"move {move.name} names states that are not declared: {unknown}"
        unknown = {*self.fixed, *self.needs} - self.words.keys()
        assert not unknown, f"states are fixed or need fields that are not declared: {unknown}"

    @property
    def first(self) -> str:
        """The state a record begins in, empty where there are none."""
        return next(iter(self.words), "")

    def of(self, state: str) -> tuple[Move, ...]:
        """Return the moves that lead away from a state."""
        return tuple(move for move in self.moves if state in move.sources)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the fields of one record must agree on; the database holds it, and people read why."""

    name: str
    holds: Q
    words: Text
    field: str
    """Beside which field it is told."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How people see and find the records of one kind."""

    one: Text
    many: Text
    group: Group
    key: tuple[str, ...]
    """Fields by which one is told from another within a company; imports find what is there by them."""
    columns: tuple[str, ...]
    """Fields of the list, as they come."""
    found_by: tuple[str, ...] = ()
    """Fields whose words it is found by; the key's if left out."""
    title: str = ""
    """The field that names it to people; the first of the key if left out."""
    order: str = ""
    """The field lists are sorted by, `-` before it for the last first; the key's first if left out."""
    part_of: str = ""
    """A link to the record it is a part of: it is shown there, fixed with it and removed with it."""
    rules: tuple[Rule, ...] = ()
    place: str = ""
    """A link to the asset it belongs to: rights for a part of the plant look there."""
    states: States = field(default_factory=States)
    view: Right = Right.VIEW
    write: Right = Right.CONFIGURE
    append_only: bool = False
    """It is never changed or removed, only corrected by another."""
    labels: tuple[str, ...] = ()
    """Fields printed on its label beside the code."""

    def called(self, state: str) -> Text:
        """Return what people call a state, nothing where there are none."""
        return self.states.words.get(state, Text("", ""))


RELEASED: Final = States(
    words={
        "draft": Text("Draft", "草稿"),
        "released": Text("Released", "已发布"),
        "withdrawn": Text("Withdrawn", "已停用"),
    },
    moves=(
        Move("release", ("draft", "withdrawn"), "released", Text("Release", "发布")),
        Move("revise", ("released",), "draft", Text("Revise", "修订")),
        Move("withdraw", ("draft", "released"), "withdrawn", Text("Withdraw", "停用")),
    ),
    fixed=frozenset({"released"}),
)
"""The states of what is worked out, released and withdrawn."""
