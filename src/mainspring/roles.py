"""The one table of roles: what each is made of. Only here are implementations chosen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file, user_name
from mainspring.configuration import Configuration, HistorySection
from mainspring.core.errors import ConfigurationError, MainspringError
from mainspring.core.logs import configure_logs
from mainspring.core.text import Text
from mainspring.core.tracing import configure_tracing, end_tracing

if TYPE_CHECKING:
    from mainspring.history.settings import Store

log = structlog.get_logger(__name__)

_NO_CLIENT: Final = Text(
    "A history on ClickHouse servers needs the package {package}. Install Mainspring with the extra `clickhouse`.",
    "使用 ClickHouse 服务器存储历史需要软件包 {package}，请安装 Mainspring 的 `clickhouse` 扩展。",
)

_NO_FOLDER: Final = Text(
    "Backups have no folder. Set [backup] to, or take one with `mainspring backup FOLDER`.",
    "未设置备份目录。请设置 [backup] to，或用 `mainspring backup 目录` 备份。",
)

Run = Callable[[Configuration, str, asyncio.Event], Awaitable[None]]


async def connect(configuration: Configuration, user: str, wait_s: float = 30) -> Bus:
    """Connect to the bus as one of this machine's users."""
    seed = seed_file(configuration.secrets_folder, user)
    return await Bus.connect(configuration.bus_url, seed, user, tls_ca=configuration.bus.tls_ca, wait_s=wait_s)


async def historian(configuration: Configuration, instance: str, stop: asyncio.Event) -> None:
    """Keep readings and answer history queries."""
    from mainspring.history import historian as role
    from mainspring.history.blobs import FolderBlobs
    from mainspring.history.settings import HistorianSettings

    section = configuration.history
    folder = configuration.data_folder.resolve() / "history"
    settings = HistorianSettings(
        folder=folder,
        instance=instance,
        gather_ms=section.gather_ms,
        disk_free_min_bytes=section.disk_free_min_bytes,
        bytes_max=section.disk_bytes_max,
        blob_bytes_max=section.blob_bytes_max,
        retention_days=section.retention_days,
        retention_bytes=section.retention_bytes,
        query_threads=section.query_threads,
    )
    bus = await connect(configuration, "historian")
    store = history_store(section, folder)
    blobs = FolderBlobs(folder.parent / "blobs", disk_free_min_bytes=section.disk_free_min_bytes)
    try:
        await role.run(bus, store, settings, stop, blobs)
    finally:
        await bus.close()
        store.close()


def history_store(section: HistorySection, folder: Path) -> Store:
    """Open the history that the settings name: the embedded one in the folder, or one on ClickHouse servers."""
    from mainspring.core.cold import ColdSettings

    cold = None
    if section.cold:
        key, secret = os.environ.get("MAINSPRING_COLD_KEY", ""), os.environ.get("MAINSPRING_COLD_SECRET", "")
        cold = ColdSettings(
            section.cold, section.cold_after_days, section.cold_endpoint, section.cold_region, key, secret
        )
    if section.url == "chdb:":
        from mainspring.history.chdb_store import ChdbStore

        return ChdbStore(folder, cold=cold)
    try:
        from mainspring.history.clickhouse_store import ClickhouseStore
    except ModuleNotFoundError as error:
        raise ConfigurationError(_NO_CLIENT, package=error.name) from error
    return ClickhouseStore(section.url, os.environ.get("MAINSPRING_HISTORY_PASSWORD", ""), folder, cold=cold)


async def engine(configuration: Configuration, instance: str, stop: asyncio.Event) -> None:
    """Hold current values and alarms."""
    from mainspring.engine import role

    folder = configuration.data_folder.resolve() / "engine"
    settings = role.EngineSettings(folder=folder, instance=instance, **configuration.engine.model_dump())
    bus = await connect(configuration, "engine")
    try:
        await role.run(bus, settings, stop)
    finally:
        await bus.close()


async def gateway(configuration: Configuration, instance: str, stop: asyncio.Event) -> None:
    """Run the drivers of one gateway."""
    from mainspring.gateway import role
    from mainspring.gateway.settings import GatewaySection, GatewaySettings

    # `<tenant>/<name>` is another company's gateway beside this platform.
    tenant, _, name = instance.rpartition("/")
    own = not tenant
    tenant = tenant or configuration.plant.tenant
    section = configuration.gateways.get(name) if own else None
    folder = configuration.data_folder.resolve() / ("gateways" if own else f"tenants/{tenant}/gateways") / name
    settings = GatewaySettings(**(section or GatewaySection()).model_dump(), name=name, tenant=tenant, folder=folder)
    # A gateway polls and logs without a bus too: it is told how to connect, and does so itself.
    await role.run(lambda: connect(configuration, user_name("gateway", name, tenant)), settings, stop)


async def web(configuration: Configuration, instance: str, stop: asyncio.Event) -> None:
    """Serve pages and API."""
    from mainspring.first_start import web_settings
    from mainspring.web.serve import run

    section = configuration.web
    bus = await connect(configuration, "web")
    try:
        await run(
            bus,
            web_settings(configuration),
            stop,
            host=section.host,
            port=section.port,
            instance=instance,
            certificate=section.tls_certificate,
            key=section.tls_key,
        )
    finally:
        await bus.close()


async def backup(configuration: Configuration, _instance: str, stop: asyncio.Event) -> None:
    """Take backups by themselves."""
    from mainspring.backup.role import Backups

    if configuration.backup.to is None:
        raise ConfigurationError(_NO_FOLDER)
    bus = await connect(configuration, "backup")
    try:
        await Backups(bus, configuration, configuration.backup.to.resolve()).run(stop)
    finally:
        await bus.close()


async def demo(configuration: Configuration, _instance: str, stop: asyncio.Event) -> None:
    """Run the demo plant's simulators."""
    from mainspring.demo.replay import run

    await run(configuration.demo, configuration.secrets_folder, stop)


ROLES: Final[dict[str, Run]] = {
    "historian": historian,
    "engine": engine,
    "gateway": gateway,
    "web": web,
    "backup": backup,
    "demo": demo,
}


def run_role(name: str, instance: str, configuration: Configuration) -> None:
    """Be one role until SIGTERM or SIGINT; what ends it otherwise is logged, and raised."""
    file = configuration.logs_folder / f"{name}-{instance.replace('/', '.')}.log"
    configure_logs(configuration.log.level, file, configuration.log.file_bytes_max, configuration.log.files_max)
    configure_tracing(configuration.telemetry.otlp_url, name, instance)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        log.info("role.starts", role=name, instance=instance)
        await ROLES[name](configuration, instance, stop)
        log.info("role.stopped", role=name, instance=instance)

    try:
        asyncio.run(until_stopped())
    except MainspringError as error:
        log.error("role.stopped_by_error", role=name, instance=instance, reason=str(error))
        raise
    except Exception:
        log.exception("role.failed", role=name, instance=instance)
        raise
    finally:
        end_tracing()
