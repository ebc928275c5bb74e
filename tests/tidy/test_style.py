"""Style as a test: lengths, names, orphans, and words that do not belong in the product."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 80
BANNED = re.compile(r"(^|_)(manager|util|utils|helper|helpers|misc|stuff)($|_)")
DJANGO_OWN = {"objects"}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


PYTHON = [file for file in tracked("*.py") if "migrations" not in file.parts]


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_and_functions_stay_short_and_well_named(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert source.count("\n") <= FILE_LINES_MAX, f"{source.count(chr(10))} lines: a second room?"
    assert not BANNED.search(file.stem)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower()
            assert not BANNED.search(name), f"{node.name}: say what it does"


def test_front_end_files_stay_short() -> None:
    for file in tracked("frontend/src/*.ts", "frontend/src/*.tsx"):
        assert file.read_text(encoding="utf-8").count("\n") <= FILE_LINES_MAX, file


def test_no_module_is_an_orphan() -> None:
    """Every module is imported by another one, is named in a table of modules, or is found by Django."""
    sources = {file: file.read_text(encoding="utf-8") for file in PYTHON}
    everything = "\n".join(sources.values()) + (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for file in PYTHON:
        if ROOT / "src" not in file.parents or file.stem in {"__init__", "__main__", "models"}:
            continue
        if (
            file.stem == "base" and f'"{".".join(file.parent.relative_to(ROOT / "src").parts)}"' in everything
        ):  # a database backend
            continue
        module = ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        parent, _, name = module.rpartition(".")
        used = module in everything or re.search(rf"from {re.escape(parent)} import [^\n]*\b{name}\b", everything)
        assert used or f'"{name}"' in everything, f"nothing imports {module}"


def test_lock_files_name_no_download_address_and_nothing_names_this_checkout() -> None:
    for file in tracked():
        if file.suffix in {".gz", ".png", ".ico", ".parquet"}:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        assert f"{ROOT}/" not in text, f"{file.relative_to(ROOT)} names a path of one machine"
        if file.name == "package-lock.json":
            assert '"resolved"' not in text, f"{file.relative_to(ROOT)} names where packages were downloaded"


def test_every_dependency_has_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    inside = False
    for line in lines:
        if re.match(r"(dependencies|dev|\w+) = \[$", line):
            inside = line.startswith(("dependencies", "dev"))
        elif line.startswith("]"):
            inside = False
        elif inside and line.strip().startswith('"'):
            assert "#" in line, f"no reason beside {line.strip()}"
