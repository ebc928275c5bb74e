"""Subscriptions: who is told of which alarms, by which channel; and the notices that wait to be sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from pydantic import AfterValidator, Field, model_validator

from mainspring.core.alarms import RETURNING, AlarmState, Transition
from mainspring.core.definitions import Priority
from mainspring.core.errors import LimitExceeded
from mainspring.core.faults import fault
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Author
from mainspring.records.draft import Draft, merged
from mainspring.records.faults import Invalid
from mainspring.records.people.user import User
from mainspring.records.plant.asset import Asset
from mainspring.records.record import Record, absent, require_version
from mainspring.records.rights import Right, Role
from mainspring.records.sealed import seal, unseal
from mainspring.records.tenant import OfTenant, Tenant, now_ms

if TYPE_CHECKING:
    from mainspring.records.access.scope import Scope

SUBSCRIPTIONS_MAX: Final = 20
"""Of one person."""
WAITING_MAX: Final = 1000
"""Notices of one subscription that wait; further ones are counted and told as a number."""
TRIED_FOR_MS: Final = 24 * 3_600_000
KEPT_MS: Final = 7 * 24 * 3_600_000
_MAIL: Final = re.compile(r"[^@\s\"<>,;:\\]{1,64}@[A-Za-z0-9.-]{1,190}")
_NOT_MAIL: Final = Text("{target} is not a mail address.", "{target} 不是邮箱地址。")
_NOT_URL: Final = Text("{target} is not an http or https address.", "{target} 不是 http 或 https 地址。")
_NO_TARGET: Final = Text("A notice on the page needs no address.", "页面通知无需填写地址。")
_NO_ASSET: Final = Text("There is no such asset.", "没有该资产。")
_GONE: Final = Text("A part of the plant that you no longer see", "您已无权查看的工厂范围")
_CHANNEL_STAYS: Final = Text(
    "The channel of a subscription stays. Make another subscription.", "订阅的渠道不可更改，请新建订阅。"
)
_TOO_MANY: Final = Text(
    "At most {limit} subscriptions a person. Delete one first.", "每人最多 {limit} 个订阅，请先删除一个。"
)
_EMPTY: Final = Text("Choose at least one.", "请至少选择一项。")


class Channel(StrEnum):
    """How someone is told."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    PAGE = "page"


def _some(found: tuple[Any, ...]) -> tuple[Any, ...]:
    if not found:
        raise fault(_EMPTY)
    return tuple(dict.fromkeys(found))


def _is_web_address(target: str) -> bool:
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError:
        return False
    named = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username and port != 0
    return named and target.isascii() and target.isprintable() and " " not in target


class SubscriptionDraft(Draft):
    """What a person may write; `asset` is the area, None for the whole plant."""

    channel: Channel
    target: str = Field(default="", max_length=500)
    asset: UUID | None = None
    priorities: Annotated[tuple[Priority, ...], AfterValidator(_some)] = (Priority.CRITICAL, Priority.HIGH)
    transitions: Annotated[tuple[Transition, ...], AfterValidator(_some)] = (Transition.RAISED,)
    gather_s: int = Field(default=10, ge=0, le=3600)
    enabled: bool = True

    @model_validator(mode="after")
    def _fits(self) -> SubscriptionDraft:
        if self.channel is Channel.PAGE and self.target:
            raise fault(_NO_TARGET)
        if self.channel is Channel.MAIL and not _MAIL.fullmatch(self.target):
            raise fault(_NOT_MAIL.format(target=self.target))
        if self.channel is Channel.WEBHOOK and not _is_web_address(self.target):
            raise fault(_NOT_URL.format(target=self.target))
        return self


class Subscription(Record):
    """One person, one channel, one area; `secret` signs what a webhook is sent and is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="subscriptions")
    channel = models.CharField(max_length=16)
    target = models.CharField(max_length=500, blank=True)
    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, null=True, related_name="+")
    priorities: models.JSONField[Any, Any] = models.JSONField(default=list)
    transitions: models.JSONField[Any, Any] = models.JSONField(default=list)
    gather_s = models.PositiveIntegerField(default=10)
    enabled = models.BooleanField(default=True)
    secret = models.CharField(max_length=300, blank=True)
    dropped = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_ms = models.BigIntegerField(default=0)
    sent_ms = models.BigIntegerField(null=True)
    fault: models.JSONField[Any, Any] = models.JSONField(null=True)

    kind = "subscription"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(channel__in=[str(c) for c in Channel]), name="subscription_channel")
        ]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        return {
            "id": self.id,
            "user": self.user_id,
            "channel": self.channel,
            "target": self.target,
            "asset": self.asset_id,
            "priorities": self.priorities,
            "transitions": self.transitions,
            "gather_s": self.gather_s,
            "enabled": self.enabled,
            "sent_ms": self.sent_ms,
            "fault": self.fault,
            "version": self.version,
        }

    def label(self) -> str:
        """Return the channel; the address is the person's own and stays out of the audit."""
        return self.channel

    def clear_secret(self) -> str:
        """Return the key that signs what a webhook is sent."""
        return unseal(self.secret)

    def wants(self, row: dict[str, Any], area: str | None) -> bool:
        """Tell whether a transition (a row of the alarm list) concerns it; `area` is the path of its asset."""
        return (
            row["priority"] in self.priorities
            and (row["transition"] in self.transitions or (Transition.RAISED in self.transitions and _comes_back(row)))
            and (area is None or f"{row['path']}/".startswith(f"{area}/"))
        )


