"""What backups there are, and whether every piece of them is what it was."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from mainspring.backup import manifest, pieces
from mainspring.backup.taking import PROGRESS_S, Say
from mainspring.core.errors import NotFound, StoreError
from mainspring.core.text import Text

TOLD_MAX: Final = 100

_NOTHING: Final = Text("There is no whole backup in {folder}.", "{folder} 中没有完整的备份。")
_LINE: Final = Text(
    "{id}  {time}  {files:,} files, {size:,.1f} MB, {new:,.1f} MB of it new  {records}",
    "{id}  {time}  {files:,} 个文件，{size:,.1f} MB，其中新增 {new:,.1f} MB  {records}",
)
_STATES: Final = Text("records until {time}", "记录至 {time}")
_DAMAGED_LIST: Final = Text("{id}  its list is damaged", "{id}  清单已损坏")
_DAMAGED: Final = Text(
    "The piece {piece} is {how}: {file} of {backups}.", "数据块 {piece} {how_zh}：涉及 {backups} 的 {file}。"
)
_READ: Final = Text("{done:,} of {all:,} pieces", "已校验 {done:,} / {all:,} 个数据块")
_WHOLE: Final = Text(
    "{backups} backups are whole: {pieces:,} pieces read.", "{backups} 个备份完好：已读取 {pieces:,} 个数据块。"
)
_SPOILT: Final = Text(
    "{count} pieces or lists in {folder} are damaged; the backups named above cannot be restored whole. Remove those "
    "pieces: the next backup takes anew what the platform still has.",
    "{folder} 中有 {count} 个数据块或清单已损坏，上述备份无法完整恢复。"
    "请删除这些数据块，下次备份会重新复制平台中仍有的内容。",
)


def listed(folder: Path) -> Iterator[Text]:
    """Yield a line for each backup, oldest first; raises NotFound where there are none."""
    pieces.opened(folder)
    ids = manifest.ids(folder)
    if not ids:
        raise NotFound(_NOTHING, folder=folder)
    for id in ids:
        try:
            made = manifest.read(folder, id)
            states = [state.time_ms for state in manifest.states(folder, id)]
        except StoreError:
            yield _DAMAGED_LIST.format(id=id)
            continue
        later = _STATES.format(time=_told(states[-1])) if states else Text("", "")
        line = _LINE.format(
            id=id, time=_told(made.began_ms), files=len(made.files), size=made.size / 1e6, new=made.written_bytes / 1e6,
            records="{records}",
        )  # fmt: skip
        yield Text(line.en.format(records=later.en), line.zh.format(records=later.zh))


def verify(folder: Path, say: Say) -> None:
    """Read every piece and compare it with its name; says what is wrong, and raises StoreError if anything is."""
    held = pieces.opened(folder)
    ids = manifest.ids(folder)
    if not ids:
        raise NotFound(_NOTHING, folder=folder)
    users: dict[str, dict[str, str]] = defaultdict(dict)
    wrong = 0
    for id in ids:
        try:
            for file in manifest.read(folder, id).files:
                for piece in file.pieces:
                    users[piece].setdefault(id, file.path)
            for state in manifest.states(folder, id):
                for piece in state.changed.values():
                    users[piece].setdefault(id, manifest.RECORDS_FILE)
        except StoreError as error:
            say(error.text)
            wrong += 1
    told_s = time.monotonic()
    for done, (piece, where) in enumerate(users.items()):
        if (how := held.state(piece)) is not None:
            wrong += 1
            if wrong <= TOLD_MAX:
                path, backups = next(iter(where.values())), ", ".join(where)
                say(_DAMAGED.format(piece=piece, how=how.en, how_zh=how.zh, file=path, backups=backups))
        if time.monotonic() - told_s > PROGRESS_S:
            told_s = time.monotonic()
            say(_READ.format(done=done, all=len(users)))
    if wrong:
        raise StoreError(_SPOILT, count=wrong, folder=folder)
    say(_WHOLE.format(backups=len(ids), pieces=len(users)))


def _told(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000).astimezone().isoformat(" ", "seconds")
