"""The commands of `mainspring` and their options; the reference is made from the same."""

from __future__ import annotations

import argparse
from pathlib import Path

from mainspring import __version__

DEMO_FOLDER = Path(".mainspring/demo")


def parser() -> argparse.ArgumentParser:
    """Declare the commands and their options."""
    top = argparse.ArgumentParser(prog="mainspring", description="Open industrial internet platform.")
    top.add_argument("--version", action="version", version=f"mainspring {__version__}")
    top.add_argument("--config", type=Path, metavar="FILE", help="settings file; default: mainspring.toml if it exists")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up", help="start the platform and keep it running")
    demo = commands.add_parser("demo", help="start the platform with the demo plant")
    demo.add_argument("--port", type=int, help="port the pages listen on")
    demo.add_argument("--folder", type=Path, help=f"data folder; default: {DEMO_FOLDER}")
    demo.add_argument("--speed", type=float, default=1.0, help="replay so many times faster")
    status = commands.add_parser("status", help="show roles, rates, lag and disk of a running platform")
    status.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("sample-config", help="print a settings file with every setting and its default")
    commands.add_parser("reference", help="print the reference of settings, drivers and commands as Markdown")
    reset = commands.add_parser("reset-password", help="give a person a new one-time password")
    reset.add_argument("username")
    audit = commands.add_parser("audit", help="the audit: verify its chain of entries, write it out")
    audits = audit.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    verify = audits.add_parser("verify", help="check the chains; exit code 1 where an entry was altered or removed")
    verify.add_argument("--tenant", default="", metavar="KEY", help="which company; default: all")
    verify.add_argument(
        "--expect", default="", metavar="NUMBER:DIGEST", help="a head written down before; its entry must be there"
    )
    restored = audits.add_parser(
        "restored", help="note that the records were put back to an earlier state by other means than `restore`"
    )
    restored.add_argument("time", metavar="TIME", help="of that state, for example 2026-11-21T14:05+08:00")
    export = audits.add_parser("export", help="write the entries of a company as lines of JSON")
    export.add_argument("--tenant", default="", metavar="KEY", help="which company; default: that of [plant]")
    tenant = commands.add_parser("tenant", help="companies on this platform: add one, list them")
    tenants = tenant.add_subparsers(dest="tenant_command", required=True, metavar="COMMAND")
    add = tenants.add_parser("add", help="make a company with an administrator; works while the platform runs")
    add.add_argument("key", help="small letters, digits and hyphens; final")
    add.add_argument("--name", default="", help="name in English")
    add.add_argument("--name-zh", default="", help="name in Chinese")
    add.add_argument("--zone", default="UTC", help="IANA time zone, for example Asia/Shanghai")
    tenants.add_parser("list", help="show the companies of this platform")
    _app(commands.add_parser("app", help="for who writes apps: begin one, make its migrations"))
    backup = commands.add_parser(
        "backup", help="back up the running platform into a folder; only what is new is copied"
    )
    backup.add_argument("to", type=Path, metavar="FOLDER", help="folder of the backups")
    backup.add_argument("--keep", type=int, metavar="N", help="remove all but the newest N backups afterwards")
    done = backup.add_mutually_exclusive_group()
    done.add_argument("--verify", action="store_true", help="read every piece and compare it with its checksum")
    done.add_argument("--list", action="store_true", help="show the backups there are")
    restore = commands.add_parser("restore", help="make a platform of a backup, in a folder of its own")
    restore.add_argument("backups", type=Path, metavar="FOLDER", help="folder of the backups")
    restore.add_argument(
        "--folder", type=Path, required=True, metavar="DIR", help="new or empty folder of the platform"
    )
    restore.add_argument("--backup", default="", metavar="ID", help="which one; default: the newest")
    restore.add_argument(
        "--records-at", metavar="TIME", help="records as they were then, for example 2026-11-21T14:05+08:00"
    )
    restore.add_argument(
        "--records-url",
        default="",
        metavar="URL",
        help="empty PostgreSQL database for the records, if they were in one",
    )
    _import_history(commands.add_parser("import-history", help="import history from a file on this machine"))
    gateway = commands.add_parser("gateway", help="run a gateway on another machine, with one file and one token")
    gateway.add_argument("file", type=Path, help="its settings file; `--sample` prints one", nargs="?")
    gateway.add_argument("--sample", action="store_true", help="print a settings file with every setting")
    gateway.add_argument("--url", default="", help="address of the platform, for the sample")
    gateway.add_argument("--release", default="", help=argparse.SUPPRESS)
    role = commands.add_parser("role", help="run one role alone, for machines with several")
    role.add_argument("name", choices=("historian", "engine", "gateway", "web", "backup", "demo"))
    role.add_argument(
        "--instance",
        default="main",
        help="which one, for roles that run in several copies; TENANT/NAME: another company's gateway",
    )
    commands.add_parser("prepare", help="create or migrate the records; `up` and `demo` do it by themselves")
    return top


def _app(command: argparse.ArgumentParser) -> None:
    apps = command.add_subparsers(dest="app_command", required=True, metavar="COMMAND")
    for name, words in (
        ("new", "write the package of an app with one kind of record, to begin with"),
        ("migrations", "write the migrations that its definitions need; again after each change of them"),
    ):
        each = apps.add_parser(name, help=words)
        each.add_argument("name", help="name of the package, such as tool_crib")
        each.add_argument("--folder", type=Path, help="folder it lies in; default: [apps] folder, else here")


def _import_history(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", help="CSV, Parquet or Influx line protocol; the same command goes on where it ended")
    command.add_argument("--tenant", default="", metavar="KEY", help="company; default: the one of the settings")
    command.add_argument("--check", action="store_true", help="look through the file only, and store nothing")
    for name in ("time", "tag", "value", "quality"):
        command.add_argument(f"--{name}", default="", metavar="COLUMN", help=f"column of the {name}, if not guessed")
    command.add_argument("--wide", action="store_true", help="the file has a column for each tag")
    command.add_argument("--times", choices=("iso", "s", "ms", "us", "ns"), help="form of times, if not guessed")
    command.add_argument("--zone", default="", help="zone of times without an offset; default: the company's")
    command.add_argument("--prefix", default="", help="put before each name")
    command.add_argument("--rule", default="", help="makes names of line protocol, as {site}/{measurement}/{field}")
    command.add_argument(
        "--create-below", metavar="PATH", help="make tags of names that no tag has, below this asset; '' for none"
    )
