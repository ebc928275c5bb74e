"""The command `mainspring`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from mainspring import __version__, configuration
from mainspring.arguments import DEMO_FOLDER, parser
from mainspring.configuration import Configuration
from mainspring.core import toml
from mainspring.core.errors import MainspringError, NotConnected
from mainspring.core.text import Text

NOT_RUNNING: Final = Text(
    "The platform of {folder} does not run, or its bus does not answer. Start it with `mainspring up`; the folder of "
    "one that is stopped can be copied as it is.",
    "{folder} 的平台未运行或总线无应答。请用 `mainspring up` 启动；已停止的平台可直接复制该目录。",
)
TAKEN: Final = Text(
    "Backup {id}: {files} files, {size:,.1f} MB, {new:,.1f} MB of it new.",
    "备份 {id}：{files} 个文件，{size:,.1f} MB，其中新增 {new:,.1f} MB。",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; errors of the tree are one sentence on standard error and exit code 2."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except MainspringError as error:
        print(error.text.en, file=sys.stderr)
        print(error.text.zh, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def run(options: argparse.Namespace) -> None:
    """Run the command that was chosen; what it writes is for its own user alone."""
    os.umask(0o077)
    if options.command == "sample-config":
        print(toml.sample(Configuration), end="")
        return
    if options.command == "reference":
        from mainspring.reference import reference

        print(reference(), end="")
        return
    if options.command == "gateway":
        run_edge(options)
        return
    if options.command == "restore":
        from mainspring.backup.restoring import restore

        chosen = {"id": options.backup, "records_at": options.records_at or "", "records_url": options.records_url}
        restore(options.backups.resolve(), options.folder.resolve(), _said, **chosen)
        return
    if options.command == "backup" and (options.list or options.verify):
        from mainspring.backup import looking

        for line in looking.listed(options.to.resolve()) if options.list else ():
            _said(line)
        if options.verify:
            looking.verify(options.to.resolve(), _said)
        return
    settings = configuration.load(_settings_file(options))
    config_arguments = ["--config", str(options.config)] if options.config else []
    match options.command:
        case "up":
            from mainspring.supervisor import hold_folder

            with hold_folder(settings.data_folder):
                supervise(settings, config_arguments)
        case "demo":
            from mainspring.supervisor import hold_folder

            folder = (options.folder or DEMO_FOLDER).resolve()
            # Held before its settings are written: they are those of a demo that may be running.
            with hold_folder(folder / "data"):
                demo_settings, file = demo_configuration(options, settings, folder)
                supervise(demo_settings, ["--config", str(file)])
        case "role":
            from mainspring.roles import run_role

            run_role(options.name, options.instance, settings)
        case "status":
            from mainspring.core.logs import configure_logs
            from mainspring.status import status

            # What goes wrong is told once, in a sentence.
            configure_logs("critical")
            print(asyncio.run(status(settings, as_json=options.json)))
        case "backup":
            asyncio.run(back_up(settings, options.to.resolve(), options.keep))
        case "import-history":
            bring_in(settings, options)
        case "prepare":
            from mainspring.first_start import prepare

            # What it makes is read by the program that asked; what people should know goes beside it.
            print(json.dumps(prepare(settings, _said_aside)))
        case "app" | "reset-password" | "tenant" | "audit":
            of_records(settings, options)


def of_records(settings: Configuration, options: argparse.Namespace) -> None:
    """Run a command that works on the records alone."""
    match options.command:
        case "app":
            from mainspring import app_commands

            if options.app_command == "new":
                app_commands.new(options.name, options.folder or settings.apps.folder or Path(), _said)
            else:
                app_commands.migrations(options.name, options.folder or settings.apps.folder or Path())
        case "reset-password":
            from mainspring.first_start import reset_password

            print(reset_password(settings, options.username))
        case "tenant":
            from mainspring.first_start import add_tenant, list_tenants

            if options.tenant_command == "add":
                words = {"en": options.name, "zh": options.name_zh}
                print(add_tenant(settings, options.key, words, options.zone))
            else:
                print(list_tenants(settings))
        case "audit":
            from mainspring import audit_commands

            if options.audit_command == "export":
                audit_commands.export_audit(settings, options.tenant, sys.stdout.write)
            elif options.audit_command == "restored":
                audit_commands.note_restored(settings, options.time, _said)
            elif not audit_commands.verify_audit(settings, _said, options.tenant, options.expect):
                sys.exit(1)


def bring_in(settings: Configuration, options: argparse.Namespace) -> None:
    """Import history from a file."""
    from mainspring.import_history import import_history, wanted_of

    import_history(settings, wanted_of(options), _said)


def _said(text: Text) -> None:
    """Say something in the reader's language."""
    from mainspring.status import language_of

    print(text.document()[language_of(os.environ)], flush=True)


