"""Browsing what births declare: groups, edge nodes, devices, and metrics by the parts of their names.

An entry's id is `group/node/device/prefix`; the device is empty for metrics of the edge node itself. Names of groups,
nodes and devices hold no slash, those of metrics do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mainspring.core.drivers import Node
from mainspring.core.kinds import SampleKind
from mainspring.core.units import code_of
from mainspring.drivers.mqtt_sparkplug_host import BIRTH_SEQUENCE, Application
from mainspring.drivers.mqtt_sparkplug_nodes import EdgeNode, Key, Known, kind_name, sample_kind
from mainspring.drivers.mqtt_sparkplug_payload import Content

TEXT_MAX: Final = 120


def children(known: Iterable[Application], parent: str | None, limit: int) -> list[Node]:
    """List at most `limit` entries below `parent`, in the order of their names; None is the root."""
    nodes: dict[Key, EdgeNode] = {}
    for application in known:
        for key, node in application.nodes.items():
            if node.alive:
                nodes.setdefault(key, node)
    parts = [] if parent is None else parent.split("/", 3)
    if not parts:
        return [Node(group, group, True) for group in sorted({group for group, _ in nodes})[:limit]]
    if len(parts) == 1:
        names = sorted(name for group, name in nodes if group == parts[0])[:limit]
        return [Node(f"{parts[0]}/{name}", name, True) for name in names]
    found = nodes.get((parts[0], parts[1]))
    if found is None:
        return []
    listed = []
    device = parts[2] if len(parts) > 2 else ""
    if len(parts) == 2:
        alive = sorted(name for name, scope in found.scopes.items() if name and scope.alive)
        listed = [Node(f"{parent}/{name}", name, True) for name in alive[:limit]]
    scope = found.scopes.get(device)
    if scope is None or not scope.alive:
        return listed
    prefix = f"{parts[3]}/" if len(parts) == 4 else ""
    return (listed + _metrics((parts[0], parts[1], device), scope.metrics, prefix, limit))[:limit]


def _metrics(place: tuple[str, str, str], metrics: dict[str, Known], prefix: str, limit: int) -> list[Node]:
    """List the next part of each name below a prefix: as folder, as metric, or as both."""
    folders: set[str] = set()
    leaves: dict[str, Known] = {}
    for name, metric in metrics.items():
        if not name.startswith(prefix):
            continue
        part, slash, _ = name[len(prefix) :].partition("/")
        if slash:
            folders.add(part)
        else:
            leaves[part] = metric
    above = "/".join(place)
    made = []
    for part in sorted(folders | leaves.keys())[:limit]:
        id = f"{above}/{prefix}{part}"
        leaf = leaves.get(part)
        made.append(Node(id, part, True) if leaf is None else _metric(id, part, place, leaf, part in folders))
    return made


def _metric(id: str, part: str, place: tuple[str, str, str], metric: Known, opens: bool) -> Node:
    kind = sample_kind(metric.kind)
    if kind is None:
        return Node(id, part, opens, description=kind_name(metric.kind))
    group, node, device = place
    address = {"group": group, "node": node, "device": device, "metric": metric.name}
    words = metric.properties.get("documentation") or metric.properties.get("tooltip") or ""
    unit = unit_of(metric.properties.get("engUnit"))
    return Node(id, part, opens, kind, address, unit, str(words)[:TEXT_MAX], _writable(metric), text_of(metric.value))


def _writable(metric: Known) -> bool:
    if metric.name == BIRTH_SEQUENCE:
        return False
    return not metric.read_only and sample_kind(metric.kind) not in {SampleKind.BLOB, SampleKind.ARRAY}


def unit_of(sign: Any) -> str:
    """Return the UCUM code of a unit where code or sign are known, else what the edge node wrote."""
    if not isinstance(sign, str) or not sign:
        return ""
    return code_of(sign) or sign[:TEXT_MAX]


def text_of(value: Any) -> str:
    """Say a value in a few characters."""
    if value is None:
        return ""
    if isinstance(value, Content):
        return f"{value.media_type}, {len(value.body)} B"
    if isinstance(value, list):
        return ("[" + ", ".join(str(element) for element in value[:8]) + "]")[:TEXT_MAX]
    return (f"{value:.6g}" if isinstance(value, float) else str(value))[:TEXT_MAX]
