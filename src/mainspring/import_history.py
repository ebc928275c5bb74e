"""`mainspring import-history FILE`: history from a file on the platform's machine, however large; nothing is copied.

The same work as an import through the page, in this process; the page lists it, and shows its report.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mainspring.bus.credentials import seed_file
from mainspring.configuration import Configuration
from mainspring.core.errors import ConfigurationError, Rejected
from mainspring.core.text import Text
from mainspring.first_start import publish, web_settings
from mainspring.history.importing.layout import Layout, check_layout, look
from mainspring.web.configure import configure

if TYPE_CHECKING:
    from mainspring.web.importing.work import Work

Say = Callable[[Text], None]
TOLD_EVERY_S: Final = 2.0
SHOWN: Final = 20
_NO_FILE: Final = Text("There is no file {file}.", "没有文件 {file}。")
_NO_TENANT: Final = Text("There is no company {tenant} on this platform.", "平台上没有企业 {tenant}。")
_STOPPED: Final = Text(
    "The import was stopped. The same command goes on where it ended.", "导入已停止，再次运行同一命令即可继续。"
)
_DONE: Final = Text(
    "{stored:,} values stored, {there:,} were there, {old:,} too old, {refused:,} rows refused, "
    "{unknown_rows:,} values of unknown names; {seconds} s",
    "已存储 {stored:,} 个值，原已存在 {there:,}，超出保存期限 {old:,}，拒收 {refused:,} 行，"
    "未知名称 {unknown_rows:,} 个值；用时 {seconds} 秒",
)
_FOUND: Final = Text(
    "{values:,} values, {refused:,} refused rows, {unknown_rows:,} values of {unknown_names:,} unknown names",
    "{values:,} 个值，拒收 {refused:,} 行，{unknown_names:,} 个未知名称共 {unknown_rows:,} 个值",
)
_REFUSED: Final = Text(
    "  refused: {cause}: {count:,} rows, first in line {line:,}",
    "  拒收：{cause}：{count:,} 行，首见于第 {line:,} 行",
)
_UNKNOWN: Final = Text(
    "  unknown: {name}: {count:,} values, first in line {line:,}",
    "  未知：{name}：{count:,} 个值，首见于第 {line:,} 行",
)
_STAGES: Final = {"checking": Text("checking", "预检中"), "loading": Text("loading", "载入中")}
_PROGRESS: Final = Text(
    "{stage}: {done:,} values, {share} %, {rate:,} values/s", "{stage}：{done:,} 个值，{share} %，{rate:,} 个/秒"
)
_ROWS: Final = Text("Refused rows: {file}", "拒收行：{file}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be imported, and how; `layout` are the settings that differ from the guess."""

    file: Path
    layout: dict[str, Any]
    tenant: str = ""
    check_only: bool = False
    create_below: str | None = None


def import_history(configuration: Configuration, wanted: Wanted, say: Say) -> None:
    """Check a file and import it; one that was begun with the same settings goes on. Raises MainspringError."""
    configure(web_settings(configuration))
    from mainspring.records.audit import Author
    from mainspring.records.in_force import enter_platform
    from mainspring.records.outbox import outbox
    from mainspring.records.tenant import Tenant
    from mainspring.web.importing.sender import USER
    from mainspring.web.importing.work import Way, Work

    if not wanted.file.is_file():
        raise ConfigurationError(_NO_FILE, file=wanted.file)
    # Its end is published for all companies alike.
    enter_platform()
    key = wanted.tenant or configuration.plant.tenant
    tenant = Tenant.objects.filter(key=key).first()
    if tenant is None:
        raise ConfigurationError(_NO_TENANT, tenant=key)
    author = Author(tenant)
    seed = seed_file(configuration.secrets_folder, USER)
    way = Way(configuration.bus_url, seed, configuration.bus.tls_ca)

    def told(keys: set[str], everything: bool) -> None:
        if everything:
            outbox.compare()
        outbox.add(keys)
        asyncio.run(publish(configuration))

    with _begun(configuration.data_folder.resolve() / "history-imports", author, wanted) as (folder, state):
        _import(Work(folder, state, author, way, publish=told), wanted, say)


