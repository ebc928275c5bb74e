"""Every endpoint against its own description: whatever is sent, the answer is one that the description has."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fuzz.fuzzing import Fuzzing
from tests.fuzz.person import at_the_door
from tests.web.running import Records, running


async def test_every_endpoint_survives_what_its_description_makes_of_it(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        someone = await asyncio.to_thread(at_the_door, web)
        fuzzing = await asyncio.to_thread(Fuzzing, someone)
        faults = await asyncio.to_thread(fuzzing.run)
        print(*(f"{asked}: {times}" for asked, times in sorted(fuzzing.answers.items())), sep="\n")
        assert not faults, "\n".join(faults)
