"""The platform's store of blobs: by tenant and hash, verified, complete or not there at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mainspring.core import subjects
from mainspring.core.blobs import Blob, Part, decode_part, parse
from mainspring.core.errors import DecodeError, NotFound, Rejected, StoreError, reason_of
from mainspring.core.files import replace_file, sync_folder
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

DAY_MS: Final = 86_400_000
CHUNK_BYTES: Final = 512 * 1024
PARTIAL_DAYS: Final = 30
"""A blob that arrived in part is given up after this long; its gateway begins anew."""
PARTIAL_BYTES_MAX: Final = 4 * 1024**3
"""Room of one tenant's blobs that arrived in part; beyond it those untouched for longest are given up."""

_NOT_HERE: Final = Text(
    "The content {sha256} has not arrived, or is no longer kept. Its gateway sends it when it is in contact.",
    "内容 {sha256} 尚未到达或已不再保存，网关恢复联系后会补传。",
)
_WRONG: Final = Text(
    "The content of {sha256} has another hash; it was dropped and is sent again.",
    "{sha256} 的内容哈希不符，已丢弃，将重新发送。",
)
_FULL: Final = Text(
    "The disk of {folder} has {free} MB left: no blobs are taken in, gateways keep theirs. Free some space.",
    "{folder} 所在磁盘仅剩 {free} MB：暂停接收数据块，由网关保留。请释放空间。",
)
_FAILED: Final = Text(
    "Writing a blob to {folder} failed ({reason}); its gateway keeps it. Check the disk.",
    "数据块写入 {folder} 失败（{reason}），由网关保留，请检查磁盘。",
)
_UNKNOWN_TENANT: Final = Text("There is no tenant {tenant} here.", "此处没有租户 {tenant}。")
_MALFORMED: Final = Text("This is no part of a blob ({reason}).", "这不是数据块的一部分（{reason}）。")


class BlobStore(Protocol):
    """Keeps blobs; a tenant's are seen by it alone. Calls come from one thread at a time."""

    def put(self, tenant: str, part: Part) -> tuple[int, bool]:
        """Take a part; return how many bytes are there and whether the blob is kept whole, verified and durably."""

    def find(self, tenant: str, sha256: str) -> tuple[Blob, Path]:
        """Return a whole blob and the file that holds it; raises NotFound."""

    def retain(self, now_ms: int, days: int, bytes_max: int) -> int:
        """Drop what is older than `days`, then the oldest beyond `bytes_max`, also of what arrived in part.

        Returns how many were dropped.
        """


@dataclass(frozen=True, slots=True)
class _Kept:
    file: Path
    time_ms: int
    size: int


class FolderBlobs:
    """Blobs as files `<tenant>/<first two digits>/<hash>`, beside each its reference in `<hash>.is`."""

    def __init__(
        self, folder: Path, *, disk_free_min_bytes: int = 0, partial_bytes_max: int = PARTIAL_BYTES_MAX
    ) -> None:
        self._folder = folder
        self._partial_bytes_max = partial_bytes_max
        self._disk_free_min_bytes = disk_free_min_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, tenant: str, part: Part) -> tuple[int, bool]:
        """Take a part; one that does not follow what is there changes nothing."""
        blob = part.blob
        file = self._file(tenant, blob.sha256)
        if file.exists():
            # Asked for again: it counts as new for its retention.
            os.utime(file)
            return blob.size, True
        partial = self._folder / tenant / "partial" / blob.sha256
        there = partial.stat().st_size if partial.exists() else 0
        if part.offset != there or (not part.content and there < blob.size):
            return there, False
        free = shutil.disk_usage(self._folder).free
        if free < self._disk_free_min_bytes:
            raise StoreError(_FULL, folder=self._folder, free=free >> 20)
        try:
            if not there:
                partial.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._make_room(partial.parent, blob.size)
            with partial.open("ab") as out:
                out.write(part.content)
                out.flush()
                there += len(part.content)
                if there < blob.size:
                    return there, False
                os.fsync(out.fileno())
            self._complete(file, partial, blob)
        except OSError as error:
            raise StoreError(_FAILED, folder=self._folder, reason=reason_of(error)) from error
        return blob.size, True

    def find(self, tenant: str, sha256: str) -> tuple[Blob, Path]:
        """Return a whole blob and its file; raises NotFound."""
        file = self._file(tenant, sha256)
        try:
            return parse(file.with_suffix(".is").read_text()), file
        except (OSError, ValueError) as error:
            raise NotFound(_NOT_HERE, sha256=sha256) from error

    def retain(self, now_ms: int, days: int, bytes_max: int) -> int:
        """Drop by age, then the oldest beyond the size, whole or not; and what a crash left behind."""
        for folder in self._folder.glob("*/??"):
            _clear_halves(folder)
        dropped = 0
        partial = [_kept(file) for file in self._folder.glob("*/partial/*")]
        whole = [_kept(file) for file in self._folder.glob("*/??/*") if not file.suffix]
        ages = [(PARTIAL_DAYS * DAY_MS, each) for each in partial] + [(days * DAY_MS, each) for each in whole]
        excess = sum(each.size for _, each in ages) - bytes_max
        for age_max_ms, each in sorted(ages, key=lambda aged: aged[1].time_ms):
            if each.time_ms >= now_ms - age_max_ms and excess <= 0:
                continue
            each.file.unlink(missing_ok=True)
            each.file.with_suffix(".is").unlink(missing_ok=True)
            excess -= each.size
            dropped += 1
        return dropped

    def _file(self, tenant: str, sha256: str) -> Path:
        return self._folder / tenant / sha256[:2] / sha256

    def _make_room(self, folder: Path, size: int) -> None:
        """Give up what arrived in part and was untouched for longest, where another would be too much."""
        partial = sorted((_kept(file) for file in folder.iterdir()), key=lambda each: each.time_ms)
        excess = sum(each.size for each in partial) + size - self._partial_bytes_max
        for each in partial:
            if excess <= 0:
                return
            each.file.unlink()
            excess -= each.size

    def _complete(self, file: Path, partial: Path, blob: Blob) -> None:
        with partial.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != blob.sha256:
            partial.unlink()
            raise DecodeError(_WRONG, sha256=blob.sha256)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(file.with_suffix(".is"), str(blob).encode())
        partial.rename(file)
        for folder in (file.parent, file.parent.parent, self._folder):
            sync_folder(folder)


