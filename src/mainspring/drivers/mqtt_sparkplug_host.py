"""The host's side of Sparkplug without any I/O: messages in, samples and requests for rebirth out.

Source: Eclipse Sparkplug 3.0.0, chapter 5 (operational behavior), sections on host applications.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import DecodeError
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_sparkplug_nodes import EdgeNode, Key, Known, Rows, Scope, quality_of
from mainspring.drivers.mqtt_sparkplug_payload import (
    Metric,
    members,
    metrics_of,
    parse,
    properties_of,
    value_of,
)

NAMESPACE: Final = "spBv1.0"
NODES_MAX: Final = 10_000
DEVICES_MAX: Final = 1_000
"""Most devices of one edge node."""
METRICS_MAX: Final = 2_000_000
"""Most metrics of all births together."""
CONFIRM_S: Final = 5.0
"""A device that is not born again this long after its node was is gone."""
BIRTH_SEQUENCE: Final = "bdSeq"
NODE_KINDS: Final = ("NBIRTH", "NDATA", "NDEATH")
DEVICE_KINDS: Final = ("DBIRTH", "DDATA", "DDEATH")
_PLAIN: Final = frozenset({"float_value", "double_value", "boolean_value", "string_value"})

_NO_BIRTH: Final = Text(
    "Values came without a birth before them; they were dropped and a rebirth was requested.",
    "未收到出生消息就收到了数据；数据已丢弃，并已请求重新出生。",
)
_GAP: Final = Text(
    "A message is missing in the sequence of an edge node; a rebirth was requested. Check its network.",
    "边缘节点的消息序号不连续；已请求重新出生。请检查其网络。",
)
_UNKNOWN: Final = Text(
    "A value came for a metric that the birth does not declare; it was dropped and a rebirth was requested.",
    "收到出生消息中未声明的指标；该值已丢弃，并已请求重新出生。",
)
_NO_DEATH: Final = Text(
    "A new birth came without the death of the session before it; the devices of that session are taken for dead.",
    "收到新的出生消息，但未收到上一会话的死亡消息；上一会话的设备视为离线。",
)
_OLD_DEATH: Final = Text(
    "A death came that belongs to a former session of its edge node; it was passed over.",
    "收到属于边缘节点先前会话的死亡消息，已忽略。",
)
_TOPIC: Final = Text(
    "A message came to a topic that is not one of Sparkplug B; it was dropped.",
    "收到主题不属于 Sparkplug B 的消息，已丢弃。",
)
_STATE: Final = Text(
    "A host state came that is not JSON with online and timestamp; it was passed over.",
    "收到的主机状态不是含 online 和 timestamp 的 JSON，已忽略。",
)
_MANY: Final = Text(
    "A birth was dropped because too many edge nodes, devices or metrics are known already. "
    "Limit the groups of the connection.",
    "已知的边缘节点、设备或指标过多，出生消息已丢弃。请限制连接所订阅的组。",
)
_ABSENT: Final = Text(
    "The birth does not declare the metric {metric}. Correct the address, or choose one by browsing.",
    "出生消息中没有指标 {metric}。请更正地址，或通过浏览选择。",
)
_UNBORN: Final = Text(
    "No birth of {node} has come yet. Check that the edge node is connected and its names are spelled so.",
    "尚未收到 {node} 的出生消息。请检查边缘节点是否已连接、名称是否一致。",
)
Place = tuple[str, str, str]
"""Group, edge node and device, "" for the node itself."""


class Application:
    """What a host knows of all edge nodes, and what it must ask of them."""

    def __init__(
        self,
        host_id: str,
        rebirth_interval_s: float,
        refuse: Callable[[Text], None],
        faults: dict[int, Text],
        peers: Callable[[], Iterable[Application]],
    ) -> None:
        self.nodes: dict[Key, EdgeNode] = {}
        self.said_offline = False
        """Whether someone said that this host is offline, which must be corrected."""
        self.wake: Callable[[], None] = lambda: None
        """Called when a rebirth is to be requested or our state to be corrected."""
        self._host_id = host_id
        self._interval_s = rebirth_interval_s
        self._refuse = refuse
        self._faults = faults
        self._peers = peers
        self._wanted: dict[Place, dict[str, list[DriverTag]]] = {}
        self._metrics = 0
        self._due: set[Key] = set()
        self._unconfirmed: set[Key] = set()

    def bind(self, tags: Sequence[DriverTag], rows: Rows, now_ms: int) -> None:
        """Show the metrics under these tags from now on, and give what is known of them."""
        self._wanted = {}
        for tag in tags:
            at = tag.address
            self._wanted.setdefault((at.group, at.node, at.device), {}).setdefault(at.metric, []).append(tag)
        for key, node in self.nodes.items():
            for name, scope in node.scopes.items():
                scope.rebind(self._wanted.get((*key, name), {}))
        for place, wanted in self._wanted.items():
            present = self.find(place)
            if present is not None:
                self._present(present, wanted, rows, now_ms)
                continue
            text = _UNBORN.format(node="/".join(part for part in place if part))
            self._faults.update((tag.ordinal, text) for tags in wanted.values() for tag in tags)
            self.ask(place[:2])

    def take(self, messages: Sequence[Message], now_ms: int, rows: Rows, late: Rows) -> None:
        """Take messages in their order; samples go to `rows`, historical ones to `late`."""
        for message in messages:
            try:
                self._take(message, now_ms, rows, late)
            except DecodeError as error:
                self._refuse(error.text)

    def shut_out(self, topics: Sequence[str], now_ms: int, rows: Rows) -> None:
        """Take nodes for dead that were shut out before they could say so; `topics` are those of their deaths."""
        for parts in (topic.split("/") for topic in topics):
            node = self.nodes.get((parts[1], parts[3])) if len(parts) == 4 and parts[2] == "NDEATH" else None
            if node is not None and node.alive:
                self._die_all(node, now_ms, rows)

    def find(self, place: Place) -> Scope | None:
        """Return what the living birth of a node or device declares, also if another connection heard it."""
        node = self._alive(place[:2])
        scope = node.scopes.get(place[2]) if node is not None else None
        return scope if scope is not None and scope.alive else None

    def ask(self, key: Key) -> None:
        """Request a rebirth as soon as it is allowed again."""
        node = self._node(key)
        if node is not None and node.rebirth_due_s is None:
            node.rebirth_due_s = max(time.monotonic(), node.asked_s + self._interval_s)
            self._due.add(key)
            self.wake()

    def due(self, now_s: float) -> tuple[list[Key], float | None]:
        """Return the nodes to ask for a rebirth now, and the time of whatever is to be done next."""
        now_due = [key for key in self._due if (self.nodes[key].rebirth_due_s or 0.0) <= now_s]
        for key in now_due:
            node = self.nodes[key]
            node.asked_s, node.rebirth_due_s = now_s, None
            self._due.discard(key)
        times = [self.nodes[key].rebirth_due_s for key in self._due]
        times += [scope.confirm_by_s for key in self._unconfirmed for scope in self.nodes[key].scopes.values()]
        return now_due, min((moment for moment in times if moment is not None), default=None)

    def bury(self, now_s: float, now_ms: int, rows: Rows) -> None:
        """Take devices for dead that were not born again after their node was."""
        for key in list(self._unconfirmed):
            waiting = [scope for scope in self.nodes[key].scopes.values() if scope.confirm_by_s is not None]
            for scope in waiting:
                if scope.confirm_by_s is not None and scope.confirm_by_s <= now_s:
                    self._die(scope, now_ms, rows)
            if all(scope.confirm_by_s is None for scope in waiting):
                self._unconfirmed.discard(key)

    def _take(self, message: Message, now_ms: int, rows: Rows, late: Rows) -> None:
        parts = message.topic.split("/")
        if len(parts) == 3 and parts[1] == "STATE":
            self._take_state(parts[2], message.payload)
            return
        device = parts[4] if len(parts) == 5 else ""
        kind = parts[2] if len(parts) in (4, 5) else ""
        if parts[0] != NAMESPACE or kind not in (DEVICE_KINDS if device else NODE_KINDS):
            self._refuse(_TOPIC)
            return
        key, payload = (parts[1], parts[3]), parse(message.payload)
        if kind in ("NDATA", "DDATA"):
            self._take_values(key, device, payload, now_ms, rows, late)
        elif kind == "NBIRTH":
            self._take_birth(key, payload, now_ms, rows, late)
        elif kind == "DBIRTH":
            self._take_device_birth(key, device, payload, now_ms, rows, late)
        elif kind == "NDEATH":
            self._take_death(key, payload, now_ms, rows)
        else:
            node = self._in_sequence(key, payload)
            if node is not None and device in node.scopes:
                self._die(node.scopes[device], now_ms, rows)

    def _take_state(self, host_id: str, payload: bytes) -> None:
        if host_id != self._host_id:
            return
        try:
            state = json.loads(payload)
            online = state["online"]
        except (ValueError, TypeError, KeyError, RecursionError):
            self._refuse(_STATE)
            return
        if online is False:
            self.said_offline = True
            self.wake()

    def _take_birth(self, key: Key, payload: Any, now_ms: int, rows: Rows, late: Rows) -> None:
        metrics = metrics_of(payload)
        node = self._node(key)
        if node is None or not self._room(len(metrics), node.scopes.get("")):
            self._refuse(_MANY)
            return
        number = _birth_sequence(metrics)
        again = node.alive and number == node.birth_sequence
        if node.alive and not again:
            self._refuse(_NO_DEATH)
            self._die_all(node, now_ms, rows)
        for name, scope in node.scopes.items():
            if name and again and scope.alive:
                scope.confirm_by_s = time.monotonic() + CONFIRM_S
                self._unconfirmed.add(key)
        node.alive, node.birth_sequence = True, number
        node.sequence = payload.seq if payload.HasField("seq") else 0
        node.rebirth_due_s = None
        self._due.discard(key)
        self._born(node, "", metrics, payload, now_ms, rows, late)
        self.wake()

    def _take_device_birth(self, key: Key, device: str, payload: Any, now_ms: int, rows: Rows, late: Rows) -> None:
        node = self._in_sequence(key, payload)
        if node is None:
            return
        metrics = metrics_of(payload)
        new = device not in node.scopes and len(node.scopes) > DEVICES_MAX
        if new or not self._room(len(metrics), node.scopes.get(device)):
            self._refuse(_MANY)
            return
        self._born(node, device, metrics, payload, now_ms, rows, late)

    def _born(
        self, node: EdgeNode, device: str, metrics: list[Metric], payload: Any, now_ms: int, rows: Rows, late: Rows
    ) -> None:
        scope, wanted = node.scope(device), self._wanted.get((*node.key, device), {})
        self._metrics -= len(scope.metrics)
        gone = scope.born(metrics, wanted, payload.timestamp or now_ms)
        self._metrics += len(scope.metrics)
        rows.add_bad(gone, q.BAD_NOT_CONNECTED, now_ms)
        if wanted:
            self._present(scope, wanted, rows, now_ms)
            for metric in metrics:
                if metric.historical:
                    quality = quality_of(metric.value, metric.properties)
                    late.add(scope.metrics[metric.name], metric.value, quality, metric.time_ms or now_ms)

    def _present(self, scope: Scope, wanted: dict[str, list[DriverTag]], rows: Rows, now_ms: int) -> None:
        """Give the present values of the wanted metrics; those the birth does not have are bad, with a reason."""
        for name, tags in wanted.items():
            known = scope.metrics.get(name)
            if known is not None:
                for tag in tags:
                    self._faults.pop(tag.ordinal, None)
                rows.add(known, known.value, known.quality, known.time_ms or now_ms)
            else:
                self._faults.update((tag.ordinal, _ABSENT.format(metric=name)) for tag in tags)
                rows.add_absent(tags, now_ms)

    def _take_values(self, key: Key, device: str, payload: Any, now_ms: int, rows: Rows, late: Rows) -> None:
        node = self._in_sequence(key, payload)
        scope = node.scopes.get(device) if node is not None else None
        if scope is None or not scope.alive:
            if node is not None:
                self._refuse(_NO_BIRTH)
                self.ask(key)
            return
        sent_ms = payload.timestamp or now_ms
        for metric in payload.metrics:
            name = metric.name
            known = scope.metrics.get(name) if name else scope.aliases.get(metric.alias)
            if known is None or not (name or metric.HasField("alias")):
                self._refuse(_UNKNOWN)
                self.ask(key)
                continue
            which = metric.WhichOneof("value")
            if which in _PLAIN and not metric.HasField("properties") and not metric.is_historical:
                # What almost every value is, without a detour.
                known.value = value = None if metric.is_null else getattr(metric, which)
                known.time_ms = time_ms = metric.timestamp or sent_ms
                known.quality = quality = q.BAD_WAITING if value is None else q.GOOD
                if known.tags:
                    rows.add(known, value, quality, time_ms)
                continue
            _take_value(known, metric, sent_ms, rows, late)
            if which == "template_value":
                for inner, member in members(metric.template_value.metrics, f"{known.name}/", 1):
                    below = scope.metrics.get(inner)
                    if below is not None:
                        _take_value(below, member, sent_ms, rows, late)

    def _take_death(self, key: Key, payload: Any, now_ms: int, rows: Rows) -> None:
        node = self.nodes.get(key)
        number = _birth_sequence(metrics_of(payload))
        if node is None or not node.alive:
            return
        if None not in (number, node.birth_sequence) and number != node.birth_sequence:
            self._refuse(_OLD_DEATH)
            return
        self._die_all(node, now_ms, rows)

    def _die_all(self, node: EdgeNode, now_ms: int, rows: Rows) -> None:
        node.alive = False
        for scope in node.scopes.values():
            self._die(scope, now_ms, rows)

    def _die(self, scope: Scope, now_ms: int, rows: Rows) -> None:
        if scope.alive:
            scope.alive = False
            rows.add_bad(scope.metrics.values(), q.BAD_NOT_CONNECTED, now_ms)
        scope.confirm_by_s = None

    def _in_sequence(self, key: Key, payload: Any) -> EdgeNode | None:
        """Return the living node of a message that is counted in its sequence; otherwise ask for a rebirth."""
        node = self._alive(key)
        if node is None:
            self._refuse(_NO_BIRTH)
            self.ask(key)
            return None
        if payload.HasField("seq") and not node.follows(payload.seq):
            self._refuse(_GAP)
            self.ask(key)
        return node

    def _alive(self, key: Key) -> EdgeNode | None:
        node = self.nodes.get(key)
        if node is not None and node.alive:
            return node
        for peer in self._peers():
            theirs = peer.nodes.get(key)
            if theirs is not None and theirs.alive:
                node = self._node(key)
                if node is not None and self._room(theirs.metrics(), None):
                    self._metrics += theirs.metrics() - node.metrics()
                    node.adopt(theirs, lambda key, name: self._wanted.get((*key, name), {}))
                    return node
        return None

    def _node(self, key: Key) -> EdgeNode | None:
        if key not in self.nodes and len(self.nodes) >= NODES_MAX:
            return None
        return self.nodes.setdefault(key, EdgeNode(key))

    def _room(self, metrics: int, instead_of: Scope | None) -> bool:
        return self._metrics + metrics - (len(instead_of.metrics) if instead_of else 0) <= METRICS_MAX


def _take_value(known: Known, metric: Any, sent_ms: int, rows: Rows, late: Rows) -> None:
    """Take one value in the type its birth declared."""
    value = None if metric.is_null else value_of(metric, known.kind)
    properties = properties_of(metric.properties) if metric.HasField("properties") else {}
    quality, time_ms = quality_of(value, properties), metric.timestamp or sent_ms
    if metric.is_historical:
        late.add(known, value, quality, time_ms)
        return
    known.value, known.time_ms, known.quality = value, time_ms, quality
    if known.tags:
        rows.add(known, value, quality, time_ms)


def _birth_sequence(metrics: Sequence[Metric]) -> int | None:
    found = next((metric.value for metric in metrics if metric.name == BIRTH_SEQUENCE), None)
    return found if isinstance(found, int) else None
