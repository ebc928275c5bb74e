"""Subscriptions to alarms: everyone's own, by mail, webhook or on the open page."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import BaseModel

from mainspring.core.errors import LimitExceeded, NotAllowed
from mainspring.core.text import Text
from mainspring.records.people.user import User
from mainspring.records.plant import subscription as records
from mainspring.records.plant.subscription import Channel, SubscriptionDraft
from mainspring.records.rights import Right
from mainspring.web.api.forms import Label, if_match, patch_of, version_of, written
from mainspring.web.configure import current
from mainspring.web.notices.channels import check_host
from mainspring.web.notices.notifier import deliver
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["subscriptions"])
if TYPE_CHECKING:
    SubscriptionPatch = BaseModel
else:
    SubscriptionPatch = patch_of(SubscriptionDraft)

_PEOPLE: Final = Text("Only people subscribe. Sign in for this.", "订阅属于个人，请登录后操作。")
_TRIAL: Final = Text("Trial of this subscription", "订阅测试")
TRIALS_MAX: Final = 5
"""Trial messages of one person within TRIALS_S, in each web process: nobody is flooded through this platform."""
TRIALS_S: Final = 60.0
_PEOPLE_MAX: Final = 10_000
_TOO_SOON: Final = Text(
    "At most {limit} trial messages a minute. Try again in {seconds} s.",
    "每分钟最多发送 {limit} 条测试消息，请 {seconds} 秒后重试。",
)
_tried: OrderedDict[UUID, deque[float]] = OrderedDict()


class AreaOut(Schema):
    """The asset whose alarms are meant, with all below it."""

    id: UUID
    name: Label
    path: str


class SubscriptionOut(SubscriptionDraft):
    """A subscription; `fault` tells why the last message did not get through."""

    area: AreaOut | None

    id: UUID
    user: UUID
    sent_ms: int | None
    fault: Label | None
    version: int


class NewSubscriptionOut(SubscriptionOut):
    """A new subscription; `secret` signs what a webhook is sent and is shown this once."""

    secret: str


class SubscriptionList(Schema):
    """One's own subscriptions, and which channels this platform has."""

    items: list[SubscriptionOut]
    mail: bool
    webhook_hosts: list[str]


def _person(actor: Actor) -> User:
    if actor.user is None or actor.token is not None:
        raise NotAllowed(_PEOPLE)
    return actor.user


def _check(actor: Actor, channel: str, target: str) -> None:
    if channel == Channel.WEBHOOK:
        actor.require(Right.CONFIGURE)
        check_host(target)


@router.get("/subscriptions", auth=Needs(Right.VIEW, somewhere=True), response=SubscriptionList)
def subscriptions(request: HttpRequest) -> dict[str, Any]:
    """List one's own subscriptions."""
    actor = actor_of(request)
    found = records.of_person(actor.tenant, _person(actor))
    return {
        "items": [records.shown(each, actor.scope(Right.VIEW)) for each in found],
        "mail": current().mail is not None,
        "webhook_hosts": list(current().webhook_hosts),
    }


@router.post("/subscriptions", auth=Needs(Right.VIEW, somewhere=True), response={201: NewSubscriptionOut})
def subscribe(request: HttpRequest, draft: SubscriptionDraft) -> Status[dict[str, Any]]:
    """Subscribe to what one sees; a webhook needs the right to configure everywhere and a host the settings allow."""
    actor, seen = actor_of(request), actor_of(request).scope(Right.VIEW)
    _check(actor, draft.channel, draft.target)
    secret = secrets.token_urlsafe(32) if draft.channel is Channel.WEBHOOK else ""
    made = records.create(actor.author, _person(actor), draft, secret, seen)
    return Status(201, records.shown(made, seen) | {"secret": secret})


@router.patch("/subscriptions/{uuid:id}", auth=Needs(Right.VIEW, somewhere=True), response=SubscriptionOut)
def modify_subscription(request: HttpRequest, id: UUID, patch: SubscriptionPatch) -> dict[str, Any]:
    """Change one's own subscription."""
    actor = actor_of(request)
    fields = written(patch)
    known = records.find(actor.tenant, _person(actor), id)
    _check(actor, fields.get("channel", known.channel), fields.get("target", known.target))
    version, seen = version_of(request, getattr(patch, "version", None)), actor.scope(Right.VIEW)
    return records.shown(records.modify(actor.author, _person(actor), id, fields, version, seen), seen)


@router.delete("/subscriptions/{uuid:id}", auth=Needs(Right.VIEW, somewhere=True), response={204: None})
def unsubscribe(request: HttpRequest, id: UUID) -> Status[None]:
    """Remove one's own subscription."""
    actor = actor_of(request)
    records.delete(actor.author, _person(actor), id, if_match(request))
    return Status(204, None)


@router.post("/subscriptions/{uuid:id}/try", auth=Needs(Right.VIEW, somewhere=True), response={204: None})
def try_subscription(request: HttpRequest, id: UUID) -> Status[None]:
    """Send a trial message now; the error tells why it does not get through."""
    actor = actor_of(request)
    subscription = records.find(actor.tenant, _person(actor), id)
    if subscription.channel != Channel.PAGE:
        _count_trial(subscription.user_id)
        deliver(subscription, [_trial(actor)], 0)
    return Status(204, None)


def _count_trial(person: UUID) -> None:
    """Count a trial message of a person; raises LimitExceeded beyond those of a minute."""
    now = time.monotonic()
    times = _tried.setdefault(person, deque(maxlen=TRIALS_MAX))
    _tried.move_to_end(person)
    while len(_tried) > _PEOPLE_MAX:
        _tried.popitem(last=False)
    if len(times) == TRIALS_MAX and now - times[0] < TRIALS_S:
        raise LimitExceeded(_TOO_SOON, limit=TRIALS_MAX, seconds=int(TRIALS_S - (now - times[0])) + 1)
    times.append(now)


def _trial(actor: Actor) -> dict[str, Any]:
    return {
        "id": "trial", "name": _TRIAL.document(), "priority": "low", "transition": "raised", "value": None, "unit": "",
        "path": actor.tenant.key, "response": None, "time_ms": time.time_ns() // 1_000_000,
        "alarm": "trial", "condition": "expression", "limit": None,
    }  # fmt: skip
