"""Messages of the bus that the history does not have yet, kept in a backup and sent again to a bus that is new.

A restored stream goes on with the numbers of the old one: alarms, which carry the number of the message that caused
them, come about again as the same, and what gateways know of their places stays true.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import StreamInfo

from mainspring.backup.manifest import File
from mainspring.backup.pieces import Pieces
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import KV
from mainspring.core import subjects
from mainspring.core.definitions import BUCKET
from mainspring.core.errors import Conflict, NotConnected, StoreError
from mainspring.core.text import Text
from mainspring.history.intents import Journal

log = structlog.get_logger(__name__)

FOLDER: Final = "pending"
PLACES: Final = "places.json"
READ_MESSAGES: Final = 512
READ_BYTES: Final = 8 * 1024**2
ANSWER_S: Final = 10.0
PART_BYTES: Final = 8 * 1024**2
SENT_AT_ONCE: Final = 256
SEND_S: Final = 30.0
SUBJECTS: Final = {KV: f"$KV.{BUCKET}.>"} | {stream: patterns[0] for stream, patterns in subjects.STREAMS.items()}
_MESSAGE_ID: Final = "Nats-Msg-Id"

_GONE: Final = Text(
    "Messages {first} to {last} of {stream} left the bus while the backup was taken. Take it again.",
    "备份期间总线上 {stream} 的第 {first} 至 {last} 条消息已被移除，请重新备份。",
)
_SILENT: Final = Text(
    "The bus stopped answering while the backup read {stream}. Look at `mainspring status`, and take it again.",
    "备份读取 {stream} 时总线停止应答。请查看 `mainspring status` 后重新备份。",
)
_NOT_SENT: Final = Text(
    "The bus at {url} did not take what was restored ({reason}). Look at its disk and its log, and start again.",
    "总线 {url} 未能接收恢复的消息（{reason}）。请检查其磁盘和日志后重新启动。",
)
_TORN: Final = Text(
    "{file} of the restored bus cannot be read ({reason}). Restore the backup again.",
    "恢复的总线文件 {file} 无法读取（{reason}），请重新恢复备份。",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as its stream holds it."""

    sequence: int
    subject: str
    headers: dict[str, str]
    payload: bytes

    def encode(self) -> bytes:
        """Return a line of JSON and the payload."""
        head = json.dumps([self.sequence, self.subject, self.headers, len(self.payload)])
        return head.encode() + b"\n" + self.payload


async def keep(bus: Bus, stream: str, after: int, stored: int, held: Pieces) -> tuple[int, list[File]]:
    """Keep the messages that a stream has behind `after`; returns the place behind which they begin, and the files.

    Behind `stored` none may be missing. Before it gaps are usual, and only what follows the last one is kept.
    """
    upto = (await bus.js.stream_info(stream)).state.last_seq
    files: list[File] = []
    row: list[Stored] = []
    begins = last = after

    async def close() -> None:
        if row:
            content = b"".join(message.encode() for message in row)
            piece = await asyncio.to_thread(held.put, content)
            path = f"data/{FOLDER}/{stream}/{row[0].sequence:020d}"
            files.append(File(path, len(content), 0o600, 0, (piece,)))
            row.clear()

    async for message in _messages(bus, stream, after, upto):
        if message.sequence != last + 1:
            _check_gap(stream, last, message.sequence, stored)
            files.clear()
            row.clear()
            begins = message.sequence - 1
        row.append(message)
        last = message.sequence
        if sum(len(each.payload) for each in row) >= PART_BYTES:
            await close()
    if last < upto:
        _check_gap(stream, last, upto + 1, stored)
        return upto, []
    await close()
    return begins, files


async def keep_definitions(bus: Bus, held: Pieces) -> list[File]:
    """Keep what is published of the records: without it an engine would take every alarm for one of the past."""
    upto = (await bus.js.stream_info(KV)).state.last_seq
    found = [message async for message in _messages(bus, KV, 0, upto) if "KV-Operation" not in message.headers]
    content = b"".join(message.encode() for message in found)
    piece = await asyncio.to_thread(held.put, content)
    return [File(f"data/{FOLDER}/{KV}/{0:020d}", len(content), 0o600, 0, (piece,))]


def _check_gap(stream: str, last: int, following: int, stored: int) -> None:
    if following - 1 > stored:
        raise Conflict(_GONE, first=max(last, stored) + 1, last=following - 1, stream=stream)


