"""The contract of the history store, and the queries that travel over the bus to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol, Self

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mainspring.core.faults import fault
from mainspring.core.kinds import Column
from mainspring.core.samples import SCHEMAS, SampleBatch
from mainspring.core.text import Text

TAGS_MAX: Final = 500
ROWS_MAX: Final = 5_000_000
BUCKETS_MAX: Final = 10_000
CORRECTED: Final = 1
"""Flag of a sample that someone corrected; the former value is kept."""
LATE: Final = 2
"""Flag of a sample that arrived a minute or more after its time, or after a cut."""
LATE_AFTER_MS: Final = 60_000
REASON_MAX: Final = 400
RAW_SCHEMAS: Final[dict[Column, pa.Schema]] = {
    column: schema.append(pa.field("flags", pa.uint8(), nullable=False)) for column, schema in SCHEMAS.items()
}
"""Answer to a raw query: the samples, and the flags CORRECTED and LATE of each."""


def correction_schema(column: Column) -> pa.Schema:
    """Return the columns of an answer about corrections; each says what it replaced."""
    value = SCHEMAS[column].field("value").type
    return pa.schema(
        {
            "tag": pa.uint32(), "time": pa.int64(), "value": value, "quality": pa.uint8(),
            "made_ms": pa.int64(), "made_by": pa.string(), "reason": pa.string(),
            "former": value, "former_quality": pa.uint8(), "former_origin": pa.uint8(),
        }
    )  # fmt: skip


Word = Annotated[str, Field(pattern=r"^[a-z-]{1,30}$")]
Ordinal = Annotated[int, Field(ge=0, lt=2**32)]
Function = Literal["min", "max", "mean", "first", "last", "count", "time_weighted"]


_BACKWARD: Final = Text("end_ms must be after start_ms.", "end_ms 必须晚于 start_ms。")


class Range(BaseModel):
    """A half-open range `[start_ms, end_ms)` in milliseconds UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_ms: int = Field(ge=0, lt=2**52)
    end_ms: int = Field(ge=0, lt=2**52)

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end_ms <= self.start_ms:
            raise fault(_BACKWARD)
        return self


class Query(Range):
    """What every query names: tags of one tenant and a range."""

    tags: tuple[Ordinal, ...] = Field(min_length=1, max_length=TAGS_MAX)


class RawQuery(Query):
    """All samples, oldest first. Answer columns: tag, time, value, quality, origin, flags (CORRECTED, LATE)."""

    limit: int = Field(default=1_000_000, ge=1, le=ROWS_MAX)
    column: Column = Column.FLOAT64


def _once(functions: tuple[Function, ...]) -> tuple[Function, ...]:
    return tuple(dict.fromkeys(functions))


class AggregateQuery(Query):
    """Statistics of good samples per step.

    Answer: tag, time (start of the step), one column per function, good, bad (counts of samples). The answer's
    schema metadata has `source`: what it was made of at the coarsest, `raw`, `minute` or `hour`.
    """

    step_ms: int = Field(ge=100)
    functions: Annotated[tuple[Function, ...], AfterValidator(_once)] = ("min", "max", "mean", "count")


class TrendQuery(Query):
    """At most `buckets` buckets per tag, for drawing.

    Answer: tag, time (start of the bucket), first, min, max, last, mean (good samples, NaN where none), good, bad, held
    (1 if the newest sample is good, so that its value holds on), marks (a bit for each origin seen, from bit 0
    on, and the flags of all samples from bit 8 on).
    Buckets without samples are absent. The answer's schema metadata has `bucket_ms`, `origin_ms` from which buckets
    are counted - long ones are whole minutes or hours and begin with one - and `source` (see `AggregateQuery`).
    """

    buckets: int = Field(default=1000, ge=1, le=BUCKETS_MAX)


class StateQuery(Query):
    """Time in state: milliseconds each int64 value was held within the range. Answer: tag, value, held_ms."""


class Correction(BaseModel):
    """Ask to replace the sample of a tag at a time; `by` is the person's pseudonym, the value is exact text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: Ordinal
    time_ms: int = Field(ge=0, lt=2**52)
    column: Column
    value: str = Field(max_length=8192)
    quality: int = Field(ge=0, le=255)
    by: str = Field(max_length=64)
    reason: str = Field(default="", max_length=REASON_MAX)


class EventQuery(BaseModel):
    """Alarm transitions, newest first. Answer columns: those of `AlarmEvent`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_ms: int = Field(ge=0, lt=2**52)
    end_ms: int = Field(ge=0, lt=2**52)
    tags: tuple[Ordinal, ...] = Field(default=(), max_length=TAGS_MAX)
    alarm: str = Field(default="", max_length=36)
    transitions: tuple[Word, ...] = Field(default=(), max_length=20)
    priorities: tuple[Word, ...] = Field(default=(), max_length=20)
    by: str = Field(default="", max_length=36)
    limit: int = Field(default=1000, ge=1, le=100_000)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much one tenant's history holds."""

    samples: int
    bytes_on_disk: int
    oldest_ms: int | None
    newest_ms: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a stream as the store takes it: its sequence, tenant's number and samples, and when it came."""

    sequence: int
    tenant: int
    batch: SampleBatch
    arrived_ms: int = 0


class HistoryStore(Protocol):
    """Keeps readings; `tenant` is the tenant's number, the first part of every key.

    An append names its stream and its sequence range and is done exactly once however often it is repeated.
    """

    def append(self, stream: str, entries: Sequence[Entry], first: int, last: int) -> None:
        """Store the samples of messages `first..last` of a stream, durably and exactly once."""

    def classify(self, retention: str, tags: Sequence[int]) -> None:
        """Keep the coming samples of these tags in a retention class; `standard` until told otherwise."""

    def append_events(self, stream: str, events: pa.Table, first: int, last: int) -> None:
        """Store alarm transitions (columns of `AlarmEvent`, plus `tenant`), durably and exactly once."""

    def raw(self, tenant: int, query: RawQuery) -> Iterator[pa.RecordBatch]:
        """Answer a raw query in chunks."""

    def aggregate(self, tenant: int, query: AggregateQuery) -> pa.Table:
        """Answer an aggregate query."""

    def trend(self, tenant: int, query: TrendQuery) -> pa.Table:
        """Answer a trend query."""

    def states(self, tenant: int, query: StateQuery) -> pa.Table:
        """Answer a time-in-state query."""

    def events(self, tenant: int, query: EventQuery) -> pa.Table:
        """Answer an event query."""

    def correct(self, tenant: int, batch: SampleBatch, by: str, reason: str = "") -> None:
        """Replace values at given times; the former ones stay and can be found."""

    def corrections(self, tenant: int, query: RawQuery) -> pa.Table:
        """Return every correction made in a range beside what it replaced, newest first; see `correction_schema`."""

    def extent(self, tenant: int) -> Extent:
        """Tell how much a tenant's history holds."""

    def retain(
        self, now_ms: int, days: Mapping[str, int], bytes_max: int, bytes_of: Mapping[str, int] | None = None
    ) -> list[str]:
        """Drop what is older than its class keeps, then the oldest beyond the size of its class in `bytes_of`, then
        the oldest of all beyond `bytes_max`; return what was dropped. Appends go on meanwhile.
        """

    def roll_up(self, now_ms: int) -> Iterator[None]:
        """Do what rollups are due, piece by piece; the caller takes the next piece when it likes, and may leave it.

        One caller at a time; queries and writes go on meanwhile.
        """

    def close(self) -> None:
        """Close every connection; the process may exit afterwards."""
