"""Business records in the page: lists, forms in both languages, two people on one record, states and history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, Theme, settled
from tests.browser.looks import cut, lengthen, looked_into, too_wide, violations
from tests.e2e.platform import Person

COUNT: Final = 230
SORTS: Final = ("raw", "part", "product")
ITEMS: Final = "/records/item"


@pytest.fixture(scope="module")
def items(administrator: Person) -> Iterator[list[dict[str, Any]]]:
    """More items than a page of the list holds, told apart by their numbers, kinds and weights."""
    others = {each["id"] for each in administrator.get(ITEMS, limit=1000)["items"]}
    made = [
        administrator.post(
            ITEMS,
            {
                "number": f"BQ-{number:03}", "name": {"en": f"Bearing {number}", "zh": f"轴承 {number}"},
                "sort": SORTS[number % 3], "weight": number / 8, "size": "6204-2RS",
            },
        )
        for number in range(COUNT)
    ]  # fmt: skip
    yield made
    for each in administrator.get(ITEMS, limit=1000)["items"]:
        if each["id"] in others:
            continue
        if each["state"] == "released":
            administrator.post(f"{ITEMS}/{each['id']}/moves/revise", {"version": each["version"]})
        administrator.delete(f"{ITEMS}/{each['id']}")


def opened(open_page: Open, path: str, *look: Any, **more: Any) -> Page:
    watched = open_page(path, *look, **more)
    watched.allow("status of (409|422)")
    watched.page.emulate_media(reduced_motion="reduce")
    settled(watched.page)
    return watched.page


def rows(page: Page) -> Locator:
    return page.get_by_role("grid").get_by_role("row").filter(has=page.get_by_role("gridcell"))


@pytest.mark.parametrize(
    ("language", "theme", "size"), [("en", "dark", DESKTOP), ("zh", "light", PHONE)], ids=["wide", "phone"]
)
def test_pages_of_records_are_whole_in_every_look(
    open_page: Open, items: list[dict[str, Any]], language: Language, theme: Theme, size: tuple[int, int]
) -> None:
    one = f"/records/item/{items[0]['id']}"
    faults: list[str] = []
    for path in ("/apps", "/records/item", "/records/item?search=nothing+there", one, f"{one}?tab=history",
                 f"{one}?tab=related", "/records/nothing", "/records/item/import"):  # fmt: skip
        watched = open_page(path, language, theme, size)
        watched.allow("status of 404")
        page = watched.page
        settled(page)
        page.wait_for_timeout(300)
        found = too_wide(page) + cut(page) + violations(page)
        lengthen(page)
        faults += [f"{path}: {each}" for each in found + too_wide(page) + cut(page)]
        page.context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_record_is_entered_with_faults_beside_their_fields(
    administrator: Person, open_page: Open, items: list[dict[str, Any]], language: Language
) -> None:
    said = {
        "en": (
            "New",
            "Number",
            "Name in English",
            "Weight of one",
            "Save",
            "At least 0 kg",
            "already",
            "Kind",
            "Spare",
        ),
        "zh": ("新建", "物料编码", "中文名称", "单重", "保存", "不小于 0 kg", "已有", "类别", "备件"),
    }[language]
    new, number, name, weight, save, at_least, already, sort, spare = said
    page = opened(open_page, "/records/item", language)
    page.get_by_role("button", name=new, exact=True).click()
    form = page.get_by_role("dialog")
    looked_into(page)
    # What is missing is told before anything is sent; what is wrong when its field is left.
    form.get_by_role("button", name=save, exact=True).click()
    expect(form.locator(".ant-form-item-explain-error")).to_have_count(2)
    form.get_by_label(weight, exact=True).fill("-1")
    form.get_by_label(name, exact=True).fill("Müller 轴承 & <b>")
    expect(form.get_by_text(at_least)).to_be_visible()
    form.get_by_label(weight, exact=True).fill("1.25")
    form.get_by_label(number, exact=True).fill("BQ-001")
    form.get_by_label(sort, exact=True).click()
    page.get_by_title(spare, exact=False).last.click()
    page.keyboard.press("Control+Enter")
    # What only the server knows stands beside its field, too, and nothing typed is lost.
    expect(form.locator(".ant-form-item-explain-error")).to_contain_text(already)
    expect(form.get_by_label(weight, exact=True)).to_have_value("1.25")
    looked_into(page)
    page.keyboard.press("Escape")
    asked = page.get_by_role("dialog").nth(1)
    asked.get_by_role("button").first.click()
    expect(asked).to_have_count(0)
    form.get_by_label(number, exact=True).fill(f"NEW-{language}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=1, name=f"NEW-{language} A")).to_be_visible()
    (stored,) = administrator.get(ITEMS, search=f"new-{language}")["items"]
    assert (stored["weight"], stored["sort"], stored["name"][language]) == (1.25, "spare", "Müller 轴承 & <b>")


def test_two_people_on_one_record_choose_field_by_field(
    administrator: Person, open_page: Open, items: list[dict[str, Any]]
) -> None:
    one = f"{ITEMS}/{items[5]['id']}"
    page = opened(open_page, f"/records/item/{items[5]['id']}")
    page.keyboard.press("e")
    form = page.get_by_role("dialog").filter(has_text="Edit")
    form.get_by_label("Size", exact=True).fill("mine")
    form.get_by_label("Name in English", exact=True).fill("Mine")
    other = opened(open_page, f"/records/item/{items[5]['id']}", purpose="other")
    other.keyboard.press("e")
    theirs = other.get_by_role("dialog").filter(has_text="Edit")
    theirs.get_by_label("Size", exact=True).fill("theirs")
    theirs.get_by_label("Name in English", exact=True).fill("Theirs")
    theirs.get_by_label("Kind", exact=True).click()
    other.get_by_title("Tool", exact=True).last.click()
    other.keyboard.press("Control+s")
    expect(theirs).to_have_count(0)
    form.get_by_role("button", name="Save", exact=True).click()
    # Whatever part of the form is in sight, it is seen.
    expect(form.get_by_text("Someone else changed this in the meantime")).to_be_in_viewport()
    looked_into(page)
    # Both versions are in words; what only they changed is taken over.
    expect(form.get_by_text("Kind is now: Tool")).to_be_visible()
    expect(form.get_by_text("was 6204-2RS")).to_be_visible()
    whose = form.get_by_role("radiogroup", name="Whose Size holds")
    expect(whose.get_by_role("radio", name="Theirs: theirs")).to_be_visible()
    whose.get_by_role("radio", name=re.compile("^Theirs")).check()
    expect(form.get_by_label("Size", exact=True)).to_have_value("theirs")
    expect(form.get_by_label("Name in English", exact=True)).to_have_value("Mine")
    assert administrator.get(one)["name"]["en"] == "Theirs", "nothing is overwritten before it was seen"
    form.get_by_role("button", name="Save", exact=True).click()
    expect(form).to_have_count(0)
    stored = administrator.get(one)
    assert (stored["size"], stored["name"]["en"], stored["sort"]) == ("theirs", "Mine", "tool")


def test_a_list_is_filtered_sorted_and_read_to_its_end(open_page: Open, items: list[dict[str, Any]]) -> None:
    page = opened(open_page, "/records/item?sort=number&search=BQ-")
    grid = page.get_by_role("grid")
    expect(page.get_by_role("status").filter(has_text=f"{COUNT} records")).to_be_visible()
    expect(rows(page).first).to_contain_text("BQ-000")
    # Pages follow one another as the reader comes near their end; only the rows in sight are in the document.
    grid.focus()
    last = rows(page).filter(has_text=f"BQ-{COUNT - 1:03}")
    for _ in range(20):
        page.keyboard.press("End")
        page.wait_for_timeout(200)
        if last.count():
            break
    expect(last).to_be_visible()
    assert rows(page).count() <= 60
    page.get_by_role("button", name="Number").click()
    expect(page.get_by_role("columnheader", name="Number")).to_have_attribute("aria-sort", "descending")

    page.get_by_role("button", name="Add filter").click()
    layer = page.get_by_role("dialog")
    layer.get_by_label("Field", exact=True).click()
    page.get_by_title("Weight of one").last.click()
    layer.get_by_label("Comparison", exact=True).click()
    page.get_by_title("at least").last.click()
    layer.get_by_label("Weight of one", exact=True).fill("28")
    looked_into(page)
    layer.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status").filter(has_text="6 records")).to_be_visible()
    looked_into(page)
    # The address is the list: it opens the same way again, and Back takes the last condition away.
    assert "where=weight+ge+28" in page.url
    page.reload()
    expect(page.get_by_role("status").filter(has_text="6 records")).to_be_visible()
    expect(page.get_by_role("button", name="Weight of one: at least 28 kg", exact=True)).to_be_visible()
    rows(page).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("BQ-2")
    page.get_by_role("link", name="Items", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="6 records")).to_be_visible()
    page.get_by_role("button", name="Take away: Weight of one: at least 28 kg").click()
    expect(page.get_by_role("status").filter(has_text=f"{COUNT} records")).to_be_visible()
    page.get_by_label("Search in Items").fill("no such thing")
    expect(page.get_by_text(re.compile(r"0 of \d+ match"))).to_be_visible()
    page.get_by_role("button", name="Clear filter").click()
    expect(rows(page).first).to_be_visible()


def test_states_have_buttons_and_the_history_tells_what_was_done(open_page: Open, items: list[dict[str, Any]]) -> None:
    page = opened(open_page, f"/records/item/{items[7]['id']}")
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("In the state Released fields do not change.")).to_be_visible()
    expect(page.get_by_role("button", name="Edit", exact=True)).to_be_disabled()
    page.get_by_role("tab", name="History").click()
    entry = page.locator(".ms-history > li").first
    expect(entry).to_contain_text("Draft")
    expect(entry).to_contain_text("Released")
    page.get_by_role("button", name="Revise").click()
    expect(page.get_by_role("button", name="Edit", exact=True)).to_be_enabled()


def test_several_rows_are_changed_at_once_and_refusals_are_named(
    administrator: Person, open_page: Open, items: list[dict[str, Any]]
) -> None:
    page = opened(open_page, "/records/item?sort=number&search=BQ-10")
    for number in (100, 101, 102):
        page.get_by_role("checkbox", name=f"BQ-{number}").check()
    fixed = items[101]["id"]
    version = administrator.get(f"{ITEMS}/{fixed}")["version"]
    administrator.post(f"{ITEMS}/{fixed}/moves/release", {"version": version})
    page.get_by_role("button", name="Change a field").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Field", exact=True).click()
    page.get_by_title("Size").last.click()
    dialog.get_by_label("New value", exact=True).fill("all alike")
    looked_into(page)
    dialog.get_by_role("button", name="Apply").click()
    # All or none: the refused one is named, and nothing is done before the others are asked for.
    told = page.get_by_role("dialog").filter(has_text="1 of 3 refused")
    expect(told).to_contain_text("BQ-101")

    def sizes() -> list[str]:
        found = administrator.get(ITEMS, search="bq-10", sort="number")["items"][:4]
        return [each["size"] for each in found]

    assert sizes() == ["6204-2RS"] * 4
    told.get_by_role("button", name="Do the other 2").click()
    expect(page.get_by_text("2 records changed")).to_be_visible()
    assert sizes() == ["all alike", "6204-2RS", "all alike", "6204-2RS"]


def test_what_was_done_is_undone_said_and_attached(
    administrator: Person, open_page: Open, items: list[dict[str, Any]], tmp_path: Path
) -> None:
    one = f"{ITEMS}/{items[9]['id']}"
    administrator.change(one, size="wrong")
    page = opened(open_page, f"/records/item/{items[9]['id']}?tab=history")
    entry = page.locator(".ms-history > li").first
    expect(entry).to_contain_text("wrong")
    entry.get_by_role("button", name="Undo").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(page.locator(".ms-history > li")).to_have_count(3)
    assert administrator.get(one)["size"] == "6204-2RS"

    page.get_by_role("tab", name="Comments").click()
    page.get_by_label("Comment", exact=True).fill("<b>loud</b>\nsecond line")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("tabpanel").get_by_role("listitem").filter(has_text="<b>loud</b>")).to_be_visible()
    looked_into(page)
    page.get_by_role("tab", name="Files").click()
    file = tmp_path / "drawing 1.txt"
    file.write_text("bearing", encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add file").click()
    chooser.value.set_files(file)
    with page.expect_download() as download:
        page.get_by_role("link", name="drawing 1.txt").click()
    assert download.value.path().read_text(encoding="utf-8") == "bearing"
    looked_into(page)


def test_a_list_is_kept_as_a_view(open_page: Open, items: list[dict[str, Any]]) -> None:
    page = opened(open_page, "/records/item?sort=-weight&search=BQ-2&columns=number,weight")
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Heavy ones")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    view = page.get_by_role("button", name="Heavy ones", exact=True)
    expect(view).to_have_attribute("aria-pressed", "true")
    page.get_by_role("group", name="Saved views").get_by_role("button", name="All", exact=True).click()
    expect(page.get_by_role("columnheader", name="Revision")).to_be_visible()
    view.click()
    expect(page.get_by_role("columnheader", name="Revision")).to_have_count(0)
    expect(page.get_by_role("columnheader", name="Weight of one")).to_have_attribute("aria-sort", "descending")
    expect(rows(page).first).to_contain_text("BQ-229")


def test_lists_of_every_day_are_pinned(open_page: Open, items: list[dict[str, Any]]) -> None:
    page = opened(open_page, "/apps")
    page.get_by_role("button", name="Pin Items", exact=True).click()
    pinned = page.locator("section").filter(has=page.get_by_role("heading", name="Pinned"))
    expect(pinned.get_by_role("link", name="Items", exact=True)).to_be_visible()
    page.reload()
    pinned.get_by_role("link", name="Items", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Items")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Apps")).to_have_attribute(
        "aria-current", "page"
    )


SHEET: Final = {
    "en": {
        "head": ["Number", "Revision", "Name in English", "Kind", "Weight of one"], "sort": "Part",
        "file": "Choose a file",
        "check": "Check 6 rows", "load": "Load 4, leave out 2", "refused": "Download refused rows (CSV)",
        "loaded": "3 created, 1 changed, 0 unchanged, 2 left out",
    },
    "zh": {
        "head": ["物料编码", "版本", "中文名称", "类别", "单重"], "sort": "零部件", "file": "选择文件",
        "check": "预检 6 行", "load": "载入 4 行，略过 2 行", "refused": "下载拒收行（CSV）", "loaded": "新增 3 ",
    },
}  # fmt: skip


@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("zh", PHONE)], ids=["wide", "phone"])
def test_a_sheet_with_errors_is_tried_and_its_good_rows_are_loaded(
    administrator: Person, open_page: Open, items: list[dict[str, Any]], tmp_path: Path, language: Language,
    size: tuple[int, int],
) -> None:  # fmt: skip
    said: dict[str, Any] = SHEET[language]
    known = f"BQ-{40 if language == 'en' else 41:03}"
    cells = [[f"SH-{language}-{number}", "A", f"轴承 {number}", said["sort"], "1.5"] for number in range(5)]
    cells[1][4], cells[3][3] = "-2", "unheard of"
    file = tmp_path / "items.csv"
    lines = [said["head"], *cells, [known, "A", "Changed by a sheet", said["sort"], "7"]]
    file.write_text("".join(f"{','.join(line)}\n" for line in lines), encoding="utf-8-sig")
    page = opened(open_page, "/records/item/import", language, size=size)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=said["file"], exact=True).click()
    chooser.value.set_files(file)
    page.get_by_role("button", name=said["check"], exact=True).click()
    causes = page.locator(".ms-causes > li")
    expect(causes).to_have_count(2)
    # Each fault is told by its row, and nothing is written yet.
    causes.filter(has_text="-2").get_by_role("button").first.click()
    expect(causes.filter(has_text="-2").get_by_role("row").last).to_contain_text("3")
    looked_into(page)
    assert administrator.get(ITEMS, search=f"sh-{language}-")["total"] == 0
    with page.expect_download() as refused:
        page.get_by_role("button", name=said["refused"], exact=True).click()
    left = refused.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in left[1:]] == [f"SH-{language}-1", f"SH-{language}-3"]
    page.get_by_role("button", name=said["load"], exact=True).click()
    expect(page.get_by_role("status").filter(has_text=said["loaded"])).to_be_visible()
    looked_into(page)
    assert administrator.get(ITEMS, search=f"sh-{language}-")["total"] == 3
    assert administrator.get(ITEMS, search=known)["items"][0]["weight"] == 7


def test_labels_are_printed_with_a_code_that_leads_to_the_record(open_page: Open, items: list[dict[str, Any]]) -> None:
    page = opened(open_page, f"/records/item/{items[0]['id']}", "zh")
    page.get_by_role("button", name="的更多操作").click()
    page.get_by_role("menuitem", name="打印标签").hover()
    with page.context.expect_page() as printed:
        page.get_by_role("menuitem").filter(has_text="A4").first.click()
    sheet = printed.value
    expect(sheet.get_by_role("heading", name="BQ-000")).to_be_visible()
    assert sheet.locator("article svg").count() == 1
    assert sheet.locator("html").get_attribute("lang") == "zh"
