"""The process that history is imported in: `python -m mainspring.web.importing.process`, started by the web role.

It knows the records, and one key of the bus that opens nothing but the import of readings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from mainspring.web.configure import WebSettings, configure
from mainspring.web.import_process import Process, begin


class HistoryProcess(Process):
    """Looks into files of history, checks and loads them."""

    def _read(self, wanted: dict[str, Any]) -> dict[str, Any]:
        from mainspring.core.errors import MainspringError
        from mainspring.history.importing.layout import look

        try:
            seen = look(Path(wanted["file"]), wanted["name"], wanted["zone"])
        except MainspringError as error:
            return {"refused": error.text.document()}
        return {"layout": seen.layout.model_dump(), "columns": seen.columns, "rows": seen.rows}

    def _prepare(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        configure(self._settings)
        import mainspring.web.importing.work  # noqa: F401  What takes a second is done before it is waited for.

        return {}

    def _do(self, wanted: dict[str, Any]) -> dict[str, Any]:
        configure(self._settings)
        from mainspring.records.audit import Author
        from mainspring.records.importing.files import LEAVE_S, WORKING, ImportFolder
        from mainspring.records.in_force import enter
        from mainspring.records.tenant import Tenant
        from mainspring.web.importing.work import Way, Work, do

        pseudonym = UUID(wanted["pseudonym"]) if wanted["pseudonym"] else None
        author = Author(Tenant.objects.get(key=wanted["tenant"]), pseudonym, wanted["address"])
        enter(author.tenant)
        folder = ImportFolder(Path(wanted["folder"]))
        authority = Path(wanted["authority"]) if wanted["authority"] else None
        way = Way(wanted["url"], Path(wanted["seed"]), authority)
        with folder.alone(LEAVE_S):
            state = folder.resumed(wanted["stage"])
            if state["stage"] in WORKING:
                work = Work(folder, state, author, way, publish=self._publish, lost=self._lost)
                self._under_way(work, lambda: do(work))
        return {}


if __name__ == "__main__":
    asked, answers = begin()
    HistoryProcess(WebSettings.model_validate_json(sys.stdin.readline()), asked, answers).run()
