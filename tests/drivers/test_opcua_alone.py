"""The OPC UA driver without a server: its declarations, its certificate, and servers that talk rubbish."""

from __future__ import annotations

import asyncio
import contextlib
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainspring.core.drivers import Browses, Subscribes, Writes
from mainspring.core.errors import MainspringError, NotConnected, Rejected
from mainspring.drivers.opcua import OpcUa, OpcUaConfig
from mainspring.drivers.opcua_certificates import application


def test_the_class_is_cheap_to_look_at() -> None:
    code = (
        "import sys, time, mainspring.core.drivers, mainspring.core.samples; started = time.process_time();"
        "from mainspring.drivers.opcua import OpcUa; spent = time.process_time() - started;"
        "OpcUa(OpcUa.Config(url='opc.tcp://host')); OpcUa.Config.model_json_schema();"
        "assert not {'asyncua', 'cryptography'} & set(sys.modules), 'heavy'; print(spent)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_contracts_and_words() -> None:
    driver = OpcUa(OpcUaConfig(url="opc.tcp://host:4840", password="secret-word"))
    assert isinstance(driver, Subscribes)
    assert isinstance(driver, Writes)
    assert isinstance(driver, Browses)
    for declared in (OpcUa.Config, OpcUa.Address):
        for field in declared.model_json_schema()["properties"].values():
            assert field["title"]
            assert field["title_zh"]
    assert "secret-word" not in repr(driver.config)


@pytest.mark.parametrize("url", ["http://host", "opc.tcp://user:word@host:4840", "opc.tcp://", "host:4840"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        OpcUaConfig(url=url)


def test_own_certificate_is_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first, second = application(folder), application(folder)
    assert first == second
    assert first.uri.startswith("urn:")
    assert stat.S_IMODE((folder / "application.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["application.der", "application.pem"]
    (folder / "application.pem").write_text("rubbish")
    with pytest.raises(Rejected, match=r"application\.pem"):
        application(folder)


@contextlib.asynccontextmanager
async def babbling(answer: bytes, *, hang_up: bool) -> AsyncIterator[str]:
    """A server that answers everything with the same bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                writer.write(answer)
                await writer.drain()
                if hang_up:
                    break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


ACKNOWLEDGE = bytes.fromhex("41434b461c00000000000000ffff0000ffff00000000000000000000")


@given(st.binary(max_size=120), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_server_that_talks_rubbish(noise: bytes, polite: bool, hang_up: bool) -> None:
    async def meet() -> None:
        async with babbling(ACKNOWLEDGE * polite + noise, hang_up=hang_up) as url:
            driver = OpcUa(OpcUaConfig(url=url, security_policy="none", timeout_ms=150, contact_timeout_ms=500))
            with pytest.raises(MainspringError) as caught:
                await driver.connect()
            assert isinstance(caught.value, NotConnected | Rejected)
            await driver.close()

    asyncio.run(meet())
