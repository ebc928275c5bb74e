"""Commands to equipment: who, on what authority, until when; never executed after their time."""

from __future__ import annotations

import math
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.definitions import TagDefinition
from mainspring.core.drivers import Value
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.text import Text

ITEMS_MAX = 1000
_INTEGERS: Final = range(-(2**63), 2**64)
"""What a device can hold as a whole number."""

OTHER: Final = Text("Another item of the command was refused.", "该命令中的其他项被拒绝。")
READ_ONLY: Final = Text(
    "{tag} is not writable. Allow writing in the tag first.", "{tag} 不可写，请先在测点中允许写入。"
)
_WRONG_VALUE: Final = Text(
    "{value!r} is not a value for {tag}, which is {kind}.", "{value!r} 不是 {tag} 的有效值，其类型为 {kind}。"
)
_RANGE: Final = Text(
    "{value} is outside the range of {tag}, {low} to {high}.", "{value} 超出 {tag} 的量程 {low} 至 {high}。"
)


class CommandItem(BaseModel):
    """One value for one tag, in the tag's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: int = Field(ge=0, lt=2**32)
    value: Value


class Command(BaseModel):
    """A request to write; the gateway discards it once `expires_ms` has passed.

    Both times are the platform's: the difference is how long it may take, also for a gateway whose clock is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    tenant: str
    connection: UUID
    items: tuple[CommandItem, ...] = Field(min_length=1, max_length=ITEMS_MAX)
    by: str
    authority: str = Field(description="the right it rests on, and the reason given")
    issued_ms: int
    expires_ms: int


class ItemOutcome(BaseModel):
    """What became of one item; `read_back` is what the device says afterwards.

    The times are the platform's, as the gateway knows them: when it was sent to the device, when the device accepted
    it, when it was read back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: int
    outcome: Literal["done", "refused", "expired", "not-confirmed"]
    read_back: Value | None = None
    text: dict[str, str] | None = None
    sent_ms: int | None = None
    accepted_ms: int | None = None
    read_back_ms: int | None = None


class CommandOutcome(BaseModel):
    """What became of a command, item by item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    items: tuple[ItemOutcome, ...]
    finished_ms: int


def fault(tag: TagDefinition, value: Value) -> Text | None:
    """Say why a value, in the tag's unit, must not be written to it, or None."""
    if not tag.writable:
        return READ_ONLY.format(tag=tag.name)
    wrong = _WRONG_VALUE.format(value=value, tag=tag.name, kind=tag.kind.value)
    if tag.kind.column is Column.TEXT:
        return None if tag.kind is SampleKind.TEXT and isinstance(value, str) else wrong
    if isinstance(value, str) or (isinstance(value, int) and value not in _INTEGERS) or not math.isfinite(value):
        return wrong
    if tag.kind is SampleKind.BOOLEAN:
        return None if value in {0, 1} else wrong
    if isinstance(value, bool) or (tag.kind is not SampleKind.FLOAT and value != int(value)):
        return wrong
    if tag.gain == 0 and tag.kind is not SampleKind.ENUMERATION:
        return wrong
    below = tag.low is not None and value < tag.low
    above = tag.high is not None and value > tag.high
    if below or above:
        return _RANGE.format(value=value, tag=tag.name, low=tag.low, high=tag.high)
    return None
