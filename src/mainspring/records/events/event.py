"""Events as rows: added, never changed and never removed, which the database itself sees to."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from mainspring.core.ids import uuid7
from mainspring.records.events.vocabulary import URI_MAX
from mainspring.records.tenant import OfTenant, Tenant


class Role(StrEnum):
    """As what a thing stands in an event."""

    WHAT = "what"
    PARENT = "parent"
    CHILD = "child"
    INPUT = "input"
    OUTPUT = "output"


class Reference(StrEnum):
    """What else an event names."""

    TRANSACTION = "transaction"
    SOURCE = "source"
    DESTINATION = "destination"
    CORRECTIVE = "corrective"


class Appended(models.Model):
    """A row that is only ever added."""

    class Meta:
        abstract = True

    def save(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: events are captured, all of a request at once."""
        raise TypeError("events are captured, never saved")

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an event is corrected by a declaration."""
        raise TypeError("events are never deleted")


class Event(Appended):
    """What happened, when, where and why; `document` is all of it as it came."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    sequence = models.PositiveBigIntegerField()
    capture: models.UUIDField[UUID, UUID] = models.UUIDField()
    """The request that brought it."""
    event_id = models.CharField(max_length=URI_MAX)
    declaration = models.BooleanField()
    """It says that the event of the same event_id is wrong."""
    kind = models.CharField(max_length=24)
    action = models.CharField(max_length=8)
    time_ms = models.BigIntegerField()
    offset = models.CharField(max_length=6)
    recorded_ms = models.BigIntegerField()
    biz_step = models.CharField(max_length=URI_MAX)
    disposition = models.CharField(max_length=URI_MAX)
    read_point = models.CharField(max_length=URI_MAX)
    biz_location = models.CharField(max_length=URI_MAX)
    transformation = models.CharField(max_length=URI_MAX)
    reason = models.CharField(max_length=URI_MAX)
    system = models.CharField(max_length=URI_MAX)
    """Who sent it, as the document says."""
    digest = models.CharField(max_length=64)
    """Of its content without what a repository or a declaration adds."""
    context: models.JSONField[Any, Any] = models.JSONField(default=list)
    document: models.JSONField[Any, Any] = models.JSONField()

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="event_sequence"),
            models.UniqueConstraint(fields=["tenant", "event_id", "declaration"], name="event_once"),
            models.CheckConstraint(condition=Q(action__in=["", "ADD", "OBSERVE", "DELETE"]), name="event_action"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "time_ms", "sequence"], name="event_by_time"),
            models.Index(fields=["tenant", "biz_step", "time_ms"], name="event_by_step"),
            models.Index(fields=["tenant", "biz_location", "time_ms"], name="event_by_location"),
            models.Index(fields=["tenant", "read_point", "time_ms"], name="event_by_read_point"),
            models.Index(fields=["tenant", "digest"], name="event_by_digest"),
            models.Index(fields=["tenant", "capture"], name="event_by_capture"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class EventLine(Appended):
    """A thing in an event, with how much of it where it is a class of things."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="lines")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=8)
    thing = models.CharField(max_length=URI_MAX)
    counted = models.BooleanField()
    """It is a class with a quantity, not one instance."""
    quantity = models.FloatField(null=True)
    unit = models.CharField(max_length=3)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(role__in=[str(role) for role in Role]), name="event_line_role"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "thing", "event"], name="event_line_thing")]

    def __str__(self) -> str:
        return f"{self.role} {self.thing}"


class EventReference(Appended):
    """A business transaction, a source, a destination or a corrective event that an event names."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="references")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    type = models.CharField(max_length=URI_MAX)
    uri = models.CharField(max_length=URI_MAX)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(role__in=[str(role) for role in Reference]), name="event_ref_role"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "uri", "event"], name="event_ref_uri")]

    def __str__(self) -> str:
        return f"{self.role} {self.uri}"


def standing(tenant: Tenant) -> QuerySet[Event]:
    """Return the events that hold: no declarations, and none that a declaration says is wrong."""
    declared = Event.objects.of(tenant).filter(event_id=OuterRef("event_id"), declaration=True)
    return Event.objects.of(tenant).filter(~Exists(declared), declaration=False)
