"""Samples of every kind as a person meets them: entered, corrected, in words, as text, as a waveform."""

from __future__ import annotations

import hashlib
import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import PHONE, Language, Open, asset_path, settled
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S

from mainspring.core.arrays import WAVEFORM, Waveform

STATES = {"0": {"en": "Off", "zh": "停机"}, "1": {"en": "Cutting", "zh": "切削中"}}
SAY: dict[Language, dict[str, str]] = {
    "en": {
        "list": "Samples of {}", "enter": "Enter value", "save": "Enter", "value": "Value in %", "done": "Entered",
        "correct": "Correct", "reason": "Reason", "corrections": "Corrections", "new": "Value", "comment": "Comment",
        "state": "Cutting", "by_hand": "entered by hand", "corrected": "corrected", "wave": "Waveform",
    },
    "zh": {
        "list": "{} 的采样值", "enter": "录入数值", "save": "录入", "value": "数值（%）", "done": "已录入",
        "correct": "修正", "reason": "原因", "corrections": "修正记录", "new": "数值", "comment": "备注",
        "state": "切削中", "by_hand": "人工录入", "corrected": "已修正", "wave": "波形",
    },
}  # fmt: skip


def upload(person: Person, content: bytes, media_type: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", person.port, timeout=PATIENCE_S)
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    headers = {"Cookie": cookies, "X-CSRFToken": person.cookies["csrftoken"], "Content-Type": media_type}
    connection.request("POST", "/api/v1/blobs", content, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    reference: str = json.loads(body)["reference"]
    return reference


@pytest.fixture(scope="module")
def laboratory(administrator: Person) -> dict[str, Any]:
    """A laboratory below the plant with a tag of each kind that nobody sends, and values in some."""
    above = next(each for each in administrator.get("/assets", search="Plant 1")["items"] if each["kind"] == "site")
    draft = {"parent": above["id"], "kind": "unit", "name": {"en": "Laboratory", "zh": "化验室"}, "slug": "laboratory"}
    unit = administrator.post("/assets", draft)["id"]
    tags: dict[str, Any] = {}
    drafts: dict[str, dict[str, Any]] = {
        "LAB_EN": {"unit": "%", "decimals": 2, "low": 0, "high": 100},
        "LAB_ZH": {"unit": "%", "decimals": 2, "low": 0, "high": 100},
        "LAB_STATE": {"kind": "enumeration", "words": STATES},
        "LAB_NOTE": {"kind": "text"},
        "LAB_COUNT": {"kind": "int64"},
        "LAB_WAVE": {"kind": "blob"},
    }
    for name, fields in drafts.items():
        tags[name] = administrator.post("/tags", {"name": name, "asset": unit, **fields})["tag"]
    values: dict[str, Any] = {"LAB_STATE": 1, "LAB_NOTE": "Batch 8 blue", "LAB_COUNT": str(2**60 + 1)}
    wave = Waveform(np.sin(np.arange(24_000) / 30), 12_000.0, "m/s2").encode()
    values["LAB_WAVE"] = upload(administrator, wave, WAVEFORM)
    assert hashlib.sha256(wave).hexdigest() in values["LAB_WAVE"]
    for name, value in values.items():
        administrator.post("/samples", {"tag": tags[name], "value": value})
    eventually(lambda: administrator.ask("GET", "/alarms").status == 200, PATIENCE_S, "the engine answers")
    entered = [tags[name] for name in values]
    eventually(
        lambda: all(each["flags"] & 1 for each in administrator.current(*entered).values()), PATIENCE_S, "all current"
    )
    return tags


def opened(page: Page, name: str, say: dict[str, str]) -> Any:
    """Open the samples of a tag from the asset's list."""
    page.get_by_role("button", name=say["list"].format(name)).click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text(say["list"].format(name))).to_be_visible()
    return drawer


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_value_is_entered_and_corrected(
    laboratory: dict[str, Any], administrator: Person, open_page: Open, language: Language
) -> None:
    say, name = SAY[language], f"LAB_{language.upper()}"
    page = open_page(asset_path(administrator, "Laboratory"), language).page
    settled(page)
    drawer = opened(page, name, say)
    drawer.get_by_role("button", name=say["enter"]).click()
    drawer.get_by_label(say["value"]).fill("93.25")
    drawer.get_by_label(say["comment"]).fill("sample 8")
    drawer.get_by_role("button", name=say["save"], exact=True).click()
    expect(page.get_by_text(say["done"], exact=True)).to_be_visible()
    grid = drawer.get_by_role("grid")
    row = grid.get_by_role("row").filter(has_text="93.25")
    expect(row).to_contain_text("✎")
    expect(row).to_contain_text(say["by_hand"])
    expect(drawer.locator(".ms-value").first).to_contain_text("✎")
    expect(drawer.locator(".ms-value").first).to_contain_text("93.25")

    row.get_by_role("button", name=say["correct"]).click()
    dialog = page.get_by_role("dialog").last
    dialog.get_by_label(say["new"], exact=True).fill("39.25")
    dialog.get_by_label(say["reason"]).fill("digits swapped")
    dialog.get_by_role("button", name=say["correct"]).click()
    corrected = grid.get_by_role("row").filter(has_text="39.25")
    expect(corrected).to_contain_text("≠")
    expect(corrected).to_contain_text(say["corrected"])
    expect(drawer.locator(".ms-value").first).to_contain_text("39.25")
    drawer.get_by_role("tab", name=say["corrections"]).click()
    told = drawer.get_by_role("table", name=say["corrections"]).get_by_role("row").nth(1)
    for text in ("93.25", "39.25", f"Li Wei {language}", "digits swapped"):
        expect(told).to_contain_text(text)


@pytest.mark.parametrize(("language", "size"), [("en", (1440, 900)), ("zh", PHONE)])
def test_states_texts_and_waveforms_are_shown_as_what_they_are(
    laboratory: dict[str, Any], administrator: Person, open_page: Open, language: Language, size: tuple[int, int]
) -> None:
    say = SAY[language]
    page = open_page(asset_path(administrator, "Laboratory"), language, size=size).page
    settled(page)
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="LAB_STATE")).to_contain_text(say["state"])
    expect(rows.filter(has_text="LAB_NOTE")).to_contain_text("Batch 8 blue")
    expect(rows.filter(has_text="LAB_COUNT")).to_contain_text(str(2**60 + 1))
    drawer = opened(page, "LAB_WAVE", say)
    wave = drawer.get_by_role("img", name=say["wave"])
    expect(wave.locator("canvas")).to_be_visible(timeout=180_000)
    expect(drawer).to_contain_text("12 kHz")