def _said_aside(text: Text) -> None:
    """Say it on standard error."""
    from mainspring.status import language_of

    print(text.document()[language_of(os.environ)], file=sys.stderr, flush=True)


async def back_up(settings: Configuration, folder: Path, keep: int | None) -> None:
    """Take a backup of the running platform."""
    from mainspring.backup.taking import take
    from mainspring.core.logs import configure_logs
    from mainspring.roles import connect

    # What goes wrong is told once, in a sentence.
    configure_logs("critical")
    try:
        bus = await connect(settings, "backup", 2)
    except (NotConnected, OSError) as error:
        raise NotConnected(NOT_RUNNING, folder=settings.data_folder.resolve()) from error
    try:
        made = await take(bus, settings, folder, keep, _said)
    finally:
        await bus.close()
    _said(TAKEN.format(id=made.id, files=len(made.files), size=made.size / 1e6, new=made.written_bytes / 1e6))


def run_edge(options: argparse.Namespace) -> None:
    """Run a gateway on another machine: its runner, or what the runner starts."""
    from mainspring.core.definitions import Release
    from mainspring.edge.settings import EdgeConfiguration

    if options.sample or options.file is None:
        print(toml.sample(EdgeConfiguration, {"platform.url": options.url} if options.url else None), end="")
        return
    edge = toml.load(EdgeConfiguration, options.file)
    if options.release:
        from mainspring.edge.gateway import run_gateway

        run_gateway(edge, Release.model_validate_json(options.release))
        return
    from mainspring.core.logs import configure_logs
    from mainspring.edge.enrolment import enrolled
    from mainspring.edge.runner import Runner
    from mainspring.supervisor import hold_folder

    with hold_folder(edge.data_folder):
        configure_logs(edge.log_level, edge.data_folder / "logs" / "runner.log")
        own = enrolled(edge)
        print(f"Mainspring {__version__}  gateway {own.name} of {own.tenant}  (Ctrl C stops it)", flush=True)
        runner = Runner(edge, ["gateway", str(options.file.resolve())], say=partial(print, flush=True))
        asyncio.run(runner.run())


def _settings_file(options: argparse.Namespace) -> Path | None:
    """Return the settings file meant: where there is only a demo, its own; so too where the demo alone runs."""
    demo = DEMO_FOLDER / "mainspring.toml"
    named: Path | None = options.config
    if named is not None or not demo.exists():
        return named
    if options.command in {"status", "backup"}:
        from mainspring.status import holder_of

        yours = holder_of(configuration.load(None).data_folder.resolve())
        return demo if yours is None and holder_of((DEMO_FOLDER / "data").resolve()) else None
    of_demo = options.command in {"reset-password", "tenant", "audit", "import-history"}
    return demo if of_demo and not configuration.DEFAULT_FILE.exists() else None


