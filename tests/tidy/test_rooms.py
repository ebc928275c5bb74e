from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_rooms_import_downward_only() -> None:
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    ran = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_every_room_says_what_it_is_for() -> None:
    for package in (ROOT / "src" / "mainspring").iterdir():
        init = package / "__init__.py"
        if init.exists():
            assert init.read_text(encoding="utf-8").startswith('"""'), f"{package.name} has no sentence"
