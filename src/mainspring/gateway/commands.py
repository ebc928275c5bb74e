"""Commands to equipment: checked, executed at most once and never after their time, read back and recorded.

The journal `commands.jsonl` gets a line before anything is written to a device and one with the outcome, so that a
command repeated after a crash of the gateway is answered from it and not executed again.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import structlog
from pydantic import ValidationError

from mainspring.core import quality as q
from mainspring.core.commands import OTHER, Command, CommandItem, CommandOutcome, ItemOutcome, fault
from mainspring.core.definitions import TagDefinition
from mainspring.core.drivers import Driver, DriverTag, Value, Writes, WritesAmidReading
from mainspring.core.errors import DecodeError, LimitExceeded, MainspringError, NotAllowed, NotConnected
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.gateway.clock import PlatformClock, counter_ms
from mainspring.gateway.connection import Connection, limited, now_ms
from mainspring.gateway.fleet import Fleet
from mainspring.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

SEEN_MAX: Final = 10_000
JOURNAL_BYTES_MAX: Final = 16 * 1024 * 1024
_PLAIN: Final = (SampleKind.BOOLEAN, SampleKind.ENUMERATION)

_FOREIGN: Final = Text("This command is not for this gateway.", "该命令不属于本网关。")
_MALFORMED: Final = Text("The command cannot be read: {reason}.", "无法读取该命令：{reason}。")
_BUSY: Final = Text(
    "{limit} commands are still within their time; wait for some to expire.",
    "仍有 {limit} 条命令在有效期内，请等待部分到期。",
)
_EXPIRED: Final = Text(
    "The command's time passed before it could be executed; nothing was written. Send it again.",
    "命令在执行前已过期，未写入任何值。请重新发送。",
)
_NO_CONNECTION: Final = Text(
    "This connection is not run by this gateway. Check the connection's gateway.",
    "本网关未运行该连接，请检查连接所属的网关。",
)
_NO_TAG: Final = Text("This connection has no such tag.", "该连接没有此测点。")
_NO_WRITES: Final = Text("The driver {driver} cannot write.", "驱动 {driver} 不支持写入。")
_UNKNOWN: Final = Text(
    "The gateway restarted while the command was executed; look at the device.",
    "执行命令期间网关重启，请查看设备现状。",
)
_DIFFERS: Final = Text(
    "The device took the value but shows another one; look at the device.",
    "设备已接受写入，但读回的值不同，请查看设备。",
)
_UNREAD: Final = Text(
    "The value was written but could not be read back ({reason}); look at the device.",
    "值已写入但无法读回（{reason}），请查看设备。",
)
_UNSURE: Final = Text(
    "Writing did not come to an end ({reason}); look at the device before trying again.",
    "写入未完成（{reason}），请先查看设备再重试。",
)
_TOO_LATE: Final = Text("no answer within its time", "在时限内没有应答")
_NO_VALUE: Final = Text("no good value", "没有有效值")
_SAME: Final = 1e-6
"""Relative difference, that of a 32-bit float, up to which a number read back is the one written."""


class Journal:
    """Commands by id, bounded by their time: what is expired may be forgotten, what is not is never run twice."""

    def __init__(self, folder: Path, now_ms: Callable[[], int] = now_ms) -> None:
        self._now_ms = now_ms
        self._file = folder / "commands.jsonl"
        self._seen: OrderedDict[UUID, tuple[int, CommandOutcome | None]] = OrderedDict()
        self._begun: dict[UUID, Command] = {}
        if self._file.exists():
            for line in self._file.read_bytes().splitlines():
                self._read(line)

    def find(self, command: UUID) -> tuple[bool, CommandOutcome | None]:
        """Tell whether a command was seen, and its outcome if it has one."""
        known = self._seen.get(command)
        return known is not None, None if known is None else known[1]

    def begin(self, command: Command) -> None:
        """Note on disk that a command is about to be executed; raises LimitExceeded."""
        self._forget_expired()
        if len(self._seen) >= SEEN_MAX:
            raise LimitExceeded(_BUSY, limit=SEEN_MAX)
        self._seen[command.id] = (command.expires_ms, None)
        self._begun[command.id] = command
        self._write({"command": command.model_dump(mode="json")})

    def finish(self, command: Command, outcome: CommandOutcome) -> None:
        """Note the outcome."""
        # Where power fails before this is on disk, the line of the beginning says that the outcome is unknown.
        begun = self._begun.pop(command.id, None) is not None
        self._forget_expired()
        self._seen[command.id] = (command.expires_ms, outcome)
        self._write({"expires_ms": command.expires_ms, "outcome": outcome.model_dump(mode="json")}, sync=not begun)

    def _forget_expired(self) -> None:
        if len(self._seen) >= SEEN_MAX:
            now = self._now_ms()
            self._seen = OrderedDict((key, known) for key, known in self._seen.items() if known[0] > now)

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if "command" in entry:
                begun = Command.model_validate_json(json.dumps(entry["command"]))
                items = tuple(_item(item.tag, "not-confirmed", _UNKNOWN) for item in begun.items)
                outcome = CommandOutcome(id=begun.id, items=items, finished_ms=begun.expires_ms)
                self._seen[begun.id] = (begun.expires_ms, outcome)
            else:
                outcome = CommandOutcome.model_validate_json(json.dumps(entry["outcome"]))
                self._seen[outcome.id] = (int(entry["expires_ms"]), outcome)
        except (ValueError, KeyError) as error:
            log.warning("commands.journal_line_skipped", reason=str(error))

    def _write(self, entry: dict[str, object], *, sync: bool = True) -> None:
        if self._file.exists() and self._file.stat().st_size > JOURNAL_BYTES_MAX:
            # The older half stays for people to read; what is still within its time is in memory and in it.
            self._file.replace(self._file.with_suffix(".1.jsonl"))
            for begun in self._begun.values():
                self._write({"command": begun.model_dump(mode="json")})
            for expires_ms, outcome in self._seen.values():
                if outcome is not None and expires_ms > self._now_ms():
                    self._write({"expires_ms": expires_ms, "outcome": outcome.model_dump(mode="json")})
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as out:
            out.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            out.flush()
            if sync:
                os.fsync(out.fileno())


class Commands:
    """Executes the commands of one gateway."""

    def __init__(self, settings: GatewaySettings, fleet: Fleet, clock: PlatformClock) -> None:
        self._settings = settings
        self._fleet = fleet
        self._clock = clock
        self._journal = Journal(settings.folder, clock.now_ms)
        self._under_way: dict[UUID, asyncio.Task[CommandOutcome]] = {}

    async def handle(self, _subject: str, payload: bytes) -> bytes:
        """Answer a command with its outcome; raises NotAllowed or LimitExceeded."""
        try:
            command = Command.model_validate_json(payload)
        except ValidationError as error:
            raise DecodeError(_MALFORMED, reason=error.errors()[0]["msg"]) from error
        if command.tenant != self._settings.tenant:
            raise NotAllowed(_FOREIGN)
        seen, outcome = self._journal.find(command.id)
        if outcome is None:
            task = self._under_way.get(command.id)
            if task is None and seen:
                # Begun, and its outcome could not be recorded.
                outcome = CommandOutcome(
                    id=command.id, items=_all(command, "not-confirmed", _UNKNOWN), finished_ms=self._clock.now_ms()
                )
                return outcome.model_dump_json().encode()
            if task is None:
                task = asyncio.create_task(self._record(command))
                self._under_way[command.id] = task
                task.add_done_callback(lambda _task: self._under_way.pop(command.id, None))
            # An asker that goes away does not stop a write half-way.
            outcome = await asyncio.shield(task)
        return outcome.model_dump_json().encode()

    async def _record(self, command: Command) -> CommandOutcome:
        try:
            ends_ms = await self._clock.ends_ms(command.issued_ms, command.expires_ms)
        except NotConnected as error:
            items: tuple[ItemOutcome, ...] | None = _all(command, "refused", error.text)
        else:
            items = self._refused(command, ends_ms)
        if items is None:
            self._journal.begin(command)
            connection = self._fleet.get(command.connection)
            assert connection is not None
            items = await self._execute(command, connection, ends_ms)
        outcome = CommandOutcome(id=command.id, items=items, finished_ms=self._clock.now_ms())
        self._journal.finish(command, outcome)
        log.info(
            "command.finished", command=str(command.id), by=command.by, authority=command.authority,
            outcomes=dict(Counter(item.outcome for item in items)),
        )  # fmt: skip
        return outcome

    def _refused(self, command: Command, ends_ms: float) -> tuple[ItemOutcome, ...] | None:
        """Return outcomes if nothing can be written at all: one wrong item refuses the whole command."""
        if ends_ms <= counter_ms():
            return _all(command, "expired", _EXPIRED)
        connection = self._fleet.get(command.connection)
        if connection is None:
            return _all(command, "refused", _NO_CONNECTION)
        faults = [_fault(item, connection.tags.get(item.tag)) for item in command.items]
        if not any(faults):
            return None
        return tuple(
            _item(item.tag, "refused", found or OTHER) for item, found in zip(command.items, faults, strict=True)
        )

    async def _execute(self, command: Command, connection: Connection, ends_ms: float) -> tuple[ItemOutcome, ...]:
        left_s = max(0.0, (ends_ms - counter_ms()) / 1000)
        try:
            async with asyncio.timeout(left_s) as waiting, connection.in_contact() as driver:
                waiting.reschedule(None)
                if not isinstance(driver, Writes):
                    return _all(command, "refused", _NO_WRITES.format(driver=connection.definition.driver))
                tags = [connection.tags[item.tag] for item in command.items]
                raws = [_raw(tag, item.value) for tag, item in zip(tags, command.items, strict=True)]
                targets = [(connection.driver_tag(tag), raw) for tag, raw in zip(tags, raws, strict=True)]
                # Waiting for the device may have used up the time.
                if ends_ms <= counter_ms():
                    return _all(command, "expired", _EXPIRED)
                return await self._write(driver, driver, tags, targets, ends_ms)
        except TimeoutError:
            return _all(command, "expired", _EXPIRED)
        except NotConnected as error:
            return _all(command, "refused", error.text)

    async def _write(
        self, driver: Driver, writer: Writes, tags: list[TagDefinition], targets: list[tuple[DriverTag, Value]],
        ends_ms: float,
    ) -> tuple[ItemOutcome, ...]:  # fmt: skip
        limit_s = self._settings.read_timeout_ms / 1000
        sent_ms = self._clock.now_ms()
        try:
            # What has not left the gateway when the time ends never does.
            errors = await limited(writer.write(targets), min(limit_s, (ends_ms - counter_ms()) / 1000))
        except MainspringError as error:
            errors = [error] * len(targets)
        except Exception as error:
            text = _because(_UNSURE, error)
            return tuple(_item(tag.ordinal, "not-confirmed", text, sent_ms=sent_ms) for tag in tags)
        accepted_ms = self._clock.now_ms()
        found: dict[int, Value] = {}
        unread = _because(_UNREAD, None)
        written = [target for (target, _), error in zip(targets, errors, strict=True) if error is None]
        try:
            if written:
                read = driver.read_back if isinstance(driver, WritesAmidReading) else driver.read
                found = _values(await limited(read(driver.prepare(written), now_ms()), limit_s))
        except Exception as error:
            unread = _because(_UNREAD, error)
        times = (sent_ms, accepted_ms, self._clock.now_ms())
        return tuple(
            _judged(tag, raw, error, found.get(tag.ordinal), unread, times)
            for tag, (_, raw), error in zip(tags, targets, errors, strict=True)
        )


Outcome = Literal["done", "refused", "expired", "not-confirmed"]


def _item(
    tag: int, outcome: Outcome, text: Text | None, read_back: Value | None = None, **times: int | None
) -> ItemOutcome:
    said = None if text is None else text.document()
    return ItemOutcome(tag=tag, outcome=outcome, read_back=read_back, text=said, **times)


def _because(text: Text, error: Exception | None) -> Text:
    """Give the reason in both languages; what is no error of ours also goes to the log."""
    if isinstance(error, MainspringError):
        reason = error.text
    elif isinstance(error, TimeoutError):
        reason = _TOO_LATE
    elif error is None:
        reason = _NO_VALUE
    else:
        log.error("command.driver_failed", exc_info=error)
        reason = Text(type(error).__name__, type(error).__name__)
    return text.format(reason=reason)


def _all(command: Command, outcome: Outcome, text: Text) -> tuple[ItemOutcome, ...]:
    return tuple(_item(item.tag, outcome, text) for item in command.items)


def _fault(item: CommandItem, tag: TagDefinition | None) -> Text | None:
    """Say why an item must not be written, or None."""
    return _NO_TAG if tag is None else fault(tag, item.value)


def _raw(tag: TagDefinition, value: Value) -> Value:
    """Undo the scaling."""
    if isinstance(value, str):
        return value
    if tag.kind is SampleKind.BOOLEAN:
        return bool(value)
    if tag.kind is SampleKind.ENUMERATION:
        return int(value)
    if tag.gain == 1 and tag.offset == 0:
        return float(value) if tag.kind is SampleKind.FLOAT else int(value)
    raw = (value - tag.offset) / tag.gain
    return raw if tag.kind is SampleKind.FLOAT else round(raw)


def _scaled(tag: TagDefinition, raw: Value) -> Value:
    if isinstance(raw, str) or tag.kind in _PLAIN or (tag.gain == 1 and tag.offset == 0):
        return bool(raw) if tag.kind is SampleKind.BOOLEAN else raw
    scaled = raw * tag.gain + tag.offset
    return scaled if tag.kind is SampleKind.FLOAT else round(scaled)


def _values(batches: list[SampleBatch]) -> dict[int, Value]:
    """Return the values that a read gave, those that are not bad."""
    return {
        int(tag): value
        for batch in batches
        for tag, value, quality in zip(batch.tag, batch.value.tolist(), batch.quality, strict=True)
        if quality & q.MASK != q.BAD
    }


def _judged(
    tag: TagDefinition, raw: Value, error: MainspringError | None, found: Value | None, unread: Text,
    times: tuple[int, int, int],
) -> ItemOutcome:  # fmt: skip
    """Compare what the device shows with what was written."""
    sent_ms, accepted_ms, read_back_ms = times
    if error is not None:
        # Contact lost in the middle of a write leaves open whether the device took it.
        unsure = isinstance(error, NotConnected)
        text = _because(_UNSURE, error) if unsure else error.text
        return _item(tag.ordinal, "not-confirmed" if unsure else "refused", text, sent_ms=sent_ms)
    if found is None:
        return _item(tag.ordinal, "not-confirmed", unread, sent_ms=sent_ms, accepted_ms=accepted_ms)
    if isinstance(raw, float) and not isinstance(found, str):
        same = math.isclose(raw, found, rel_tol=_SAME, abs_tol=_SAME)
    else:
        same = raw == found
    return _item(
        tag.ordinal, "done" if same else "not-confirmed", None if same else _DIFFERS, _scaled(tag, found),
        sent_ms=sent_ms, accepted_ms=accepted_ms, read_back_ms=read_back_ms,
    )  # fmt: skip
