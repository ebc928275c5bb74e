"""The work of a plant by keyboard alone: no mouse, no focus but that of keys, and each stop can be seen."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Language, Open, asset_path, settled
from tests.browser.keyboard import Keyboard
from tests.browser.test_connect import chiller_port, tidied
from tests.e2e.device import PRESSURE, Wired, wired
from tests.e2e.platform import Person

from mainspring.records.importing.sheets import xlsx_file

__all__ = ["chiller_port", "tidied"]
LONG_MS: Final = 180_000
WORDS: Final[dict[str, dict[Language, str]]] = {
    "alarms": {"en": "Active alarms", "zh": "活动报警"},
    "too high": {"en": "Press pressure too high", "zh": "压机压力过高"},
    "for": {"en": "For", "zh": "时长"},
    "hour": {"en": "1 hour", "zh": "1 小时"},
    "reason": {"en": "Reason", "zh": "原因"},
    "shelve": {"en": "Shelve", "zh": "搁置"},
    "shelved": {"en": "Shelved alarms", "zh": "已搁置报警"},
    "unshelve": {"en": "Unshelve", "zh": "取消搁置"},
    "tags": {"en": r"^Tags \d", "zh": r"^测点 \d"},
    "live": {"en": "Live", "zh": "实时"},
    "paused": {"en": "Paused", "zh": "已暂停"},
    "export": {"en": "Export", "zh": "导出"},
    "part": {"en": "Shown part of the history", "zh": "所示历史区段"},
    "every": {"en": "Every sample", "zh": "全部采样值"},
    "steps": {"en": "One row per step: min, max, mean", "zh": "每步长一行：最小、最大、平均"},
    "filter": {"en": "Filter tags", "zh": "筛选测点"},
    "write": {"en": "Write remote_setpoint", "zh": "写入 remote_setpoint"},
    "select": {"en": "Select", "zh": "选择"},
    "new": {"en": "New value of remote_setpoint", "zh": "remote_setpoint 的新值"},
    "done": {"en": "The equipment shows the new value.", "zh": "设备已显示新值。"},
    "close": {"en": "Close", "zh": "关闭"},
    "skip": {"en": "Skip to content", "zh": "跳到正文"},
    "keys": {"en": "Keys", "zh": "快捷键"},
    "letters": {"en": "Single letters, digits and signs act as keys", "zh": "启用单个字母、数字、符号快捷键"},
}  # fmt: skip


def said(key: str, language: Language) -> str:
    return WORDS[key][language]


def opened(open_page: Open, path: str, language: Language) -> tuple[Page, Keyboard]:
    page: Page = open_page(path, language, purpose="keyboard").page
    settled(page)
    return page, Keyboard(page)


@pytest.fixture
def press(administrator: Person) -> Iterator[Wired]:
    """A press of the test's own, whose pressure is too high."""
    with wired(administrator, "press-11") as made:
        made.device.show(PRESSURE, 20)
        tag = made.add("PI-111", PRESSURE, low=0, high=100, scan_ms=200)
        draft = {"tag_id": tag["id"], "condition": "H", "limit": 90, "priority": "critical", "name": WORDS["too high"]}
        alarm = administrator.post("/alarm-definitions", draft)
        made.device.show(PRESSURE, 95)
        yield made
        administrator.delete(f"/alarm-definitions/{alarm['id']}")


