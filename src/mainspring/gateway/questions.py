"""Questions about a connection that need not be saved: each gets a driver of its own, closed after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mainspring.core.drivers import Driver, DriverEntry, Host
from mainspring.core.errors import DecodeError
from mainspring.core.text import Text
from mainspring.gateway.connection import CLOSE_TIMEOUT_S, first_fault, limited, make_driver

_MALFORMED: Final = Text("The request cannot be read: {where} ({reason}).", "无法读取该请求：{where}（{reason}）。")
_NAME: Final = Text("this connection", "此连接")


class Question(BaseModel):
    """What web sends at least; the settings are complete, secrets included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    driver: str
    settings: dict[str, Any]


Asked = TypeVar("Asked", bound=Question)


def asked(form: type[Asked], payload: bytes) -> Asked:
    """Read a question; raises DecodeError."""
    try:
        return form.model_validate_json(payload)
    except ValidationError as error:
        where, reason = first_fault(error)
        raise DecodeError(_MALFORMED, where=where, reason=reason) from error


@asynccontextmanager
async def driver_for(question: Question, drivers: Mapping[str, DriverEntry], host: Host) -> AsyncIterator[Driver]:
    """Give a driver that is not connected yet; raises Rejected for wrong settings."""
    driver = make_driver(_NAME, question.driver, question.settings, drivers, host)
    try:
        yield driver
    finally:
        with suppress(Exception):
            await limited(driver.close(), CLOSE_TIMEOUT_S)
