"""An S3 service of the run's own: SeaweedFS on loopback ports, with one bucket and one key."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow.fs
from tests.ports import free_ports
from tests.waiting import PATIENCE_S

from mainspring.core.cold import ColdSettings

KEY: Final = "coldkey"
SECRET: Final = "a-secret-nobody-may-read"
BUCKET: Final = "plant"
START_S: Final = PATIENCE_S


@contextmanager
def running(folder: Path) -> Iterator[ColdSettings]:
    """Run a service with its files in a folder; give the settings of cold history in its bucket."""
    folder.mkdir(parents=True, exist_ok=True)
    rights = {"name": "historian", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [rights]}))
    ports = free_ports(8)
    named = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc")  # fmt: skip
    options = [f"-{name}={port}" for name, port in zip(named, ports, strict=True)]
    program = Path(sys.executable).with_name("weed")
    command = [
        str(program), "-logtostderr", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer",
        "-s3", f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=20", *options,
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            settings = ColdSettings(f"s3://{BUCKET}/history", 1, f"http://127.0.0.1:{ports[6]}", key=KEY, secret=SECRET)
            _make_bucket(settings, process, folder / "log")
            yield settings
        finally:
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def apart(settings: ColdSettings, name: str) -> ColdSettings:
    """Return the settings of another history in the same bucket."""
    return replace(settings, place=f"s3://{BUCKET}/{name}")


def bucket(settings: ColdSettings) -> pyarrow.fs.S3FileSystem:
    """Return the service's files, as any other program reaches them."""
    return pyarrow.fs.S3FileSystem(
        access_key=KEY, secret_key=SECRET, scheme="http", endpoint_override=settings.endpoint.partition("//")[2],
        allow_bucket_creation=True,
    )  # fmt: skip


def _make_bucket(settings: ColdSettings, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()
        try:
            bucket(settings).create_dir(BUCKET)
        except OSError:
            assert time.monotonic() < until_s, log.read_text()
            time.sleep(0.2)
        else:
            return