def row_of(page: Page, keys: Keyboard, grid: str, text: str) -> None:
    """Go to a row of the grid that has the focus."""
    active = page.get_by_role("grid", name=grid).locator(".ms-grid-active")
    keys.press("Home")
    for _ in range(60):
        if text in active.inner_text():
            return
        keys.press("ArrowDown")
    pytest.fail(f"no row of {grid} says {text}: {active.inner_text()}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_alarm_is_shelved_and_taken_off_the_shelf(press: Wired, open_page: Open, language: Language) -> None:
    page, keys = opened(open_page, "/", language)
    alarm, grid = said("too high", language), said("alarms", language)
    keys.press("g", "a")
    row = page.get_by_role("grid", name=grid).get_by_role("row").filter(has_text=alarm)
    expect(row).to_be_visible(timeout=LONG_MS)
    keys.tab_to("grid", grid)
    row_of(page, keys, grid, alarm)
    keys.press("Space", "s")
    keys.waits_at("textbox", said("reason", language))
    # Nothing is shelved by leaving, and the list has the focus again.
    keys.press("Escape")
    keys.waits_at("grid", grid)
    row_of(page, keys, grid, alarm)
    keys.press("Space", "s")
    keys.waits_at("textbox", said("reason", language))
    keys.type("the seal is being changed")
    keys.tab_to("combobox", said("for", language), back=True)
    keys.press("ArrowDown", "ArrowDown", "Enter")
    expect(page.get_by_role("dialog")).to_contain_text(said("hour", language))
    keys.tab_to("button", said("shelve", language))
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.waits_at("grid", grid)

    keys.tab_to("tab", re.compile(r"(Active|活动) \d"), back=True)
    keys.press("ArrowRight", "Enter")
    shelved = page.get_by_role("grid", name=said("shelved", language)).get_by_role("row").filter(has_text=alarm)
    expect(shelved).to_contain_text("the seal is being changed")
    expect(shelved).to_contain_text(re.compile(r"59|1:00|60"))
    keys.tab_to("grid", said("shelved", language))
    keys.tab_to("button", said("unshelve", language))
    keys.press("Enter")
    expect(shelved).to_have_count(0)


@pytest.mark.parametrize("language", ["zh"])
def test_a_trend_is_opened_moved_and_exported(
    administrator: Person, open_page: Open, tmp_path: Path, language: Language
) -> None:
    page, keys = opened(open_page, asset_path(administrator, "Reactor"), language)
    grid = re.compile(said("tags", language))
    expect(page.get_by_role("grid", name=grid).get_by_role("row").nth(2)).to_be_visible()
    keys.tab_to("grid", grid)
    keys.press("Home", "Space", "ArrowDown", "Space", "t")
    page.wait_for_url(re.compile(r"/trend\?tags=\d+(,|%2C)\d+"))
    live = page.get_by_role("button", name=re.compile(f"{said('live', language)}|{said('paused', language)}"))
    expect(live).to_contain_text(said("live", language))
    expect(page.locator(".ms-trend-lanes canvas").first).to_be_visible()
    ranges = [page.url]

    def moved() -> None:
        page.wait_for_function("before => location.href !== before", arg=ranges[-1])
        ranges.append(page.url)

    for key in ("+", "ArrowLeft", "-", "ArrowRight"):
        keys.press(key)
        moved()
        expect(live).to_contain_text(said("paused", language))
    keys.press("l")
    expect(live).to_contain_text(said("live", language))
    ranges.append(page.url)
    expect(page.get_by_role("slider", name=said("part", language))).to_be_visible()
    keys.tab_to("slider", said("part", language))
    for key in ("ArrowLeft", "ArrowRight"):
        keys.press(key)
        moved()

    keys.tab_to("button", said("export", language), back=True)
    keys.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    keys.waits_at("button", said("export", language))
    keys.press("Enter")
    keys.tab_to("radio", said("every", language))
    keys.press("ArrowDown")
    keys.waits_at("radio", said("steps", language))
    keys.press("ArrowUp")
    keys.waits_at("radio", said("every", language))
    keys.tab_to("button", said("export", language))
    with page.expect_download() as begun:
        keys.press("Enter")
    file = tmp_path / "trend.csv"
    begun.value.save_as(file)
    assert len(list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))) > 10
    expect(dialog).to_have_count(0)
    keys.waits_at("button", said("export", language))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_set_point_is_selected_entered_and_executed(
    administrator: Person, open_page: Open, language: Language
) -> None:
    page, keys = opened(open_page, asset_path(administrator, "Chiller 6"), language)
    write = said("write", language)
    expect(page.get_by_role("button", name=write)).to_be_enabled(timeout=LONG_MS)
    keys.tab_to("textbox", said("filter", language))
    keys.type("remote_setpoint")
    expect(page.get_by_role("grid").get_by_role("row")).to_have_count(2)
    keys.tab_to("button", write)
    keys.press("Enter")
    # The drawer has the focus; Select waits until the value is known to be good.
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("button", name=said("select", language), exact=True)).to_be_enabled(timeout=LONG_MS)
    keys.tab_to("button", said("select", language))
    keys.press("Enter")
    keys.waits_at("textbox", said("new", language))
    value = "46.5" if language == "en" else "44.5"
    keys.type(value)
    keys.tab_to("textbox", said("reason", language))
    keys.type("by keyboard")
    keys.tab_to("button", re.compile(f"{value} °F"))
    # Enter is what people press to get on; it does not act on equipment.
    keys.press("Enter")
    expect(drawer.get_by_role("timer")).to_be_visible()
    keys.press("Space")
    expect(drawer.get_by_role("status")).to_contain_text(said("done", language), timeout=LONG_MS)
    keys.waits_at("button", said("close", language))
    keys.press("Enter")
    expect(drawer).to_have_count(0)
    keys.waits_at("button", write)
    # Escape leaves the drawer as well, and what was selected is free again.
    keys.press("Enter")
    expect(drawer.get_by_role("button", name=said("select", language), exact=True)).to_be_enabled(timeout=LONG_MS)
    keys.tab_to("button", said("select", language))
    keys.press("Enter")
    keys.waits_at("textbox", said("new", language))
    keys.press("Escape")
    expect(drawer).to_have_count(0)
    keys.waits_at("button", write)


