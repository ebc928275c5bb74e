"""Puts the demo plant into the records, once; later starts only bring the addresses up to date."""

from __future__ import annotations

from mainspring.core.definitions import Condition, Words
from mainspring.core.text import Text
from mainspring.demo import plant
from mainspring.records import alarm_definition, asset, connection, tag
from mainspring.records.alarm_definition import AlarmDraft
from mainspring.records.asset import Asset, AssetDraft, AssetKind
from mainspring.records.audit import Author
from mainspring.records.connection import Connection, ConnectionDraft
from mainspring.records.tag import TagDraft
from mainspring.records.tenant import Tenant

PROCESS_NAME = "Tennessee Eastman"
CHILLER_NAME = "Chiller 6"


def seed(tenant_key: str, opcua_port: int, modbus_port: int) -> None:
    """Make assets, connections, tags and alarm definitions, or only correct the ports."""
    author = Author(Tenant.objects.get(key=tenant_key))
    settings = {
        PROCESS_NAME: {"url": f"opc.tcp://127.0.0.1:{opcua_port}", "security_policy": "none"},
        CHILLER_NAME: {"host": "127.0.0.1", "port": modbus_port, "unit": plant.CHILLER_UNIT},
    }
    if Asset.objects.of(author.tenant).exists():
        for made in Connection.objects.of(author.tenant).filter(name__in=settings):
            connection.modify(author, made.id, {"settings": settings[made.name]}, None)
        return
    drivers = {PROCESS_NAME: "opcua", CHILLER_NAME: "modbus-tcp"}
    connections = {
        name: connection.create(
            author, ConnectionDraft(name=name, driver=drivers[name], settings=settings[name], replayed=True)
        )
        for name in settings
    }
    assets = _assets(author)
    tags: dict[str, tag.Tag] = {}
    for source, plant_tags in ((PROCESS_NAME, plant.PROCESS_TAGS), (CHILLER_NAME, plant.CHILLER_TAGS)):
        for each in plant_tags:
            tags[each.name] = tag.create(
                author,
                TagDraft(
                    name=each.name, asset=assets[each.asset].id, description=_words(each.words), kind=each.kind,
                    unit=each.unit, low=each.low, high=each.high, decimals=each.decimals,
                    connection=connections[source].id, address=each.address, gain=each.gain, silence_max_ms=10_000,
                ),
            )  # fmt: skip
    for alarm in plant.ALARMS:
        stale = alarm.condition is Condition.STALE
        alarm_definition.create(
            author,
            AlarmDraft(
                tag_id=tags[alarm.tag].id, condition=alarm.condition, limit=0.0 if stale else alarm.limit,
                dead_band=alarm.dead_band, on_delay_ms=alarm.on_delay_ms, priority=alarm.priority,
                name=_words(alarm.name), consequence=_words(alarm.consequence), response=_words(alarm.response),
            ),
        )  # fmt: skip


def _assets(author: Author) -> dict[str, Asset]:
    made: dict[str, Asset] = {}
    for each in plant.ASSETS:
        above, _, slug = each.path.rpartition("/")
        made[each.path] = asset.create(
            author,
            AssetDraft(
                parent=made[above].id if above else None, kind=AssetKind(each.kind), name=_words(each.name), slug=slug
            ),
        )
    return made


def _words(text: Text) -> Words:
    return Words(**text.document())
