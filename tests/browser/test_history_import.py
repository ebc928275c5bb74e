"""History from a file with bad rows, through the page: how it is read, what is refused by line, and what is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, settled
from tests.browser.looks import too_wide, violations
from tests.e2e.platform import Person

from mainspring.core.kinds import Origin

LONG_MS = 180_000
BEGIN_MS = 1_767_225_600_000
SAY: dict[Language, dict[str, str]] = {
    "en": {
        "choose": "Choose a file", "check": "Check", "time": "The time cannot be read", "head": "Line",
        "number": "The value is no number", "refused": "Download refused rows", "create": "Create this tag",
        "load": "Import 4 values", "done": "4 values stored", "file": "Enter from file",
        "whole": "Import whole history", "title": "Import history",
    },
    "zh": {
        "choose": "选择文件", "check": "预检", "time": "时间无法识别", "head": "行号", "number": "值不是数字",
        "refused": "下载拒收行", "create": "创建这 1 个测点", "load": "导入 4 个值", "done": "已存储 4 个值",
        "file": "从文件录入", "whole": "导入整段历史数据", "title": "导入历史数据",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def store(administrator: Person) -> dict[Language, dict[str, Any]]:
    """A tag for each language that nobody sends."""
    above = next(each for each in administrator.get("/assets", search="Plant 1")["items"] if each["kind"] == "site")
    draft = {"parent": above["id"], "kind": "unit", "name": {"en": "Old store", "zh": "旧仓库"}, "slug": "old-store"}
    unit = administrator.post("/assets", draft)
    languages: tuple[Language, ...] = ("en", "zh")
    return {
        each: administrator.post("/tags", {"name": f"OLD_{each}", "asset": unit["id"], "unit": "%"}) | {"below": unit}
        for each in languages
    }


@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("zh", PHONE)])
def test_history_with_bad_rows_is_imported_without_them_and_they_are_told_by_line(
    open_page: Open, administrator: Person, store: dict[Language, dict[str, Any]], tmp_path: Path, language: Language,
    size: tuple[int, int],
) -> None:  # fmt: skip
    words, tag = SAY[language], store[language]
    file = tmp_path / f"old-{language}.csv"
    file.write_text(
        "time,path,value\n"
        f"2026-01-01 08:00:00,{tag['path']},1.5\n"
        f"2026-13-01 08:00:00,{tag['path']},2\n"
        f"2026-01-01 08:00:01,{tag['path']},2.5\n"
        f"2026-01-01 08:00:02,{tag['path']},many\n"
        f"2026-01-01 08:00:03,{tag['below']['path']}/MADE_{language},7\n"
        f"2026-01-01 08:00:04,{tag['path']},3.5\n",
        encoding="utf-8",
    )
    # The way there from the asset: entering from a file is where people look.
    page = open_page(f"/plant/{tag['asset']}", language, size=size, purpose="archivist").page
    settled(page)
    page.get_by_role("button", name=words["file"]).click()
    page.get_by_role("link", name=words["whole"]).click()
    expect(page.get_by_role("heading", name=words["title"])).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=words["choose"]).click()
    chooser.value.set_files(file)
    check = page.get_by_role("button", name=words["check"], exact=True)
    expect(check).to_be_enabled(timeout=LONG_MS)
    assert violations(page) == []
    assert too_wide(page) == []
    check.click()
    load = page.get_by_role("button", name=words["load"].replace("4", "3"))
    expect(load).to_be_visible(timeout=LONG_MS)
    for cause, line in ((words["time"], "3"), (words["number"], "5")):
        expect(page.get_by_role("row").filter(has_text=cause)).to_contain_text(line)
    expect(page.get_by_role("row").filter(has_text=f"MADE_{language}")).to_be_visible()
    assert violations(page) == []
    assert too_wide(page) == []
    with page.expect_download() as refused:
        page.get_by_role("button", name=words["refused"]).click()
    lines = Path(refused.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith(words["head"])
    assert [line.split(",")[:2] for line in lines[1:]] == [["3", words["time"]], ["5", words["number"]]]
    assert administrator.raw(tag["tag"], BEGIN_MS, BEGIN_MS + 10_000)["time"] == []

    page.get_by_role("checkbox", name=words["create"]).check()
    page.get_by_role("button", name=words["load"]).click()
    expect(page.get_by_text(words["done"])).to_be_visible(timeout=LONG_MS)
    assert violations(page) == []
    found = administrator.raw(tag["tag"], BEGIN_MS, BEGIN_MS + 10_000)
    assert (found["time"], found["value"]) == ([BEGIN_MS, BEGIN_MS + 1000, BEGIN_MS + 4000], [1.5, 2.5, 3.5])
    assert set(found["origin"]) == {Origin.IMPORTED}
    made = administrator.tag(f"MADE_{language}")
    assert administrator.raw(made["tag"], BEGIN_MS, BEGIN_MS + 10_000)["value"] == [7.0]