@pytest.mark.parametrize("language", ["en"])
def test_a_device_is_connected_by_the_wizard(
    tidied: list[str], open_page: Open, administrator: Person, chiller_port: int, language: Language
) -> None:
    page, keys = opened(open_page, "/connect", language)
    tidied.append("By keyboard")
    keys.tab_to("button", "Add connection")
    keys.press("Enter")
    keys.tab_to("button", re.compile("^Modbus TCP"))
    keys.press("Enter")
    keys.waits_at("textbox", re.compile("Address of the device"))
    keys.type("127.0.0.1")
    keys.tab_to("spinbutton", re.compile("Port"))
    keys.type(str(chiller_port))
    keys.tab_to("spinbutton", re.compile("Unit"))
    keys.type("4")
    keys.press("Enter")
    # The check that fails offers its cure, and the way on is where the focus is afterwards.
    expect(page.get_by_role("button", name="Use 6", exact=True)).to_be_visible(timeout=LONG_MS)
    keys.tab_to("button", "Use 6", back=True)
    keys.press("Enter")
    expect(page.get_by_text("checks passed")).to_be_visible(timeout=LONG_MS)
    keys.waits_at("button", "Next")
    keys.press("Enter")
    keys.tab_to("textbox", "Name 1", back=True)
    keys.type("kb_supply")
    for role, title, text in (("combobox", "Table 1", "input"), ("combobox", "Type 1", "float32")):
        keys.tab_to(role, title)
        page.keyboard.type(text)
        expect(page.get_by_label(title, exact=True)).to_have_value(text)
    keys.tab_to("textbox", re.compile("^Register"), back=True)
    keys.type("0")
    keys.tab_to("button", "Next")
    keys.press("Enter")
    keys.tab_to("textbox", "Name rule", back=True)
    keys.type("demo/plant-1/line-kb/chiller-kb/{name}")
    keys.tab_to("checkbox", "Create assets that are missing")
    keys.press("Space")
    keys.tab_to("button", "Check rows")
    keys.press("Enter")
    expect(page.get_by_text("1 row is right")).to_be_visible(timeout=LONG_MS)
    keys.tab_to("button", "Next")
    keys.press("Enter")
    keys.waits_at("button", "Save connection")
    keys.tab_to("textbox", re.compile("Name of the connection"), back=True)
    keys.type("By keyboard")
    expect(page.get_by_text("1 of 1 read well.")).to_be_visible(timeout=LONG_MS)
    keys.tab_to("button", "Save connection")
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/connect/[0-9a-f-]{36}$"), timeout=LONG_MS)
    assert administrator.tag("kb_supply")["path"] == "demo/plant-1/line-kb/chiller-kb/kb_supply"


