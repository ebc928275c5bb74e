"""Opens a built wheel and checks that it holds the page and the demo recordings with their notices."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable


def check(path: str) -> list[str]:
    """Return what is missing from a wheel."""
    names = zipfile.ZipFile(path).namelist()
    wanted: dict[str, Callable[[str], bool]] = {
        "the page": lambda name: name == "mainspring/web/static/index.html",
        "the page's scripts": lambda name: name.startswith("mainspring/web/static/") and name.endswith(".js"),
        "recordings": lambda name: name.startswith("mainspring/demo/recordings/") and name.endswith(".gz"),
        "notices": lambda name: name.startswith("mainspring/demo/recordings/") and "NOTICE" in name,
        "the demo's records": lambda name: name.startswith("mainspring/demo/tables/") and name.endswith(".json.gz"),
        "their notice": lambda name: name.startswith("mainspring/demo/tables/NOTICE"),
        "migrations": lambda name: name.startswith("mainspring/records/migrations/0001"),
        "the types marker": lambda name: name == "mainspring/py.typed",
    }
    return [what for what, found in wanted.items() if not any(found(name) for name in names)]


if __name__ == "__main__":
    missing = check(sys.argv[1])
    if missing:
        sys.exit(f"{sys.argv[1]} lacks {', '.join(missing)}")
    print(f"{sys.argv[1]} is complete")
