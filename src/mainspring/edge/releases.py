"""Releases: what the platform wants this gateway to run, tried for a while and undone if it does not work.

`releases.json` is the one truth of the runner: the release that works, the one on trial, the last one undone. The
gateway itself writes only `wanted.json` (what the platform says) and `pulse.json` (how it does), and reads the rest.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from mainspring.core.definitions import GatewayDefinition, Release
from mainspring.core.files import replace_file
from mainspring.core.health import ReleaseReport
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

PULSE_AGE_MAX_S: Final = 5.0


class Pulse(BaseModel):
    """How the gateway does, once a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_ms: int
    number: int
    on_bus: bool
    connected: int
    connections: int


class State(BaseModel):
    """What runs, what is tried, what was undone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    active: Release = Release()
    trying: Release | None = None
    undone: int = 0
    text: dict[str, str] | None = None


class Releases:
    """The files of a data folder that the runner and the gateway share."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "releases.json"
        self._wanted = folder / "wanted.json"
        self._pulse = folder / "pulse.json"

    # The runner's side

    @property
    def state(self) -> State:
        """What runs; a file that cannot be read means the first release: the gateway's own file."""
        return _read(self._state, State) or State()

    def keep(self, state: State) -> None:
        """Write what runs, durably."""
        replace_file(self._state, _document(state))

    def due(self) -> Release | None:
        """Return the release that is wanted, unless it runs, is tried or was undone."""
        wanted, state = _read(self._wanted, Release), self.state
        if wanted is None or wanted.number in {state.active.number, state.undone}:
            return None
        return None if state.trying is not None and state.trying.number == wanted.number else wanted

    def pulse(self, number: int) -> Pulse | None:
        """Return what the gateway last said while running a release, None if that is too old."""
        pulse = _read(self._pulse, Pulse)
        if pulse is None or pulse.number != number:
            return None
        return pulse if time.time() - pulse.time_ms / 1000 < PULSE_AGE_MAX_S else None

    # The gateway's side

    def want(self, definition: GatewayDefinition) -> None:
        """Take what the platform wants; nothing is wanted where no release was made."""
        if definition.release is not None and definition.release != _read(self._wanted, Release):
            replace_file(self._wanted, _document(definition.release))

    def beat(self, number: int, *, on_bus: bool, connected: int, connections: int) -> None:
        """Say how the gateway does."""
        now_ms = time.time_ns() // 1_000_000
        pulse = Pulse(time_ms=now_ms, number=number, on_bus=on_bus, connected=connected, connections=connections)
        try:
            replace_file(self._pulse, _document(pulse), durable=False)
        except OSError as error:
            log.warning("edge.pulse_not_written", reason=str(error))

    def report(self, version: str) -> ReleaseReport:
        """Say what runs, for the platform."""
        state = self.state
        return ReleaseReport(
            version=version,
            active=state.active.number,
            trying=state.trying.number if state.trying else None,
            undone=state.undone,
            text=state.text,
        )


def undone(state: State, text: Text) -> State:
    """Return the state after a release on trial was undone."""
    assert state.trying is not None
    return State(active=state.active, undone=state.trying.number, text=text.document())


Form = TypeVar("Form", bound=BaseModel)


def _read(file: Path, form: type[Form]) -> Form | None:
    try:
        return form.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.error("edge.file_unreadable", file=str(file), reason=str(error))
        return None


def _document(kept: BaseModel) -> bytes:
    return kept.model_dump_json().encode()
