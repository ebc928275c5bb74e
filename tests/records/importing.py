"""Imports as tests wait for them."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from tests.records.plant import author

from mainspring.records.importing.files import WORKING
from mainspring.records.importing.imports import Imports
from mainspring.records.tenant import Tenant

WAIT_S = 240


def done(imports: Imports, plant: Tenant, id: UUID | str) -> dict[str, Any]:
    """Wait until an import is no longer worked on; returns its state."""
    deadline = time.monotonic() + WAIT_S
    while (state := imports.get(author(plant), UUID(str(id))))["stage"] in WORKING:
        assert time.monotonic() < deadline, state
        time.sleep(0.01)
    return state
