"""Versions of the program: fetched once, verified, unpacked beside each other; none replaces the installed one."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Final

from mainspring.core.definitions import Software
from mainspring.core.errors import DecodeError, StoreError
from mainspring.core.text import Text
from mainspring.edge.enrolment import request
from mainspring.edge.settings import EdgeConfiguration

UNPACKED_BYTES_MAX: Final = 512 * 1024 * 1024
FILES_MAX: Final = 20_000
KEPT: Final = 3
"""Versions that stay on disk: the one that runs, the one before it, the one on trial."""
_DAMAGED: Final = Text(
    "Version {version} arrived damaged: its hash is another one. It is fetched again with the next release.",
    "版本 {version} 下载后校验不符，将在下次发布时重新获取。",
)
_NO_ROOM: Final = Text(
    "Version {version} cannot be unpacked in {folder} ({reason}). Check the disk, then release it again.",
    "版本 {version} 无法解压到 {folder}（{reason}），请检查磁盘后重新发布。",
)
_STRANGE: Final = Text("Version {version} is not a wheel of this program.", "版本 {version} 不是本程序的安装包。")


def ensure(configuration: EdgeConfiguration, software: Software) -> Path:
    """Return the folder of a version, fetching it from the platform; raises NotConnected or DecodeError."""
    folder = configuration.data_folder / "software" / software.sha256
    if folder.exists():
        os.utime(folder)
        return folder
    wheel = request(configuration, "GET", f"/gateways/software/{software.sha256}", signed=True).content
    if hashlib.sha256(wheel).hexdigest() != software.sha256:
        raise DecodeError(_DAMAGED, version=software.version)
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        _unpack(wheel, part, software)
        # Last: a folder of this name is whole.
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise StoreError(_NO_ROOM, version=software.version, folder=part.parent, reason=str(error)) from error
    _forget_old(folder.parent)
    return folder


def environment(folder: Path | None) -> dict[str, str]:
    """Return the environment in which a version runs; None is the installed one."""
    if folder is None:
        return dict(os.environ)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.resolve()), *([before] if before else [])])}


def interpreter() -> str:
    """Return the interpreter that runs every version: what a version needs beside itself must be installed there."""
    return sys.executable


def _unpack(wheel: bytes, folder: Path, software: Software) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            entries = archive.infolist()
            whole = sum(entry.file_size for entry in entries)
            if len(entries) > FILES_MAX or whole > UNPACKED_BYTES_MAX:
                raise DecodeError(_STRANGE, version=software.version)
            # `extractall` keeps every entry inside the folder.
            archive.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DecodeError(_STRANGE, version=software.version) from error
    if not (folder / "mainspring" / "__init__.py").exists():
        raise DecodeError(_STRANGE, version=software.version)


def _forget_old(folder: Path) -> None:
    versions = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in versions[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
