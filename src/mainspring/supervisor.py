"""Starts the bus and every role of one machine, starts again what crashes, and stops all within five seconds."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final

import psutil
import structlog
from nats.errors import Error as NatsError

from mainspring.backup import pending
from mainspring.bus import server
from mainspring.bus.clock import serve_clock
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import RoleUser, seed_file, user_name
from mainspring.bus.members import Members
from mainspring.bus.tenant_watch import serve_definitions
from mainspring.configuration import Configuration, bus_users
from mainspring.core.errors import ConfigurationError, MainspringError, NotConnected, StoreError, reason_of
from mainspring.core.health import Health
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

STOP_S: Final = 4.0
AGAIN_S: Final = 2.0
GATHER_S: Final = 0.2
BACK_OFF_S: Final = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
SETTLED_S: Final = 60.0
DISK_FREE_MIN_BYTES: Final = 512 * 1024**2

_HELD: Final = Text(
    "Another Mainspring (process {pid}) runs on {folder}. Stop it with Ctrl C or `kill {pid}`, "
    "or set data_folder to another folder.",
    "另一个 Mainspring（进程 {pid}）正在使用 {folder}。请用 Ctrl C 或 `kill {pid}` 停止它，"
    "或将 data_folder 设为其他目录。",
)
_UNWRITABLE: Final = Text(
    "{folder} cannot be written ({reason}). Set data_folder to a folder of your own.",
    "无法写入 {folder}（{reason}）。请将 data_folder 设为可写目录。",
)
_CRASHED: Final = Text(
    "{role} ended unexpectedly ({reason}) and is started again. Readings wait on disk meanwhile.",
    "{role} 意外退出（{reason}），正在重新启动，期间读数保存在磁盘上。",
)
_DISK: Final = Text(
    "Only {free} MB are free in {folder}. Free some space: below {least} MB the bus takes no more readings.",
    "{folder} 仅剩 {free} MB。请释放空间：低于 {least} MB 时总线不再接收读数。",
)


@dataclass(slots=True)
class Role:
    """One child process and how often it had to be started."""

    name: str
    instance: str
    arguments: tuple[str, ...]
    tenant: str = ""
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    failures: int = 0
    started_ms: int = 0
    fault: Text | None = None


def hold_folder(folder: Path) -> IO[str]:
    """Lock a data folder for this process; raises ConfigurationError naming who holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = (folder / "lock").open("a+")
    except OSError as error:
        raise StoreError(_UNWRITABLE, folder=folder, reason=reason_of(error)) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.seek(0)
        raise ConfigurationError(_HELD, pid=held.read().strip() or "?", folder=folder) from error
    held.seek(0)
    held.truncate()
    held.write(str(os.getpid()))
    held.flush()
    return held


def roles_of(configuration: Configuration) -> list[Role]:
    """Return the roles that run on this machine, in the order they are started."""
    # Simulators first: they take longest, and gateways find them at their first attempt.
    names = [("demo", "main")] if configuration.demo.enabled else []
    names += [("web", "main"), ("historian", "main"), ("engine", "main")]
    names += [("gateway", name) for name in configuration.gateways]
    names += [("backup", "main")] if configuration.backup.to is not None else []
    return [_role(name, instance, configuration.plant.tenant if name == "gateway" else "") for name, instance in names]


def _role(name: str, instance: str, tenant: str = "") -> Role:
    return Role(name, instance, ("role", name, "--instance", instance), tenant)


