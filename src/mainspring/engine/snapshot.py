"""What the engine knew at one place of its streams, kept in one file that is replaced as a whole."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core.alarms import AlarmEvent
from mainspring.core.errors import StoreError, reason_of
from mainspring.core.text import Text
from mainspring.engine import conditions, kernels
from mainspring.engine.alarms import Records
from mainspring.engine.shelves import Shelf
from mainspring.engine.state import PlantState
from mainspring.engine.words import CONDITIONS, PRIORITIES, TRANSITIONS, identity_of, state_of

FORMAT: Final = 2
_KEPT: Final = ("number", "integer", "time", "arrival", "cause", "quality", "origin", "known")
_ARRAYS: Final = ("tags", "alarms", "flags", "windows", "special", "ring_times", "ring_numbers")
_NO_ARRAYS: Final = {
    "windows": np.zeros(0, kernels.ALARM),
    "special": np.zeros(0, conditions.SPECIAL),
    "ring_times": np.zeros((0, conditions.SLOTS), np.int64),
    "ring_numbers": np.zeros((0, conditions.SLOTS)),
}
"""What the former format has none of."""
_KEPT_ALARM: Final = ("value", "since", "cause", "raised", "changed")

_UNREADABLE: Final = Text(
    "The snapshot {path} cannot be read ({reason}). The engine starts without it, from what the streams still hold.",
    "快照 {path} 无法读取（{reason}）。引擎不使用快照启动，从数据流中仍保留的内容恢复。",
)
_UNWRITABLE: Final = Text(
    "The snapshot {path} cannot be written ({reason}); the last one stays. Free disk space or check rights.",
    "快照 {path} 无法写入（{reason}），保留上一份。请释放磁盘空间或检查目录权限。",
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the state after message `live` of LIVE and transition `alarm` of ALARM.

    `windows` has the alarms on rates of change, with `special` and the rings in step.

    `live_made` tells a stream apart from a later one of the same name, whose sequences mean something else.
    """

    live: int
    live_made: str
    alarm: int
    tenants: list[str]
    texts: dict[str, str]
    acknowledged: dict[str, tuple[int, str, str]]
    shelves: dict[str, tuple[str, int, str, int | None]]
    suppressed: dict[str, int]
    tags: Records
    alarms: Records
    flags: npt.NDArray[np.uint8]
    windows: Records
    special: Records
    ring_times: npt.NDArray[np.int64]
    ring_numbers: npt.NDArray[np.float64]


def take(state: PlantState, live: int, live_made: str) -> Snapshot:
    """Copy the state; of the alarms only those that are not at rest. Its place in ALARM is for `write` to fill in."""
    table = state.alarms
    rows = np.flatnonzero(table.flags[: table.used] & (kernels.SHOWN | kernels.PENDING))
    acknowledged = table.acknowledgements()
    shelves = table.shelves.kept
    suppressed = table.suppressions.since
    # All have only rows that are listed, which rise.
    silenced = (("by", acknowledged), ("on", shelves), ("of", suppressed))
    told = {name: np.searchsorted(rows, list(kept)).tolist() for name, kept in silenced}
    rated = np.flatnonzero((table.extra[: table.used] >= 0) & (table.rows["condition"][: table.used] == kernels.RATE))
    special, ring_times, ring_numbers = table.specials.copy(table.extra[rated])
    return Snapshot(
        live,
        live_made,
        0,
        list(state.values.tenants),
        {str(ordinal): text for ordinal, text in state.values.texts.items()},
        {str(index): entry for index, entry in zip(told["by"], acknowledged.values(), strict=True)},
        {str(index): astuple(shelf) for index, shelf in zip(told["on"], shelves.values(), strict=True)},
        {str(index): since for index, since in zip(told["of"], suppressed.values(), strict=True)},
        state.values.tags.copy(),
        table.rows[rows],
        table.flags[rows],
        table.rows[rated],
        special,
        ring_times,
        ring_numbers,
    )


def write(path: Path, snapshot: Snapshot, alarm: int) -> None:
    """Replace the file, so that after a power cut either the old or the new one is there; raises StoreError.

    `alarm` is the sequence of the last transition before the copy, known only when it has been recorded.
    """
    kept = ("live", "live_made", "tenants", "texts", "acknowledged", "shelves", "suppressed")
    words = {"format": FORMAT, "alarm": alarm, **{name: getattr(snapshot, name) for name in kept}}
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as out:
            np.savez(
                out,
                words=np.frombuffer(json.dumps(words).encode(), np.uint8),
                **{name: getattr(snapshot, name) for name in _ARRAYS},
            )
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(_UNWRITABLE, path=path, reason=reason_of(error)) from error


