"""Values read before anything is stored: a driver is made for the question alone, as for a test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mainspring.core.drivers import Driver, DriverEntry, DriverTag, Host, Subscribes
from mainspring.core.errors import NotConnected
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.gateway.connection import CLOSE_TIMEOUT_S, first_fault
from mainspring.gateway.questions import Question, asked, driver_for

TAGS_MAX: Final = 1000
TIMEOUT_S: Final = 20.0
LISTEN_S: Final = 8.0
"""How long values that come by themselves are waited for."""
TEXT_MAX: Final = 200
EXACT_MAX: Final = 2**53
"""Whole numbers beyond this travel as text: a page would round them."""

_ADDRESS: Final = Text("{where}: {reason}", "{where}：{reason}")
_NOTHING: Final = Text("No value came within {seconds:g} s.", "{seconds:g} 秒内未收到值。")
_SLOW: Final = Text(
    "The device did not answer within {seconds:g} s. Try fewer tags, or look at the test.",
    "设备未在 {seconds:g} 秒内应答，请减少测点或查看测试结果。",
)


class Wanted(BaseModel):
    """A value that may become a tag."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: dict[str, Any]
    kind: SampleKind = SampleKind.FLOAT


class Previewed(Question):
    """Which values are wanted."""

    tags: tuple[Wanted, ...] = Field(max_length=TAGS_MAX)


class Preview:
    """Answers `preview` of one gateway."""

    def __init__(self, drivers: Mapping[str, DriverEntry], host: Host) -> None:
        self._drivers = drivers
        self._host = host

    async def __call__(self, _subject: str, payload: bytes) -> bytes:
        """Return `{"values": [{value, quality, time_ms, text}]}`, one for each tag asked, raw and unscaled."""
        question = asked(Previewed, payload)
        read: dict[int, dict[str, Any]] = {}
        async with driver_for(question, self._drivers, self._host) as driver:
            values, tags = self._tags(question)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await driver.connect()
                    if isinstance(driver, Subscribes):
                        await _listened(driver, tags, read)
                    else:
                        for batch in await driver.read(driver.prepare(tags), time.time_ns() // 1_000_000):
                            _take(batch, read)
            except TimeoutError as error:
                raise NotConnected(_SLOW, seconds=TIMEOUT_S) from error
        silent = _unread(_NOTHING.format(seconds=LISTEN_S))
        answers = [value or read.get(number, silent) for number, value in enumerate(values)]
        return json.dumps({"values": answers}, ensure_ascii=False).encode()

    def _tags(self, question: Previewed) -> tuple[list[dict[str, Any] | None], list[DriverTag]]:
        """Return what is already known of each tag, a wrong address, and those that can be read."""
        form = self._drivers[question.driver].load().Address
        values: list[dict[str, Any] | None] = []
        tags: list[DriverTag] = []
        for number, wanted in enumerate(question.tags):
            try:
                tags.append(DriverTag(number, wanted.kind, form.model_validate(wanted.address)))
                values.append(None)
            except ValidationError as error:
                where, reason = first_fault(error)
                together = isinstance(where, Text)
                values.append(_unread(reason if together else _ADDRESS.format(where=where, reason=reason)))
        return values, tags


async def _listened(driver: Driver, tags: Sequence[DriverTag], read: dict[int, dict[str, Any]]) -> None:
    """Subscribe until every tag has a value, for a limited time."""
    assert isinstance(driver, Subscribes)
    complete = asyncio.Event()

    def deliver(batch: SampleBatch) -> None:
        _take(batch, read)
        if len(read) >= len(tags):
            complete.set()

    subscription = asyncio.ensure_future(driver.subscribe(tags, deliver))
    waiting = asyncio.ensure_future(complete.wait())
    try:
        await asyncio.wait({subscription, waiting}, timeout=LISTEN_S, return_when=asyncio.FIRST_COMPLETED)
        if subscription.done():
            subscription.result()
    finally:
        for task in (subscription, waiting):
            task.cancel()
        await asyncio.wait({subscription, waiting}, timeout=CLOSE_TIMEOUT_S)


def _take(batch: SampleBatch, read: dict[int, dict[str, Any]]) -> None:
    columns = zip(batch.tag.tolist(), batch.time.tolist(), batch.value, batch.quality.tolist(), strict=True)
    for tag, time_ms, value, quality in columns:
        read[int(tag)] = {"value": _plain(value), "quality": int(quality), "time_ms": int(time_ms), "text": None}


def _plain(value: Any) -> float | int | str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) <= EXACT_MAX else str(value)
    return str(value)[:TEXT_MAX]


def _unread(text: Text) -> dict[str, Any]:
    return {"value": None, "quality": 0, "time_ms": None, "text": text.document()}