def test_a_text_and_a_state_stand_in_the_trend(laboratory: dict[str, Any], demo: Platform, open_page: Open) -> None:
    shown = f"{laboratory['LAB_STATE']},{laboratory['LAB_NOTE']},{laboratory['LAB_WAVE']}"
    page = open_page(f"/trend?tags={shown}&range=1h", "zh").page
    settled(page)
    lane = page.get_by_role("list", name="LAB_NOTE")
    lane.get_by_role("button").first.click()
    expect(page.get_by_role("tooltip")).to_contain_text("Batch 8 blue")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=SAY["zh"]["list"].format("LAB_STATE")).click()
    expect(page.get_by_role("dialog").get_by_role("grid")).to_contain_text("切削中")


def test_a_file_of_values_is_checked_and_entered(
    laboratory: dict[str, Any], administrator: Person, open_page: Open, tmp_path: Path
) -> None:
    path = administrator.tag("LAB_EN")["path"]
    file = tmp_path / "values.csv"
    file.write_text(f"path,time,value\n{path},2026-01-02 08:00,12.5\n{path},never,1\n", encoding="utf-8")
    page = open_page(asset_path(administrator, "Laboratory")).page
    settled(page)
    page.get_by_role("button", name="Enter from file").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(file)
    expect(dialog.get_by_text("1 rows can be entered, 1 are refused.")).to_be_visible()
    expect(dialog.get_by_role("table")).to_contain_text("3")
    dialog.get_by_role("button", name="Enter 1 values").click()
    expect(page.get_by_text("1 values entered")).to_be_visible()
    tag = laboratory["LAB_EN"]
    eventually(
        lambda: administrator.raw(tag, 1_767_000_000_000, 1_768_000_000_000)["value"] == [12.5], PATIENCE_S, "stored"
    )
