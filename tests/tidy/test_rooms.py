from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_rooms_import_downward_only() -> None:
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    ran = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_drivers_of_different_protocols_do_not_import_each_other() -> None:
    """The first word of a driver module is its protocol; import-linter knows whole modules only."""
    family = {"shdr": "mtconnect"}  # two ways to the same words
    folder = ROOT / "src" / "mainspring" / "drivers"
    for file in folder.glob("*.py"):
        protocol = family.get(file.stem, file.stem.partition("_")[0])
        imported = re.findall(r"mainspring\.drivers\.(\w+)", file.read_text(encoding="utf-8"))
        others = {name for name in imported if name.partition("_")[0] != protocol}
        assert not others, f"{file.name} imports {others} of another protocol"


def test_every_room_says_what_it_is_for() -> None:
    for package in (ROOT / "src" / "mainspring").iterdir():
        init = package / "__init__.py"
        if init.exists():
            assert init.read_text(encoding="utf-8").startswith('"""'), f"{package.name} has no sentence"
