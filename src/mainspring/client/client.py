"""The client: find tags, read history and current values, follow what changes, write.

Tags are named by their path (`site/area/line/machine/name`) or by their ordinal. Everything is limited to what the
token's owner may do; what the platform refuses is raised as `PlatformError` in its own words. Every error raised here
is a `MainspringError`.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import orjson
import pyarrow as pa

from mainspring.client.readings import TIME, Readings, joined, named, of_all_kinds
from mainspring.client.times import Moment, is_length, length_ms, moment_ms
from mainspring.client.transport import ARROW, Transport
from mainspring.core.drivers import Value
from mainspring.core.errors import MainspringError, NotConnected, NotFound
from mainspring.core.history import TAGS_MAX
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.text import Text

TagName = str | int
LIST_MAX: Final = 1000
PIECE_BYTES: Final = 1024 * 1024
LIVE_SILENCE_S: Final = 15.0
"""A stream that says nothing for so long, not even its beat, is dead."""
LIVE_AWAY_S: Final = 60.0
"""So long a lost stream is tried again."""
LIVE_RETRY_S: Final = 1.0
_NO_TAGS: Final = Text(
    "There is no tag {missing}. Look for it with client.tags(search).",
    "没有测点 {missing}。请用 client.tags(search) 查找。",
)
_NOT_WRITTEN: Final = Text(
    "{count} of {all} values were not written, the first to {tag} ({outcome}): {reason}",
    "{all} 个值中有 {count} 个未写入，首个为 {tag}（{outcome}）：{reason}",
)


class NotWritten(MainspringError):
    """Not all values of a command were written and confirmed; `answer` tells what became of each."""

    code = "not-written"

    def __init__(self, answer: dict[str, Any], known: Sequence[dict[str, Any]]) -> None:
        left = [item for item in answer["items"] if item["outcome"] != "done"]
        paths = {each["tag"]: each["path"] for each in known}
        counted = {"count": len(left), "all": len(answer["items"]), "tag": paths[left[0]["tag"]]}
        reason = left[0]["text"] or {"en": "-", "zh": "-"}
        told = [
            form.format(**counted, outcome=left[0]["outcome"], reason=reason[language])
            for form, language in ((_NOT_WRITTEN.en, "en"), (_NOT_WRITTEN.zh, "zh"))
        ]
        super().__init__(Text(*told))
        self.answer = answer


class Client:
    """One platform, seen with one token; use it in a `with` block."""

    def __init__(
        self, url: str, token: str, *, timeout_s: float = 60.0, ca: str | None = None, plain_http: bool = False
    ) -> None:
        """Make a client without I/O. `ca` is a PEM file of the authority of the platform's certificate."""
        self._transport = Transport(url, token, timeout_s, ca=ca, plain=plain_http)
        self._known: dict[TagName, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # Finding

    def tags(self, search: str = "", *, limit: int = LIST_MAX) -> list[dict[str, Any]]:
        """Return tags whose path or description contains all words of `search`, as the API describes them."""
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            size = min(LIST_MAX, limit - len(found))
            page = self._transport.get("/tags", search=search or None, offset=len(found), limit=size)["items"]
            found += page
            if len(page) < size:
                break
        self._remember(found)
        return found

    def alarms(self) -> list[dict[str, Any]]:
        """Return the alarms that are not normal, gravest first."""
        answer = self._transport.get("/alarms", limit=5000)
        items: list[dict[str, Any]] = answer["items"]
        return items

    # History

    def raw(self, tags: Sequence[TagName], start: Moment, end: Moment | None = None, *, limit: int = 1_000_000
            ) -> Readings:  # fmt: skip
        """Return all samples of tags, oldest first: value, quality (OPC byte) and origin; `limit` for each column type.

        Where column types differ there are three columns, as of `current`: value, integer (exact) and text.
        """
        known = self._find(tags)
        start_ms, end_ms = moment_ms(start), moment_ms(end)
        by_column: dict[Column, list[dict[str, Any]]] = {}
        for each in known:
            by_column.setdefault(SampleKind(each["kind"]).column, []).append(each)
        parts = {
            column: self._history("raw", group, start_ms, end_ms, {"limit": limit, "column": str(column)})
            for column, group in (by_column or {Column.FLOAT64: []}).items()
        }
        if len(parts) == 1:
            return next(iter(parts.values()))
        units = {path: unit for part in parts.values() for path, unit in part.units.items()}
        return Readings(of_all_kinds({column: part.arrow for column, part in parts.items()}), units)

    def aggregate(
        self,
        tags: Sequence[TagName],
        start: Moment,
        end: Moment | None = None,
        *,
        step: int | str,
        functions: Sequence[str] = ("min", "max", "mean", "count"),
    ) -> Readings:
        """Return statistics of good samples for each step: min, max, mean, first, last, count, time_weighted.

        Steps count from `start`; where that is a length before now, from the full step (UTC) in which it lies.
        """
        step_ms, start_ms, end_ms = length_ms(step), moment_ms(start), moment_ms(end)
        if is_length(start) and step_ms > 0:
            start_ms -= start_ms % step_ms
        query = {"step_ms": step_ms, "functions": list(functions)}
        return self._history("aggregate", self._find(tags), start_ms, end_ms, query)

    def states(self, tags: Sequence[TagName], start: Moment, end: Moment | None = None) -> Readings:
        """Return how long each whole value was held: columns value and held_ms."""
        return self._history("states", self._find(tags), moment_ms(start), moment_ms(end), {})

    # Now

    def current(self, tags: Sequence[TagName]) -> Readings:
        """Return the current values: columns value, integer (exact), text, quality, origin, known and stale."""
        known = self._find(tags)
        wanted = ",".join(str(each["tag"]) for each in known)
        return self._snapshot(self._transport.get("/current", tags=wanted), known)

    def live(self, tags: Sequence[TagName], *, interval: int | str = 250) -> Iterator[Readings]:
        """Yield the current values, then whatever changes, until the caller stops; lost contact is made again.

        Raises NotConnected when the platform stays away, PlatformError when the token no longer serves.
        """
        known = self._find(tags)
        draft = {"tags": [each["tag"] for each in known], "interval_ms": length_ms(interval)}
        heard = time.monotonic()
        while True:
            try:
                posted = self._transport.post("/live", draft)["id"]
                stream = self._transport.stream(
                    "GET", f"/live/{posted}/stream", accept="text/event-stream", read_s=LIVE_SILENCE_S
                )
                with stream as answer:
                    for name, document in _events(answer.iter_lines()):
                        heard = time.monotonic()
                        if name in {"snapshot", "values"}:
                            yield self._snapshot(document, known)
            except NotConnected:
                if time.monotonic() - heard > LIVE_AWAY_S:
                    raise
            # Also where the stream was ended in order: a platform that stops must not be asked without a pause.
            time.sleep(LIVE_RETRY_S)

    # Writing

    def write(
        self, values: Mapping[TagName, Value], *, reason: str = "", expires: int | str = "15s", check: bool = True
    ) -> dict[str, Any]:
        """Write values to equipment in one command and return what became of each, read back from the device.

        Nothing is executed after `expires`. Raises PlatformError if the command is refused as a whole, and NotWritten
        unless every value is written and confirmed; with `check=False` that is only told in the answer.
        """
        known = self._find(list(values))
        items = [{"tag": each["tag"], "value": value} for each, value in zip(known, values.values(), strict=True)]
        draft = {"items": items, "reason": reason, "expires_ms": length_ms(expires)}
        connections = {each["connection"] for each in known}
        if len(connections) == 1:
            draft["connection"] = connections.pop()
        answer: dict[str, Any] = self._transport.post("/commands", draft)
        if check and any(item["outcome"] != "done" for item in answer["items"]):
            raise NotWritten(answer, known)
        return answer

    # Inside

    def _history(
        self, verb: str, known: Sequence[dict[str, Any]], start_ms: int, end_ms: int, query: dict[str, Any]
    ) -> Readings:
        parts: list[pa.Table] = []
        for begin in range(0, len(known), TAGS_MAX):
            paths = {each["tag"]: each["path"] for each in known[begin : begin + TAGS_MAX]}
            asked = {"tags": list(paths), "start_ms": start_ms, "end_ms": end_ms, **query}
            with (
                self._transport.stream("POST", f"/history/{verb}", asked, accept=ARROW) as answer,
                pa.ipc.open_stream(io.BufferedReader(_Pieces(answer.iter_bytes()), PIECE_BYTES)) as reader,
            ):
                parts.append(named(reader.read_all(), paths))
        return Readings(joined(parts), {each["path"]: each["unit"] for each in known})

    def _snapshot(self, document: dict[str, Any], known: Sequence[dict[str, Any]]) -> Readings:
        by_tag = {each["tag"]: each for each in known}
        rows = [place for place, tag in enumerate(document["tags"]) if tag in by_tag]
        values = [document["values"][row] for row in rows]
        columns = [SampleKind(by_tag[document["tags"][row]]["kind"]).column for row in rows]
        cells = list(zip(values, columns, strict=True))
        flags = [document["flags"][row] for row in rows]
        # A device's own time of nought means that nothing has come yet.
        times = [document["times"][row] or None for row in rows]
        arrow = pa.table(
            {
                "tag": pa.array([by_tag[document["tags"][row]]["path"] for row in rows], pa.string()),
                "time": pa.array(times, pa.int64()).cast(TIME),
                "value": pa.array(
                    [_number(cell) if of is not Column.TEXT else None for cell, of in cells], pa.float64()
                ),
                "integer": pa.array([_whole(cell) if of is Column.INT64 else None for cell, of in cells], pa.int64()),
                "text": pa.array([cell if of is Column.TEXT else None for cell, of in cells], pa.string()),
                "quality": pa.array([document["qualities"][row] for row in rows], pa.uint8()),
                "origin": pa.array([document["origins"][row] for row in rows], pa.uint8()),
                "known": pa.array([bool(flag & 1) for flag in flags]),
                "stale": pa.array([bool(flag & 2) for flag in flags]),
            }
        )
        return Readings(arrow, {each["path"]: each["unit"] for each in known})

    def _find(self, names: Sequence[TagName]) -> list[dict[str, Any]]:
        """Return the tags of some names, in their order; raises NotFound."""
        missing = [name for name in dict.fromkeys(names) if name not in self._known]
        paths = [name for name in missing if isinstance(name, str)]
        for begin in range(0, len(paths), LIST_MAX):
            self._remember(self._transport.post("/tags/by-path", {"paths": paths[begin : begin + LIST_MAX]})["items"])
        ordinals = [str(name) for name in missing if isinstance(name, int)]
        for begin in range(0, len(ordinals), LIST_MAX):
            wanted = ",".join(ordinals[begin : begin + LIST_MAX])
            self._remember(self._transport.get("/tags/by-ordinal", tags=wanted)["items"])
        lost = [str(name) for name in missing if name not in self._known]
        if lost:
            raise NotFound(_NO_TAGS, missing=", ".join(lost[:5]))
        return [self._known[name] for name in names]

    def _remember(self, tags: Sequence[dict[str, Any]]) -> None:
        for tag in tags:
            self._known[tag["path"]] = self._known[tag["tag"]] = tag


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _whole(value: Any) -> int | None:
    """Return an integer, exact: beyond 2^53 it travels as text."""
    return None if value is None else int(value)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Read server-sent events."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, orjson.loads(line[6:])


class _Pieces(io.RawIOBase):
    """A file that Arrow reads, fed by pieces as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = memoryview(piece)
        taken = min(len(into), len(self._held))
        into[:taken], self._held = self._held[:taken], self._held[taken:]
        return taken
