"""A gateway without a bus as a process of its own, to be killed: `python -m tests.drivers.mqtt_gateway_process`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mainspring.bus.connect import Bus
from mainspring.core.definitions import (
    ConnectionDefinition,
    DeviceDefinition,
    TagDefinition,
    TagPage,
    connection_key,
    device_key,
    tag_page_key,
)
from mainspring.core.drivers import registered
from mainspring.core.errors import NotConnected
from mainspring.core.text import Text
from mainspring.gateway.role import run
from mainspring.gateway.settings import GatewaySettings


def define(
    folder: Path, connection: ConnectionDefinition, tags: list[TagDefinition], devices: list[DeviceDefinition]
) -> None:
    """Write what the bus would have given to an earlier run."""
    found = {connection_key("acme", connection.id): connection.model_dump(mode="json")}
    found |= {device_key("acme", each.id): each.model_dump(mode="json") for each in devices}
    page = TagPage(revision=1, tenant="acme", page=0, tags=tuple(tags))
    found[tag_page_key("acme", 0)] = page.model_dump(mode="json")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "definitions.json").write_text(json.dumps(found))


def settings(folder: Path, port: int, **more: int) -> GatewaySettings:
    known = {"disk_free_min_bytes": 0, "flush_ms": 10, "segment_bytes": 64 * 1024}
    return GatewaySettings.model_validate(
        {"name": "g1", "tenant": "acme", "folder": folder, "mqtt_port": port} | known | more
    )


async def main(folder: str, port: str) -> None:
    async def nobody() -> Bus:
        raise NotConnected(Text("There is no bus here.", "此处没有总线。"))

    await run(nobody, settings(Path(folder), int(port)), asyncio.Event(), registered())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
