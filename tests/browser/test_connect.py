"""A device connected, tags imported, a template and a mapping tried, as a person does it, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, settled
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S

from mainspring.records.importing.sheets import read_sheet, xlsx_file

GOOD = 192
LONG_MS = 180_000
ROWS = (("supply", 0, "float32", "[degF]"), ("flow", 10, "uint16", "[gal_us]/min"), ("power", 12, "uint32", "kW"))
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "address": "Address of the device", "port": "Port", "unit": "Unit (slave number)", "use": "Use 6",
        "next": "Next", "back": "Back", "rule": "Name rule", "create": "Create assets that are missing",
        "check": "Check rows", "right": "3 rows are right", "well": "3 of 3 read well.", "save": "Save connection",
        "name": "Name of the connection", "stopped": "Stopped at", "passed": "checks passed",
        "choose": "Choose a file", "dry": "Check 40 rows", "all": "Put right everywhere",
        "load": "Load 38, leave out 2", "refused": "Download refused rows (XLSX)", "undo": "Undo import",
        "loaded": "38 created", "undone": "38 taken back", "template": "Use this template",
        "continued": "Continued from the draft", "try": "Try", "found": "2 values found.",
        "topic": "Topic", "sample": "Sample message", "discard": "Discard draft",
    },
    "zh": {
        "address": "设备地址", "port": "端口", "unit": "单元号（从站号）", "use": "使用 6",
        "next": "下一步", "back": "返回", "rule": "命名规则", "create": "自动创建缺少的资产",
        "check": "预检", "right": "3 行无误", "well": "3 个中 3 个读取良好。", "save": "保存连接",
        "name": "连接名称", "stopped": "停在", "passed": "全部通过",
        "choose": "选择文件", "dry": "预检 40 行", "all": "全部更正",
        "load": "载入 38 行，略过 2 行", "refused": "下载拒收行（XLSX）", "undo": "撤销导入",
        "loaded": "新增 38", "undone": "已撤销 38", "template": "使用此模板",
        "continued": "已恢复", "try": "试验", "found": "得到 2 个值。",
        "topic": "主题", "sample": "报文样例", "discard": "放弃草稿",
    },
}  # fmt: skip
MISSING: dict[Language, dict[str, str]] = {
    "en": {
        "dry": "Check 1 rows", "empty": "Show 1 empty column", "make": "Create assets that are missing",
        "load": "Load 1 rows", "loaded": "1 created", "to_tags": "Go to the tags",
    },
    "zh": {
        "dry": "预检 1 行", "empty": "显示 1 个空列", "make": "自动创建缺少的资产", "load": "载入 1 行",
        "loaded": "新增 1", "to_tags": "查看测点",
    },
}  # fmt: skip
TASKS: dict[Language, dict[str, str]] = {
    "en": {
        "check": "Check 30 rows", "load": "Load 30 rows", "running": "1 background task is running", "cancel": "Cancel",
        "loaded": "30 created",
    },
    "zh": {
        "check": "预检 30 行", "load": "载入 30 行", "running": "1 个后台任务正在运行", "cancel": "取消",
        "loaded": "新增 30",
    },
}  # fmt: skip
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest.fixture
def chiller_port(administrator: Person) -> int:
    return int(administrator.connection("Chiller 6")["settings"]["port"])


@pytest.fixture
def tidied(administrator: Person) -> Iterator[list[str]]:
    """Names of connections removed afterwards with their tags and assets; the page is to close first."""
    names: list[str] = []
    yield names
    for name in names:
        for each in administrator.get("/connections", search=name)["items"]:
            tags = administrator.get("/tags", connection=each["id"])["items"]
            for tag in tags:
                administrator.delete(f"/tags/{tag['id']}")
            administrator.delete(f"/connections/{each['id']}")
            for asset in {tag["asset"] for tag in tags}:
                place = administrator.get(f"/assets/{asset}")
                administrator.delete(f"/assets/{asset}")
                administrator.delete(f"/assets/{place['parent']}")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def paste(page: Page, text: str) -> None:
    """Paste into the first cell of the sheet."""
    page.locator('[data-row="0"][data-column="0"]').focus()
    page.evaluate(
        """text => { const clip = new DataTransfer(); clip.setData('text/plain', text);
           document.activeElement.dispatchEvent(new ClipboardEvent('paste',
             { clipboardData: clip, bubbles: true, cancelable: true })); }""",
        text,
    )


def field(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True).first


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_device_is_connected_step_by_step(
    tidied: list[str], open_page: Open, administrator: Person, chiller_port: int, language: Language
) -> None:
    words = WORDS[language]
    page = open_page("/connect/new", language, purpose="connector").page
    settled(page)
    name = f"Wizard {language}"
    tidied.append(name)
    page.locator("button.ms-protocol").filter(has_text="Modbus TCP").first.click()
    field(page, words["address"]).fill("127.0.0.1")
    field(page, words["port"]).fill(str(chiller_port))
    field(page, words["unit"]).fill("4")
    button(page, words["next"]).click()

    # The first check that fails is named, and what would cure it is offered.
    expect(page.locator('.ms-checks > li[data-ok="false"]')).to_have_count(1, timeout=LONG_MS)
    expect(page.get_by_text(words["stopped"]).last).to_be_visible()
    button(page, words["use"]).click()
    expect(page.get_by_text(words["passed"])).to_be_visible(timeout=LONG_MS)
    edges = page.locator(".ms-check-detail").evaluate_all("all => all.map(each => each.getBoundingClientRect().x)")
    assert len(set(edges)) == 1, "a check that took no time to tell stands in line with the others"
    button(page, words["next"]).click()

    head = "\t".join(("Name", "Register", "Table", "Type", "Unit", "Line", "Device", "HH"))
    device = f"Chiller {language}"
    lines = [
        "\t".join((f"{tag}_{language}", str(register), "input", kind, unit, f"Line {language}", device, "99999"))
        for tag, register, kind, unit in ROWS
    ]
    paste(page, "\n".join([head, *lines]))
    expect(page.locator(".ms-sheet-body")).to_have_count(3)
    button(page, words["next"]).click()

    # Back loses nothing.
    button(page, words["back"]).click()
    expect(page.locator(".ms-sheet-body")).to_have_count(3)
    button(page, words["next"]).click()
    field(page, words["rule"]).fill("demo/plant-1/{line}/{device}/{name}")
    page.get_by_label(words["create"]).check()
    button(page, words["check"]).click()
    expect(page.get_by_text(words["right"])).to_be_visible(timeout=LONG_MS)
    button(page, words["next"]).click()

    # Values are seen before anything is stored.
    field(page, words["name"]).fill(name)
    expect(page.get_by_text(words["well"])).to_be_visible(timeout=LONG_MS)
    assert administrator.get("/tags", search=f"supply_{language}")["items"] == []
    button(page, words["save"]).click()
    page.wait_for_url(re.compile(r"/connect/[0-9a-f-]{36}$"), timeout=LONG_MS)

    tags = [administrator.tag(f"{tag}_{language}") for tag, *_ in ROWS]
    assert tags[0]["path"] == f"demo/plant-1/line-{language}/chiller-{language}/supply_{language}"
    assert tags[0]["alarms"][0]["limit"] == 99_999
    eventually(lambda: _all_good(administrator, tags), PATIENCE_S, "the new tags live")
    cell = page.get_by_role("row").filter(has_text=f"supply_{language}")
    expect(cell).to_contain_text(re.compile(r"\d"), timeout=LONG_MS)


def _all_good(person: Person, tags: list[dict[str, Any]]) -> bool:
    current = person.current(*(tag["tag"] for tag in tags))
    return len(current) == len(tags) and all(each["quality"] >= GOOD for each in current.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sheet_with_bad_rows_is_imported_without_them_and_taken_back(
    open_page: Open, administrator: Person, tmp_path: Path, language: Language
) -> None:
    words = WORDS[language]
    rows = [["Name", "Asset", "Unit", "H"]]
    for number in range(40):
        rows.append([f"imp-{language}-{number:02}", "demo/plant-1/utilities/chiller-6", "Cel", "80"])
    for number in (3, 4, 5):
        rows[number][2] = "Cels"
    rows[10][1], rows[20][3] = "demo/plant-1/utilities/chiler-6", "high"
    file = tmp_path / "tags.xlsx"
    file.write_bytes(xlsx_file(rows))

    page = open_page("/connect/import", language, purpose="connector").page
    settled(page)
    with page.expect_file_chooser() as chooser:
        button(page, words["choose"]).click()
    chooser.value.set_files(file)
    button(page, words["dry"]).click()
    causes = page.locator(".ms-causes > li")
    expect(causes).to_have_count(3, timeout=LONG_MS)
    assert administrator.get("/tags", search=f"imp-{language}-")["total"] == 0

    # The suggestion is taken once for all; two other rows stay out.
    causes.filter(has_text="Cels").get_by_role("button", name=words["all"]).click()
    expect(causes).to_have_count(2, timeout=LONG_MS)
    with page.expect_download() as refused:
        button(page, words["refused"]).click()
    sheet = read_sheet(Path(refused.value.path()).read_bytes(), "refused.xlsx")
    assert [row[0] for row in sheet.rows] == [f"imp-{language}-09", f"imp-{language}-19"]
    assert "chiler-6" in sheet.rows[0][-1]
    button(page, words["load"]).click()
    expect(page.get_by_text(words["loaded"])).to_be_visible(timeout=LONG_MS)
    assert administrator.get("/tags", search=f"imp-{language}-")["total"] == 38

    button(page, words["undo"]).click()
    page.get_by_role("dialog").get_by_role("button", name=words["undo"]).click()
    expect(page.get_by_text(words["undone"])).to_be_visible(timeout=LONG_MS)
    assert administrator.get("/tags", search=f"imp-{language}-")["total"] == 0


@pytest.mark.parametrize(("language", "size"), [("en", PHONE), ("zh", DESKTOP)])
def test_assets_that_are_missing_are_made_where_the_check_misses_them(
    open_page: Open, administrator: Person, tmp_path: Path, language: Language, size: tuple[int, int]
) -> None:
    words = WORDS[language] | MISSING[language]
    place = f"demo/plant-1/utilities/new-{language}"
    file = tmp_path / "new.xlsx"
    file.write_bytes(xlsx_file([["Name", "Asset", "Unit", "Gain"], [f"made-{language}", place, "℃", ""]]))
    page = open_page("/connect/import", language, size=size, purpose="maker").page
    settled(page)
    with page.expect_file_chooser() as chooser:
        button(page, words["choose"]).click()
    chooser.value.set_files(file)
    # What is empty in all rows is out of the way until it is asked for.
    empty = button(page, words["empty"])
    expect(page.locator(".ms-import-field")).to_have_count(3)
    empty.click()
    expect(page.locator(".ms-import-field")).to_have_count(4)
    button(page, words["dry"]).click()
    page.locator(".ms-causes > li").get_by_role("button", name=words["make"]).click(timeout=LONG_MS)
    button(page, words["load"]).click(timeout=LONG_MS)
    expect(page.get_by_text(words["loaded"])).to_be_visible(timeout=LONG_MS)
    [made] = administrator.get("/tags", search=f"made-{language}")["items"]
    assert (made["path"], made["unit"]) == (f"{place}/made-{language}", "Cel")
    expect(page.get_by_role("link", name=words["to_tags"])).to_have_attribute("href", "/plant")
    administrator.delete(f"/tags/{made['id']}")
    administrator.delete(f"/assets/{made['asset']}")


@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("zh", PHONE)])
def test_a_long_import_stands_in_the_header_until_its_report_is_read(
    open_page: Open, demo: Platform, administrator: Person, tmp_path: Path, language: Language, size: tuple[int, int]
) -> None:
    words = TASKS[language]
    rows = [["Name", "Asset"], *([f"long-{language}-{n}", "demo/plant-1/utilities/chiller-6"] for n in range(30))]
    file = tmp_path / "long.xlsx"
    file.write_bytes(xlsx_file(rows))
    page = open_page("/connect/import", language, size=size, purpose="importer").page
    settled(page)
    with page.expect_file_chooser() as chooser:
        button(page, WORDS[language]["choose"]).click()
    chooser.value.set_files(file)
    button(page, words["check"]).click()
    expect(button(page, words["load"])).to_be_visible(timeout=LONG_MS)
    path = f"/imports/{page.url.rpartition('/')[2]}"

    # Its process stands still for longer than work that needs no task.
    children = demo.process.children(recursive=True)
    working = [each for each in children if "mainspring.web.import_process" in each.cmdline()]
    assert working
    for each in working:
        each.suspend()
    try:
        button(page, words["load"]).click()
        task = page.get_by_role("button", name=words["running"])
        expect(page.locator("progress")).to_be_visible()
        expect(task).to_be_hidden()
        page.goto(demo.url)
        expect(task).to_be_visible(timeout=LONG_MS)
        task.click()
        drawer = page.get_by_role("dialog")
        expect(drawer.get_by_role("progressbar")).to_be_visible()
        expect(drawer.get_by_role("button", name=words["cancel"])).to_be_visible()
    finally:
        for each in working:
            each.resume()
    expect(drawer.get_by_text(words["loaded"])).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_role("status").filter(has_text="long.xlsx")).to_be_attached()
    drawer.get_by_role("link", name="long.xlsx").click()
    expect(page.get_by_text(words["loaded"])).to_be_visible(timeout=LONG_MS)
    expect(page.locator(".ms-tasks")).to_have_count(0)
    administrator.post(f"{path}/undo", {})
    eventually(lambda: administrator.get(path)["stage"] == "undone", PATIENCE_S, "the undo")


def test_a_template_fills_in_a_device_and_the_draft_is_kept(open_page: Open, chiller_port: int) -> None:
    words = WORDS["en"]
    page = open_page("/connect/new", purpose="templates").page
    settled(page)
    page.locator("button.ms-protocol").filter(has_text="Chiller of the demo plant").click()
    page.get_by_label("Port").last.fill(str(chiller_port))
    button(page, words["template"]).click()
    expect(page.get_by_text(words["passed"])).to_be_visible(timeout=LONG_MS)
    button(page, words["next"]).click()
    expect(page.locator(".ms-sheet-body")).to_have_count(10)
    expect(page.locator('[data-row="0"][data-column="0"]')).to_have_value("supply_temperature")
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('ms-connect-'))")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_text(words["continued"])).to_be_visible()
    expect(page.locator(".ms-sheet-body")).to_have_count(10)
    button(page, words["discard"]).click()
    expect(page.locator("button.ms-protocol").first).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mapping_is_tried_on_a_message(open_page: Open, language: Language) -> None:
    words = WORDS[language]
    watched = open_page("/connect/new", language, purpose="mapper")
    # No device has sent anything, and the page says so: the gateway's refusal is part of the test.
    watched.allow("status of 50[23]")
    page = watched.page
    settled(page)
    page.locator("button.ms-protocol").filter(has_text="MQTT").first.click()
    for _ in range(2):
        button(page, words["next"]).click()
    field(page, words["topic"]).fill("plant/line-1/sensor-7")
    field(page, words["sample"]).fill('{"temperature": 21.5, "humidity": 48}')
    button(page, words["try"]).click()
    expect(page.get_by_text(words["found"])).to_be_visible()
    expect(page.get_by_role("cell", name="21.5")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_device_is_issued_once_and_revoked(open_page: Open, administrator: Person) -> None:
    page = open_page("/connect/devices", purpose="templates").page
    settled(page)
    page.get_by_role("button", name="Issue device").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Name").fill("sensor-7")
    drawer.get_by_role("button", name="Issue device").click()
    secret = page.locator(".ms-secret")
    expect(secret).to_be_visible()
    assert secret.inner_text() in page.locator(".ms-snippet").inner_text()
    made = administrator.get("/devices", search="sensor-7")["items"][0]
    assert made["publish"] == ["plant/sensor-7/#"]
    page.keyboard.press("Escape")
    page.get_by_role("row").filter(has_text="sensor-7").get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("sensor-7 revoked")).to_be_visible()
    assert administrator.get("/devices", search="sensor-7")["items"] == []
