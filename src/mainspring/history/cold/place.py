"""Where cold files lie: a folder or an S3 bucket, reached by the historian and by ClickHouse alike."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.fs

from mainspring.core.cold import S3_URL, ColdSettings
from mainspring.core.errors import ConfigurationError, StoreError, reason_of
from mainspring.core.files import replace_file, sync_folder
from mainspring.core.text import Text
from mainspring.history import sql

PIECE_BYTES: Final = 4 * 1024 * 1024
"""Files are copied and read in pieces of this size, with a rest after each."""
CONNECT_S: Final = 10
ANSWER_S: Final = 60

_FAILED: Final = Text(
    "The cold history in {place} failed to {action} {path} ({reason}). Nothing was lost: readings stay in the tables "
    "until their files are verified. Look at the disk or at the S3 service; it is tried again.",
    "{place} 中的冷数据未能{action_zh} {path}（{reason}）。数据未丢失：文件校验前数据一直保留在表中。"
    "请检查磁盘或 S3 服务，系统会自动重试。",
)
_SETTING: Final = Text(
    "[history] cold = {setting!r} is not understood ({reason}). Name a folder, or s3://bucket/prefix.",
    "无法识别 [history] cold = {setting!r}（{reason}）。请填写文件夹，或 s3://桶/前缀。",
)
_READ: Final = ("read", "读取")
_WRITE: Final = ("write", "写入")
_REMOVE: Final = ("remove", "删除")


class Place(Protocol):
    """Keeps files by their paths, which have no leading slash; every method raises StoreError."""

    def put(self, local: Path, path: str) -> Iterator[None]:
        """Copy a local file there, piece by piece; it appears whole, durably, in the place of a former one."""

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, whole and durably."""

    def read(self, path: str) -> Iterator[bytes]:
        """Give the content of a file in pieces."""

    def names(self, folder: str) -> list[str]:
        """Return the paths of all files in and below a folder."""

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files."""

    def table(self, paths: Sequence[str], structure: str) -> str:
        """Return what ClickHouse selects from for some Parquet files."""


def place_of(settings: ColdSettings) -> Place:
    """Return the place that the settings name. Raises ConfigurationError."""
    if not settings.place.startswith("s3:"):
        return FolderPlace(Path(settings.place))
    return S3Place(settings)


class FolderPlace:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        if re.search(r"[*?{}'\\%]", str(self._folder)):
            raise ConfigurationError(_SETTING, setting=str(folder), reason="* ? { } ' \\ %")
        with self._doing(_WRITE, ""):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, local: Path, path: str) -> Iterator[None]:
        """Copy a file beside its place, synchronise it, and put it there."""
        file = self._folder / path
        with self._doing(_WRITE, path):
            _make_folders(self._folder, file.parent)
            part = file.with_name(f".{file.name}.part")
            with local.open("rb") as source, os.fdopen(os.open(part, _NEW_FILE, 0o600), "wb") as out:
                while piece := source.read(PIECE_BYTES):
                    out.write(piece)
                    yield
                out.flush()
                os.fsync(out.fileno())
            part.replace(file)
            sync_folder(file.parent)

    def write(self, path: str, content: bytes) -> None:
        """Replace a small file."""
        file = self._folder / path
        with self._doing(_WRITE, path):
            _make_folders(self._folder, file.parent)
            replace_file(file, content)

    def read(self, path: str) -> Iterator[bytes]:
        """Give the content of a file in pieces."""
        with self._doing(_READ, path), (self._folder / path).open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                yield piece

    def names(self, folder: str) -> list[str]:
        """Return the paths of all files in and below a folder, parts of broken copies included."""
        with self._doing(_READ, folder):
            found = sorted((self._folder / folder).rglob("*"))
            return [str(file.relative_to(self._folder)) for file in found if file.is_file()]

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files, and folders that are empty then."""
        for path in paths:
            file = self._folder / path
            with self._doing(_REMOVE, path):
                file.unlink(missing_ok=True)
                for above in file.parents:
                    if above == self._folder or any(above.iterdir()):
                        break
                    above.rmdir()

    def table(self, paths: Sequence[str], structure: str) -> str:
        """Return what the embedded engine selects from."""
        return f"file({sql.text(_listed(f'{self._folder}/', paths))}, Parquet, {sql.text(structure)})"

    def __str__(self) -> str:
        return str(self._folder)

    @contextmanager
    def _doing(self, action: tuple[str, str], path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                _FAILED, place=self._folder, path=path, reason=reason_of(error), action=action[0], action_zh=action[1]
            ) from error


