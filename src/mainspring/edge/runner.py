"""Keeps one gateway running: starts it, starts it again when it ends, tries what the platform releases, undoes it.

The gateway is a process of its own, so that another version of the program can be one too. Nothing here needs the
platform once the gateway has enrolled.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from mainspring.core.definitions import Release
from mainspring.core.errors import MainspringError
from mainspring.core.text import Text
from mainspring.edge import software
from mainspring.edge.releases import Pulse, Releases, State, undone
from mainspring.edge.settings import EdgeConfiguration
from mainspring.gateway.settings import GatewaySection

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.5
STOP_S: Final = 5.0
BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
SETTLED_S: Final = 60.0
WELL_S: Final = 3.0
"""So long a release on trial must do well before it is taken over."""
_WRONG_SETTINGS: Final = Text(
    "Release {number} has a wrong setting {where} ({reason}). Correct it and release again.",
    "发布 {number} 的设置 {where} 有误（{reason}），请更正后重新发布。",
)
_ENDED: Final = Text(
    "Release {number} was undone: the gateway ended with {reason}. Its log has the details.",
    "发布 {number} 已回滚：网关退出（{reason}），详见其日志。",
)
_NOT_WELL: Final = Text(
    "Release {number} was undone: after {seconds} s {wrong}. The release before it runs again.",
    "发布 {number} 已回滚：{seconds} 秒后{wrong}，已恢复前一发布。",
)
_AWAY: Final = Text("it has not reached the platform", "仍未连上平台")
_FEWER: Final = Text("only {connected} of {before} connections are up", "仅 {connected} 个连接恢复（原有 {before} 个）")


class Runner:
    """Runs the gateway of one data folder until told to stop."""

    def __init__(self, configuration: EdgeConfiguration, arguments: list[str], say: Callable[[str], None]) -> None:
        self._configuration = configuration
        self._arguments = arguments
        self._say = say
        self.releases = Releases(configuration.data_folder)
        self._stop = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep the gateway running until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            state = self.releases.state
            if state.trying is not None:
                # The runner itself ended during a trial: what was not taken over is not trusted.
                await self._try(state.trying, 0)
                continue
            ended = await self._hold(state.active)
            if ended is None:
                continue
            failures = 0 if time.monotonic() - began > SETTLED_S else failures + 1
            log.error("edge.gateway_ended", reason=ended)
            self._say(f"The gateway ended ({ended}) and is started again.")
            await self._wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
        await self._end()

    async def _hold(self, active: Release) -> str | None:
        """Run a release that works until it ends (returns why), a stop, or another release (returns None)."""
        try:
            await self._start(active)
        except MainspringError as error:
            return error.text.en
        assert self._process is not None
        while not self._stop.is_set():
            if self._process.returncode is not None:
                return _reason(self._process.returncode)
            due = self.releases.due()
            if due is not None:
                before = self.releases.pulse(active.number)
                await self._try(due, 0 if before is None else before.connected)
                return None
            await self._wait(LOOK_S)
        return None

    async def _try(self, release: Release, connected_before: int) -> None:
        """Run a release for its trial; take it over if it does well, else go back to the one before."""
        state = State(active=self.releases.state.active, trying=release)
        fault = _wrong(self._configuration, release)
        if fault is None:
            try:
                folder = await asyncio.to_thread(self._fetch, release)
            except MainspringError as error:
                fault = error.text
            else:
                self.releases.keep(state)
                await self._end()
                await self._start_in(release, folder)
                fault = await self._trial(release, connected_before)
        if self._stop.is_set():
            # Neither good nor bad: it is tried again at the next start.
            return
        if fault is None:
            log.info("edge.release_taken_over", number=release.number)
            self.releases.keep(State(active=release))
            return
        log.error("edge.release_undone", number=release.number, reason=fault.en)
        self._say(fault.en)
        self.releases.keep(undone(state, fault))
        await self._end()

    async def _trial(self, release: Release, connected_before: int) -> Text | None:
        """Watch a release on trial; return why it must be undone, or None."""
        assert self._process is not None
        ends = time.monotonic() + self._configuration.trial_s
        well_since: float | None = None
        pulse: Pulse | None = None
        while not self._stop.is_set():
            now = time.monotonic()
            if self._process.returncode is not None:
                return _ENDED.format(number=release.number, reason=_reason(self._process.returncode))
            pulse = self.releases.pulse(release.number)
            well = pulse is not None and pulse.on_bus and pulse.connected >= connected_before
            well_since = (well_since or now) if well else None
            if well_since is not None and now - well_since >= WELL_S:
                return None
            if now > ends:
                return self._not_well(release, pulse, connected_before)
            await self._wait(LOOK_S)
        return None

    def _not_well(self, release: Release, pulse: Pulse | None, connected_before: int) -> Text:
        if pulse is None or not pulse.on_bus:
            wrong = _AWAY
        else:
            wrong = _FEWER.format(connected=pulse.connected, before=connected_before)
        return _NOT_WELL.format(number=release.number, seconds=self._configuration.trial_s, wrong=wrong)

    def _fetch(self, release: Release) -> Path | None:
        return None if release.software is None else software.ensure(self._configuration, release.software)

    async def _start(self, release: Release) -> None:
        await self._start_in(release, await asyncio.to_thread(self._fetch, release))

    async def _start_in(self, release: Release, folder: Path | None) -> None:
        await self._end()
        logs = self._configuration.data_folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "gateway.err").open("wb") as last_words:
            self._process = await asyncio.create_subprocess_exec(
                software.interpreter(), "-m", "mainspring", *self._arguments, "--release", release.model_dump_json(),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=last_words,
                env=software.environment(folder), start_new_session=True,
            )  # fmt: skip

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()


def settings_of(configuration: EdgeConfiguration, release: Release) -> GatewaySection:
    """Return the gateway's settings: those of its own file, with those of the release before them.

    Raises ValidationError.
    """
    return GatewaySection.model_validate(configuration.gateway.model_dump() | release.settings)


def _wrong(configuration: EdgeConfiguration, release: Release) -> Text | None:
    try:
        settings_of(configuration, release)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _WRONG_SETTINGS.format(number=release.number, where=where, reason=first["msg"])
    return None


def _reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
