"""Who holds which tags for writing, for a short time; the database lets only one hold a tag, whoever asks where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from django.db import IntegrityError, models, transaction

from mainspring.core.errors import Conflict
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.inserts import insert
from mainspring.records.plant.tag import Tag
from mainspring.records.record import Record
from mainspring.records.tenant import Tenant, now_ms

HELD_MS: Final = 30_000
HELD_BY_TWO_MS: Final = 90_000
"""Two people take turns at one keyboard."""
_ENDED: Final = Text(
    "The selection has ended; nothing was written. Select again.", "选择已失效，未写入任何值。请重新选择。"
)
_TAKEN: Final = Text(
    "Someone else selected one of these tags at the same moment. Select again.",
    "他人同时选择了其中的测点，请重新选择。",
)


class Reservation(Record):
    """One tag, held by one person until a time; those taken together share their `selection`."""

    tag = models.OneToOneField(Tag, on_delete=models.CASCADE, related_name="reservation")
    selection: models.UUIDField[UUID, UUID] = models.UUIDField()
    pseudonym: models.UUIDField[UUID, UUID] = models.UUIDField()
    expires_ms = models.BigIntegerField()

    kind = "reservation"

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "selection"], name="reservation_selection")]


def holders(tenant: Tenant, but: UUID) -> dict[UUID, Reservation]:
    """Return who else holds tags now, by the id of the tag."""
    held = Reservation.objects.of(tenant).filter(expires_ms__gt=now_ms()).exclude(pseudonym=but)
    return {each.tag_id: each for each in held}


def reserve(author: Author, tags: Sequence[Tag], selection: UUID, lasts_ms: int) -> int:
    """Hold tags for the author as one selection and return its end; raises Conflict if another came first.

    What the author held before and overlaps is given up: the newest selection counts.
    """
    assert author.pseudonym is not None
    expires_ms, wanted = now_ms() + lasts_ms, [tag.pk for tag in tags]
    try:
        with transaction.atomic():
            mine = Reservation.objects.filter(tag__in=wanted, pseudonym=author.pseudonym)
            Reservation.objects.of(author.tenant).filter(selection__in=mine.values("selection")).delete()
            # Of all tags: what nobody holds any more is not looked through by the next.
            Reservation.objects.of(author.tenant).filter(expires_ms__lte=now_ms()).delete()
            insert([
                Reservation(
                    tenant=author.tenant, tag=tag, selection=selection, pseudonym=author.pseudonym,
                    expires_ms=expires_ms,
                )
                for tag in tags
            ])  # fmt: skip
    except IntegrityError as error:
        raise Conflict(_TAKEN) from error
    return expires_ms


def selected(author: Author, tags: Sequence[Tag], lasts_ms: int = HELD_MS) -> tuple[UUID, int]:
    """Hold tags with an entry in the audit; raises Conflict."""
    selection = uuid7()
    with transaction.atomic():
        expires_ms = reserve(author, tags, selection, lasts_ms)
        names = [tag.path for tag in tags]
        name = names[0] if len(names) == 1 else ""
        append(author, [Deed(Action.SELECT, "selection", str(selection), name, {"tags": [None, names]})])
    return selection, expires_ms


def held(tenant: Tenant, selection: UUID, by: UUID) -> set[int]:
    """Return the ordinals of the tags of one's own selection; raises Conflict when its time has passed."""
    rows = Reservation.objects.of(tenant).filter(selection=selection, pseudonym=by, expires_ms__gt=now_ms())
    ordinals = set(rows.values_list("tag__ordinal", flat=True))
    if not ordinals:
        raise Conflict(_ENDED)
    return ordinals


def use(author: Author, selection: UUID, tags: Sequence[Tag], command: UUID, lasts_ms: int) -> None:
    """Turn one's own selection into what a command holds, which it can be once; raises Conflict when it has ended."""
    assert author.pseudonym is not None
    mine = Reservation.objects.of(author.tenant).filter(
        selection=selection, pseudonym=author.pseudonym, expires_ms__gt=now_ms()
    )
    with transaction.atomic():
        if mine.update(selection=command, expires_ms=now_ms() + lasts_ms) != len(tags):
            raise Conflict(_ENDED)


def release(tenant: Tenant, selection: UUID, by: UUID) -> None:
    """Give a selection up, or what a command held; one that has ended is none any more, which is no error."""
    Reservation.objects.of(tenant).filter(selection=selection, pseudonym=by).delete()