class S3Place:
    """A bucket of S3, or of a service with its interface; no key and secret: what the machine itself is given."""

    def __init__(self, settings: ColdSettings) -> None:
        found = re.fullmatch(S3_URL, settings.place)
        if found is None:
            raise ConfigurationError(_SETTING, setting=settings.place, reason="s3://bucket/prefix")
        host = settings.endpoint.rpartition("://")[2]
        self._key, self._secret = settings.key, settings.secret
        self._path = f"{found[1]}{found[2]}/"
        own = settings.endpoint.rstrip("/") or f"https://s3.{settings.region}.amazonaws.com"
        self._url = f"{own}/{self._path}"
        self._shown = settings.place
        # Amazon's own addresses are chosen by the library; a service beside it is reached by path.
        self._files = pyarrow.fs.S3FileSystem(
            access_key=settings.key or None,
            secret_key=settings.secret or None,
            region=settings.region,
            scheme="http" if settings.endpoint.startswith("http://") else "https",
            endpoint_override=host.rstrip("/") or None,
            connect_timeout=CONNECT_S,
            request_timeout=ANSWER_S,
            retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=3),
        )

    def put(self, local: Path, path: str) -> Iterator[None]:
        """Upload a file in one go, for what has arrived of it appears when the upload is left."""
        with self._doing(_WRITE, path), local.open("rb") as source:
            try:
                with self._files.open_output_stream(self._path + path) as out:
                    while piece := source.read(PIECE_BYTES):
                        out.write(piece)
            except OSError:
                with suppress(OSError):
                    self._files.delete_file(self._path + path)
                raise
        yield

    def write(self, path: str, content: bytes) -> None:
        """Upload a small file."""
        with self._doing(_WRITE, path), self._files.open_output_stream(self._path + path) as out:
            out.write(content)

    def read(self, path: str) -> Iterator[bytes]:
        """Download a file in pieces."""
        with self._doing(_READ, path), self._files.open_input_stream(self._path + path) as source:
            while piece := source.read(PIECE_BYTES):
                yield piece

    def names(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder."""
        selector = pyarrow.fs.FileSelector(self._path + folder, allow_not_found=True, recursive=True)
        with self._doing(_READ, folder):
            found = self._files.get_file_info(selector)
        return sorted(each.path.removeprefix(self._path) for each in found if each.is_file)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files."""
        for path in paths:
            with self._doing(_REMOVE, path):
                self._files.delete_file(self._path + path)

    def table(self, paths: Sequence[str], structure: str) -> str:
        """Return what ClickHouse selects from, embedded or on servers."""
        words = [_listed(self._url, paths), self._key, self._secret, "Parquet", structure]
        if not self._key:
            words[1:3] = []
        return f"s3({', '.join(map(sql.text, words))})"

    def __str__(self) -> str:
        return self._shown

    @contextmanager
    def _doing(self, action: tuple[str, str], path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0][:200] or type(error).__name__
            raise StoreError(
                _FAILED, place=self._shown, path=path, reason=reason, action=action[0], action_zh=action[1]
            ) from error


_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def _listed(root: str, paths: Sequence[str]) -> str:
    """Name several files in ClickHouse's manner."""
    return root + (paths[0] if len(paths) == 1 else "{" + ",".join(paths) + "}")


def _make_folders(root: Path, folder: Path) -> None:
    """Make folders so that their names survive a power cut, too."""
    missing = [each for each in (folder, *folder.parents) if root in each.parents and not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_folder(each.parent)
