"""From the log to the bus: each batch in exactly one of two streams, exactly once, over crashes of either side.

A lane is one of the streams LIVE and LATE. On each, batches go in order with a few outstanding. Where a lane stands is
told by its last acknowledged record and, after any doubt, by the last message on the gateway's own subject: the server
stores what one connection sent in order, so all before that message is there. What may still be under way is only ever
sent again on the same stream under the same message id, which the server keeps once.

Late batches must not delay live ones: of each stream as much is under way as is answered in good time, and of LATE no
more than the historian can be seen to store.

In a cluster the stream's leader may end while the connection holds: what it had not passed on is gone, and what
followed is with the next leader. There everything without an answer is sent again, as long as the servers know its id.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from mainspring.bus.connect import Bus
from mainspring.bus.server import DUPLICATE_WINDOW_S
from mainspring.core import subjects
from mainspring.core.subjects import LATE, LIVE, SEQUENCE_HEADER
from mainspring.core.text import Text
from mainspring.gateway.lane import Lane
from mainspring.gateway.marks import LANES, NOWHERE, Marks, Place
from mainspring.gateway.segments import Reader, Record, Segment, SegmentLog

log = structlog.get_logger(__name__)

ACK_TIMEOUT_S: Final = 5.0
BEHIND_MS: Final = 15_000
"""From here on it is said that readings wait."""
LOOK_S: Final = 0.5
HELD_S: Final = 0.05
RETRY_MAX_S: Final = 5.0
REFUSED_RETRY_S: Final = 1.0
"""A full stream has room again as soon as the historian has stored some of it, and what is fresh must not wait then."""
UNCONFIRMED_MAX: Final = 20_000
UNSTORED_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of LATE, what the historian has not confirmed: the rest waits here and not in the bus, whose disk is for all."""
KNOWN_S: Final = DUPLICATE_WINDOW_S * 0.75
"""How long after its first sending a batch may be sent again: the servers forget ids after the whole window."""

_REFUSED: Final = Text(
    "The bus refused readings for {stream} ({reason}); they stay in the segment log and are sent again. "
    "Look at the disk of the bus and at the historian.",
    "总线拒收 {stream} 的读数（{reason}）；读数保留在段日志中，将自动重发。请检查总线磁盘与历史库。",
)
_BEHIND: Final = Text(
    "Readings of the last {seconds:.0f} s wait in the segment log: {batches} batches. Fresh ones go first, these "
    "follow by themselves as fast as link and platform take them.",
    "段日志中有最近 {seconds:.0f} 秒的读数待发：{batches} 个批次。新读数优先发送，其余随链路与平台能力自动补传。",
)
_BOTH: Final = Text("{behind} {trouble}", "{behind}{trouble}")
_AWAY: Final = Text(
    "The bus does not answer; readings are kept in the segment log and sent when it is back.",
    "总线无应答；读数保存在段日志中，恢复后自动补传。",
)


