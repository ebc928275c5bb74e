"""`mainspring status`: what runs, where, since when, what is wrong and what to do, in the reader's language."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mainspring import __version__
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.configuration import Configuration
from mainspring.core import subjects
from mainspring.core.errors import NotConnected
from mainspring.core.health import GatewayConnections, Health
from mainspring.core.text import Text

Say = Callable[..., str]
LISTEN_S: Final = 1.4
EXPECTED: Final = ("supervisor", "web", "historian", "engine", "gateway")
"""Roles without which a platform is not whole."""

_NOTHING: Final = Text(
    "No platform runs in {folder}. Start one with `mainspring up`, or try it out with `mainspring demo`; "
    "if yours lies elsewhere, name its settings: `mainspring --config FILE status`.",
    "{folder} 中没有正在运行的平台。用 `mainspring up` 启动，或用 `mainspring demo` 试用；"
    "若平台在别处，请指定其设置文件：`mainspring --config 文件 status`。",
)
_STARTING: Final = Text(
    "Mainspring (process {pid}) holds {folder}, but its bus at {url} does not answer. It may be starting: ask again in "
    "a moment; if it stays so, read {logs}.",
    "Mainspring（进程 {pid}）正在使用 {folder}，但其总线 {url} 无应答。可能正在启动，请稍后再试；"
    "若一直如此，请查看 {logs} 中的日志。",
)
_RUNS: Final = Text(
    "Mainspring {version} runs in {folder}, since {since} ({up}).",
    "Mainspring {version} 正在 {folder} 中运行，自 {since} 起（{up}）。",
)
_ANSWERS: Final = Text(
    "A Mainspring platform answers at {url}; its supervisor runs on another machine or not at all.",
    "{url} 处的 Mainspring 平台有应答，其监管进程在另一台机器上或未运行。",
)
_PAGES: Final = Text("Pages: {url}", "页面：{url}")
_LOGS: Final = Text("Logs:  {folder}", "日志：{folder}")
_WELL: Final = Text("Everything is well.", "一切正常。")
_WRONG: Final = Text("{count} to look at:", "需要处理 {count} 项：")
_SILENT: Final = Text(
    "{role} does not report. It is started again by itself; if it stays so, read {log}.",
    "{role} 无报告。系统会自动重启它；若一直如此，请查看 {log}。",
)
_STATE: Final = Text("{place} is {state}.", "{place} 状态为 {state}。")
_FOREIGN: Final = Text(
    "{samples} readings of foreign tags were refused from gateway {gateway} of {tenant}. Look who runs it.",
    "已拒绝来自 {tenant} 的网关 {gateway} 的 {samples} 条外来测点读数，请检查其使用者。",
)
_CONNECTION: Final = Text("{place}: {text}", "{place}：{text}")
_HEAD: Final = Text("role", "角色"), Text("state", "状态"), Text("up", "已运行"), Text("memory", "内存")
_READINGS: Final = Text("Readings: {rate} a second, {lag} behind", "读数：每秒 {rate} 条，延迟 {lag}")
_DISK: Final = Text("Disk: {free} free", "磁盘：剩余 {free}")
_BACKUP: Final = Text("Backup: the last one {age} ago", "备份：最近一次在 {age} 前")
_NO_BACKUP: Final = Text("Backup: none yet", "备份：尚无")
_LIVE: Final = Text("Gateway {place}: {live} of {all} connections live", "网关 {place}：{all} 个连接中 {live} 个在线")
_MORE: Final = Text("Every figure: `mainspring status --json`", "全部数字：`mainspring status --json`")
_STATES: Final = {
    "starting": Text("starting", "启动中"), "running": Text("running", "运行中"),
    "degraded": Text("degraded", "降级"), "stopping": Text("stopping", "停止中"),
}  # fmt: skip


@dataclass(slots=True)
class Heard:
    """One round of reports, by their subject."""

    roles: dict[str, Health] = field(default_factory=dict)
    gateways: dict[str, GatewayConnections] = field(default_factory=dict)


async def status(configuration: Configuration, *, as_json: bool) -> str:
    """Listen to one round of reports; return them in words or as JSON. Raises NotConnected where nothing runs."""
    folder = configuration.data_folder.resolve()
    holder = holder_of(folder)
    # With a bus of its own nothing but this folder's process can be meant: another one's may have the same port.
    if holder is None and not configuration.bus.url:
        raise NotConnected(_NOTHING, folder=folder)
    try:
        heard = await _listen(configuration)
    except NotConnected as error:
        if holder is None:
            raise
        url, logs = configuration.bus_url, configuration.logs_folder.resolve()
        raise NotConnected(_STARTING, pid=holder, folder=folder, url=url, logs=logs) from error
    if as_json:
        document = {
            "roles": [health.model_dump(mode="json") for health in heard.roles.values()],
            "gateways": [report.model_dump(mode="json") for report in heard.gateways.values()],
        }
        return json.dumps(document, ensure_ascii=False, indent=2)
    return told(configuration, heard, language_of(os.environ))


async def _listen(configuration: Configuration) -> Heard:
    seed = seed_file(configuration.secrets_folder, "status")
    tls_ca = configuration.bus.tls_ca
    bus = await Bus.connect(configuration.bus_url, seed if seed.exists() else None, "status", tls_ca=tls_ca, wait_s=1)
    heard = Heard()

    async def on_health(message: Any) -> None:
        heard.roles[message.subject] = Health.model_validate_json(message.data)

    async def on_connections(message: Any) -> None:
        heard.gateways[message.subject] = GatewayConnections.model_validate_json(message.data)

    await bus.nc.subscribe(subjects.HEALTH_ALL, cb=on_health)
    await bus.nc.subscribe(subjects.CONNECTIONS_ALL, cb=on_connections)
    await asyncio.sleep(LISTEN_S)
    await bus.close()
    return heard


def holder_of(folder: Path) -> str | None:
    """Return the id of the process that holds a data folder, None if nobody does."""
    try:
        with (folder / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return lock.read().strip() or "?"
    except OSError:
        return None
    return None


def language_of(environment: Mapping[str, str]) -> str:
    """Return the reader's language, by the first of the usual variables that is set."""
    said = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if said.lower().startswith("zh") else "en"