def _comes_back(row: dict[str, Any]) -> bool:
    """Tell whether an alarm that holds returns to those people are told of: to them it is raised now."""
    return row["transition"] in RETURNING and row["state"] == AlarmState.ACTIVE_UNACKNOWLEDGED


class Notice(models.Model):
    """One transition that one subscription is told of, kept until it was sent and a week longer."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="notices")
    event = models.CharField(max_length=120)
    row: models.JSONField[Any, Any] = models.JSONField()
    created_ms = models.BigIntegerField(default=now_ms)
    sent_ms = models.BigIntegerField(null=True)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            # An event that is delivered twice by the bus makes one notice.
            models.UniqueConstraint(fields=["subscription", "event"], name="notice_once")
        ]
        indexes: ClassVar = [models.Index(fields=["subscription", "sent_ms", "created_ms"], name="notice_waiting")]


def of_person(tenant: Tenant, user: User) -> list[Subscription]:
    """Return a person's subscriptions, oldest first."""
    return list(Subscription.objects.of(tenant).filter(user=user).select_related("asset").order_by("created_ms"))


def find(tenant: Tenant, user: User, id: UUID) -> Subscription:
    """Return a subscription of a person; raises NotFound, also for someone else's."""
    found = Subscription.objects.of(tenant).filter(user=user, pk=id).first()
    if found is None:
        raise absent("subscription", id)
    return found


def shown(subscription: Subscription, seen: Scope) -> dict[str, Any]:
    """Return the form the API shows to its person; an area that they no longer see has no name and holds nothing."""
    asset, area = subscription.asset, None
    if asset is not None:
        here = seen.everywhere or seen.assets().filter(pk=asset.pk).exists()
        area = {"id": asset.id, "name": asset.name if here else _GONE.document(), "path": asset.path if here else ""}
    return subscription.document() | {"area": area}


def create(author: Author, user: User, draft: SubscriptionDraft, secret: str, seen: Scope) -> Subscription:
    """Store a subscription to what lies in `seen`; `secret` signs what a webhook is sent."""
    with transaction.atomic():
        if Subscription.objects.of(author.tenant).filter(user=user).count() >= SUBSCRIPTIONS_MAX:
            raise LimitExceeded(_TOO_MANY, limit=SUBSCRIPTIONS_MAX)
        made = Subscription(tenant=author.tenant, user=user, secret=seal(secret))
        _fill(made, draft, seen)
        changes.create(author, made)
    return made


def modify(
    author: Author, user: User, id: UUID, patch: dict[str, Any], version: int | None, seen: Scope
) -> Subscription:
    """Change a subscription, to another area only within `seen`; what waits is tried again at once."""
    with transaction.atomic():
        found = find(author.tenant, user, id)
        require_version(found, version)
        before = found.document()
        draft = merged(SubscriptionDraft, before, patch)
        if draft.channel != found.channel:
            raise Invalid({"channel": _CHANNEL_STAYS})
        _fill(found, draft, seen)
        found.attempts, found.next_ms, found.fault = 0, 0, None
        changes.change(author, found, before)
    return found


def delete(author: Author, user: User, id: UUID, version: int | None) -> None:
    """Remove a subscription with what waits for it."""
    with transaction.atomic():
        found = find(author.tenant, user, id)
        require_version(found, version)
        changes.delete(author, found)


def _fill(subscription: Subscription, draft: SubscriptionDraft, seen: Scope) -> None:
    moved = draft.asset if draft.asset != subscription.asset_id else None
    # Where it was it may stay, though it holds nothing for whoever no longer sees it.
    if moved is not None and not seen.assets().filter(pk=moved).exists():
        raise Invalid({"asset": _NO_ASSET})
    written = draft.model_dump(mode="json")
    for name in ("channel", "target", "priorities", "transitions", "gather_s", "enabled"):
        setattr(subscription, name, written[name])
    subscription.asset_id = draft.asset


