"""Setting up: a step is one line, and what failed shows the end of its log."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def made(folder: Path, step: str) -> subprocess.CompletedProcess[str]:
    (folder / "Makefile").write_text(
        f"include {ROOT / 'Makefile'}\nstep:\n\t$(call quietly,Installing things,{step})\n", encoding="utf-8"
    )
    command = ["make", "--no-print-directory", "PAGE_SOURCES=", "step"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_step_is_one_line(tmp_path: Path) -> None:
    done = made(tmp_path, "seq 1000")
    assert (done.stdout, done.returncode) == ("Installing things ... done\n", 0)


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    failed = made(tmp_path, "seq 1000; echo no route to the registry >&2; false")
    lines = failed.stdout.splitlines()
    assert failed.returncode
    assert lines[0] == "Installing things ... failed"
    assert lines[-2:] == ["no route to the registry", "All of it: .mainspring-setup.log"]
    assert len(lines) == 22
    assert len((tmp_path / ".mainspring-setup.log").read_text().splitlines()) == 1001


def test_every_step_of_the_set_up_is_quiet() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    tools = ("ip install", "$(NPM) ci", "$(NPM) run build")
    loud = [line for line in lines if any(tool in line for tool in tools) and "call quietly" not in line]
    assert loud == []
