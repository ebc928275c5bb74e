"""What follows from all events, as tables: stock, work in progress, lineage, use and equipment states.

Every row follows from the events alone, its key included, so that tables made anew are the same to the byte.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar, Final
from uuid import UUID

from django.db import models

from mainspring.records.events.units import told
from mainspring.records.events.vocabulary import URI_MAX
from mainspring.records.tenant import OfTenant, Tenant


def row_id(tenant: Tenant, *key: object) -> UUID:
    """Return the id of a row: its key, hashed."""
    text = "\0".join((tenant.pk.hex, *(str(part) for part in key)))
    return UUID(bytes=hashlib.blake2b(text.encode(), digest_size=16).digest())


class Tally(models.Model):
    """A row of sums, in millionths; a row whose sums are all zero does not exist."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")

    objects = OfTenant.as_manager()

    key: ClassVar[tuple[str, ...]]
    sums: ClassVar[tuple[str, ...]]

    class Meta:
        abstract = True

    def document(self) -> dict[str, object]:
        """Return the form the API shows."""
        shown: dict[str, object] = {name: getattr(self, name) for name in self.key}
        return shown | {name: told(getattr(self, name)) for name in self.sums}


class Stock(Tally):
    """How much of a thing is where."""

    thing = models.CharField(max_length=URI_MAX)
    unit = models.CharField(max_length=32)
    location = models.CharField(max_length=URI_MAX)
    item = models.CharField(max_length=URI_MAX)
    quantity = models.BigIntegerField()

    key = ("thing", "unit", "location")
    sums = ("quantity",)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "thing", "location"], name="stock_by_thing"),
            models.Index(fields=["tenant", "location", "thing"], name="stock_by_location"),
            models.Index(fields=["tenant", "item", "thing"], name="stock_by_item"),
        ]

    def __str__(self) -> str:
        return f"{self.thing} at {self.location}: {told(self.quantity)} {self.unit}"

    def document(self) -> dict[str, object]:
        """Return the form the API shows, with the item that the lot or unit is one of."""
        return super().document() | {"item": self.item}


class WorkInProgress(Tally):
    """What an operation of an order has started, completed and scrapped."""

    order = models.CharField(max_length=URI_MAX)
    operation = models.CharField(max_length=URI_MAX)
    item = models.CharField(max_length=URI_MAX)
    unit = models.CharField(max_length=32)
    started = models.BigIntegerField()
    completed = models.BigIntegerField()
    scrapped = models.BigIntegerField()

    key = ("order", "operation", "item", "unit")
    sums = ("started", "completed", "scrapped")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "order", "operation"], name="work_by_order")]

    def __str__(self) -> str:
        return f"{self.operation or self.order}: {self.item}"

    def document(self) -> dict[str, object]:
        """Return the form the API shows, with what is in work now."""
        return super().document() | {"in_work": told(self.started - self.completed - self.scrapped)}


class Lineage(Tally):
    """That a process used or made so much of a lot or unit; `mentions` counts the events that say so."""

    process = models.CharField(max_length=URI_MAX)
    made = models.BooleanField()
    thing = models.CharField(max_length=URI_MAX)
    unit = models.CharField(max_length=32)
    quantity = models.BigIntegerField()
    mentions = models.BigIntegerField()

    key = ("process", "made", "thing", "unit")
    sums = ("quantity", "mentions")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "thing", "made"], name="lineage_by_thing"),
            models.Index(fields=["tenant", "process", "made"], name="lineage_by_process"),
        ]

    def __str__(self) -> str:
        return f"{self.process} {'makes' if self.made else 'uses'} {self.thing}"


class Use(Tally):
    """How much of an item or an energy carrier an order used at an asset."""

    order = models.CharField(max_length=URI_MAX)
    asset = models.CharField(max_length=URI_MAX)
    item = models.CharField(max_length=URI_MAX)
    unit = models.CharField(max_length=32)
    quantity = models.BigIntegerField()

    key = ("order", "asset", "item", "unit")
    sums = ("quantity",)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "order", "asset"], name="use_by_order"),
            models.Index(fields=["tenant", "asset", "item"], name="use_by_asset"),
        ]

    def __str__(self) -> str:
        return f"{self.order} at {self.asset}: {self.item}"


class StateSpan(models.Model):
    """An asset in one state, from when to when; the last one has no end."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    asset = models.CharField(max_length=URI_MAX)
    start_ms = models.BigIntegerField()
    end_ms = models.BigIntegerField(null=True)
    state = models.CharField(max_length=URI_MAX)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "asset", "start_ms"], name="state_span_once"),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.state} from {self.start_ms}"

    def document(self) -> dict[str, object]:
        """Return the form the API shows."""
        return {"asset": self.asset, "state": self.state, "start_ms": self.start_ms, "end_ms": self.end_ms}


TALLIES: Final[tuple[type[Tally], ...]] = (Stock, WorkInProgress, Lineage, Use)
