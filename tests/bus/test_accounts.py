"""The accounts themselves: what holds even where a gateway's own rights were too wide, and changes while it runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from tests.bus.conftest import BusUnderTest, Connect, running_bus
from tests.bus.test_bus import connection
from tests.waiting import PATIENCE_S, until

from mainspring.bus import server
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import Rights, ensure_user, gateway_user, seed_file
from mainspring.bus.members import Members
from mainspring.core import subjects
from mainspring.core.definitions import Definition, GatewayDefinition, connection_key, gateway_key
from mainspring.core.errors import NotConnected
from mainspring.core.ids import uuid7


async def test_an_account_holds_where_rights_do_not(tmp_path: Path) -> None:
    everything = Rights((">",), (">",))
    async with running_bus(tmp_path) as bus:
        bus.users = [replace(user, rights=everything) if user.tenant == "other" else user for user in bus.users]
        server.write_configuration(bus.settings, bus.users)
        await server.reload(bus.process)
        own, admin = [await bus.connect(name) for name in ("gateway-acme-g1", "admin")]
        # It waits for answers that never come.
        spy = await bus.as_role("gateway-other-g1")
        heard: list[bytes] = []

        async def on_message(message: object) -> None:
            heard.append(message.data)  # type: ignore[attr-defined]

        await spy.nc.subscribe(">", cb=on_message)
        await spy.settled()
        seen: list[bytes] = []

        async def on_seen(message: object) -> None:
            seen.append(message.data)  # type: ignore[attr-defined]

        await admin.nc.subscribe("ms.acme.>", cb=on_seen)
        await admin.settled()
        await own.js.publish(subjects.readings("acme", "g1"), b"heron")
        await admin.put_definition(connection_key("acme", uuid7()), connection("heron"))
        for subject in (subjects.readings("acme", "g1"), subjects.alarm("acme"), "$SYS.REQ.SERVER.PING",
                        "$KV.definitions.acme.tags.0", subjects.definitions("acme")):  # fmt: skip
            with pytest.raises((NatsError, TimeoutError)):
                await spy.nc.request(subject, b"forged", timeout=0.5)
        with pytest.raises((NatsError, APIError, TimeoutError)):
            await spy.js.stream_info("LIVE")
        await until(lambda: b"heron" in seen)
        assert b"forged" not in seen
        # Within its own account it may say to itself what it likes.
        assert not [each for each in heard if b"heron" in each]
        for each in (spy, own, admin):
            await each.close()


# The client library leaves connections that were refused while it reconnects to be closed by the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_gateway_is_let_in_while_the_bus_runs_and_shut_out_again(bus: BusUnderTest, connect: Connect) -> None:
    admin, web, neighbour = await connect("admin"), await connect("web"), await connect("gateway-acme-g1")
    members = Members(bus.users)
    await members.follow(admin)
    secrets = bus.folder / "elsewhere"
    user = ensure_user(secrets, "gateway", "new", "third")
    definition = GatewayDefinition(id=uuid7(), tenant="third", revision=1, name="new", public_key=user.public_key)
    with pytest.raises(NotConnected):
        await Bus.connect(bus.url, seed_file(secrets, user.name), user.name, wait_s=0.5)

    async def apply(changed: GatewayDefinition) -> None:
        members.changed.clear()
        await web.put_definition(gateway_key("third", "new"), changed)
        await asyncio.wait_for(members.changed.wait(), PATIENCE_S)
        server.write_configuration(bus.settings, members.users)
        await server.reload(bus.process)

    await apply(definition)
    let_in = await Bus.connect(bus.url, seed_file(secrets, user.name), user.name, wait_s=PATIENCE_S)

    async def taken() -> bool:
        with suppress(NatsError, APIError):
            return bool(await let_in.js.publish(subjects.readings("third", "new"), b"x"))
        return False

    await until(taken)
    await neighbour.js.publish(subjects.readings("acme", "g1"), b"x")
    assert neighbour.nc.stats["reconnects"] == 0
    await apply(definition.model_copy(update={"enabled": False}))
    await until(lambda: not let_in.connected)
    assert neighbour.connected
    await let_in.close()


def test_a_key_that_two_gateways_show_lets_in_one_alone() -> None:
    members = Members([gateway_user("acme", "g1", "UKEY")])
    copied = GatewayDefinition(id=uuid7(), tenant="other", revision=1, name="g1", public_key="UKEY")
    members._on_definition(gateway_key("other", "g1"), copied)
    assert [(user.tenant, user.name) for user in members.users] == [("acme", "gateway-acme-g1")]


async def test_a_tenants_watch_gives_differences_alone_after_the_bus_was_away(
    bus: BusUnderTest, connect: Connect
) -> None:
    admin, web, gateway = await connect("admin"), await connect("web"), await connect("gateway-acme-g1")
    kept, changed, gone = (connection(name) for name in ("kept", "changed", "gone"))
    for each in (kept, changed, gone):
        await web.put_definition(connection_key("acme", each.id), each)
    given: list[Definition | None] = []
    await gateway.watch_tenant(lambda _key, definition: given.append(definition), "acme")
    assert given == [kept, changed, gone]
    await bus.kill()
    await bus.start_again()
    await until(lambda: web.connected and gateway.connected and admin.connected)
    renamed = changed.model_copy(update={"name": "renamed"})
    await web.put_definition(connection_key("acme", changed.id), renamed)
    await web.delete_definition(connection_key("acme", gone.id))
    await until(lambda: len(given) >= 5)
    assert given[3:] == [renamed, None]


async def test_definitions_of_many_pages_come_whole(connect: Connect) -> None:
    web, gateway = await connect("web"), await connect("gateway-acme-g1")
    many = [connection("x" * 400 + str(number)) for number in range(2500)]
    for start in range(0, len(many), 50):
        await asyncio.gather(
            *(web.put_definition(connection_key("acme", each.id), each) for each in many[start : start + 50])
        )
    found: dict[str, Definition | None] = {}
    await gateway.watch_tenant(found.__setitem__, "acme")
    assert found == {connection_key("acme", each.id): each for each in many}
