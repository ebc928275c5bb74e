"""The OPC UA driver against the simulator, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core import quality
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import DecodeError, NotConnected, NotFound, Rejected
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers.opcua import OpcUa, OpcUaAddress, OpcUaConfig
from mainspring.drivers.opcua_certificates import application, fingerprint, self_signed
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

pytestmark = pytest.mark.asyncio(loop_scope="module")
NODES = [
    SimulatedNode("Reactor/Temperature", unit="Cel", low=0, high=200, writable=True, value=20.0),
    SimulatedNode("Reactor/Pressure", unit="kPa", value=101.5),
    SimulatedNode("Reactor/Count", SampleKind.INTEGER, writable=True, value=2**62 + 1),
    SimulatedNode("Reactor/Huge", SampleKind.INTEGER, type="UInt64", value=2**64 - 1),
    SimulatedNode("Reactor/Running", SampleKind.BOOLEAN, writable=True, value=True),
    SimulatedNode("Reactor/Mode", SampleKind.ENUMERATION, writable=True, value=2),
    SimulatedNode("Reactor/Batch", SampleKind.TEXT, writable=True, value="甲"),
    SimulatedNode("Reactor/Profile", value=[1.0, 2.0, 3.0], writable=True),
    SimulatedNode("Reactor/Small", SampleKind.INTEGER, type="Int16", writable=True, value=1),
]
PASSWORDS = {"operator": "open sesame"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulator() -> AsyncIterator[OpcUaSimulator]:
    made = OpcUaSimulator(NODES)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fortress(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[OpcUaSimulator, Path]]:
    """A server with security that knows one user by password and one by certificate."""
    folder = tmp_path_factory.mktemp("user")
    user = application(folder)
    made = OpcUaSimulator(NODES, secure=True, passwords=PASSWORDS, user_certificates=[user.certificate])
    await made.start()
    yield made, folder
    await made.stop()


def config(simulator: OpcUaSimulator, **changes: Any) -> OpcUaConfig:
    plain = {"url": simulator.url, "security_policy": "none", "timeout_ms": ANSWER_MS, "contact_timeout_ms": ANSWER_MS}
    return OpcUaConfig.model_validate(plain | {"publishing_interval_ms": 50} | changes)


def guarded(simulator: OpcUaSimulator, folder: Path, **changes: Any) -> OpcUaConfig:
    known = {
        "security_policy": "Basic256Sha256", "state_folder": folder, "sign_in": "password", "user": "operator",
        "password": PASSWORDS["operator"], "trusted_fingerprints": [fingerprint(simulator.certificate)],
    }  # fmt: skip
    return config(simulator, **known | changes)


@contextlib.asynccontextmanager
async def connected(settings_: OpcUaConfig) -> AsyncIterator[OpcUa]:
    driver = OpcUa(settings_)
    await driver.connect()
    try:
        yield driver
    finally:
        await driver.close()


def tag(ordinal: int, name: str, kind: SampleKind = SampleKind.FLOAT, **address: Any) -> DriverTag:
    return DriverTag(ordinal, kind, OpcUaAddress(node=f"ns=2;s=Reactor/{name}", **address))


def rows(batches: list[SampleBatch]) -> dict[int, tuple[Any, int]]:
    return {
        int(ordinal): (value if isinstance(value, str) else value.item(), int(level))
        for batch in batches
        for ordinal, value, level in zip(batch.tag, batch.value, batch.quality, strict=True)
    }


async def test_read_every_kind(simulator: OpcUaSimulator) -> None:
    tags = [
        tag(1, "Temperature"), tag(2, "Count", SampleKind.INTEGER), tag(3, "Huge", SampleKind.INTEGER),
        tag(4, "Running", SampleKind.BOOLEAN), tag(5, "Mode", SampleKind.ENUMERATION), tag(6, "Batch", SampleKind.TEXT),
        tag(7, "Profile", index=0), tag(8, "Profile", index=2), tag(9, "Profile", index=3), tag(10, "Profile"),
        tag(11, "Nowhere"), tag(12, "Batch"), tag(13, "Pressure", SampleKind.INTEGER),
        tag(14, "Temperature", SampleKind.TEXT, attribute="DisplayName"), tag(15, "Temperature", index=0),
        tag(16, "Huge"), tag(17, "Profile", SampleKind.ARRAY), tag(18, "Temperature", SampleKind.ARRAY),
    ]  # fmt: skip
    async with connected(config(simulator, batch_items=3)) as driver:
        prepared = driver.prepare(tags)
        assert len(prepared.items) == 10, "tags of one node share one item"
        batches = await driver.read(prepared, 12_345)
    found = rows(batches)
    good = quality.GOOD
    assert {ordinal: found[ordinal] for ordinal in (1, 2, 4, 5, 6, 7, 8, 14, 16, 17)} == {
        1: (20.0, good), 2: (2**62 + 1, good), 4: (1, good), 5: (2, good), 6: ("甲", good), 7: (1.0, good),
        8: (3.0, good), 14: ("Temperature", good), 16: (float(2**64), good), 17: ("[1.0,2.0,3.0]", good),
    }  # fmt: skip
    assert {found[ordinal][1] for ordinal in (3, 9, 10, 11, 12, 13, 15, 18)} == {quality.BAD_CONFIGURATION}
    assert {time for batch in batches for time in batch.time.tolist()} == {12_345}
    assert set(driver.faults) == {3, 9, 10, 12, 13, 15, 18}
    assert "64-bit" in driver.faults[3].en
    assert driver.traffic.requests >= 4
    assert driver.traffic.samples == 18
    assert driver.traffic.bytes_in > 500
    assert driver.traffic.bytes_out > 500
    assert driver.traffic.round_trip_ms > 0


async def test_subscribe(simulator: OpcUaSimulator) -> None:
    got: list[SampleBatch] = []
    tags = [tag(1, "Temperature"), tag(2, "Nowhere"), tag(3, "Batch", SampleKind.TEXT), tag(4, "Profile", index=1)]
    async with connected(config(simulator)) as driver:
        task = asyncio.create_task(driver.subscribe(tags, got.append))
        await until(lambda: set(rows(got)) == {1, 2, 3, 4})
        assert rows(got)[2][1] == quality.BAD_CONFIGURATION
        assert "Nowhere" in driver.faults[2].zh
        assert rows(got)[4] == (2.0, quality.GOOD)
        got.clear()
        years_off = 4_000_000_000_000
        await simulator.set("Reactor/Temperature", 30.5, time_ms=years_off)
        await simulator.set("Reactor/Temperature", 31.0, quality.UNCERTAIN_SENSOR, time_ms=years_off + 7)
        await simulator.set("Reactor/Temperature", 0.0, quality.BAD_SENSOR_FAILURE, time_ms=years_off + 9)
        await simulator.set("Reactor/Batch", "乙")
        await until(lambda: sum(map(len, got)) == 4)
        (numbers,) = [batch for batch in got if batch.column is Column.FLOAT64]
        assert numbers.time.tolist() == [years_off, years_off + 7, years_off + 9]
        assert numbers.value[:2].tolist() == [30.5, 31.0]
        assert numbers.quality.tolist() == [quality.GOOD, quality.UNCERTAIN_SENSOR, quality.BAD_SENSOR_FAILURE]
        assert rows(got)[3] == ("乙", quality.GOOD)
        with pytest.raises(Rejected, match="already subscribed"):
            await driver.subscribe(tags, got.append)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = asyncio.create_task(driver.subscribe(tags[:1], got.append))
        got.clear()
        await until(lambda: got)
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


async def test_more_items_than_one_request_holds(simulator: OpcUaSimulator) -> None:
    names = ["Temperature", "Pressure", "Huge", "Small", "Mode"]
    tags = [tag(ordinal, name) for ordinal, name in enumerate(names)]
    got: list[SampleBatch] = []
    async with connected(config(simulator, batch_items=2)) as driver:
        task = asyncio.create_task(driver.subscribe(tags, got.append))
        await until(lambda: set(rows(got)) == set(range(5)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_write(simulator: OpcUaSimulator) -> None:
    async with connected(config(simulator)) as driver:
        outcomes = await driver.write([
            (tag(1, "Temperature"), 77), (tag(2, "Count", SampleKind.INTEGER), 2**60 + 1),
            (tag(3, "Running", SampleKind.BOOLEAN), False), (tag(4, "Mode", SampleKind.ENUMERATION), 1),
            (tag(5, "Batch", SampleKind.TEXT), "丙"), (tag(6, "Small", SampleKind.INTEGER), -5),
            (tag(7, "Pressure"), 1.0), (tag(8, "Small", SampleKind.INTEGER), 40_000), (tag(9, "Nowhere"), 1.0),
            (tag(10, "Temperature"), "warm"), (tag(11, "Profile", index=1), 5.0),
        ])  # fmt: skip
    assert outcomes[:6] == [None] * 6
    refused = outcomes[6:]
    assert all(isinstance(outcome, Rejected) and outcome.text.zh for outcome in refused)
    said = [str(outcome) for outcome in refused]
    assert "BadUserAccessDenied" in said[0]
    assert "Int16" in said[1]
    assert "Nowhere" in said[2]
    assert "Double" in said[3]
    assert "element 1" in said[4], "a server that does not know ranges would replace the whole array"
    written = ("Temperature", "Count", "Running", "Mode", "Batch")
    assert [await simulator.get(f"Reactor/{name}") for name in written] == [
        77.0, 2**60 + 1, False, 1, "丙",
    ]  # fmt: skip
    assert await simulator.get("Reactor/Profile") == [1.0, 2.0, 3.0]
    await simulator.set("Reactor/Temperature", 20.0)


async def test_browse(simulator: OpcUaSimulator) -> None:
    async with connected(config(simulator)) as driver:
        roots = {node.name: node for node in await driver.browse(None, 100)}
        assert roots["Reactor"].has_children
        assert roots["Reactor"].address is None
        found = {node.name: node for node in await driver.browse(roots["Reactor"].id, 100)}
        assert set(found) == {node.name.rpartition("/")[2] for node in NODES}
        heat = found["Temperature"]
        assert (heat.kind, heat.unit, heat.writable, heat.has_children) == (SampleKind.FLOAT, "Cel", True, False)
        assert heat.value == "20"
        assert {name: node.kind for name, node in found.items()} == {
            node.name.rpartition("/")[2]: node.kind for node in NODES
        } | {"Profile": SampleKind.ARRAY}
        assert not found["Pressure"].writable
        assert found["Profile"].address == {"node": "ns=2;s=Reactor/Profile"}
        for node in found.values():
            OpcUaAddress.model_validate(node.address)
        assert len(await driver.browse(roots["Reactor"].id, 3)) == 3
        assert await driver.browse(heat.id, 10) != [], "range and unit are there to be seen"
        with pytest.raises(Rejected, match="BadNodeId"):
            await driver.browse("ns=2;s=Nowhere", 5)
        with pytest.raises(Rejected, match="BadNodeId"):
            await driver.browse("not a node id", 5)


async def test_cut_and_back(simulator: OpcUaSimulator) -> None:
    driver = OpcUa(config(simulator))
    await driver.connect()
    prepared = driver.prepare([tag(1, "Pressure")])
    got: list[SampleBatch] = []
    task = asyncio.create_task(driver.subscribe([tag(1, "Pressure")], got.append))
    await until(lambda: got)
    await simulator.cut()
    with pytest.raises(NotConnected):
        async with asyncio.timeout(PATIENCE_S):
            await task
    with pytest.raises(NotConnected):
        await driver.read(prepared, 1)
    await driver.close()
    await driver.close()
    with pytest.raises(NotConnected):
        await driver.connect()
    with pytest.raises(NotConnected):
        await driver.read(prepared, 1)
    await simulator.restore()
    await driver.connect()
    assert rows(await driver.read(prepared, 1)) == {1: (101.5, quality.GOOD)}
    await driver.close()


async def test_checks_pass_and_end_at_the_first_failure(simulator: OpcUaSimulator, tmp_path: Path) -> None:
    passed = [check async for check in OpcUa(config(simulator)).checks()]
    assert [check.ok for check in passed] == [True] * 6
    assert all(check.elapsed_ms >= 0 and check.name.zh and check.detail.zh for check in passed)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"opc.tcp://127.0.0.1:{free.getsockname()[1]}"
        closed = [check async for check in OpcUa(config(simulator, url=url)).checks()]
    assert [check.ok for check in closed] == [True, False]
    assert "Check address and port" in closed[1].detail.en
    lost = [check async for check in OpcUa(config(simulator, url="opc.tcp://nowhere.invalid:4840")).checks()]
    assert [check.ok for check in lost] == [False]
    wrong = [check async for check in OpcUa(config(simulator, security_policy="Basic256Sha256")).checks()]
    assert [check.ok for check in wrong] == [True, True, False]
    assert "it offers: None" in wrong[2].detail.en
    token = config(simulator, sign_in="password", user="a", password="b", state_folder=tmp_path)
    refused = [check async for check in OpcUa(token).checks()]
    assert [check.ok for check in refused] == [True, True, False]
    assert "it takes: anonymous" in refused[2].detail.en


POLICIES = ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]


@pytest.mark.parametrize("mode", ["sign", "sign-and-encrypt"])
@pytest.mark.parametrize("policy", POLICIES)
async def test_policies(fortress: tuple[OpcUaSimulator, Path], tmp_path: Path, policy: str, mode: str) -> None:
    server, _ = fortress
    got: list[SampleBatch] = []
    async with connected(guarded(server, tmp_path, security_policy=policy, security_mode=mode)) as driver:
        assert rows(await driver.read(driver.prepare([tag(1, "Pressure")]), 1)) == {1: (101.5, quality.GOOD)}
        task = asyncio.create_task(driver.subscribe([tag(1, "Pressure")], got.append))
        await until(lambda: got)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_unknown_server_is_refused_with_its_fingerprint(
    fortress: tuple[OpcUaSimulator, Path], tmp_path: Path
) -> None:
    server, _ = fortress
    driver = OpcUa(guarded(server, tmp_path, trusted_fingerprints=["00" * 32]))
    with pytest.raises(Rejected, match=fingerprint(server.certificate)) as caught:
        await driver.connect()
    assert fingerprint(server.certificate) in caught.value.text.zh
    assert not list(tmp_path.iterdir()), "nothing is made for a server we refuse"
    checks = [check async for check in driver.checks()]
    assert [check.ok for check in checks] == [True, True, True, False]


async def test_a_certificate_file_is_trusted_but_cannot_vouch_for_others(
    fortress: tuple[OpcUaSimulator, Path], tmp_path: Path
) -> None:
    server, _ = fortress
    trusted, other = tmp_path / "server.der", tmp_path / "other.pem"
    trusted.write_bytes(server.certificate)
    from cryptography.hazmat.primitives.serialization import Encoding

    other.write_bytes(self_signed("other", "urn:other", "other")[0].public_bytes(Encoding.PEM))
    files = {"trusted_fingerprints": [], "state_folder": tmp_path / "state"}
    async with connected(guarded(server, tmp_path, **files, trusted_certificates=[other, trusted])):
        pass
    with pytest.raises(Rejected, match="not trusted"):
        await OpcUa(guarded(server, tmp_path, **files, trusted_certificates=[other])).connect()
    with pytest.raises(Rejected, match=r"missing\.der"):
        await OpcUa(guarded(server, tmp_path, **files, trusted_certificates=[tmp_path / "missing.der"])).connect()


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"user": "nobody"}])
async def test_wrong_sign_in(fortress: tuple[OpcUaSimulator, Path], tmp_path: Path, changes: dict[str, str]) -> None:
    server, _ = fortress
    with pytest.raises(Rejected, match="does not accept the sign-in") as caught:
        await OpcUa(guarded(server, tmp_path, **changes)).connect()
    assert PASSWORDS["operator"] not in str(caught.value)


async def test_sign_in_by_certificate(fortress: tuple[OpcUaSimulator, Path], tmp_path: Path) -> None:
    server, folder = fortress
    known = {
        "sign_in": "certificate",
        "user_certificate": folder / "application.der",
        "user_key": folder / "application.pem",
    }
    async with connected(guarded(server, tmp_path, **known)) as driver:
        assert rows(await driver.read(driver.prepare([tag(1, "Pressure")]), 1)) == {1: (101.5, quality.GOOD)}
    application(tmp_path / "stranger")
    stranger = known | {
        "user_certificate": tmp_path / "stranger/application.der", "user_key": tmp_path / "stranger/application.pem",
    }  # fmt: skip
    with pytest.raises(Rejected, match="does not accept the sign-in"):
        await OpcUa(guarded(server, tmp_path, **stranger)).connect()
    missing = known | {"user_key": tmp_path / "nothing.pem"}
    with pytest.raises(Rejected, match=r"nothing\.pem"):
        await OpcUa(guarded(server, tmp_path, **missing)).connect()


async def test_no_password_in_clear_unless_allowed(tmp_path: Path) -> None:
    server = OpcUaSimulator(NODES[:2], passwords=PASSWORDS)
    await server.start()
    try:
        known = {"security_policy": "none", "trusted_fingerprints": []}
        with pytest.raises(Rejected, match="without protection"):
            await OpcUa(guarded(server, tmp_path, **known)).connect()
        async with connected(guarded(server, tmp_path, **known, password_in_clear=True)):
            pass
        with pytest.raises(Rejected, match="does not take sign-in by anonymous"):
            await OpcUa(config(server)).connect()
    finally:
        await server.stop()


async def test_the_simulator_knows_its_nodes(simulator: OpcUaSimulator) -> None:
    with pytest.raises(NotFound, match="Reactor/Nothing"):
        await simulator.set("Reactor/Nothing", 1.0)


@contextlib.asynccontextmanager
async def noisy_line(port: int, spoil: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A line to a server on which bytes towards the client are spoilt."""

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                writer.write(change(piece))
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, far_writer, lambda same: same), pump(far_reader, writer, spoil))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def give_up_soon(driver: OpcUa) -> None:
    """Have a driver that is connected wait no longer for answers that are lost."""
    assert driver._session is not None
    soon = {"timeout_ms": 200, "contact_timeout_ms": 500}
    driver.config = driver._session.config = driver.config.model_copy(update=soon)