@pytest.mark.parametrize("language", ["zh"])
def test_a_sheet_with_faults_is_imported_and_taken_back(
    open_page: Open, administrator: Person, tmp_path: Path, language: Language
) -> None:
    rows = [["Name", "Asset", "Unit", "H"]]
    rows += [[f"key-{number:02}", "demo/plant-1/utilities/chiller-6", "Cel", "80"] for number in range(12)]
    rows[3][2], rows[4][2] = "Cels", "Cels"
    rows[10][1] = "demo/plant-1/utilities/chiler-6"
    file = tmp_path / "tags.xlsx"
    file.write_bytes(xlsx_file(rows))
    page, keys = opened(open_page, "/connect/import", language)
    # Listened to before the key is pressed: asking for the chooser takes its time.
    page.on("filechooser", lambda _chooser: None)
    keys.tab_to("button", "选择文件")
    with page.expect_file_chooser() as chooser:
        keys.press("Enter")
    chooser.value.set_files(file)
    check = page.get_by_role("button", name="预检 12 行")
    expect(check).to_be_visible(timeout=LONG_MS)
    keys.tab_to("button", "预检 12 行")
    keys.press("Enter")
    causes = page.locator(".ms-causes > li")
    expect(causes.first).to_be_visible(timeout=LONG_MS)
    assert len(causes.all_inner_texts()) == 2, causes.all_inner_texts()
    for _ in range(2):
        keys.press("n")
        if "Cels" in keys.here().name:
            break
    assert "Cels" in keys.here().name
    keys.press("p", "n")
    assert "Cels" in keys.here().name
    keys.tab_to("button", "全部更正", most=2)
    keys.press("Enter")
    expect(causes).to_have_count(1, timeout=LONG_MS)
    keys.tab_to("button", re.compile("^载入 11 行"))
    keys.press("Enter")
    expect(page.get_by_text("新增 11")).to_be_visible(timeout=LONG_MS)
    keys.tab_to("button", "撤销导入")
    # Who hesitates is back where the question was asked.
    keys.press("Enter")
    keys.waits_at("button", re.compile("^取 ?消$"))
    keys.press("Escape")
    keys.waits_at("button", "撤销导入")
    keys.press("Enter")
    keys.waits_at("button", re.compile("^取 ?消$"))
    keys.tab_to("button", "撤销导入")
    keys.press("Enter")
    expect(page.get_by_text("已撤销 11")).to_be_visible(timeout=LONG_MS)
    assert administrator.get("/tags", search="key-")["total"] == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_keys_are_listed_turned_off_and_the_rail_is_skipped(open_page: Open, language: Language) -> None:
    page, keys = opened(open_page, "/connect", language)
    heading = page.get_by_role("heading", level=1)
    before = heading.inner_text()
    keys.tab_to("link", said("skip", language), most=1)
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert "#" not in page.url
    keys.press("?")
    dialog = page.get_by_role("dialog")
    for each in ("g c", "k", "t", "n", "1-9"):
        expect(dialog.locator("kbd", has_text=re.compile(f"^{each}$")).first).to_be_visible()
    keys.tab_to("checkbox", said("letters", language))
    keys.press("Space")
    expect(dialog.locator("[data-off=true]")).to_have_count(19)
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    keys.press("?", "/", "g", "a")
    expect(heading).to_have_text(before)
    expect(dialog).to_have_count(0)
    # The menu of the person leads to the list when no sign does.
    keys.tab_to("button", re.compile(r"Li Wei"), back=True)
    keys.press("Enter")
    expect(page.get_by_role("menu")).to_be_visible()
    keys.press("Tab")
    keys.waits_at("menuitem", re.compile("."))
    while not keys.is_at("menuitem", said("keys", language)):
        left = page.evaluate("document.activeElement.textContent")
        keys.press("ArrowDown")
        page.wait_for_function("left => document.activeElement.textContent !== left", arg=left)
    keys.press("Enter")
    keys.tab_to("checkbox", said("letters", language))
    keys.press("Space", "Escape")
    expect(dialog).to_have_count(0)
    keys.press("g", "a")
    expect(heading).not_to_have_text(before)
