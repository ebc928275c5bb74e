"""Blobs on their way: from a gateway's disk over a real bus into the platform's store, over cuts and kills."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest
from tests.waiting import until

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.blobs import PART_BYTES_MAX, Blob, Part, decode_part, parse
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, NotFound, StoreError
from mainspring.gateway.blobs import Blobs
from mainspring.history.blobs import DAY_MS, BlobAnswers, FolderBlobs

CONTENT = os.urandom(3 * PART_BYTES_MAX + 17)
SHA = hashlib.sha256(CONTENT).hexdigest()


def kept_by(folder: Path, bytes_max: int = 64 * 1024 * 1024) -> Blobs:
    return Blobs(folder / "gateway", "acme", "g1", bytes_max=bytes_max)


@asynccontextmanager
async def platform(bus: BusUnderTest, folder: Path) -> AsyncIterator[tuple[Bus, BlobAnswers, FolderBlobs]]:
    """The historian's side alone: what it does with parts, and what web reads."""
    own = await bus.as_role("historian")
    store = FolderBlobs(folder / "platform")
    answers = BlobAnswers(store, lambda tenant: tenant in {"acme", "other"})
    await own.serve("ms.*.blob.*", answers.put, queue="history")

    async def read(subject: str, payload: bytes) -> AsyncIterator[bytes]:
        return await answers.content(subjects.tenant_of(subject), payload)

    await own.serve("ms.*.history.blob", read)
    try:
        yield own, answers, store
    finally:
        await own.close()
        await answers.close()


@asynccontextmanager
async def sending(bus: BusUnderTest, blobs: Blobs) -> AsyncIterator[Bus]:
    own = await bus.as_role("gateway-acme-g1")
    task = asyncio.create_task(blobs.run(own))
    try:
        yield own
    finally:
        task.cancel()
        await asyncio.wait({task})
        await own.close()


def there(store: FolderBlobs, tenant: str = "acme", sha256: str = SHA) -> bool:
    try:
        store.find(tenant, sha256)
    except NotFound:
        return False
    return True


async def test_a_blob_arrives_whole_and_is_then_forgotten(bus: BusUnderTest, tmp_path: Path) -> None:
    blobs = kept_by(tmp_path)
    assert blobs.keep(CONTENT, "image/png") == f"sha256:{SHA};image/png;{len(CONTENT)}"
    assert blobs.keep(CONTENT, "image/png") == f"sha256:{SHA};image/png;{len(CONTENT)}"
    assert blobs.waiting == 1
    async with platform(bus, tmp_path) as (_, _, store), sending(bus, blobs):
        await until(lambda: blobs.waiting == 0)
        found, file = store.find("acme", SHA)
        assert (found.media_type, file.read_bytes()) == ("image/png", CONTENT)
        # Kept again while running, it is recognised and not sent a second time.
        blobs.keep(CONTENT, "image/png")
        blobs.keep(b"", "text/plain")
        await until(lambda: blobs.waiting == 0)
        assert there(store, sha256=hashlib.sha256(b"").hexdigest())
        assert not there(store, "other"), "each tenant has its own"
        web = await bus.connect("web")
        parts = [
            part
            async for part in web.ask_chunks(subjects.history("acme", "blob"), json.dumps({"sha256": SHA}).encode())
        ]
        assert parse(parts[0].decode()).size == len(CONTENT)
        assert b"".join(parts[1:]) == CONTENT
        for query in ({"sha256": SHA}, {"sha256": "../../secret"}, {}):
            with pytest.raises(MainspringError):
                await web.ask(subjects.history("other", "blob"), json.dumps(query).encode())
        await web.close()


async def test_a_gateway_keeps_blobs_over_cut_and_kill_until_they_are_confirmed(
    bus: BusUnderTest, tmp_path: Path
) -> None:
    blobs = kept_by(tmp_path)
    blobs.keep(CONTENT, "image/png")
    later = os.urandom(1000)
    async with sending(bus, blobs):
        # Nobody serves yet: the gateway says so and keeps trying.
        await until(lambda: blobs.text is not None)
        await bus.kill()
        reference = blobs.keep(later, "image/png")
        assert blobs.waiting == 2
    # The gateway was killed while it wrote; what was whole is still there, the rest is not taken for a blob.
    (tmp_path / "gateway" / f"{'0' * 64}.part").write_bytes(b"half")
    again = kept_by(tmp_path)
    assert again.waiting == 2
    await bus.start_again()
    async with platform(bus, tmp_path) as (_, answers, store):
        # The platform has half of it, from before its own crash.
        blob = Blob(SHA, "image/png", len(CONTENT))
        half = Part(blob, 0, CONTENT[:PART_BYTES_MAX]).encode()
        for _ in range(2):
            told = json.loads(await answers.put(subjects.blob("acme", "g1"), half))
            assert told == {"received": PART_BYTES_MAX, "kept": False}, "a part that was there changes nothing"
        async with sending(bus, again):
            await until(lambda: again.waiting == 0)
        assert there(store)
        assert store.find("acme", parse(reference).sha256)[1].read_bytes() == later
        assert list((tmp_path / "gateway").iterdir()) == []


