"""The process of imports of history, killed at a moment that is chosen: `python -m tests.web.dying_import MOMENT`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from mainspring.history.importing import window
from mainspring.web.configure import WebSettings, configure
from mainspring.web.import_process import begin
from mainspring.web.importing.process import HistoryProcess

MOMENTS = ("a window is whole", "all is stored, before that is said", "all is stored and said")
ROWS = 200_000
"""Of a window, so that there are several in little."""


class Dying(HistoryProcess):
    """Ends as by `kill -9` at its moment."""

    def _do(self, wanted: dict[str, Any]) -> dict[str, Any]:
        configure(self._settings)
        from mainspring.records.importing.files import ImportFolder

        window.ROWS = ROWS  # type: ignore[misc]
        write = ImportFolder.write

        def written(self: ImportFolder, state: dict[str, Any]) -> None:
            if state["stage"] == "loaded" and sys.argv[1] == MOMENTS[1]:
                os.kill(os.getpid(), signal.SIGKILL)
            write(self, state)
            if sys.argv[1] == (MOMENTS[2] if state["stage"] == "loaded" else MOMENTS[0] if state["reached"] else ""):
                os.kill(os.getpid(), signal.SIGKILL)

        ImportFolder.write = written  # type: ignore[method-assign]
        return super()._do(wanted)


if __name__ == "__main__":
    asked, answers = begin()
    Dying(WebSettings.model_validate_json(sys.stdin.readline()), asked, answers).run()
