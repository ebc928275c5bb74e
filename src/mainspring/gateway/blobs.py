"""Blobs of a gateway: kept on its own disk from before their reference is delivered until the platform has them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from nats.errors import Error as NatsError

from mainspring.bus.blobs import send_blob
from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.blobs import BLOB_BYTES_MAX, PART_BYTES_MAX, Blob, is_media_type, parse
from mainspring.core.errors import DecodeError, MainspringError, StoreError, reason_of
from mainspring.core.files import sync_folder
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 30.0
DAMAGED_MAX: Final = 10
"""Spoilt files that stay for a look at the disk; the oldest beyond are deleted, and all that stand in a blob's way."""

_TOO_LARGE: Final = Text(
    "A blob of {size} bytes is larger than the {limit} bytes a blob may have; it was not kept.",
    "数据块为 {size} 字节，超过上限 {limit} 字节，未保存。",
)
_NO_TYPE: Final = Text(
    "{media_type!r} is not a media type such as image/png; the blob was not kept.",
    "{media_type!r} 不是有效的媒体类型（如 image/png），数据块未保存。",
)
_FULL: Final = Text(
    "{used:.0f} MB of blobs wait for the platform, the limit of {folder}: no more are kept until some have arrived. "
    "Look at the historian, or raise blob_bytes_max.",
    "{folder} 中已有 {used:.0f} MB 数据块等待上传，已达上限：送达之前不再保存。请检查历史库，或调大 blob_bytes_max。",
)
_DISK: Final = Text(
    "The disk of {folder} has {free:.0f} MB left: no blobs are kept. Free some space, or lower disk_free_min_bytes.",
    "{folder} 所在磁盘仅剩 {free:.0f} MB：不再保存数据块。请释放空间，或调低 disk_free_min_bytes。",
)
_FAILED: Final = Text(
    "Writing a blob to {folder} failed ({reason}). Check the disk.",
    "数据块写入 {folder} 失败（{reason}），请检查磁盘。",
)


class Blobs:
    """Contents by hash in a folder, each a file of one line that is its reference, then the content."""

    def __init__(
        self, folder: Path, tenant: str, gateway: str, *, bytes_max: int, disk_free_min_bytes: int = 0
    ) -> None:
        self.folder = folder
        self._subject = subjects.blob(tenant, gateway)
        self._bytes_max = bytes_max
        self._disk_free_min_bytes = disk_free_min_bytes
        self._stirred = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        # Drivers may keep from threads of their own.
        self._keeping = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for cut_short in folder.glob("*.part"):
            cut_short.unlink(missing_ok=True)
        self.size = _size(folder)
        self.text: Text | None = None

    @property
    def waiting(self) -> int:
        """How many blobs the platform has not confirmed."""
        return sum(1 for file in self.folder.iterdir() if not file.suffix)

    def keep(self, content: bytes, media_type: str) -> str:
        """Keep content durably and return its reference; raises StoreError with nothing kept."""
        if len(content) > BLOB_BYTES_MAX:
            raise StoreError(_TOO_LARGE, size=len(content), limit=BLOB_BYTES_MAX)
        if not is_media_type(media_type):
            raise StoreError(_NO_TYPE, media_type=media_type)
        blob = Blob(hashlib.sha256(content).hexdigest(), media_type, len(content))
        with self._keeping:
            if not (self.folder / blob.sha256).exists():
                self._write(blob, content)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stirred.set)
        return str(blob)

    async def run(self, bus: Bus) -> None:
        """Send what is kept, oldest first, for ever; what the platform has is deleted here."""
        self._loop = asyncio.get_running_loop()
        delay_s = RETRY_FIRST_S
        while True:
            self._stirred.clear()
            try:
                for file in await asyncio.to_thread(self._oldest_first):
                    await self._send(bus, file)
                    delay_s = RETRY_FIRST_S
                self.text = None
            except (MainspringError, NatsError, TimeoutError, OSError) as error:
                reason = error.text if isinstance(error, MainspringError) else None
                if self.text is None:
                    log.warning("blobs.wait", reason=str(error) or type(error).__name__, waiting=self.waiting)
                self.text = reason or _FAILED.format(folder=self.folder, reason=type(error).__name__)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_MAX_S)
                continue
            await self._stirred.wait()

    async def _send(self, bus: Bus, file: Path) -> None:
        """Send one blob; only its confirmation deletes it."""
        try:
            await send_file(bus, self._subject, file)
        except (DecodeError, ValueError) as error:
            # What the disk has spoilt must not stand before all others for ever.
            log.error("blobs.damaged", file=file.name, reason=str(error), kept_as=".damaged")
            await asyncio.to_thread(self._set_aside, file)
        else:
            await asyncio.to_thread(self._forget, file)

    def _forget(self, file: Path) -> None:
        with self._keeping, suppress(FileNotFoundError):
            self.size -= file.stat().st_size
            file.unlink()

    def _set_aside(self, file: Path) -> None:
        with self._keeping:
            file.replace(file.with_suffix(".damaged"))
            self._clear_damaged(DAMAGED_MAX)

    def _clear_damaged(self, left: int) -> None:
        damaged = sorted(self.folder.glob("*.damaged"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for file in damaged[left:]:
            file.unlink()
        self.size = _size(self.folder)

    def _oldest_first(self) -> list[Path]:
        files = [file for file in self.folder.iterdir() if not file.suffix]
        return sorted(files, key=lambda file: file.stat().st_mtime_ns)

    def _write(self, blob: Blob, content: bytes) -> None:
        line = f"{blob}\n".encode()
        size = len(line) + len(content)
        if self.size + size > self._bytes_max:
            self._clear_damaged(0)
        if self.size + size > self._bytes_max:
            raise StoreError(_FULL, used=self.size / 1e6, folder=self.folder)
        free = shutil.disk_usage(self.folder).free
        if free < self._disk_free_min_bytes + size:
            raise StoreError(_DISK, folder=self.folder, free=free / 1e6)
        part = self.folder / f"{blob.sha256}.part"
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(line)
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            part.rename(self.folder / blob.sha256)
            sync_folder(self.folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StoreError(_FAILED, folder=self.folder, reason=reason_of(error)) from error
        self.size += size


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def send_file(bus: Bus, subject: str, file: Path) -> None:
    """Send the blob that a file holds, from where the platform has it; returns when it is confirmed."""
    line = await asyncio.to_thread(_reference_line, file)
    blob = parse(line.decode().strip())
    await send_blob(bus, subject, blob, lambda offset: _content(file, len(line) + offset))


def _reference_line(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.readline(1024)


def _content(file: Path, offset: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(PART_BYTES_MAX)
