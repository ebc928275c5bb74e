"""Every test stands in one group; one that fails alone, too, is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import groups

_UNSTEADY = """
from pathlib import Path
def test_second_time():
    seen = Path(__file__).with_suffix(".seen")
    known = seen.exists()
    seen.touch()
    assert known
"""


def test_every_file_of_tests_is_in_one_group() -> None:
    for path in sorted((groups.ROOT / "tests").rglob("test_*.py")):
        file = path.relative_to(groups.ROOT)
        if file.parts[1] == "tidy":
            continue
        held = [
            name for name, arguments in groups.groups().items()
            if any(file.is_relative_to(each) for each in arguments)
            and not any(each == f"--ignore={file}" for each in arguments)
        ]  # fmt: skip
        # Records are asked twice: on SQLite and on PostgreSQL.
        assert held == (["parts", "postgresql"] if file.parts[1] == "records" else held[:1]), file
        assert held, file


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def test_right(): pass", 0),
        ("def test_wrong(): assert False", 1),
        (_UNSTEADY, 0),
        ("def test_interrupted(): raise KeyboardInterrupt", 1),
        ("import nothing_of_that_name", 1),
    ],
)
def test_what_fails_is_asked_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    tests = tmp_path / "tests" / "core"
    tests.mkdir(parents=True)
    (tests / "test_one.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(groups, "ROOT", tmp_path)
    monkeypatch.setattr(groups, "groups", lambda: {"parts": ["tests/core"]})
    assert groups.main() == code
    assert ("passed alone" in capsys.readouterr().out) == (text == _UNSTEADY)
