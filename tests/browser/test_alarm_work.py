"""An alarm from its definition to its export, as a person does it: tried, raised, commented, shelved, back."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Language, Open, settled
from tests.e2e.device import PRESSURE, SETPOINT, Wired, wired
from tests.e2e.platform import Person, eventually
from tests.waiting import PATIENCE_S

WAIT_MS = 180_000
WORDS = {
    "en": {
        "edit": "Edit", "add": "Add alarm", "condition": "Condition", "expression": "expression", "field": "Expression",
        "try": "Try on history", "never": "Would not have been raised", "once": "Would have been raised once",
        "name": "Name in English", "save": "Save", "active": "Active alarms", "comment": "Add comment",
        "words": "Comment", "kept": "Comment kept", "shelve": "Shelve", "for": "For", "minutes": "Minutes",
        "reason": "Reason", "tab": "Shelved", "shelved": "Shelved alarms", "history": "History", "export": "Export",
        "csv": "Export as CSV", "unit": "needs a unit", "activeTab": "Active", "performance": "Performance",
        "perHour": "Alarms per hour", "rows": "Alarm history",
    },
    "zh": {
        "edit": "编辑", "add": "添加报警", "condition": "条件", "expression": "表达式", "field": "表达式",
        "try": "历史试算", "never": "不会触发", "once": "会触发 1 次",
        "name": "中文名称", "save": "保存", "active": "活动报警", "comment": "添加备注",
        "words": "备注", "kept": "备注已保存", "shelve": "搁置", "for": "时长", "minutes": "分钟数",
        "reason": "原因", "tab": "搁置", "shelved": "已搁置报警", "history": "历史", "export": "导出",
        "csv": "导出 CSV", "unit": "须带单位", "activeTab": "活动", "performance": "绩效",
        "perHour": "每小时报警", "rows": "报警历史",
    },
}  # fmt: skip


@contextmanager
def two_tags(administrator: Person, language: Language) -> Iterator[Wired]:
    """A press with a pressure and a valve position; its alarms go with the test."""
    with wired(administrator, f"press-work-{language}") as made:
        for register, value in ((PRESSURE, 20), (SETPOINT, 5)):
            made.device.show(register, value)
        pressure = made.add(f"PW-{language}", PRESSURE, unit="kPa", low=0, high=100, scan_ms=200)
        valve = made.add(f"VW-{language}", SETPOINT, unit="%", low=0, high=100, scan_ms=200)

        def kept() -> bool:
            ends = 2**51
            return all(administrator.raw(tag["tag"], 0, ends).get("value") for tag in (pressure, valve))

        eventually(kept, PATIENCE_S, "both tags have history")
        yield made
        for alarm in administrator.get("/alarm-definitions", tag=pressure["id"])["items"]:
            administrator.delete(f"/alarm-definitions/{alarm['id']}")


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a select of antd by its label."""
    page.get_by_role("combobox", name=label, exact=True).last.click()
    page.locator(".ant-select-dropdown:visible .ant-select-item-option").filter(
        has_text=re.compile(f"^{re.escape(option)}$")
    ).click()  # fmt: skip


