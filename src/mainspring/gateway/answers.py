"""Test and browse: a driver is made for the question alone and closed after it, within a time limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mainspring.core.definitions import ConnectionDefinition
from mainspring.core.drivers import Browses, Check, Driver, DriverEntry, Host
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, Rejected
from mainspring.core.text import Text
from mainspring.gateway.connection import CLOSE_TIMEOUT_S, first_fault, limited, make_driver

log = structlog.get_logger(__name__)

TEST_TIMEOUT_S: Final = 30.0
BROWSE_TIMEOUT_S: Final = 20.0
NODES_MAX: Final = 5000
CHECKS_MAX: Final = 50

_MALFORMED: Final = Text("The request cannot be read: {where} ({reason}).", "无法读取该请求：{where}（{reason}）。")
_NAME: Final = Text("this connection", "此连接")
_SETTINGS: Final = Text("Settings", "设置")
_LIMIT: Final = Text("Time", "用时")
_TOO_LONG: Final = Text(
    "The test did not end within {seconds:g} s: the device answers too slowly or not at all.",
    "测试未在 {seconds:g} 秒内结束：设备应答过慢或无应答。",
)
_NO_BROWSE: Final = Text(
    "The driver {driver} cannot browse. Enter addresses by hand.", "驱动 {driver} 不支持浏览，请手工填写地址。"
)
_BROKEN: Final = Text(
    "The driver failed inside ({reason}). The gateway's log has the details.",
    "驱动内部出错（{reason}），详见网关日志。",
)


class Question(BaseModel):
    """What web sends to test or browse; the settings are complete, secrets included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    driver: str
    settings: dict[str, Any]
    parent: str | None = None
    limit: int = Field(default=500, ge=1, le=NODES_MAX)


class Answers:
    """Answers `test` and `browse` of one gateway."""

    def __init__(self, drivers: Mapping[str, DriverEntry], host: Host) -> None:
        self._drivers = drivers
        self._host = host

    async def test(self, _subject: str, payload: bytes) -> bytes:
        """Return `{"checks": [...]}`; wrong settings are a failed check, not an error."""
        question = _question(payload)
        checks: list[Check] = []
        try:
            driver = self._driver(question)
        except Rejected as error:
            checks.append(Check(_SETTINGS, False, error.text))
        else:
            try:
                await limited(_collect(driver, checks), TEST_TIMEOUT_S)
            except TimeoutError:
                checks.append(Check(_LIMIT, False, _TOO_LONG.format(seconds=TEST_TIMEOUT_S), TEST_TIMEOUT_S * 1000))
            except MainspringError as error:
                checks.append(Check(_SETTINGS, False, error.text))
            except Exception as error:
                log.exception("answers.test_failed", driver=question.driver)
                checks.append(Check(_SETTINGS, False, _BROKEN.format(reason=type(error).__name__)))
            finally:
                await _close(driver)
        return json.dumps({"checks": [check.document() for check in checks]}, ensure_ascii=False).encode()

    async def browse(self, _subject: str, payload: bytes) -> bytes:
        """Return `{"nodes": [...]}`; raises what the driver raises."""
        question = _question(payload)
        driver = self._driver(question)
        if not isinstance(driver, Browses):
            raise Rejected(_NO_BROWSE, driver=question.driver)
        try:
            async with asyncio.timeout(BROWSE_TIMEOUT_S):
                await driver.connect()
                nodes = await driver.browse(question.parent, question.limit)
        except TimeoutError as error:
            raise NotConnected(_TOO_LONG, seconds=BROWSE_TIMEOUT_S) from error
        finally:
            await _close(driver)
        documents = [node.document() for node in nodes[: question.limit]]
        return json.dumps({"nodes": documents}, ensure_ascii=False).encode()

    def _driver(self, question: Question) -> Driver:
        definition = ConnectionDefinition(
            id=UUID(int=0), tenant="", revision=0, name=str(_NAME), driver=question.driver, gateway="",
            settings=question.settings,
        )  # fmt: skip
        return make_driver(definition, self._drivers, self._host)


def _question(payload: bytes) -> Question:
    try:
        return Question.model_validate_json(payload)
    except ValidationError as error:
        where, reason = first_fault(error)
        raise DecodeError(_MALFORMED, where=where, reason=reason) from error


async def _collect(driver: Driver, checks: list[Check]) -> None:
    async for check in driver.checks():
        checks.append(check)
        if not check.ok or len(checks) >= CHECKS_MAX:
            return


async def _close(driver: Driver) -> None:
    with suppress(Exception):
        await limited(driver.close(), CLOSE_TIMEOUT_S)
