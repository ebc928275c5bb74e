"""Contents of files kept by their hash: what may be kept, written whole or not at all, never executed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mainspring.core.errors import LimitExceeded, StoreError, reason_of
from mainspring.core.files import sync_folder
from mainspring.core.text import Text
from mainspring.records.faults import Invalid

FREE_BYTES_MIN: Final = 512 * 1024 * 1024
_ZIP: Final = (b"PK\x03\x04",)
_OLE: Final = (b"\xd0\xcf\x11\xe0",)
_TEXT: Final = (b"",)
TYPES: Final[dict[str, tuple[str, tuple[bytes, ...]]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "webp": ("image/webp", (b"RIFF",)),
    "txt": ("text/plain", _TEXT),
    "md": ("text/markdown", _TEXT),
    "csv": ("text/csv", _TEXT),
    "json": ("application/json", _TEXT),
    "xml": ("application/xml", _TEXT),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIP),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _ZIP),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", _ZIP),
    "doc": ("application/msword", _OLE),
    "xls": ("application/vnd.ms-excel", _OLE),
    "zip": ("application/zip", _ZIP),
    "aasx": ("application/asset-administration-shell-package", _ZIP),
    "step": ("model/step", (b"ISO-10303-21",)),
    "stp": ("model/step", (b"ISO-10303-21",)),
    "dxf": ("image/vnd.dxf", _TEXT),
    "dwg": ("image/vnd.dwg", (b"AC10",)),
    "mp4": ("video/mp4", (b"\x00\x00\x00",)),
}
"""What may be kept: by the ending of its name, the media type it is served as, and how such a file begins."""

_ENDING: Final = Text(
    "Files ending in {ending} are not kept. Allowed: {known}.", "不接受 {ending} 文件，可用：{known}。"
)
_CONTENT: Final = Text("This is no {ending} file, whatever its name says.", "文件内容与扩展名 {ending} 不符。")
_TOO_LARGE: Final = Text("A file has at most {limit} MB.", "单个文件最大 {limit} MB。")
_FULL: Final = Text(
    "The disk of {folder} has {free} MB left: no files are taken in. Free some space.",
    "{folder} 所在磁盘仅剩 {free} MB：暂停接收文件，请释放空间。",
)
_FAILED: Final = Text(
    "Writing a file to {folder} failed ({reason}). Check the disk.",
    "文件写入 {folder} 失败（{reason}），请检查磁盘。",
)


def type_of(name: str) -> tuple[str, tuple[bytes, ...]]:
    """Return the media type of a file by its name, and how such a file begins; raises Invalid for a type not kept."""
    ending = Path(name).suffix.lower().removeprefix(".")
    if ending not in TYPES:
        raise Invalid({"file_name": _ENDING.format(ending=ending or "-", known=", ".join(TYPES))})
    return TYPES[ending]


def keep(folder: Path, content: Iterable[bytes], name: str, bytes_max: int) -> tuple[str, int]:
    """Write a content under its hash, whole or not at all; return hash and size.

    Raises Invalid for what is not of its type, LimitExceeded, and StoreError.
    """
    _, beginnings = type_of(name)
    part: Path | None = None
    try:
        incoming = folder / "incoming"
        incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(incoming).free
        if free < FREE_BYTES_MIN:
            raise StoreError(_FULL, folder=folder, free=free >> 20)
        handle, path = tempfile.mkstemp(dir=incoming)
        part = Path(path)
        hashed, size, first = hashlib.sha256(), 0, b""
        with os.fdopen(handle, "wb") as out:
            for chunk in content:
                first = first or chunk[:4096]
                size += len(chunk)
                if size > bytes_max:
                    raise LimitExceeded(_TOO_LARGE, limit=bytes_max >> 20)
                hashed.update(chunk)
                out.write(chunk)
            if not first.startswith(beginnings) or (beginnings is _TEXT and (b"\x00" in first or not first)):
                raise Invalid({"file_name": _CONTENT.format(ending=Path(name).suffix)})
            out.flush()
            os.fsync(out.fileno())
        kept = place_of(folder, hashed.hexdigest())
        kept.parent.mkdir(exist_ok=True, mode=0o700)
        part.replace(kept)
        sync_folder(kept.parent)
    except OSError as error:
        raise StoreError(_FAILED, folder=folder, reason=reason_of(error)) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return hashed.hexdigest(), size


def place_of(folder: Path, sha256: str) -> Path:
    """Return where a content lies."""
    return folder / sha256[:2] / sha256
