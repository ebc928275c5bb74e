"""Commands to equipment: who, on what authority, until when; never executed after their time."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.drivers import Value

ITEMS_MAX = 1000


class CommandItem(BaseModel):
    """One value for one tag, in the tag's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: int = Field(ge=0, lt=2**32)
    value: Value


class Command(BaseModel):
    """A request to write; the gateway discards it once `expires_ms` has passed."""

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
    """What became of one item; `read_back` is what the device says afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: int
    outcome: Literal["done", "refused", "expired", "not-confirmed"]
    read_back: Value | None = None
    text: dict[str, str] | None = None


class CommandOutcome(BaseModel):
    """What became of a command, item by item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    items: tuple[ItemOutcome, ...]
    finished_ms: int