@pytest.mark.parametrize("seed", range(12))
async def test_a_noisy_line_raises_declared_errors_alone(simulator: OpcUaSimulator, seed: int) -> None:
    chance = random.Random(seed)
    noisy = False

    def spoil(piece: bytes) -> bytes:
        if not noisy:
            return piece
        spoilt = bytearray(piece)
        for _ in range(2):
            # Every other seed leaves the message's header whole, so that the damage gets as far as our own decoding.
            first = 24 if seed % 2 and len(spoilt) > 24 else 0
            spoilt[chance.randrange(first, len(spoilt))] = chance.randrange(256)
        return bytes(spoilt)

    tags = [tag(1, "Temperature"), tag(2, "Batch", SampleKind.TEXT), tag(3, "Profile", index=1)]
    async with noisy_line(simulator.port, spoil) as url:
        driver = OpcUa(config(simulator, url=url))
        await driver.connect()
        prepared = driver.prepare(tags)
        noisy = True
        give_up_soon(driver)
        for _ in range(6):
            try:
                for batch in await driver.read(prepared, 1):
                    batch.encode()
            except (NotConnected, Rejected, DecodeError):
                continue
        noisy = False
        driver.config = config(simulator, url=url)
        await driver.connect()
        got: list[SampleBatch] = []
        task = asyncio.create_task(driver.subscribe(tags, got.append))
        await asyncio.sleep(0.1)
        noisy = True
        give_up_soon(driver)
        for turn in range(6):
            await simulator.set("Reactor/Temperature", float(turn))
            await asyncio.sleep(0.06)
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError | NotConnected | Rejected | DecodeError)
        for batch in got:
            batch.encode()
        await driver.close()
    await simulator.set("Reactor/Temperature", 20.0)