def _kept(file: Path) -> _Kept:
    status = file.stat()
    return _Kept(file, int(status.st_mtime * 1000), status.st_size)


def _clear_halves(folder: Path) -> None:
    """Remove references and contents that a crash left without each other: neither can be found or counted."""
    there = {file.name for file in folder.iterdir()}
    for name in there:
        stem, _, suffix = name.partition(".")
        other = stem if suffix else f"{stem}.is"
        if suffix == "part" or other not in there:
            (folder / name).unlink()


class BlobQuery(BaseModel):
    """Which blob is wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class BlobAnswers:
    """What is asked of blobs over the bus; the tenant is the one of the subject, which the bus has checked."""

    def __init__(self, store: BlobStore, known: Callable[[str], bool]) -> None:
        self._store = store
        self._known = known
        # One thread: parts of one blob never overlap.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="blobs")

    async def put(self, subject: str, payload: bytes) -> bytes:
        """Answer `ms.<tenant>.blob.<gateway>`: a Part in; `{"received": bytes there, "kept": bool}` out."""
        tenant = subjects.tenant_of(subject)
        if not self._known(tenant):
            raise NotFound(_UNKNOWN_TENANT, tenant=tenant)
        try:
            part = decode_part(payload)
        except ValueError as error:
            raise DecodeError(_MALFORMED, reason=str(error)[:100]) from error
        loop = asyncio.get_running_loop()
        received, kept = await loop.run_in_executor(self._thread, self._store.put, tenant, part)
        return json.dumps({"received": received, "kept": kept}).encode()

    async def content(self, tenant: str, payload: bytes) -> AsyncIterator[bytes]:
        """Return a blob: its reference first, then its content in chunks; raises NotFound."""
        try:
            query = BlobQuery.model_validate_json(payload)
        except ValidationError as error:
            raise Rejected(_MALFORMED, reason=error.errors()[0]["msg"]) from error
        blob, file = await asyncio.to_thread(self._store.find, tenant, query.sha256)

        async def chunks() -> AsyncIterator[bytes]:
            yield str(blob).encode()
            offset = 0
            while chunk := await asyncio.to_thread(_read, file, offset):
                yield chunk
                offset += len(chunk)

        return chunks()

    def retain(self, now_ms: int, days: int, bytes_max: int) -> None:
        """Drop what is old or too much; waits, so call it in a thread."""
        try:
            # In the thread of `put`: a blob that a gateway is just told is kept must not be dropped in that moment.
            dropped = self._thread.submit(self._store.retain, now_ms, days, bytes_max).result()
        except OSError as error:
            log.error("history.blobs_not_retained", reason=str(error))
            return
        if dropped:
            log.info("history.blobs_dropped", count=dropped)

    async def close(self) -> None:
        """End the thread."""
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)


def _read(file: Path, offset: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(CHUNK_BYTES)
    except FileNotFoundError as error:
        raise NotFound(_NOT_HERE, sha256=file.name) from error
