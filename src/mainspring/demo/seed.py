"""Puts the demo plant into the records, once; later starts bring addresses up to date and add what is new."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from mainspring.configuration import DemoSection
from mainspring.core.definitions import Condition, Words
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.demo import business, chiller_controls, edge, laboratory, machine, plant
from mainspring.records.audit import Author
from mainspring.records.plant import alarm_definition, asset, connection, device, tag
from mainspring.records.plant.alarm_definition import AlarmDraft
from mainspring.records.plant.asset import Asset, AssetDraft, AssetKind
from mainspring.records.plant.connection import Connection, ConnectionDraft
from mainspring.records.plant.device import Device, DeviceDraft
from mainspring.records.plant.tag import TagDraft
from mainspring.records.plant.write_policy import WritePolicy
from mainspring.records.tenant import Tenant

PROCESS_NAME = "Tennessee Eastman"
CHILLER_NAME = "Chiller 6"
MACHINE_NAME = "OKUMA MULTUS"
ADAPTER_NAME = "OKUMA MULTUS (SHDR)"
EDGE_NAME = "Edge node (Sparkplug)"


@dataclass(frozen=True, slots=True)
class Source:
    """One connection of the demo plant and the tags that come over it."""

    name: str
    driver: str
    settings: dict[str, Any]
    tags: Sequence[plant.PlantTag]


def sources(demo: DemoSection) -> tuple[Source, ...]:
    """Return what the demo plant is connected to."""
    process = {"url": f"opc.tcp://127.0.0.1:{demo.opcua_port}", "security_policy": "none"}
    chiller = {"host": "127.0.0.1", "port": demo.modbus_port, "unit": plant.CHILLER_UNIT}
    agent = {"url": f"http://127.0.0.1:{demo.mtconnect_port}", "interval_ms": 1000}
    adapter = {"host": "127.0.0.1", "port": demo.shdr_port}
    return (
        Source(PROCESS_NAME, "opcua", process, plant.PROCESS_TAGS),
        Source(CHILLER_NAME, "modbus-tcp", chiller, (*plant.CHILLER_TAGS, *chiller_controls.TAGS)),
        Source(MACHINE_NAME, "mtconnect", agent, machine.AGENT_TAGS),
        Source(ADAPTER_NAME, "shdr", adapter, machine.ADAPTER_TAGS),
        Source(EDGE_NAME, "sparkplug", edge.SETTINGS, edge.TAGS),
    )


def seed(tenant_key: str, demo: DemoSection, secrets_folder: Path, data_folder: Path) -> None:
    """Make assets, connections, tags, alarm definitions, a credential and business records where they are missing."""
    author = Author(Tenant.objects.get(key=tenant_key))
    _ensure_credential(author, secrets_folder)
    known = {made.name: made for made in Connection.objects.of(author.tenant)}
    new = []
    for source in sources(demo):
        made = known.get(source.name)
        if made is None:
            new.append(source)
        elif made.settings != source.settings:
            connection.modify(author, made.id, {"settings": source.settings}, None)
    # One commit for a hundred tags: they wait for the disk once.
    with transaction.atomic():
        if new:
            _make(author, new)
        _ensure_laboratory(author)
    business.fill(author, data_folder)


def _ensure_credential(author: Author, secrets_folder: Path) -> None:
    """Give the edge node a credential if it has none, or a new password if its file is lost."""
    file = edge.password_file(secrets_folder)
    known = Device.objects.of(author.tenant).filter(name=edge.USER).first()
    if known is not None and file.exists():
        return
    if known is None:
        draft = DeviceDraft(name=edge.USER, publish=edge.PUBLISH, subscribe=edge.SUBSCRIBE)
        _, password = device.issue(author, [draft])[0]
    else:
        _, password = device.rotate(author, known.id)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(password)


def _make(author: Author, new: Sequence[Source]) -> None:
    assets = _assets(author, {each.asset for source in new for each in source.tags})
    tags: dict[str, tag.Tag] = {}
    for source in new:
        made = connection.create(
            author, ConnectionDraft(name=source.name, driver=source.driver, settings=source.settings, replayed=True)
        )
        for each in source.tags:
            # States and texts seldom change: repeated less often, they cost next to nothing.
            silence_ms = 10_000 if each.kind is SampleKind.FLOAT else 60_000
            words = {str(number): _words(text) for number, text in enumerate((each.states or {}).values())}
            tags[each.name] = tag.create(
                author,
                TagDraft(
                    name=each.name, asset=assets[each.asset].id, description=_words(each.words), kind=each.kind,
                    unit=each.unit, low=each.low, high=each.high, decimals=each.decimals, words=words or None,
                    connection=made.id, address=each.address, gain=each.gain, silence_max_ms=silence_ms,
                    writable=each in chiller_controls.TAGS, write_policy=_policy(each.name, tags),
                ),
            )  # fmt: skip
    for alarm in (*plant.ALARMS, *machine.ALARMS, *edge.ALARMS):
        if alarm.tag not in tags:
            continue
        stale = alarm.condition is Condition.STALE
        alarm_definition.create(
            author,
            AlarmDraft(
                tag_id=tags[alarm.tag].id, condition=alarm.condition, limit=0.0 if stale else alarm.limit,
                dead_band=alarm.dead_band, on_delay_ms=alarm.on_delay_ms, priority=alarm.priority,
                name=_words(alarm.name), consequence=_words(alarm.consequence), response=_words(alarm.response),
                **alarm.more,
            ),
        )  # fmt: skip


def _ensure_laboratory(author: Author) -> None:
    """Make the tags that people enter by hand, unless they are there."""
    names = [each.name for each in laboratory.TAGS]
    known = set(tag.Tag.objects.of(author.tenant).filter(name__in=names).values_list("name", flat=True))
    missing = [each for each in laboratory.TAGS if each.name not in known]
    assets = _assets(author, {each.asset for each in missing}) if missing else {}
    for each in missing:
        draft = TagDraft(
            name=each.name, asset=assets[each.asset].id, description=_words(each.words), unit=each.unit,
            low=each.low, high=each.high, decimals=each.decimals,
        )  # fmt: skip
        tag.create(author, draft)


def _policy(name: str, tags: dict[str, tag.Tag]) -> WritePolicy | None:
    declared = chiller_controls.POLICIES.get(name)
    if declared is None:
        return None
    interlock = declared.get("interlock")
    return WritePolicy.model_validate(
        declared if interlock is None else declared | {"interlock": interlock | {"tag": tags[interlock["tag"]].id}}
    )


def _assets(author: Author, wanted: set[str]) -> dict[str, Asset]:
    """Return the wanted assets by path; they and those above them are made where they are missing."""
    made = {each.path: each for each in Asset.objects.of(author.tenant)}
    for each in (*plant.ASSETS, *machine.ASSETS, *edge.ASSETS):
        needed = any(path == each.path or path.startswith(f"{each.path}/") for path in wanted)
        if each.path in made or not needed:
            continue
        above, _, slug = each.path.rpartition("/")
        made[each.path] = asset.create(
            author,
            AssetDraft(
                parent=made[above].id if above else None,
                kind=AssetKind(each.kind),
                name=_words(each.name),
                description=_words(each.description or Text("", "")),
                slug=slug,
                shifts=plant.SHIFTS if each.kind == "site" else [],
            ),
        )
    return made


def _words(text: Text) -> Words:
    return Words(**text.document())
