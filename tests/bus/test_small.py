"""A bus with little disk has room for the definitions of a plant, also one that was set up before it had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from tests.bus.conftest import running_bus

from mainspring.bus import server
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import KV
from mainspring.core.definitions import PAGE, Definition, TagDefinition, TagPage, tag_page_key
from mainspring.core.kinds import SampleKind
from mainspring.core.subjects import LATE, LIVE

SMALL: int = 64 * 1024**2
TAGS = 18_000


def page(number: int) -> TagPage:
    tags = (
        TagDefinition(
            ordinal=ordinal, id=UUID(int=ordinal), path=f"plant/area/line/machine-{number}/sensor-{ordinal}",
            name=f"sensor-{ordinal}", kind=SampleKind.FLOAT, connection=UUID(int=1),
        )
        for ordinal in range(number * PAGE, (number + 1) * PAGE)
    )  # fmt: skip
    return TagPage(revision=1, tenant="acme", page=number, tags=tuple(tags))


async def sizes(admin: Bus) -> list[int]:
    return [(await admin.js.stream_info(each)).config.max_bytes or 0 for each in (LIVE, LATE, KV)]


async def test_eighteen_thousand_tags_reach_a_gateway_over_the_smallest_bus(tmp_path: Path) -> None:
    async with running_bus(tmp_path, file_bytes_max=SMALL) as bus:
        admin, gateway = await bus.connect("admin"), await bus.connect("gateway-acme-g1")
        # As it was set up before.
        for stream, share in ((KV, 0.04), (LIVE, 0.45), (LATE, 0.45)):
            config = (await admin.js.stream_info(stream)).config
            config.max_bytes = int(SMALL * share)
            await admin.js.update_stream(config)
        await server.ensure_streams(admin, SMALL)
        for number in range(TAGS // PAGE):
            await admin.put_definition(tag_page_key("acme", number), page(number))
        seen: set[int] = set()

        def changed(_key: str, definition: Definition | None) -> None:
            assert isinstance(definition, TagPage)
            seen.update(tag.ordinal for tag in definition.tags)

        await gateway.watch_tenant(changed, "acme")
        assert len(seen) == TAGS
        before = await sizes(admin)
        await bus.kill()
        bus.settings = replace(bus.settings, file_bytes_max=4 * SMALL)
        await bus.start_again()
        await admin.settled()
        await server.ensure_streams(admin, 4 * SMALL)
        assert all(after > small for after, small in zip(await sizes(admin), before, strict=True))
        assert sum(await sizes(admin)) < 4 * SMALL
        for each in (admin, gateway):
            await each.close()