def demo_configuration(
    options: argparse.Namespace, settings: Configuration, folder: Path
) -> tuple[Configuration, Path]:
    """Write the demo's settings file beside its data: yours, with the plant, folder and ports that are its own."""
    file = folder / "mainspring.toml"
    web = options.port or settings.web.port
    # With another port everything moves along, so that two demos can run beside each other.
    bus, opcua, modbus, agent, adapter, mqtt = range(web + 1, web + 7) if options.port else (
        settings.bus.port, settings.demo.opcua_port, settings.demo.modbus_port, settings.demo.mtconnect_port,
        settings.demo.shdr_port, settings.demo.mqtt_port,
    )  # fmt: skip
    yours = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    gateway = yours.get("gateways", {}).get("main", {})
    # Bus and records of a plant that is real stay without the demo's readings.
    for section, name in (("bus", "url"), ("bus", "replicas"), ("bus", "public_url"), ("web", "database_url")):
        yours.get(section, {}).pop(name, None)
    own: dict[str, Any] = {
        "data_folder": str(folder / "data"),
        "plant": {"tenant": "demo", "name": "Demo plant", "name_zh": "演示工厂", "zone": "Asia/Shanghai"},
        "bus": yours.get("bus", {}) | {"port": bus},
        "web": yours.get("web", {}) | {"port": web},
        "gateways": {"main": gateway | {"mqtt_port": mqtt}},
        "demo": {
            "enabled": True, "opcua_port": opcua, "modbus_port": modbus, "mtconnect_port": agent,
            "shdr_port": adapter, "mqtt_port": mqtt, "speed": options.speed,
        },
    }  # fmt: skip
    file.write_text(f"# Written by `mainspring demo` at every start.\n{toml.written(yours | own)}", encoding="utf-8")
    return configuration.load(file), file


def supervise(settings: Configuration, config_arguments: list[str]) -> None:
    """Prepare the records of a held data folder, start every role of this machine and keep them until stopped."""
    from mainspring.bus.server import check_port
    from mainspring.core.logs import configure_logs
    from mainspring.supervisor import Supervisor

    configure_logs(settings.log.level, settings.logs_folder / "supervisor.log", settings.log.file_bytes_max)
    check_port(settings.web.host, settings.web.port, "web")
    first = _prepared(settings, config_arguments)
    # Flushed: where the output is a file or a pipe, what went wrong must be read now.
    supervisor = Supervisor(settings, config_arguments, say=partial(print, flush=True))
    print(f"Mainspring {__version__} starts; the address of its pages follows when they answer  (Ctrl C stops it)")
    if first.get("password"):
        print(f"Sign in as {first['username']} with the password {first['password']}  (shown this once)")
        print(f"用户名 {first['username']}，密码 {first['password']}（仅显示这一次）")
    sys.stdout.flush()
    asyncio.run(supervisor.run())


def _prepared(settings: Configuration, config_arguments: list[str]) -> dict[str, str]:
    """Prepare the records unless this very version did so with these very settings; returns what is shown once."""
    from mainspring.apps.loading import modules_of

    apps = modules_of(settings.apps.modules)
    migrations = sorted(file.name for file in (Path(__file__).parent / "records" / "migrations").glob("*.py"))
    told = [
        __version__,
        *migrations,
        settings.plant.model_dump_json(),
        settings.demo.model_dump_json(),
        *settings.gateways,
        *apps,
    ]
    stamp, key = settings.data_folder / "records.stamp", "\n".join([*told, settings.web.database_url])
    external = settings.web.database_url or os.environ.get("MAINSPRING_DATABASE_URL")
    there = external or (settings.data_folder / "records.sqlite3").exists()
    # An app's definitions may have changed under the same name.
    if there and not apps and stamp.exists() and stamp.read_text(encoding="utf-8") == key:
        return {}
    # A process of its own: what preparing needs in memory is given back before the roles start.
    command = [sys.executable, "-m", "mainspring", *config_arguments, "prepare"]
    prepared = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if prepared.returncode:
        sys.exit(prepared.returncode)
    stamp.write_text(key, encoding="utf-8")
    shown: dict[str, str] = json.loads(prepared.stdout)
    return shown
