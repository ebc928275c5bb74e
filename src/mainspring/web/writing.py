"""Whether tags may be written now: the checks in their order, each refusal in words, for pages and programs alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from nats.errors import Error as NatsError

from mainspring.core import commands, current, quality
from mainspring.core.errors import Conflict, MainspringError
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS
from mainspring.records.plant import reservation
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.reservation import Reservation
from mainspring.records.plant.tag import Tag
from mainspring.records.plant.write_policy import HOLDS_WORDS, WritePolicy
from mainspring.records.rights import ROLE_WORDS, Right, Role
from mainspring.records.tenant import Tenant
from mainspring.web.alarm_rows import people_of
from mainspring.web.lasting import in_thread
from mainspring.web.live import ask_current, values_document
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor

LAG_MAX_MS: Final = 5_000
"""Values later than this are no ground to act on."""

_NO_TAG: Final = Text("There is no such tag here.", "此处没有该测点。")
_ROLE: Final = Text(
    "Writing {tag} needs the role {role}. Ask your administrator.", "写入 {tag} 需要“{role}”角色，请联系管理员。"
)
_OUT: Final = Text("{tag} is out of service. Enable it first.", "{tag} 已停用，请先启用。")
_UNCONNECTED: Final = Text("Nobody sends {tag}: it has no connection.", "{tag} 没有连接，无人采集。")
_OFF: Final = Text("The connection {name} is switched off.", "连接 {name} 已停用。")
_SILENT: Final = Text(
    "The gateway {gateway} has not reported for some seconds. Check it, then select again.",
    "网关 {gateway} 已数秒未报告，请检查后重新选择。",
)
_AWAY: Final = Text("The connection {name} is not live: {reason}", "连接 {name} 未在线：{reason}")
_UNKNOWN_VALUE: Final = Text("{tag} has no value yet.", "{tag} 尚无采样值。")
_BAD: Final = Text(
    "The present value of {tag} is {quality}. What cannot be seen is not written.",
    "{tag} 当前值为“{quality}”，无法看清现状时不写入。",
)
_STALE: Final = Text("The present value of {tag} is stale.", "{tag} 的当前值已过期。")
_LAG: Final = Text(
    "Values are {seconds:.0f} s behind. Wait until they are live again.",
    "数值滞后 {seconds:.0f} 秒，请待恢复实时后再写。",
)
_ENGINE: Final = Text("The engine does not answer, so nothing is known of now.", "引擎未应答，无法获知现状。")
_LOCK_GONE: Final = Text(
    "The tag that interlocks {tag} is gone. Correct the tag's writing settings.",
    "{tag} 的联锁测点已不存在，请修改其写入设置。",
)
_LOCK_BAD: Final = Text("Interlock of {tag}: {other} has no good value.", "{tag} 的联锁：{other} 没有有效值。")
_LOCK: Final = Text(
    "Interlock of {tag}: {other} must {holds} {wanted}; it is {found}.",
    "{tag} 的联锁：{other} 须{holds} {wanted}，现为 {found}。",
)
_HELD: Final = Text(
    "{person} has selected {tag}; it is free in {seconds} s at the latest.",
    "{person} 已选择 {tag}，最迟 {seconds} 秒后释放。",
)
_NO_WORD: Final = Text("{value} is none of the values of {tag}.", "{value} 不是 {tag} 的可选值。")
_OTHER_CONNECTION: Final = Text("This connection has no such tag.", "该连接没有此测点。")


class NotSelectable(Conflict):
    """Some of the tags cannot be written now; `items` says which and why."""

    code = "not-selectable"

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = targets
        super().__init__(next(target.refusal for target in targets if target.refusal is not None))

    def document(self) -> dict[str, Any]:
        """Return the form that travels in JSON, with every tag under `items`."""
        return {**super().document(), "items": [target.document() for target in self.targets]}


class Seen(NamedTuple):
    """A current value as the engine has it."""

    value: Any = None
    time_ms: int | None = None
    quality: int = quality.BAD_WAITING
    flags: int = 0

    @property
    def good(self) -> bool:
        """Tell whether it is known, fresh and good."""
        return self.flags == current.KNOWN and quality.is_good(self.quality)


UNSEEN: Final = Seen()


@dataclass(slots=True)
class Target:
    """One tag that someone wants to write: how it stands, and why not, if not."""

    asked: UUID | int
    tag: Tag | None
    policy: WritePolicy = field(default_factory=WritePolicy)
    seen: Seen = UNSEEN
    refusal: Text | None = None

    @property
    def ordinal(self) -> int:
        """The ordinal of the tag, or the number it was asked by."""
        return self.tag.ordinal if self.tag is not None else int(self.asked) if isinstance(self.asked, int) else 0

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        refusal = None if self.refusal is None else self.refusal.document()
        if self.tag is None:
            return {"id": None, "tag": self.ordinal, "asked": str(self.asked), "refusal": refusal}
        tag, policy = self.tag, self.policy
        shown = ("name", "path", "description", "unit", "low", "high", "decimals", "words")
        return {name: getattr(tag, name) for name in shown} | {
            "id": tag.id, "tag": tag.ordinal, "kind": tag.sample_kind, "unit_sign": SIGNS.get(tag.unit, tag.unit),
            "connection": tag.connection_id,
            "value": self.seen.value, "time_ms": self.seen.time_ms, "quality": self.seen.quality,
            "requires": policy.model_dump(include={"reason", "password", "second_person", "hold"}),
            "refusal": refusal,
        }  # fmt: skip


@dataclass(slots=True)
class _Loaded:
    targets: list[Target]
    others: dict[UUID, Tag]
    held: dict[UUID, Reservation]
    people: dict[str, str]
    allowed: frozenset[int]
    """The tags for whose writing the actor has all rights that are asked for, by their ordinals."""


async def examine(actor: Actor, asked: Sequence[UUID | int], first: Callable[[], None] = lambda: None) -> list[Target]:
    """Look at tags, by id or ordinal, in the order given; a refusal stands in its target.

    `first` is asked of the records before; what it raises ends the look.
    """

    def load() -> _Loaded:
        first()
        return _load(actor, asked)

    loaded = await in_thread(load)
    lag = _lag()
    values: dict[int, Seen] = {}
    try:
        values = await _values(actor.tenant, loaded)
    except MainspringError as error:
        lag = error.text
    except NatsError:
        lag = _ENGINE
    for target in loaded.targets:
        target.seen = values.get(target.ordinal, target.seen)
        target.refusal = _refusal(actor, target, loaded, values, lag)
    return loaded.targets


def _load(actor: Actor, asked: Sequence[UUID | int]) -> _Loaded:
    # Many tags share few connections: joined, each tag would make its own record of its connection.
    rows = actor.scope(Right.COMMAND).tags().prefetch_related("connection")
    found: dict[UUID | int, Tag] = {}
    ids = [each for each in asked if isinstance(each, UUID)]
    ordinals = [each for each in asked if isinstance(each, int)]
    if ids:
        found |= {tag.pk: tag for tag in rows.filter(pk__in=ids)}
    if ordinals:
        found |= {tag.ordinal: tag for tag in rows.filter(ordinal__in=ordinals)}
    targets = [_target(each, found.get(each)) for each in asked]
    others = {target.policy.interlock.tag for target in targets if target.policy.interlock is not None}
    held = reservation.holders(actor.tenant, actor.pseudonym)
    return _Loaded(
        targets,
        {tag.pk: tag for tag in Tag.objects.of(actor.tenant).filter(pk__in=others)} if others else {},
        held,
        people_of({str(each.pseudonym) for each in held.values()}),
        _allowed(actor, targets),
    )


def _allowed(actor: Actor, targets: Iterable[Target]) -> frozenset[int]:
    """Return the tags that the actor may write by the role each asks for, where it lies."""
    by_role: dict[Role, set[int]] = {}
    for target in targets:
        by_role.setdefault(target.policy.role, set()).add(target.ordinal)
    allowed: set[int] = set()
    for role, ordinals in by_role.items():
        allowed |= ordinals.intersection(*(actor.scope(right).ordinals(ordinals) for right in role.rights))
    return frozenset(allowed)


def _target(asked: UUID | int, tag: Tag | None) -> Target:
    if tag is None:
        return Target(asked, None)
    policy = WritePolicy.model_validate(tag.write_policy or {})
    return Target(asked, tag, policy)


async def _values(tenant: Tenant, loaded: _Loaded) -> dict[int, Seen]:
    """Ask the engine once for the tags and for those that interlock them."""
    known: Iterable[Tag] = [target.tag for target in loaded.targets if target.tag is not None]
    ordinals = np.unique(np.asarray([tag.ordinal for tag in (*known, *loaded.others.values())], dtype=np.uint32))
    shown = values_document(ordinals, await ask_current(runtime.require_bus(), tenant.key, ordinals))
    columns = [shown[name] for name in ("values", "times", "qualities", "flags")]
    plain = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
    return {
        tag: Seen(recordable(value), int(time_ms), int(bits), int(flags))
        for tag, value, time_ms, bits, flags in zip(ordinals.tolist(), *plain, strict=True)
    }


def _lag() -> Text | None:
    lags = [
        health.figures["lag_ms"] for (role, _), health in runtime.health.items()
        if role == "engine" and "lag_ms" in health.figures
    ]  # fmt: skip
    worst = max(lags, default=0.0)
    return _LAG.format(seconds=worst / 1000) if worst > LAG_MAX_MS else None


def _refusal(actor: Actor, target: Target, loaded: _Loaded, values: dict[int, Seen], lag: Text | None) -> Text | None:
    """Return the first check that fails: right, writable, live, quality, lag, interlock, another holder."""
    tag = target.tag
    if tag is None:
        return _NO_TAG
    if tag.ordinal not in loaded.allowed:
        return _ROLE.format(tag=tag.name, role=ROLE_WORDS[target.policy.role])
    if not tag.writable:
        return commands.READ_ONLY.format(tag=tag.name)
    if not tag.enabled:
        return _OUT.format(tag=tag.name)
    return (
        _not_live(actor.tenant, tag, tag.connection)
        or _not_good(tag, target.seen, lag)
        or _interlocked(tag, target.policy, loaded, values)
        or _taken(tag, loaded)
    )


def _not_live(tenant: Tenant, tag: Tag, connection: Connection | None) -> Text | None:
    if connection is None:
        return _UNCONNECTED.format(tag=tag.name)
    if not connection.enabled:
        return _OFF.format(name=connection.name)
    health = runtime.connection_health(tenant.key, connection.gateway, connection.id)
    if health is None:
        return _SILENT.format(gateway=connection.gateway)
    if health.state != "connected":
        return _AWAY.format(name=connection.name, reason=Text.of(health.text) if health.text else health.state)
    return None


def _not_good(tag: Tag, seen: Seen, lag: Text | None) -> Text | None:
    if lag is not None:
        return lag
    if not seen.flags & current.KNOWN:
        return _UNKNOWN_VALUE.format(tag=tag.name)
    if not quality.is_good(seen.quality):
        return _BAD.format(tag=tag.name, quality=quality.words(seen.quality))
    return _STALE.format(tag=tag.name) if seen.flags & current.STALE else None


def _interlocked(tag: Tag, policy: WritePolicy, loaded: _Loaded, values: dict[int, Seen]) -> Text | None:
    lock = policy.interlock
    if lock is None:
        return None
    other = loaded.others.get(lock.tag)
    if other is None:
        return _LOCK_GONE.format(tag=tag.name)
    seen = values.get(other.ordinal, UNSEEN)
    if not seen.good or not isinstance(seen.value, int | float):
        return _LOCK_BAD.format(tag=tag.name, other=other.name)
    if lock.holds.of(float(seen.value), lock.value):
        return None
    return _LOCK.format(
        tag=tag.name, other=other.name, holds=HOLDS_WORDS[lock.holds], wanted=_said(other, lock.value),
        found=_said(other, seen.value),
    )  # fmt: skip


def _taken(tag: Tag, loaded: _Loaded) -> Text | None:
    held = loaded.held.get(tag.pk)
    if held is None:
        return None
    seconds = max(1, -(-(held.expires_ms - time.time_ns() // 1_000_000) // 1000))
    person = loaded.people.get(str(held.pseudonym), "?")
    return _HELD.format(person=person, tag=tag.name, seconds=seconds)


def _said(tag: Tag, value: float) -> str:
    """Say a number of a tag with its unit, whole ones without a fraction."""
    sign = SIGNS.get(tag.unit, tag.unit)
    return f"{value:g} {sign}" if sign not in ("", "1") else f"{value:g}"


def recordable(value: Any) -> Any:
    """Return a value as JSON can keep it: what is no finite number is none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def value_of(target: Target, value: Any) -> Any:
    """Return a value as its kind takes it: whole numbers beyond what JSON keeps come as text."""
    whole = target.tag is not None and target.tag.sample_kind == SampleKind.INTEGER
    if whole and isinstance(value, str) and len(value) <= 20 and value.removeprefix("-").isdecimal():
        return int(value)
    return value


def fault(target: Target, value: Any, connection: UUID | None) -> Text | None:
    """Say why a value must not be written to a target: what the target refuses, then its range and kind."""
    tag = target.tag
    if target.refusal is not None or tag is None:
        return target.refusal or _NO_TAG
    if connection is not None and tag.connection_id != connection:
        return _OTHER_CONNECTION
    return commands.fault(tag.definition(), value) or _no_word(tag, value)


def _no_word(tag: Tag, value: Any) -> Text | None:
    """Refuse an enumeration's value that has no word, where words are given."""
    if tag.sample_kind != SampleKind.ENUMERATION or not tag.words or str(int(value)) in tag.words:
        return None
    return _NO_WORD.format(value=value, tag=tag.name)