class Doubt(Exception):
    """A lane must ask the bus where it stands."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


class Publisher:
    """Sends records of a log to LIVE and LATE and frees segments the historian has confirmed."""

    def __init__(
        self,
        segment_log: SegmentLog,
        marks: Marks,
        tenant: str,
        gateway: str,
        *,
        late_after_ms: int = 5_000,
        late_rows_per_s: int = 2_000_000,
        outstanding_max: int = 8,
    ) -> None:
        self._log = segment_log
        self._marks = marks
        self._id = f"{tenant}.{gateway}"
        self._late_after_ms = late_after_ms
        self._late_rows_per_s = late_rows_per_s
        self._outstanding_max = outstanding_max
        self.lanes = {stream: Lane(stream, subjects.readings(tenant, gateway, late=stream == LATE)) for stream in LANES}
        self._bus: Bus | None = None
        self._inbox = ""
        self._answered = asyncio.Event()
        self._lag_from_ms: int | None = None
        self._late_from_ms: int | None = None
        for lane in self.lanes.values():
            self._restart(lane)

    @property
    def text(self) -> Text | None:
        """Say why readings do not get through, or None."""
        if self._bus is None:
            return _AWAY
        trouble = next((lane.text for lane in self.lanes.values() if lane.text is not None), None)
        behind_ms = self.behind_ms(time.time_ns() // 1_000_000)
        if behind_ms < BEHIND_MS:
            return trouble
        behind = _BEHIND.format(seconds=behind_ms / 1000, batches=self.waiting)
        return behind if trouble is None else _BOTH.format(behind=behind, trouble=trouble)

    @property
    def waiting(self) -> int:
        """Batches that the bus has not acknowledged."""
        late = sum(b - a + 1 for a, b in self._marks.late_pending())
        live = self._marks.acknowledged[LIVE].sequence
        first = max(live, self._log.first - 1)
        return late + sum(b - a + 1 for a, b in self._marks.runs(LIVE, first, self._log.last))

    def lag_ms(self, now_ms: int) -> int:
        """How old the oldest live batch is that the bus has not acknowledged."""
        # A log begins at a number made of the time: before its first record nothing is behind.
        if self._marks.live_after(max(self._marks.acknowledged[LIVE].sequence, self._log.first - 1)) > self._log.last:
            self._lag_from_ms = None
            return 0
        if self._lag_from_ms is None:
            self._lag_from_ms = now_ms
        return max(0, now_ms - self._lag_from_ms)

    def behind_ms(self, now_ms: int) -> int:
        """How old the oldest batch is that the bus has not acknowledged, live or late."""
        pending = next(self._marks.late_pending(), None)
        if pending is None:
            self._late_from_ms = None
            return self.lag_ms(now_ms)
        if self._late_from_ms is None:
            reader = Reader(self._log)
            record = reader.read(pending[0])
            reader.close()
            self._late_from_ms = now_ms if record is None else record.time_ms
        return max(self.lag_ms(now_ms), now_ms - self._late_from_ms)

    def written(self) -> None:
        """Tell that the log has new records."""
        self.lanes[LIVE].stirred.set()

    async def run(self, bus: Bus) -> None:
        """Publish for ever."""
        self._inbox = bus.nc.new_inbox()
        await bus.nc.subscribe(f"{self._inbox}.>", cb=self._on_answer)
        for stream in LANES:
            await bus.nc.subscribe(subjects.position(stream), cb=self._on_position)
        bus.on_reconnected(self._on_reconnected)
        self._bus = bus
        async with asyncio.TaskGroup() as tasks:
            for lane in self.lanes.values():
                tasks.create_task(self._run_lane(bus, lane))

    async def drained(self) -> None:
        """Wait until the bus has everything that is in the log."""
        while self.waiting:
            self._answered.clear()
            await self._answered.wait()

    def release(self) -> int:
        """Delete segments of which the historian has everything; return how many."""
        released = self._log.release(self._confirmed)
        if released:
            self._marks.forget_before(self._log.first)
            self._marks.save()
        return released

    def _confirmed(self, segment: Segment) -> bool:
        live = self._marks.live_after(max(self._marks.acknowledged[LIVE].sequence, segment.first - 1))
        if live <= segment.last:
            return False
        if any(a <= segment.last and segment.first <= b for a, b in self._marks.late_pending()):
            return False
        return all(lane.position >= segment.stored.get(lane.stream, 0) for lane in self.lanes.values())

    async def _run_lane(self, bus: Bus, lane: Lane) -> None:
        delay_s = 0.1
        while True:
            reader = Reader(self._log)
            before = self._marks.acknowledged[lane.stream]
            try:
                await self._synchronise(bus, lane)
                # A refusal is over when something is taken again.
                lane.text = None if lane.text is _AWAY else lane.text
                await self._send(bus, lane, reader)
            except Doubt as doubt:
                self._say(lane, doubt.text)
            except (NatsError, TimeoutError, OSError) as error:
                self._say(lane, _REFUSED.format(stream=lane.stream, reason=str(error) or type(error).__name__))
            finally:
                reader.close()
            if self._marks.acknowledged[lane.stream] != before:
                delay_s = 0.1
            lane.returned.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await lane.returned.wait()
            delay_s = min(delay_s * 2, RETRY_MAX_S if lane.refusal is None else REFUSED_RETRY_S)

    def _say(self, lane: Lane, text: Text) -> None:
        if lane.text is None or lane.text.en != text.en:
            log.warning("publish.waits", stream=lane.stream, reason=text.en)
        lane.text = text

    # Where a lane stands

    async def _synchronise(self, bus: Bus, lane: Lane) -> None:
        """Find out what the stream has, and begin behind it."""
        if not bus.connected:
            raise Doubt(_AWAY)
        last = await self._last(bus, lane)
        known = self._marks.acknowledged[lane.stream]
        for _ in range(3):
            if not self._behind(lane, last, known):
                break
            # A replica of a clustered stream may answer a moment late.
            await asyncio.sleep(1)
            last = await self._last(bus, lane)
        else:
            self._rewind(lane, last)
            last = None
        gaps = last is not None and bus.clustered and self._gaps(lane)
        if not gaps:
            self._move_holes(lane, last)
            lane.first_sent_s.clear()
        if last is not None and last.sequence > self._log.last:
            log.error("publish.log_is_older_than_bus", stream=lane.stream, bus=last.sequence, log=self._log.last)
            await asyncio.to_thread(self._log.continue_after, last.sequence)
        if last is not None and not gaps and self._ahead(lane, last, known):
            self._acknowledge(lane, last)
            for segment in self._log.segments:
                segment.stored[lane.stream] = max(segment.stored.get(lane.stream, 0), last.stored)
        lane.probing = last is None and self._marks.acknowledged[lane.stream].stored > 0
        lane.sent.clear()
        lane.answers.clear()
        lane.window.forget()
        lane.refusal = None
        lane.cursor = self._marks.acknowledged[lane.stream].sequence
        if lane.sent_max < 0:
            # A gateway that was killed may have had this much under way.
            lane.sent_max = max(lane.cursor, self._log.first - 1)
            for _ in range(self._outstanding_max):
                lane.sent_max = self._marks.live_after(lane.sent_max)

    def _gaps(self, lane: Lane) -> bool:
        """Tell whether a batch may be missing before one that is there, and may be sent again to find out."""
        unanswered = [at_s for sequence, at_s in lane.first_sent_s.items() if sequence not in lane.answers]
        return bool(unanswered) and time.monotonic() - min(unanswered) < KNOWN_S

    async def _last(self, bus: Bus, lane: Lane) -> Place | None:
        found = await bus.last_on(lane.stream, lane.subject)
        return None if found is None else Place(int(found[1].get(SEQUENCE_HEADER, "0")), found[0])

    def _behind(self, lane: Lane, last: Place | None, known: Place) -> bool:
        order = self._marks.order
        return (
            last is not None
            and last.stored < known.stored
            and order(lane.stream, last.sequence) < order(lane.stream, known.sequence)
        )

    def _ahead(self, lane: Lane, last: Place, known: Place) -> bool:
        order = self._marks.order
        return known == NOWHERE or order(lane.stream, last.sequence) > order(lane.stream, known.sequence)

    def _rewind(self, lane: Lane, last: Place | None) -> None:
        """Begin again behind what is left: the bus has lost what it had acknowledged."""
        confirmed = Place(self._marks.confirmed[lane.stream], 0)
        place = confirmed
        if last is not None and self._ahead(lane, last, confirmed):
            place = last
        log.error("publish.bus_lost_batches", stream=lane.stream, sent_again_after=place.sequence)
        self._marks.acknowledge(lane.stream, place)
        self._restart(lane)

    def _move_holes(self, lane: Lane, last: Place | None) -> None:
        """Send what the bus refused between batches it took to LATE: a stream's own order never runs backwards."""
        accepted = [index for index, sequence in enumerate(lane.sent) if lane.answers.get(sequence) is not None]
        end = accepted[-1] if accepted else -1
        sent = list(lane.sent)
        if last is not None and last.sequence in sent:
            end = max(end, sent.index(last.sequence))
        holes = [s for s in sent[: max(end, 0)] if s in lane.answers and lane.answers[s] is None]
        for sequence in holes:
            log.warning("publish.moved_to_late", stream=lane.stream, sequence=sequence)
            self._marks.add_late(sequence, sequence)
        if accepted and (place := lane.answers[sent[accepted[-1]]]) is not None:
            self._acknowledge(lane, place)
        if holes:
            self.lanes[LATE].stirred.set()

    def _replaced(self, lane: Lane, known: Place, first: Place) -> None:
        """Send again what a stream that was made anew no longer has and the historian has not confirmed."""
        lost = self._marks.runs(lane.stream, self._marks.confirmed[lane.stream], known.sequence)
        log.error("publish.stream_was_replaced", stream=lane.stream, ranges=lost)
        self._marks.acknowledge(lane.stream, first)
        self._restart(lane)
        for a, b in lost:
            if b >= self._log.first:
                self._marks.add_late(max(a, self._log.first), b)
        for segment in self._log.segments:
            segment.stored.pop(lane.stream, None)
        self.lanes[LATE].stirred.set()

    def _restart(self, lane: Lane) -> None:
        place = self._marks.acknowledged[lane.stream]
        lane.position = 0
        lane.unconfirmed.clear()
        lane.unstored = 0
        if place.stored:
            lane.unconfirmed.append((place, 0))
        for segment in self._log.segments:
            segment.stored[lane.stream] = place.stored

    # Sending

    async def _send(self, bus: Bus, lane: Lane, reader: Reader) -> None:
        reconnects = bus.nc.stats["reconnects"]

        def require_contact() -> None:
            if not bus.connected or bus.nc.stats["reconnects"] != reconnects:
                raise Doubt(_AWAY)

        while True:
            lane.stirred.clear()
            require_contact()
            if lane.refusal is not None and lane.settled:
                raise Doubt(_REFUSED.format(stream=lane.stream, reason=lane.refusal))
            if bus.nc.unsent:
                # A slow link: the bus cannot answer what it has not got.
                lane.oldest_s = time.monotonic()
            if lane.sent and time.monotonic() - lane.oldest_s > ACK_TIMEOUT_S:
                raise Doubt(_AWAY)
            record = None
            held = lane.stream == LATE and self._holds_late()
            if not held and lane.refusal is None and self._has_room(lane):
                record = await self._next(lane, reader)
            if record is not None:
                # Reading it took a while; behind a lost contact it would overtake what was lost with it.
                require_contact()
                await self._publish(bus, lane, record)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(HELD_S if held else LOOK_S if lane.sent else None):
                    await lane.stirred.wait()

    def _has_room(self, lane: Lane) -> bool:
        return lane.window.open and len(lane.sent) < (1 if lane.probing else self._outstanding_max)

    def _holds_late(self) -> bool:
        """Tell whether late readings wait: live ones do, or the historian has enough to store."""
        live = self.lanes[LIVE]
        if self.lanes[LATE].unstored > UNSTORED_BYTES_MAX:
            return True
        # What LIVE refuses does not hold up what LATE takes.
        return live.text is None and not self._has_room(live) and self._marks.live_after(live.cursor) <= self._log.last

    async def _next(self, lane: Lane, reader: Reader) -> Record | None:
        """Return the next record of a lane, None if there is none for now."""
        if lane.stream == LATE:
            return await self._next_late(lane, reader)
        while (wanted := self._marks.live_after(lane.cursor)) <= self._log.last:
            record = await asyncio.to_thread(reader.read, wanted)
            if record is None:
                return None
            if self._marks.live_after(record.sequence - 1) != record.sequence:
                # Something is missing here, and what comes next is late.
                lane.cursor = record.sequence
                continue
            if not self._is_old(record) or record.sequence <= lane.sent_max:
                return record
            if lane.sent:
                return None
            # Fresh readings go first; this one and all that wait behind it follow in the background.
            first, last = record.sequence, self._log.last
            log.info("publish.backlog_goes_late", first=first, last=last)
            await asyncio.to_thread(self._marks.add_late, first, last)
            self.lanes[LATE].stirred.set()
        return None

    async def _next_late(self, lane: Lane, reader: Reader) -> Record | None:
        while (wanted := self._marks.late_after(lane.cursor)) is not None:
            record = await asyncio.to_thread(reader.read, wanted)
            if record is not None and record.sequence == wanted:
                await asyncio.sleep(max(0.0, lane.free_s - time.monotonic()))
                lane.free_s = max(time.monotonic(), lane.free_s) + record.rows / self._late_rows_per_s
                return record
            if lane.sent:
                return None
            # It is not in the log (damaged or of an older log): nothing can be sent in its place.
            lane.cursor = wanted
            self._marks.acknowledge(LATE, Place(wanted, self._marks.acknowledged[LATE].stored))
        return None

    def _is_old(self, record: Record) -> bool:
        return time.time_ns() // 1_000_000 - record.time_ms > self._late_after_ms

    async def _publish(self, bus: Bus, lane: Lane, record: Record) -> None:
        if not lane.sent:
            lane.oldest_s = time.monotonic()
        lane.sent.append(record.sequence)
        lane.first_sent_s.setdefault(record.sequence, time.monotonic())
        lane.window.sent(record.sequence, len(record.payload), time.monotonic())
        lane.cursor = record.sequence
        lane.sent_max = max(lane.sent_max, record.sequence)
        if lane.stream == LIVE:
            self._lag_from_ms = record.time_ms
        else:
            self._late_from_ms = record.time_ms
        headers = {"Nats-Msg-Id": f"{self._id}-{record.sequence}", SEQUENCE_HEADER: str(record.sequence)}
        reply = f"{self._inbox}.{lane.stream}.{record.sequence}"
        await bus.nc.publish(lane.subject, record.payload, reply=reply, headers=headers)

    async def _on_answer(self, message: Msg) -> None:
        stream, number = message.subject.rsplit(".", 2)[1:]
        lane, sequence = self.lanes[stream], int(number)
        if sequence not in lane.sent or sequence in lane.answers:
            return
        place: Place | None = None
        size = lane.window.answered(sequence, time.monotonic())
        if (message.headers or {}).get("Status") == "503":
            lane.refusal = f"stream {stream} does not answer"
        else:
            answer = json.loads(message.data)
            if "error" in answer:
                lane.refusal = str(answer["error"].get("description", answer["error"]))
            else:
                place = Place(sequence, int(answer["seq"]))
                lane.taken += size
        lane.answers[sequence] = place
        self._answered.set()
        while lane.sent and (first := lane.answers.get(lane.sent[0])) is not None:
            sequence = lane.sent.popleft()
            del lane.answers[sequence]
            lane.first_sent_s.pop(sequence, None)
            lane.oldest_s = time.monotonic()
            self._taken(lane, first)
        lane.stirred.set()

    def _taken(self, lane: Lane, place: Place) -> None:
        known = self._marks.acknowledged[lane.stream]
        if lane.probing and place.stored <= known.stored:
            self._replaced(lane, known, place)
        lane.probing = False
        lane.text = None
        self._acknowledge(lane, place)

    def _acknowledge(self, lane: Lane, place: Place) -> None:
        self._marks.acknowledge(lane.stream, place)
        if self._log.first <= place.sequence <= self._log.last:
            segment = self._log.segments[self._log.find(place.sequence)]
            segment.stored[lane.stream] = max(segment.stored.get(lane.stream, 0), place.stored)
        taken, lane.taken = lane.taken, 0
        lane.unstored += taken
        lane.unconfirmed.append((place, taken))
        if len(lane.unconfirmed) == UNCONFIRMED_MAX:
            # Every second place is enough: a place is confirmed when a later one is.
            places = list(lane.unconfirmed)
            pairs = zip(places[::2], places[1::2], strict=True)
            lane.unconfirmed = deque((later, size + more) for (_, size), (later, more) in pairs)

    async def _on_reconnected(self) -> None:
        for lane in self.lanes.values():
            lane.returned.set()
            lane.stirred.set()

    async def _on_position(self, message: Msg) -> None:
        lane = self.lanes.get(message.subject.rsplit(".", 1)[1])
        if lane is None or not message.data.isdigit():
            return
        lane.position = int(message.data)
        while lane.unconfirmed and lane.unconfirmed[0][0].stored <= lane.position:
            place, size = lane.unconfirmed.popleft()
            self._marks.confirmed[lane.stream] = place.sequence
            lane.unstored -= size
        self.release()
