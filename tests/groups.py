"""The whole suite: groups of tests beside each other, each a process; what fails there is asked once more, alone.

Run as `python -m tests.groups`; what each group printed lies in `.mainspring-test-GROUP.log` and follows at the end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
# Tests wait more than they work: four groups keep two cores busy.
AT_ONCE: Final = 4
# Tests that fail only beside others fail by ones and twos; more is a fault that needs no second look.
ASKED_AGAIN_MAX: Final = 5
# Tests of links come first: those of pages wait while networks come and go.
_LINKS: Final = ["tests/faults/test_links.py", "tests/faults/test_overload.py"]
_EVERY_PAGE: Final = ["tests/browser/test_every_page.py", "tests/browser/test_layers.py"]
_TIDY: Final = "tests/tidy"
"""Part of `make check`, which comes before."""


def groups() -> dict[str, list[str]]:
    """Return pytest's arguments by group, in the order of their starts: what takes long comes first."""
    named = {
        # The embedded store keeps descriptors for each thread that ever asked it: others get their own process.
        "stores": ["tests/history", "tests/backup", "tests/contracts"],
        "faults": [*_LINKS, *(each for each in _files("tests/faults") if each not in _LINKS)],
        "web": ["tests/gateway", "tests/web", "tests/isolation"],
        "whole": ["tests/e2e"],
        "browser": ["tests/browser", *(f"--ignore={each}" for each in _EVERY_PAGE)],
        "pages": _EVERY_PAGE,
    }
    taken = {Path(each) for arguments in named.values() for each in arguments} | {Path(_TIDY), Path("tests/faults")}
    rest = sorted({path.relative_to(ROOT).parent for path in ROOT.glob("tests/*/test_*.py")} - taken)
    named["parts"] = [*map(str, rest), *_files("tests")]
    named["postgresql"] = ["tests/records", "--records=postgresql"]
    return named


def _files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("test_*.py"))


@dataclass(frozen=True, slots=True)
class Ended:
    """How one group ended: pytest's exit code, its last line, and the tests that failed."""

    name: str
    code: int
    last: str
    failed: tuple[str, ...]


def _log(name: str) -> Path:
    return ROOT / f".mainspring-test-{name}.log"


def run(name: str, arguments: Sequence[str]) -> Ended:
    """Run pytest in a process of its own and read what it printed."""
    log = _log(name)
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "pytest", *arguments, "--durations=10"]
        code = subprocess.call(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    return _read(name, code, log.read_text(encoding="utf-8", errors="replace").splitlines())


def _read(name: str, code: int, lines: Sequence[str]) -> Ended:
    named = [
        line.split(" ", 1)[1].split(" - ", 1)[0] for line in lines if line.startswith(("FAILED tests", "ERROR tests"))
    ]
    return Ended(name, code, lines[-1] if lines else "nothing was printed", tuple(dict.fromkeys(named)))


def again(ended: Ended, arguments: Sequence[str]) -> bool:
    """Ask what failed beside others once more, alone; return whether it passed now."""
    if ended.code != 1 or not ended.failed:
        return False
    options = [each for each in arguments if each.startswith("--records")]
    second = run(f"{ended.name}-again", [*ended.failed, *options])
    print(f"{ended.name}, once more and alone: {second.last}", flush=True)
    return second.code == 0


def main() -> int:
    """Return 0 where every test passed, beside the others or alone."""
    for old in ROOT.glob(".mainspring-test-*.log"):
        old.unlink()
    named = groups()

    def one(name: str) -> Ended:
        ended = run(name, named[name])
        print(f"{name}: {ended.last}", flush=True)
        return ended

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(one, named))
    failed = [each for each in ends if each.code]
    few = sum(len(each.failed) for each in failed) <= ASKED_AGAIN_MAX
    unsteady = [each for each in failed if few and again(each, named[each.name])]
    for log in sorted(ROOT.glob(".mainspring-test-*.log")):
        print(f"\n{log.name}\n{log.read_text(encoding='utf-8', errors='replace')}", end="")
    for each in unsteady:
        print(f"Failed beside other tests and passed alone; mend it before it hides a fault: {', '.join(each.failed)}")
    return 0 if len(unsteady) == len(failed) else 1


if __name__ == "__main__":
    sys.exit(main())