def define(page: Page, t: dict[str, str], tag: str, expression: str, name: str, harm: Callable[[], None]) -> None:
    """Define an expression alarm at a tag; it is tried on history before it is saved."""
    page.get_by_role("row").filter(has_text=tag).get_by_role("button", name=t["edit"]).click()
    page.get_by_role("button", name=t["add"]).click()
    drawer = page.get_by_role("dialog").last
    choose(page, t["condition"], t["expression"])
    field = drawer.get_by_role("textbox", name=t["field"])
    field.fill(f"{tag} > 80")
    drawer.get_by_role("button", name=t["try"]).click()
    expect(drawer.get_by_text(re.compile(t["unit"])).first).to_be_visible(timeout=WAIT_MS)
    field.fill(expression)
    trial = drawer.get_by_role("button", name=t["try"])
    trial.click()
    expect(drawer.get_by_text(re.compile(t["never"]))).to_be_visible(timeout=WAIT_MS)
    harm()

    def tried_again() -> bool:
        trial.click()
        expect(drawer.locator(".ant-btn-loading")).to_have_count(0, timeout=WAIT_MS)
        return bool(drawer.get_by_text(re.compile(t["once"])).count())

    eventually(tried_again, PATIENCE_S, "the history shows that it would have been raised")
    expect(drawer.get_by_role("img").filter(has=page.locator(".ms-mini-mark"))).to_be_visible()
    drawer.get_by_label(t["name"]).fill(name)
    drawer.get_by_role("button", name=t["save"]).click()
    expect(drawer.get_by_role("textbox", name=t["field"])).to_have_count(0, timeout=WAIT_MS)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_from_definition_to_export(
    administrator: Person, open_page: Open, language: Language, tmp_path: Path
) -> None:  # fmt: skip
    t = WORDS[language]
    tag, name = f"PW-{language}", f"压机 {language}"
    with two_tags(administrator, language) as press:
        watched = open_page(f"/plant/{press.asset['id']}", language)
        watched.allow("422")
        page = watched.page
        settled(page)
        expression = f"{tag} > 0.8 bar and VW-{language} < 10 %"
        define(page, t, tag, expression, name, lambda: press.device.show(PRESSURE, 95))

        page.goto(f"{watched.origin}/alarms")
        grid = page.get_by_role("grid", name=t["active"])
        row = grid.get_by_role("row").filter(has_text=name)
        expect(row).to_be_visible(timeout=WAIT_MS)
        row.get_by_text(name).click()
        detail = page.get_by_role("complementary").filter(has_text=expression)
        expect(detail).to_be_visible()
        detail.get_by_role("button", name=t["comment"]).click()
        page.get_by_role("dialog").get_by_label(t["words"]).fill("=HYPERLINK(1)")
        page.get_by_role("dialog").get_by_role("button", name=t["save"]).click()
        expect(page.get_by_text(t["kept"])).to_be_visible()
        shelve(page, t, detail)
        page.get_by_role("tab", name=re.compile(f"^{t['tab']}")).click()
        shelved = page.get_by_role("grid", name=t["shelved"]).get_by_role("row").filter(has_text=name)
        expect(shelved).to_contain_text("valve is being changed", timeout=WAIT_MS)
        expect(shelved).to_contain_text(f"Li Wei {language}")
        # It comes back by itself, and is there to be acknowledged again.
        expect(shelved).to_have_count(0, timeout=180_000)
        page.get_by_role("tab", name=re.compile(f"^{t['activeTab']}")).click()
        expect(row).to_be_visible(timeout=WAIT_MS)
        exported(page, t, name, tmp_path)
        page.get_by_role("tab", name=t["performance"]).click()
        expect(page.get_by_text(t["perHour"])).to_be_visible(timeout=WAIT_MS)
        press.device.show(PRESSURE, 20)


def shelve(page: Page, t: dict[str, str], detail: Any) -> None:
    """Shelve the alarm of the detail for some seconds."""
    detail.get_by_role("button", name=t["shelve"], exact=True).click()
    dialog = page.get_by_role("dialog")
    choose(page, t["for"], t["minutes"])
    dialog.get_by_role("spinbutton", name=t["minutes"]).fill("0.2")
    dialog.get_by_role("button", name=t["shelve"]).click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label(t["reason"]).fill("valve is being changed")
    dialog.get_by_role("button", name=t["shelve"]).click()
    expect(dialog).to_have_count(0, timeout=WAIT_MS)


def exported(page: Page, t: dict[str, str], name: str, folder: Path) -> None:
    """Save the history as a file once it shows the return, and look into it."""
    page.get_by_role("tab", name=t["history"]).click()
    rows = page.get_by_role("grid", name=t["rows"]).get_by_role("row").filter(has_text=name)

    def complete() -> bool:
        page.reload()
        expect(rows.first).to_be_visible(timeout=WAIT_MS)
        return rows.count() >= 4

    eventually(complete, PATIENCE_S, "raised, comment, shelved and unshelved are in the history")
    with page.expect_download() as started:
        page.get_by_role("button", name=t["export"]).click()
        page.get_by_role("menuitem", name=t["csv"]).click()
    file = folder / "alarms.csv"
    started.value.save_as(file)
    lines = [line for line in csv.reader(file.read_text("utf-8-sig").splitlines()) if name in line]
    assert {"'=HYPERLINK(1)", "valve is being changed"} <= {line[-1] for line in lines}
