"""Moves days into cold files as a process of its own: `cold_process.py FOLDER PLACE NOW_MS`; says so at each piece."""

from __future__ import annotations

import sys
from pathlib import Path

from mainspring.core.cold import ColdSettings
from mainspring.history.chdb_store import ChdbStore

if __name__ == "__main__":
    store = ChdbStore(Path(sys.argv[1]), rollup_quiet_s=0, cold=ColdSettings(sys.argv[2], 1))
    print("begun", flush=True)
    while sum(1 for _ in store.roll_up(int(sys.argv[3])) if print("piece", flush=True) is None):
        pass
    store.close()
    print("done", flush=True)