async def test_what_is_spoilt_foreign_or_too_much_is_refused(bus: BusUnderTest, tmp_path: Path) -> None:
    blobs = kept_by(tmp_path, bytes_max=1024 * 1024)
    with pytest.raises(StoreError, match="limit"):
        blobs.keep(CONTENT, "image/png")
    with pytest.raises(StoreError, match="media type"):
        blobs.keep(b"x", "what is this")
    blobs.keep(b"one", "image/png")
    blobs.keep(b"two", "image/png")
    spoilt = next((tmp_path / "gateway").iterdir())
    line, _, content = spoilt.read_bytes().partition(b"\n")
    spoilt.write_bytes(line + b"\n" + bytes(len(content)))
    async with platform(bus, tmp_path) as (_, answers, store):
        async with sending(bus, blobs) as gateway:
            await until(lambda: blobs.waiting == 0)
            assert [file.suffix for file in (tmp_path / "gateway").iterdir()] == [".damaged"]
            assert len(list((tmp_path / "platform").glob("*/??/*.is"))) == 1
            foreign = Part(Blob(SHA, "image/png", 4), 0, b"four").encode()
            for subject in (subjects.blob("other", "g1"), subjects.blob("acme", "g2")):
                with pytest.raises(NotConnected):
                    await gateway.ask(subject, foreign, timeout_s=0.5)
        with pytest.raises(NotFound):
            await answers.put(subjects.blob("nobody", "g1"), foreign)
        with pytest.raises(DecodeError):
            await answers.put(subjects.blob("acme", "g1"), b"no header")
        assert not there(store, "other")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}\n",
        b'{"blob": "sha256:00", "offset": 0}\n',
        Part(Blob("a" * 64, "image/png", 3), 2, b"xx").encode(),
        Part(Blob("a" * 64, "image/png", 3), -1, b"").encode(),
        Part(Blob("a" * 64, "image/png", 10**9), 0, b"").encode(),
    ],
)
def test_noise_is_no_part(message: bytes) -> None:
    with pytest.raises(ValueError):
        decode_part(message)


def test_blobs_are_given_up_by_age_and_size(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    contents = [bytes([number]) * 1000 for number in range(5)]
    now_ms = time.time_ns() // 1_000_000
    for days, content in enumerate(contents):
        sha = hashlib.sha256(content).hexdigest()
        assert store.put("acme", Part(Blob(sha, "image/png", 1000), 0, content)) == (1000, True)
        os.utime(store.find("acme", sha)[1], (now_ms / 1000 - days * 86_400,) * 2)
    assert store.retain(now_ms + DAY_MS // 2, 4, 10**6) == 1, "one is older than four days"
    assert store.retain(now_ms, 4, 2500) == 2, "the oldest beyond the size"
    left = [content for content in contents if there(store, "acme", hashlib.sha256(content).hexdigest())]
    assert left == contents[:2]


def started(store: FolderBlobs, number: int, size: int = 3000) -> None:
    """Put the first third of a blob."""
    blob = Blob(f"{number:064x}", "image/png", size)
    assert store.put("acme", Part(blob, 0, bytes(size // 3))) == (size // 3, False)


def partial(folder: Path) -> list[int]:
    return sorted(int(file.name, 16) for file in folder.glob("acme/partial/*"))


def test_what_arrived_in_part_counts_and_is_given_up_by_age_and_size(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    now_ms = time.time_ns() // 1_000_000
    for number in range(1, 6):
        started(store, number)
        file = tmp_path / "acme" / "partial" / f"{number:064x}"
        os.utime(file, (now_ms / 1000 - number * 86_400,) * 2)
    assert store.retain(now_ms + 53 * DAY_MS // 2, 3650, 10**6) == 2, "two are older than their thirty days"
    assert store.retain(now_ms, 3650, 2500) == 1, "the oldest beyond the size"
    assert partial(tmp_path) == [1, 2]


def test_one_tenants_partial_blobs_have_bounded_room(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path, partial_bytes_max=6000)
    for number in range(1, 8):
        started(store, number)
        os.utime(tmp_path / "acme" / "partial" / f"{number:064x}", (number, number))
    assert partial(tmp_path) == [4, 5, 6, 7]


def test_halves_of_a_crash_are_cleared(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    content = b"whole"
    sha = hashlib.sha256(content).hexdigest()
    store.put("acme", Part(Blob(sha, "image/png", len(content)), 0, content))
    folder = tmp_path / "acme" / sha[:2]
    for name in (f"{sha[:2]}{'0' * 62}", f"{sha[:2]}{'1' * 62}.is", f"{sha[:2]}{'2' * 62}.part"):
        (folder / name).write_bytes(b"half")
    assert store.retain(time.time_ns() // 1_000_000, 30, 10**6) == 0
    assert sorted(file.name for file in folder.iterdir()) == [sha, f"{sha}.is"]
    assert there(store, sha256=sha)


async def test_spoilt_blobs_of_a_gateway_do_not_fill_its_room_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number:064x}.damaged").write_bytes(bytes(400_000))
    blobs = kept_by(tmp_path, bytes_max=1_500_000)
    blobs.keep(bytes(1_000_000), "image/png")
    assert blobs.waiting == 1
    assert blobs.size == sum(file.stat().st_size for file in folder.iterdir()) < 1_500_000
