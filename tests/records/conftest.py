from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.records import ground

from mainspring.records.importing.files import ImportStore
from mainspring.records.importing.imports import Imports
from mainspring.records.importing.processes import Processes
from mainspring.records.tenant import Tenant

# The wall is PostgreSQL's own; `make test` runs this folder there, too.
collect_ignore = [] if ground.SERVER else ["test_wall.py"]

database = pytest.fixture(autouse=True)(ground.database)


@pytest.fixture
def plant(database: None) -> Tenant:
    from tests.records.plant import tenant

    return tenant()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Return the process that does the work of imports."""
    made = Processes([sys.executable, "-m", "mainspring.web.import_process"], ground.SETTINGS.for_imports(), 1)
    yield made
    made.close()


@pytest.fixture
def imports(plant: Tenant, tmp_path: Path, processes: Processes) -> Imports:
    return Imports(ImportStore(tmp_path / "imports"), processes, processes)