def note(tenant: str, rows: Sequence[dict[str, Any]]) -> int:
    """Write a notice of each transition for each subscription that wants it; return how many were written."""
    subscriptions = list(
        Subscription.objects.filter(tenant__key=tenant, enabled=True, user__enabled=True)
        .exclude(channel=Channel.PAGE)
        .select_related("asset", "user__tenant")
    )
    seen = _seen({each.user for each in subscriptions}, {row["tag"] for row in rows})
    written = 0
    for subscription in subscriptions:
        area = subscription.asset.path if subscription.asset else None
        tags = seen[subscription.user_id]
        wanted = {row["id"]: row for row in rows if row["tag"] in tags and subscription.wants(row, area)}
        for known in subscription.notices.filter(event__in=list(wanted)).values_list("event", flat=True):
            del wanted[known]
        if not wanted:
            continue
        waiting = subscription.notices.filter(sent_ms=None).count()
        room = max(0, WAITING_MAX - waiting)
        notices = [
            Notice(tenant_id=subscription.tenant_id, subscription=subscription, event=row["id"], row=row)
            for row in list(wanted.values())[:room]
        ]
        Notice.objects.bulk_create(notices, ignore_conflicts=True)
        written += len(notices)
        if len(wanted) > room:
            more = models.F("dropped") + len(wanted) - room
            Subscription.objects.filter(pk=subscription.pk).update(dropped=more)
    return written


def _seen(people: Collection[User], tags: set[int]) -> dict[UUID, set[int]]:
    """Return which of some tags each of these people may see now: a right that ended ends what they are told."""
    from mainspring.records.access.permits import permits_of_people, rights_of
    from mainspring.records.access.scope import scope_of

    found = {}
    permits = permits_of_people(people)
    for user in people:
        held = permits.get(user.pk, ())
        rights = Role(user.role).rights | rights_of(held)
        found[user.pk] = scope_of(user.tenant, rights, held, Right.VIEW).ordinals(tags)
    return found


def any_waiting() -> bool:
    """Tell whether notices wait, due or not."""
    return Notice.objects.filter(sent_ms=None, subscription__enabled=True, subscription__user__enabled=True).exists()


def due(at_ms: int) -> list[Subscription]:
    """Return the subscriptions whose notices have been gathered long enough and may be sent now."""
    waiting = (
        Subscription.objects.filter(notices__sent_ms=None, notices__isnull=False, next_ms__lte=at_ms)
        .filter(enabled=True, user__enabled=True)
        .annotate(oldest=models.Min("notices__created_ms", filter=Q(notices__sent_ms=None)))
        .select_related("user", "tenant")
    )
    return [each for each in waiting if each.oldest is not None and each.oldest + each.gather_s * 1000 <= at_ms]


def waiting(subscription: Subscription, limit: int) -> list[Notice]:
    """Return the oldest notices that wait; those of what the person no longer sees are dropped."""
    found = list(subscription.notices.filter(sent_ms=None).order_by("created_ms", "id")[:limit])
    seen = _seen([subscription.user], {notice.row["tag"] for notice in found})[subscription.user_id]
    hidden = [notice.pk for notice in found if notice.row["tag"] not in seen]
    if hidden:
        Notice.objects.filter(pk__in=hidden).delete()
    return [notice for notice in found if notice.pk not in hidden]


def sent(subscription: Subscription, notices: Iterable[Notice], dropped: int, at_ms: int) -> None:
    """Note that notices were sent, with the number of those that were only counted."""
    with transaction.atomic():
        Notice.objects.filter(pk__in=[each.pk for each in notices]).update(sent_ms=at_ms)
        Subscription.objects.filter(pk=subscription.pk).update(
            sent_ms=at_ms, attempts=0, next_ms=0, fault=None, dropped=models.F("dropped") - dropped
        )
        subscription.notices.filter(sent_ms__lt=at_ms - KEPT_MS).delete()


def failed(subscription: Subscription, text: Text, at_ms: int, next_ms: int) -> None:
    """Note why sending failed and when it is tried again; what waited for a day is given up and counted."""
    with transaction.atomic():
        given_up, _ = subscription.notices.filter(sent_ms=None, created_ms__lt=at_ms - TRIED_FOR_MS).delete()
        Subscription.objects.filter(pk=subscription.pk).update(
            attempts=models.F("attempts") + 1,
            next_ms=next_ms,
            fault=text.document(),
            dropped=models.F("dropped") + given_up,
        )