def load(path: Path) -> Snapshot | None:
    """Read the file, None if there is none; raises StoreError for one that is torn or foreign."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            words: dict[str, Any] = json.loads(stored["words"].tobytes())
            former = words.pop("format") == FORMAT - 1
            arrays: dict[str, Any] = {
                name: _NO_ARRAYS[name] if former and name in _NO_ARRAYS else stored[name] for name in _ARRAYS
            }
        dtypes = tuple(arrays[name].dtype for name in ("tags", "alarms", "special"))
        if dtypes != (kernels.TAG, kernels.ALARM, conditions.SPECIAL):
            raise StoreError(_UNREADABLE, path=path, reason="another format")
        acknowledged = {
            key: (int(raised), by, comment) for key, (raised, by, comment) in words.pop("acknowledged").items()
        }
        shelves = {
            key: (by, int(since), why, until) for key, (by, since, why, until) in words.pop("shelves", {}).items()
        }
        suppressed = {key: int(since) for key, since in words.pop("suppressed", {}).items()}
        return Snapshot(**words, acknowledged=acknowledged, shelves=shelves, suppressed=suppressed, **arrays)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise StoreError(_UNREADABLE, path=path, reason=type(error).__name__) from error


def restore(state: PlantState, snapshot: Snapshot) -> list[tuple[str, AlarmEvent]]:
    """Bring back what belongs to today's definitions; return, by tenant, alarms whose definition is gone."""
    _restore_values(state, snapshot)
    gone: list[tuple[str, AlarmEvent]] = []
    table = state.alarms
    rows = table.find([identity_of(record) for record in snapshot.alarms])
    for index, (row, record) in enumerate(zip(rows, snapshot.alarms, strict=True)):
        tenant = snapshot.tenants[record["tenant"]]
        flags = int(snapshot.flags[index])
        same = row >= 0 and all(table.rows[row][name] == record[name] for name in ("tag", "condition"))
        if same:
            for name in _KEPT_ALARM:
                table.rows[row][name] = record[name]
            table.flags[row] = flags
            raised, by, comment = snapshot.acknowledged.get(str(index), (0, "", ""))
            if raised:
                table.keep_acknowledgement(row, raised, by, comment)
            if str(index) in snapshot.shelves:
                table.shelves.put(row, flags & kernels.SET_ASIDE, Shelf(*snapshot.shelves[str(index)]))
            if flags & kernels.SUPPRESSED:
                table.suppressions.put(row, snapshot.suppressed[str(index)])
        elif flags & kernels.SHOWN:
            gone.append((tenant, _standing(record, flags)))
    _restore_windows(state, snapshot)
    state.prime()
    return gone


def _restore_windows(state: PlantState, snapshot: Snapshot) -> None:
    table = state.alarms
    rows = table.find([identity_of(record) for record in snapshot.windows])
    for index, row in enumerate(rows):
        if row >= 0 and table.rows[row]["condition"] == kernels.RATE:
            place = int(table.extra[row])
            rings = snapshot.ring_times[index], snapshot.ring_numbers[index]
            table.specials.restore(place, snapshot.special[index], *rings)


def _restore_values(state: PlantState, snapshot: Snapshot) -> None:
    count = min(len(snapshot.tags), len(state.values.tags))
    saved, tags = snapshot.tags[:count], state.values.tags[:count]
    today = np.array([*(state.values.tenant(key) for key in snapshot.tenants), -1], np.int32)
    same = (tags["owner"] >= 0) & (today[saved["owner"]] == tags["owner"]) & (saved["column"] == tags["column"])
    for name in _KEPT:
        tags[name][same] = saved[name][same]
    for key, text in snapshot.texts.items():
        if int(key) < count and same[int(key)]:
            state.values.texts[int(key)] = text


def _standing(record: Any, flags: int) -> AlarmEvent:
    """Tell of an alarm that stands, as its last transition would."""
    return AlarmEvent(
        id="",
        alarm=identity_of(record),
        tag=int(record["tag"]),
        condition=CONDITIONS[record["condition"]],
        priority=PRIORITIES[record["priority"]],
        transition=TRANSITIONS[kernels.RAISED],
        state=state_of(flags),
        time_ms=int(record["changed"]),
        raised_ms=int(record["raised"]),
        value=None,
        limit=float(record["limit"]),
    )
