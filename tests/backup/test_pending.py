"""What the bus has beyond the history is kept, and a new bus goes on with the same numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest, running_bus

from mainspring.backup import pending, pieces
from mainspring.backup.manifest import File
from mainspring.core import subjects
from mainspring.core.definitions import TenantDefinition
from mainspring.core.errors import Conflict
from mainspring.history.intents import Journal, Position

SUBJECT = subjects.readings("acme", "g1")


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[BusUnderTest]:
    async with running_bus(tmp_path / "old") as under_test:
        yield under_test


async def publish(bus: BusUnderTest, first: int, last: int) -> None:
    admin = await bus.connect("admin")
    for number in range(first, last + 1):
        headers = {subjects.SEQUENCE_HEADER: str(number), "Nats-Msg-Id": f"m{number}"}
        acknowledged = await admin.js.publish(SUBJECT, b"%d" % number * 1000, headers=headers)
        assert acknowledged.seq == number
    await admin.close()


async def kept(bus: BusUnderTest, folder: Path, after: int, stored: int) -> tuple[int, list[File]]:
    """Keep what is beyond a position with the rights of a backup alone."""
    reader = await bus.connect("backup")
    with pieces.held(folder) as held:
        place, files = await pending.keep(reader, subjects.LIVE, after, stored, held)
        for file in [*files, *await pending.keep_definitions(reader, held)]:
            target = folder / "restored" / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"".join(held.content(piece, file.path) for piece in file.pieces))
    await reader.close()
    return place, files


async def test_a_new_bus_goes_on_with_what_the_old_one_had(old: BusUnderTest, tmp_path: Path) -> None:
    await publish(old, 1, 700)
    admin = await old.connect("admin")
    definition = TenantDefinition(key="acme", number=7, name={"en": "Acme", "zh": "甲"}, zone="UTC", revision=3)
    for key in ("acme.tenant", "gone.tenant"):
        await admin.put_definition(key, definition)
    await admin.delete_definition("gone.tenant")
    await admin.close()
    place, files = await kept(old, tmp_path / "b", 90, 100)
    assert place == 90 and files
    data = tmp_path / "b" / "restored" / "data"
    (data / pending.FOLDER / pending.PLACES).write_text('{"LIVE": 90, "LATE": 17, "ALARM": 0}')
    journal = Journal(data / "history")
    journal.write(subjects.LIVE, Position("LIVE@1", 100, (101, 102), "mark", taken={"acme.g1": [(1, 100)]}))
    async with running_bus(tmp_path / "new") as new:
        admin = await new.connect("admin")
        await pending.send(admin, data)
        live, late = [(await admin.js.stream_info(stream)) for stream in (subjects.LIVE, subjects.LATE)]
        assert (live.state.first_seq, live.state.last_seq, late.state.last_seq) == (91, 700, 17)
        last = await admin.js.get_msg(subjects.LIVE, 700)
        assert last.subject == SUBJECT and last.data == b"700" * 1000
        assert (last.headers or {}) == {subjects.SEQUENCE_HEADER: "700", "Nats-Msg-Id": "m700"}
        position, sure = Journal(data / "history").read(subjects.LIVE)
        assert position == Position(
            pending.incarnation_of(subjects.LIVE, live), 100, None, "mark", taken={"acme.g1": [(1, 100)]}
        )
        assert sure and not (data / pending.FOLDER).exists()
        await publish(new, 701, 701)
        published = await admin.definitions()
        assert list(published) == ["acme.tenant"]
        assert TenantDefinition.model_validate_json(published["acme.tenant"]) == definition
        await admin.close()


async def test_sending_that_was_cut_short_goes_on(old: BusUnderTest, tmp_path: Path) -> None:
    await publish(old, 1, 20)
    place, _files = await kept(old, tmp_path / "b", 10, 10)
    data = tmp_path / "b" / "restored" / "data"
    (data / pending.FOLDER / pending.PLACES).write_text(f'{{"LIVE": {place}}}')
    async with running_bus(tmp_path / "new") as new:
        admin = await new.connect("admin")
        await admin.js.purge_stream(subjects.LIVE, seq=11)
        await publish(new, 11, 13)
        await pending.send(admin, data)
        state = (await admin.js.stream_info(subjects.LIVE)).state
        assert (state.first_seq, state.last_seq, state.messages) == (11, 20, 10)
        await admin.close()


async def test_gaps_are_usual_before_the_position_and_refused_behind_it(old: BusUnderTest, tmp_path: Path) -> None:
    await publish(old, 1, 30)
    admin = await old.connect("admin")
    await admin.js.delete_msg(subjects.LIVE, 12)
    assert (await kept(old, tmp_path / "b", 5, 20))[0] == 12
    with pytest.raises(Conflict, match="Messages 12 to 12 of LIVE left the bus"):
        await kept(old, tmp_path / "b", 5, 11)
    assert await kept(old, tmp_path / "b", 30, 30) == (30, [])
    await admin.js.purge_stream(subjects.LIVE)
    assert await kept(old, tmp_path / "b", 25, 30) == (30, [])
    with pytest.raises(Conflict, match="Messages 26 to 30"):
        await kept(old, tmp_path / "b", 20, 25)
    await admin.close()