@dataclass(slots=True)
class Supervisor:
    """Keeps one machine's roles running until told to stop."""

    configuration: Configuration
    config_arguments: Sequence[str]
    say: Callable[[str], None] = print
    roles: list[Role] = field(default_factory=list)
    bus: Bus | None = None
    members: Members = field(init=False)
    _kept: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)
    _bus_process: asyncio.subprocess.Process | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _disk_low: bool = False

    async def run(self) -> None:
        """Start everything, keep it running, and return after a clean stop."""
        self._stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        tasks: list[asyncio.Task[None]] = []
        self.members = Members(bus_users(self.configuration))
        try:
            if not self.configuration.bus.url:
                await self._start_bus()
                tasks.append(asyncio.create_task(_lasting(self._keep_bus)))
            else:
                # Before anything else: servers that run elsewhere let nobody in without it.
                server.write_accounts(self._settings().folder, self.members.users)
            await self._prepare_bus()
            for role in roles_of(self.configuration):
                self._begin(role)
            tasks.append(asyncio.create_task(self._tell_address()))
            tasks.append(asyncio.create_task(_lasting(self._report)))
            tasks.append(asyncio.create_task(_lasting(self._keep_members)))
            await self._stop.wait()
        finally:
            await self._end([*tasks, *self._kept.values()])

    def stop(self) -> None:
        """Ask for a clean stop."""
        self._stop.set()

    def _settings(self) -> server.ServerSettings:
        bus = self.configuration.bus
        return server.ServerSettings(
            folder=self.configuration.data_folder.resolve() / "bus",
            host=bus.host,
            port=bus.port,
            file_bytes_max=bus.disk_bytes_max,
            sync_always=bus.sync == "always",
            tls_certificate=bus.tls_certificate,
            tls_key=bus.tls_key,
        )

    async def _start_bus(self) -> None:
        self.configuration.logs_folder.mkdir(parents=True, exist_ok=True)
        log_file = self.configuration.logs_folder / "bus.log"
        if log_file.exists() and log_file.stat().st_size > self.configuration.log.file_bytes_max:
            log_file.replace(log_file.with_suffix(".log.1"))
        self._bus_process = await server.start(self._settings(), self.members.users, log_file)

    async def _prepare_bus(self) -> None:
        seed = seed_file(self.configuration.secrets_folder, "admin")
        tls_ca = self.configuration.bus.tls_ca
        self.bus = await Bus.connect(self.configuration.bus_url, seed, "admin", tls_ca=tls_ca, wait_s=20)
        section = self.configuration.bus
        await server.ensure_streams(self.bus, section.disk_bytes_max, section.replicas)
        await pending.send(self.bus, self.configuration.data_folder.resolve())
        await serve_definitions(self.bus)
        await serve_clock(self.bus)

    async def _keep_bus(self) -> None:
        """Start the bus again when it ends, and when a full disk has space again."""
        failures = 0
        while True:
            assert self._bus_process is not None
            began = time.monotonic()
            code = await self._bus_process.wait()
            if time.monotonic() - began > SETTLED_S:
                failures = 0
            log.error("supervisor.bus_ended", code=code)
            await asyncio.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
            failures += 1
            try:
                await self._start_bus()
            except ConfigurationError as error:
                log.error("supervisor.bus_start_failed", reason=str(error))

    async def _keep_members(self) -> None:
        """Let in and shut out gateways as their definitions change, and run those that run beside the platform."""
        assert self.bus is not None
        written = self.members.users
        while True:
            try:
                await self.members.follow(self.bus)
                break
            except (NotConnected, NatsError, TimeoutError) as error:
                log.warning("supervisor.gateways_wait", reason=str(error) or type(error).__name__)
                await asyncio.sleep(1)
        while True:
            self.members.changed.clear()
            users = self.members.users
            if users != written:
                written = users
                await self._apply(users)
            self._run_local(self.members.local)
            await self.members.changed.wait()
            # Many gateways may be announced at once.
            await asyncio.sleep(GATHER_S)

    async def _apply(self, users: list[RoleUser]) -> None:
        if self.configuration.bus.url:
            file = server.write_accounts(self._settings().folder, users)
            log.warning("supervisor.bus_runs_elsewhere", accounts=str(file))
            return
        server.write_configuration(self._settings(), users)
        if self._bus_process is None:
            return
        await server.reload(self._bus_process)
        log.info("supervisor.bus_reloaded", users=len(users), tenants=len({user.tenant for user in users} - {""}))

    def _run_local(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Run the gateways of other companies beside the platform, once their seeds lie here."""
        for tenant, name in wanted:
            instance = f"{tenant}/{name}"
            seed = seed_file(self.configuration.secrets_folder, user_name("gateway", name, tenant))
            foreign = tenant != self.configuration.plant.tenant
            if foreign and ("gateway", instance) not in self._kept and seed.exists():
                self._begin(_role("gateway", instance, tenant))

    def _begin(self, role: Role) -> None:
        self.roles.append(role)
        self._kept[role.name, role.instance] = asyncio.create_task(_lasting(partial(self._keep, role)))

    async def _keep(self, role: Role) -> None:
        """Start a role and start it again with back-off whenever it ends."""
        while True:
            # What a role says before its log is open, or while it dies, would be lost otherwise.
            with (self.configuration.logs_folder / f"{role.name}-{role.instance.replace('/', '.')}.err").open(
                "wb"
            ) as last_words:
                role.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "mainspring", *self.config_arguments, *role.arguments,
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=last_words,
                    start_new_session=True,
                )  # fmt: skip
            role.starts += 1
            role.started_ms = time.time_ns() // 1_000_000
            began = time.monotonic()
            code = await role.process.wait()
            if time.monotonic() - began > SETTLED_S:
                role.failures = 0
            reason = signal.Signals(-code).name if code < 0 else f"exit {code}"
            role.fault = _CRASHED.format(role=role.name, reason=reason)
            self.say(role.fault.en)
            log.error("supervisor.role_ended", role=role.name, instance=role.instance, code=code)
            await asyncio.sleep(BACK_OFF_S[min(role.failures, len(BACK_OFF_S) - 1)])
            role.failures += 1

    async def _tell_address(self) -> None:
        """Say where the pages are, once they answer."""
        web = self.configuration.web
        # Where they listen on every address, this machine's own is asked.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(web.host, web.host)  # noqa: S104
        while True:
            try:
                _, writer = await asyncio.open_connection(host, web.port)
                break
            except OSError:
                await asyncio.sleep(GATHER_S)
        writer.close()
        self.say(f"Pages: {'https' if web.tls_certificate else 'http'}://{web.host}:{web.port}/")

    async def _report(self) -> None:
        """Report once a second, and in the name of each role that is being started again."""
        own = psutil.Process()
        started_ms = int(own.create_time() * 1000)
        while True:
            now_ms = time.time_ns() // 1_000_000
            assert self.bus is not None
            await self.bus.report(self._own_health(own, now_ms, started_ms))
            for role in self.roles:
                if role.fault is not None and now_ms - role.started_ms < 10_000:
                    await self.bus.report(
                        Health(
                            role="supervisor", instance=f"{role.name}-{role.instance.rpartition('/')[2]}",
                            tenant=role.tenant, pid=own.pid, time_ms=now_ms,
                            started_ms=role.started_ms, memory_bytes=0, state="degraded", text=role.fault.document(),
                            figures={"starts": role.starts},
                        )
                    )  # fmt: skip
            await asyncio.sleep(1)

    def _tightest(self) -> tuple[Path, int, int]:
        """Return the folder whose disk is nearest its mark, its free bytes and the mark; the bus may have its own."""
        folder = self.configuration.data_folder
        found = []
        for each in (folder, folder / "bus"):
            if each.exists():
                usage = shutil.disk_usage(each)
                found.append((each, usage.free, min(DISK_FREE_MIN_BYTES, usage.total // 20)))
        return min(found, key=lambda place: place[1] / place[2])

    def _own_health(self, own: psutil.Process, now_ms: int, started_ms: int) -> Health:
        folder, free, least = self._tightest()
        low = free < least
        if self._disk_low and free > 2 * least:
            # A stream that met a full disk stays broken until its server starts anew.
            self._disk_low = False
            if self._bus_process is not None and self._bus_process.returncode is None:
                log.warning("supervisor.bus_restarted_after_full_disk")
                self._bus_process.terminate()
        self._disk_low = self._disk_low or low
        text = _DISK.format(free=free >> 20, folder=folder, least=least >> 20)
        bus_memory = 0
        if self._bus_process is not None and self._bus_process.returncode is None:
            with suppress(psutil.Error):
                bus_memory = psutil.Process(self._bus_process.pid).memory_info().rss
        return Health(
            role="supervisor", instance="main", pid=own.pid, time_ms=now_ms, started_ms=started_ms,
            memory_bytes=own.memory_info().rss, state="degraded" if low else "running",
            text=text.document() if low else None,
            figures={
                "disk_free_bytes": free, "bus_memory_bytes": bus_memory,
                "restarts": sum(max(role.starts - 1, 0) for role in self.roles),
            },
        )  # fmt: skip

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        running = [role.process for role in self.roles if role.process and role.process.returncode is None]
        for process in running:
            process.terminate()
        if running:
            _done, slow = await asyncio.wait([asyncio.ensure_future(p.wait()) for p in running], timeout=STOP_S)
            for process in running:
                if slow and process.returncode is None:
                    log.error("supervisor.killed", pid=process.pid)
                    process.kill()
        if self.bus is not None:
            await self.bus.close()
        if self._bus_process is not None and self._bus_process.returncode is None:
            self._bus_process.terminate()
            try:
                await asyncio.wait_for(self._bus_process.wait(), 2)
            except TimeoutError:
                self._bus_process.kill()


async def _lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do work that never ends, and begin it again when it fails: a full disk must not stop the watch over roles."""
    while True:
        try:
            await work()
        except (MainspringError, NatsError, OSError, psutil.Error):
            log.exception("supervisor.part_failed")
        await asyncio.sleep(AGAIN_S)
