"""A web role is killed while a process of its imports works: whoever comes after it waits for that one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from uuid import UUID

import pytest
from tests.e2e.platform import eventually
from tests.records import ground
from tests.records.importing import WAIT_S, done
from tests.records.plant import access, asset, author

from mainspring.core.errors import Conflict
from mainspring.records.access.passing import passed
from mainspring.records.audit import first_broken
from mainspring.records.importing import imports as records_imports
from mainspring.records.importing.imports import Imports
from mainspring.records.importing.sheets import xlsx_file
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant

TAGS = 3000
WEB_ROLE = """
import subprocess, sys
process = subprocess.Popen([sys.executable, "-m", "mainspring.web.import_process"], stdin=subprocess.PIPE, text=True)
print(*sys.argv[1:], sep="\\n", file=process.stdin, flush=True)
print(process.pid, flush=True)
process.wait()
"""
"""Has something done in a process of imports, and says which it is."""


@pytest.mark.parametrize("ending", [signal.SIGCONT, signal.SIGKILL])
def test_an_import_whose_web_role_was_killed_is_left_alone_until_its_process_has_ended(
    imports: Imports, plant: Tenant, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    monkeypatch.setattr(records_imports, "SETTLE_S", 0)
    asset(plant, "unit")
    sheet = xlsx_file([["Tag", "Asset"], *([f"T{n}", "unit"] for n in range(TAGS))])
    state = imports.add(author(plant), "tags.xlsx", sheet)
    imports.check(author(plant), UUID(state["id"]), {"mapping": {"0": "name", "1": "asset"}})
    state = done(imports, plant, state["id"])
    id, folder = UUID(state["id"]), imports.store.find("plant", UUID(state["id"]))
    folder.write(state | {"stage": "loading"})
    task = {"work": {"folder": str(folder.path), "stage": "loading", "access": passed(access(plant))}}
    command = [sys.executable, "-c", WEB_ROLE, ground.SETTINGS.for_imports(), json.dumps(task)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as web_role:
        assert web_role.stdout is not None
        orphan = int(web_role.stdout.readline())
        try:
            eventually(Tag.objects.exists, WAIT_S, "the first tags")
            os.kill(orphan, signal.SIGSTOP)
            web_role.kill()
            # It is told as what it is, and nobody else takes it up.
            assert imports.get(author(plant), id)["stage"] == "loading"
            for ask in (imports.load, imports.undo, imports.forget):
                with pytest.raises(Conflict, match="being worked on"):
                    ask(author(plant), id)
        finally:
            os.kill(orphan, ending)
    assert done(imports, plant, id)["stage"] == "interrupted"
    stored = Tag.objects.count()
    assert stored
    # What says last that it was interrupted still ends.
    monkeypatch.setattr(records_imports, "SETTLE_S", WAIT_S)
    imports.load(author(plant), id)
    state = done(imports, plant, id)
    assert (state["stage"], Tag.objects.count()) == ("loaded", TAGS)
    assert (state["report"]["created"], state["report"]["unchanged"]) == (TAGS - stored, stored)
    assert first_broken(plant) is None
