"""The OPC UA driver against node-opcua, a server that shares no code with ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.opcua.peer import PASSWORD, Peer, running
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core import quality
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import NotConnected, Rejected
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers.opcua import OpcUa, OpcUaAddress, OpcUaConfig
from mainspring.drivers.opcua_certificates import application, fingerprint

GOOD = quality.GOOD
HELD: dict[str, tuple[SampleKind, Any]] = {
    "SByte": (SampleKind.INTEGER, -5), "Byte": (SampleKind.INTEGER, 250), "Int16": (SampleKind.INTEGER, -300),
    "UInt16": (SampleKind.INTEGER, 60_000), "Int32": (SampleKind.INTEGER, -70_000),
    "UInt32": (SampleKind.INTEGER, 4_000_000_000), "Int64": (SampleKind.INTEGER, -16), "Float": (SampleKind.FLOAT, 1.5),
    "Double": (SampleKind.FLOAT, 2.25), "Boolean": (SampleKind.BOOLEAN, 1), "String": (SampleKind.TEXT, "压力"),
    "DateTime": (SampleKind.TEXT, "2026-01-02T00:00:00.000Z"), "Mode": (SampleKind.ENUMERATION, 1),
    "Level": (SampleKind.FLOAT, 4.5),
}  # fmt: skip


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running(tmp_path_factory.mktemp("peer")) as started:
        yield started


def config(peer: Peer, **changes: Any) -> OpcUaConfig:
    plain = {"url": peer.url, "security_policy": "none", "timeout_ms": ANSWER_MS, "contact_timeout_ms": ANSWER_MS}
    return OpcUaConfig.model_validate(plain | {"publishing_interval_ms": 100} | changes)


def tags(peer: Peer) -> list[DriverTag]:
    return [
        DriverTag(ordinal, kind, OpcUaAddress(node=peer.node(name)))
        for ordinal, (name, (kind, _)) in enumerate(HELD.items())
    ]


def rows(batches: list[SampleBatch]) -> dict[int, tuple[Any, int]]:
    return {
        int(ordinal): (value if isinstance(value, str) else value.item(), int(level))
        for batch in batches
        for ordinal, value, level in zip(batch.tag, batch.value, batch.quality, strict=True)
    }


async def test_read_and_subscribe_every_type(peer: Peer) -> None:
    driver = OpcUa(config(peer))
    await driver.connect()
    held = {ordinal: (value, GOOD) for ordinal, (_, value) in enumerate(HELD.values())}
    huge = DriverTag(90, SampleKind.INTEGER, OpcUaAddress(node=peer.node("UInt64")))
    third = DriverTag(91, SampleKind.FLOAT, OpcUaAddress(node=peer.node("Numbers"), index=2))
    absent = DriverTag(92, SampleKind.FLOAT, OpcUaAddress(node=peer.node("Nowhere")))
    held |= {90: (0, quality.BAD_CONFIGURATION), 91: (3.0, GOOD)}
    wanted = [*tags(peer), huge, third, absent]
    found = rows(await driver.read(driver.prepare(wanted), 5))
    assert found.pop(92)[1] == quality.BAD_CONFIGURATION
    assert found == held
    assert set(driver.faults) == {90}
    got: list[SampleBatch] = []
    task = asyncio.create_task(driver.subscribe(wanted, got.append))
    await until(lambda: len(rows(got)) == len(wanted))
    found = rows(got)
    assert found.pop(92)[1] == quality.BAD_CONFIGURATION
    assert found == held
    got.clear()
    began_ms = time.time_ns() // 1_000_000
    peer.set("Double", 7.75)
    peer.set("Float", 0, "BadSensorFailure")
    await until(lambda: {7, 8} <= set(rows(got)))
    assert rows(got)[8] == (7.75, GOOD)
    assert rows(got)[7][1] == quality.BAD_SENSOR_FAILURE
    assert began_ms <= int(got[-1].time[-1]) <= time.time_ns() // 1_000_000
    peer.set("Double", 2.25)
    peer.set("Float", 1.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    got.clear()
    again = asyncio.create_task(driver.subscribe(tags(peer), got.append))
    await until(lambda: len(rows(got)) == len(HELD))
    await driver.close()
    with pytest.raises(NotConnected):
        await again


async def test_write(peer: Peer) -> None:
    driver = OpcUa(config(peer))
    await driver.connect()
    second = DriverTag(91, SampleKind.FLOAT, OpcUaAddress(node=peer.node("Numbers"), index=1))
    locked = DriverTag(92, SampleKind.FLOAT, OpcUaAddress(node=peer.node("Locked")))
    by_name = dict(zip(HELD, tags(peer), strict=True))
    outcomes = await driver.write([
        (by_name["Int64"], 2**40), (by_name["Mode"], 2), (by_name["String"], "流量"), (second, 8.5), (locked, 2.0),
        (by_name["DateTime"], "2027-03-04T05:06:07+00:00"), (by_name["Byte"], 256),
    ])  # fmt: skip
    assert [outcome is None for outcome in outcomes] == [True, True, True, True, False, True, False]
    assert "BadNotWritable" in str(outcomes[4])
    assert "Byte" in str(outcomes[6])
    third = DriverTag(93, SampleKind.FLOAT, OpcUaAddress(node=peer.node("Numbers"), index=2))
    names = ("Int64", "Mode", "String", "DateTime")
    back = rows(await driver.read(driver.prepare([*(by_name[name] for name in names), second, third]), 5))
    assert [value for value, _ in back.values()] == [8.5, 3.0, 2**40, 2, "流量", "2027-03-04T05:06:07.000Z"]
    restore = {name: HELD[name][1] for name in names}
    assert await driver.write([(by_name[name], value) for name, value in restore.items()]) == [None] * 4
    await driver.close()


async def test_browse(peer: Peer) -> None:
    driver = OpcUa(config(peer))
    await driver.connect()
    roots = {node.name: node for node in await driver.browse(None, 50)}
    found = {node.name: node for node in await driver.browse(roots["Plant"].id, 50)}
    assert {name: found[name].kind for name in HELD} == {name: kind for name, (kind, _) in HELD.items()}
    level = found["Level"]
    assert (level.unit, level.value, level.writable) == ("m", "4.5", True)
    assert not found["Locked"].writable
    assert found["Numbers"].address == {"node": peer.node("Numbers")}
    assert len(await driver.browse(roots["Plant"].id, 4)) == 4
    await driver.close()


@pytest.mark.parametrize("mode", ["sign", "sign-and-encrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
async def test_policies_trust_and_user(peer: Peer, tmp_path: Path, policy: str, mode: str) -> None:
    known: dict[str, Any] = {
        "security_policy": policy, "security_mode": mode, "state_folder": tmp_path, "sign_in": "password",
        "user": "operator", "password": PASSWORD,
    }  # fmt: skip
    with pytest.raises(Rejected, match="not trusted") as caught:
        await OpcUa(config(peer, **known)).connect()
    mark = str(caught.value).split("fingerprint ")[1].split(".")[0]
    known["trusted_fingerprints"] = [mark]
    driver = OpcUa(config(peer, **known))
    await driver.connect()
    assert len(rows(await driver.read(driver.prepare(tags(peer)), 5))) == len(HELD)
    await driver.close()
    with pytest.raises(Rejected, match="does not accept the sign-in"):
        await OpcUa(config(peer, **known | {"password": "wrong"})).connect()


async def test_a_server_that_does_not_trust_us_is_told_what_to_add(tmp_path: Path) -> None:
    own = application(tmp_path / "own")
    with running(tmp_path / "strict", strict=True) as strict:
        known: dict[str, Any] = {"security_policy": "Basic256Sha256", "state_folder": tmp_path / "own"}
        with pytest.raises(Rejected) as caught:
            await OpcUa(config(strict, **known)).connect()
        mark = str(caught.value).split("fingerprint ")[1].split(".")[0]
        driver = OpcUa(config(strict, **known, trusted_fingerprints=[mark]))
        with pytest.raises(Rejected, match="does not trust our certificate") as caught:
            await driver.connect()
        assert fingerprint(own.certificate) in str(caught.value)
        assert "application.der" in caught.value.text.zh


async def test_a_frozen_server_is_noticed_in_time(peer: Peer) -> None:
    driver = OpcUa(config(peer, timeout_ms=4000, contact_timeout_ms=3000))
    await driver.connect()
    got: list[SampleBatch] = []
    task = asyncio.create_task(driver.subscribe(tags(peer), got.append))
    await until(lambda: got)
    peer.freeze()
    try:
        with pytest.raises(NotConnected, match="sign of life"):
            async with asyncio.timeout(PATIENCE_S):
                await task
        with pytest.raises(NotConnected, match="did not answer"):
            await driver.read(driver.prepare(tags(peer)), 1)
        await driver.close()
    finally:
        peer.thaw()
    await driver.connect()
    assert len(rows(await driver.read(driver.prepare(tags(peer)), 5))) == len(HELD)
    await driver.close()


async def test_a_killed_server_is_noticed_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as doomed:
        driver = OpcUa(config(doomed))
        await driver.connect()
        got: list[SampleBatch] = []
        task = asyncio.create_task(driver.subscribe(tags(doomed), got.append))
        await until(lambda: got)
        doomed.kill()
        with pytest.raises(NotConnected):
            async with asyncio.timeout(PATIENCE_S):
                await task
        await driver.close()