async def _messages(bus: Bus, stream: str, after: int, upto: int) -> AsyncIterator[Stored]:
    """Yield what a stream holds behind `after`, up to `upto`."""
    inbox = bus.nc.new_inbox()
    subscription = await bus.nc.subscribe(inbox)
    try:
        more = after < upto
        while more:
            request = {
                "seq": after + 1, "next_by_subj": SUBJECTS[stream],
                "batch": READ_MESSAGES, "max_bytes": READ_BYTES,
            }  # fmt: skip
            await bus.nc.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=inbox)
            more = False
            while True:
                try:
                    message = await subscription.next_msg(timeout=ANSWER_S)
                except TimeoutError as error:
                    raise NotConnected(_SILENT, stream=stream) from error
                headers = dict(message.headers or {})
                if "Nats-Sequence" not in headers:
                    # 404: nothing is left; 204: the end of what was asked for.
                    break
                found = _stored(message, headers)
                if found.sequence > upto:
                    return
                after = found.sequence
                more = after < upto
                yield found
    finally:
        await subscription.unsubscribe()


def _stored(message: Msg, headers: dict[str, str]) -> Stored:
    kept = {name: value for name, value in headers.items() if not name.startswith("Nats-") or name == _MESSAGE_ID}
    return Stored(int(headers["Nats-Sequence"]), headers["Nats-Subject"], kept, message.data)


async def send(bus: Bus, data_folder: Path) -> None:
    """Bring the streams of a restored platform to where they were, before anything else is sent to them.

    Cut short at any instant, the next start goes on with what is missing.
    """
    folder = data_folder / FOLDER
    if not folder.exists():
        return
    try:
        await _restore(bus, data_folder)
    except (NatsError, TimeoutError) as error:
        raise NotConnected(_NOT_SENT, url=bus.url, reason=str(error) or type(error).__name__) from error
    shutil.rmtree(folder)


async def _restore(bus: Bus, data_folder: Path) -> None:
    folder = data_folder / FOLDER
    if not (await bus.js.stream_info(KV)).state.messages:
        await _send(bus, KV, folder / KV, 0)
    places: dict[str, int] = json.loads((folder / PLACES).read_text(encoding="utf-8"))
    journal = Journal(data_folder / "history")
    for stream, after in places.items():
        info = await bus.js.stream_info(stream)
        position, _sure = journal.read(stream)
        if position is not None and position.incarnation == incarnation_of(stream, info):
            # A bus that is run elsewhere still has its own.
            continue
        if info.state.last_seq < after:
            await bus.js.purge_stream(stream, seq=after + 1)
        sent = await _send(bus, stream, folder / stream, max(after, info.state.last_seq))
        if position is not None:
            journal.write(stream, replace(position, incarnation=incarnation_of(stream, info), intent=None))
        log.info("backup.stream_restored", stream=stream, after=after, messages=sent)


async def _send(bus: Bus, stream: str, folder: Path, after: int) -> int:
    count = 0
    messages = _read(folder, after)
    while batch := list(itertools.islice(messages, SENT_AT_ONCE)):
        count += await _publish(bus, stream, batch)
    return count


async def _publish(bus: Bus, stream: str, batch: list[Stored]) -> int:
    """Publish messages in their order and wait until the bus has them."""
    sent = [
        await bus.js.publish_async(each.subject, each.payload, wait_stall=SEND_S, headers=each.headers or None)
        for each in batch
    ]
    async with asyncio.timeout(SEND_S):
        answers = await asyncio.gather(*sent)
    if stream != KV and (
        moved := sum(answer.seq != each.sequence for answer, each in zip(answers, batch, strict=True))
    ):
        log.warning("backup.messages_renumbered", stream=stream, messages=moved)
    return len(batch)


def _read(folder: Path, after: int) -> Iterator[Stored]:
    """Yield the kept messages behind a place."""
    for file in sorted(folder.glob("*")):
        content = file.read_bytes()
        start = 0
        try:
            while start < len(content):
                end = content.index(b"\n", start)
                sequence, subject, headers, size = json.loads(content[start:end])
                start = end + 1 + size
                if sequence > after:
                    yield Stored(sequence, subject, headers, content[end + 1 : start])
        except (ValueError, TypeError) as error:
            raise StoreError(_TORN, file=file, reason=type(error).__name__) from error


def incarnation_of(stream: str, info: StreamInfo) -> str:
    """Return what tells a stream from another of its name, as the historian writes it into its position."""
    return f"{stream}@{int(info.created.timestamp() * 1000) if info.created else 0}"
