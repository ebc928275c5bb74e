"""Test and browse: a driver is made for the question alone and closed after it, within a time limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

import structlog
from pydantic import Field

from mainspring.core.drivers import Browses, Check, Driver, DriverEntry, Host
from mainspring.core.errors import MainspringError, NotConnected, Rejected
from mainspring.core.text import Text
from mainspring.gateway.connection import limited
from mainspring.gateway.questions import Question, asked, driver_for

log = structlog.get_logger(__name__)

TEST_TIMEOUT_S: Final = 30.0
BROWSE_TIMEOUT_S: Final = 20.0
NODES_MAX: Final = 5000
CHECKS_MAX: Final = 50

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


class Looked(Question):
    """What to test, or what to browse below `parent`."""

    parent: str | None = None
    limit: int = Field(default=500, ge=1, le=NODES_MAX)


class Answers:
    """Answers `test` and `browse` of one gateway."""

    def __init__(self, drivers: Mapping[str, DriverEntry], host: Host) -> None:
        self._drivers = drivers
        self._host = host

    async def test(self, _subject: str, payload: bytes) -> bytes:
        """Return `{"checks": [...]}`; wrong settings are a failed check, not an error."""
        question = asked(Looked, payload)
        checks: list[Check] = []
        try:
            async with driver_for(question, self._drivers, self._host) as driver:
                await limited(_collect(driver, checks), TEST_TIMEOUT_S)
        except TimeoutError:
            checks.append(Check(_LIMIT, False, _TOO_LONG.format(seconds=TEST_TIMEOUT_S), TEST_TIMEOUT_S * 1000))
        except MainspringError as error:
            checks.append(Check(_SETTINGS, False, error.text))
        except Exception as error:
            log.exception("answers.test_failed", driver=question.driver)
            checks.append(Check(_SETTINGS, False, _BROKEN.format(reason=type(error).__name__)))
        return json.dumps({"checks": [check.document() for check in checks]}, ensure_ascii=False).encode()

    async def browse(self, _subject: str, payload: bytes) -> bytes:
        """Return `{"nodes": [...]}`; raises what the driver raises."""
        question = asked(Looked, payload)
        async with driver_for(question, self._drivers, self._host) as driver:
            if not isinstance(driver, Browses):
                raise Rejected(_NO_BROWSE, driver=question.driver)
            try:
                async with asyncio.timeout(BROWSE_TIMEOUT_S):
                    await driver.connect()
                    nodes = await driver.browse(question.parent, question.limit)
            except TimeoutError as error:
                raise NotConnected(_TOO_LONG, seconds=BROWSE_TIMEOUT_S) from error
        documents = [node.document() for node in nodes[: question.limit]]
        return json.dumps({"nodes": documents}, ensure_ascii=False).encode()


async def _collect(driver: Driver, checks: list[Check]) -> None:
    async for check in driver.checks():
        checks.append(check)
        if not check.ok or len(checks) >= CHECKS_MAX:
            return