def told(configuration: Configuration, heard: Heard, language: str) -> str:
    """Say in words what runs, what is wrong, and each role's figures."""

    def say(text: Text, /, **values: Any) -> str:
        return text.format(**values).document()[language]

    roles = sorted(heard.roles.values(), key=lambda each: (each.role, each.tenant, each.instance))
    lines = _heading(configuration, roles, say)
    wrong = [*_silent(configuration, roles, say), *_faults(roles, heard.gateways, language, say)]
    lines += ["", say(_WRONG, count=len(wrong)), *(f"  - {each}" for each in wrong)] if wrong else ["", say(_WELL)]
    head = [say(each) for each in _HEAD]
    lines += ["", _row(head[0], head[1], "pid", head[2], head[3])]
    now_ms = _now_ms()
    for health in roles:
        if health.role == "supervisor" and health.instance != "main":
            continue
        state, up = say(_STATES[health.state]), _duration(now_ms - health.started_ms)
        memory = f"{health.memory_bytes / 2**20:.0f} MB"
        lines.append(_row(_place(health), state, str(health.pid), up, memory))
    return "\n".join([*lines, "", *_figures(roles, heard.gateways, say), say(_MORE)])


def _figures(roles: Sequence[Health], gateways: Mapping[str, GatewayConnections], say: Say) -> list[str]:
    """Say the few figures that people ask for first."""
    figures = {health.role: health.figures for health in roles if health.instance == "main" or health.role == "engine"}
    lines = []
    if engine := figures.get("engine"):
        rate, lag = engine.get("samples_per_s", 0.0), engine.get("lag_ms", 0.0)
        lines.append(say(_READINGS, rate=f"{rate:,.0f}", lag=f"{lag:,.0f} ms"))
    if "disk_free_bytes" in (own := figures.get("supervisor", {})):
        lines.append(say(_DISK, free=f"{own['disk_free_bytes'] / 2**30:,.1f} GB"))
    if (backup := figures.get("backup")) is not None:
        known = "last_age_s" in backup
        lines.append(say(_BACKUP, age=_duration(backup["last_age_s"] * 1000)) if known else say(_NO_BACKUP))
    for subject, gateway in sorted(gateways.items()):
        live = sum(connection.state == "connected" for connection in gateway.connections)
        lines.append(say(_LIVE, place=_of(subject, gateway), live=live, all=len(gateway.connections)))
    return lines


def _row(place: str, state: str, pid: str, up: str, memory: str) -> str:
    cells = [_padded(place, 28), _padded(state, 10), _padded(pid, -7), _padded(up, -9), _padded(memory, -9)]
    return " ".join(cells)


def _padded(text: str, columns: int) -> str:
    """Fill up to so many columns, on the left if negative; a Chinese character takes two."""
    wide = len(text) + sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    blank = " " * max(0, abs(columns) - wide)
    return text + blank if columns > 0 else blank + text


def _heading(configuration: Configuration, roles: Sequence[Health], say: Say) -> list[str]:
    own = next((health for health in roles if health.role == "supervisor" and health.instance == "main"), None)
    if own is None or holder_of(configuration.data_folder.resolve()) is None:
        return [say(_ANSWERS, url=configuration.bus_url)]
    since = datetime.fromtimestamp(own.started_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    web = configuration.web
    scheme = "https" if web.tls_certificate else "http"
    return [
        say(_RUNS, version=__version__, folder=configuration.data_folder.resolve(), since=since,
            up=_duration(_now_ms() - own.started_ms)),
        say(_PAGES, url=f"{scheme}://{web.host}:{web.port}/"),
        say(_LOGS, folder=configuration.logs_folder.resolve()),
    ]  # fmt: skip


def _silent(configuration: Configuration, roles: Sequence[Health], say: Say) -> list[str]:
    there = {health.role for health in roles}
    return [
        say(_SILENT, role=role, log=configuration.logs_folder.resolve() / f"{role}-main.log")
        for role in EXPECTED
        if role not in there and (role != "gateway" or configuration.gateways)
    ]


def _faults(roles: Sequence[Health], gateways: Mapping[str, GatewayConnections], language: str, say: Say) -> list[str]:
    faults = []
    for health in roles:
        if health.text:
            faults.append(say(_CONNECTION, place=_place(health), text=health.text[language]))
        elif health.state != "running":
            faults.append(say(_STATE, place=_place(health), state=say(_STATES[health.state])))
        faults += [say(_FOREIGN, **each.model_dump()) for each in health.foreign]
    for subject, gateway in sorted(gateways.items()):
        faults += [
            say(
                _CONNECTION,
                place=f"{_of(subject, gateway)} {connection.name or connection.connection}",
                text=connection.text[language],
            )
            for connection in gateway.connections
            if connection.text
        ]
    return faults


def _of(subject: str, gateway: GatewayConnections) -> str:
    return f"{subjects.tenant_of(subject)}/{gateway.gateway}"


def _place(health: Health) -> str:
    return f"{health.role} {health.tenant}/{health.instance}" if health.tenant else f"{health.role} {health.instance}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _duration(milliseconds: float) -> str:
    seconds = int(milliseconds // 1000)
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h {seconds % 3600 // 60:02} m"