def _import(work: Work, wanted: Wanted, say: Say) -> None:
    state = work.state
    if not state["report"]:
        state["create_below"] = wanted.create_below
    if state["counts"] is None:
        state["stage"] = "checking"
        _done(work, say)
        _say_found(state, say)
    if wanted.check_only:
        return
    state["stage"] = "loading"
    _done(work, say)
    report = state["report"]
    say(_DONE.format(**report))
    if report["refused"]:
        say(_ROWS.format(file=work.folder.refused))


@contextmanager
def _begun(root: Path, author: Any, wanted: Wanted) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Take the import of this very file that was not finished, or a new one, and hold it; raises Conflict."""
    from mainspring.core.ids import uuid7
    from mainspring.records.importing.files import ImportStore
    from mainspring.web.importing.imports import new_progress, new_state

    store = ImportStore(root)
    status = wanted.file.stat()
    seen = look(wanted.file, wanted.file.name, author.tenant.zone)
    layout = Layout.model_validate(seen.layout.model_dump() | wanted.layout)
    check_layout(layout, seen.columns)
    source = [str(wanted.file.resolve()), status.st_size, status.st_mtime_ns, layout.model_dump()]
    for folder in store.of(author.tenant.key):
        state = folder.state()
        if state.get("source") == source and state["stage"] != "loaded":
            with folder.alone():
                # What someone else was at until now is known only now.
                state = folder.state(waiting=True)
                if state["stage"] != "loaded":
                    yield folder, state | {"text": None, "progress": new_progress(state)}
                    return
    id = uuid7()
    folder = store.make(author.tenant.key, id, b"")
    folder.upload.unlink()
    folder.upload.symlink_to(wanted.file.resolve())
    state = new_state(author, id, wanted.file.name[:200], status.st_size)
    state |= {"source": source, "layout": layout.model_dump(), "columns": seen.columns, "rows": seen.rows}
    with folder.alone():
        yield folder, state


def _done(work: Work, say: Say) -> None:
    """Do what the state says, telling how far it is; interrupted by the keyboard it ends after the piece under way."""
    from mainspring.web.importing.work import do

    thread = threading.Thread(target=do, args=(work,), name="import")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TOLD_EVERY_S)
            progress, stage = work.state["progress"], work.state["stage"]
            if stage in _STAGES and progress["total"]:
                share = 100 * progress["done"] // progress["total"]
                figures = {"done": progress["done"], "share": share, "rate": progress["rows_per_s"]}
                say(_PROGRESS.format(stage=_STAGES[stage], **figures))
    except KeyboardInterrupt:
        work.stop.set()
        thread.join()
        raise Rejected(_STOPPED) from None
    if work.state["stage"] not in {"checked", "loaded"}:
        raise Rejected(Text.of(work.state["text"]) if work.state["text"] else _STOPPED)


def _say_found(state: dict[str, Any], say: Say) -> None:
    say(_FOUND.format(**state["counts"]))
    for cause in state["causes"]:
        say(_REFUSED.format(cause=Text.of(cause["text"]), count=cause["count"], line=cause["line"]))
    for name in state["unknown"][:SHOWN]:
        say(_UNKNOWN.format(**name))


def wanted_of(options: Any) -> Wanted:
    """Return what the options of the command line mean."""
    names = ("time", "tag", "value", "quality", "zone", "prefix", "rule")
    layout = {name: getattr(options, name) for name in names if getattr(options, name)}
    if options.wide:
        layout["form"] = "wide"
    elif options.tag and options.value:
        layout["form"] = "long"
    if options.times:
        layout["time_unit"] = options.times
    return Wanted(Path(options.file).expanduser(), layout, options.tenant, options.check, options.create_below)
