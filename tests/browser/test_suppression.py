"""Alarms of a group suppressed while a valve is shut, as a person sets it up and sees it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Language, Open, settled
from tests.e2e.device import PRESSURE, SETPOINT, wired
from tests.e2e.platform import Person

WAIT_MS = 180_000
WORDS = {
    "en": {
        "edit": "Edit", "asset": "Edit asset", "why": "Why, in English",
        "while": "All alarms here and below are suppressed while",
        "save": "Save", "tab": "Suppressed", "list": "Alarms suppressed by design", "active": "Active",
        "activeList": "Active alarms", "need": "Say why",
    },
    "zh": {
        "edit": "编辑", "asset": "编辑资产", "while": "此处及下级全部报警的抑制条件", "why": "原因（中文）",
        "save": "保存", "tab": "抑制", "list": "设计抑制的报警", "active": "活动",
        "activeList": "活动报警", "need": "请写明原因",
    },
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_group_is_silent_while_its_valve_is_shut(administrator: Person, open_page: Open, language: Language) -> None:
    t, name, reason = WORDS[language], f"抑制 {language}", f"Valve shut {language}"
    with wired(administrator, f"silent-{language}") as made:
        made.device.show(PRESSURE, 95)
        made.device.show(SETPOINT, 5)
        pressure = made.add(f"PS-{language}", PRESSURE, unit="kPa", low=0, high=100, scan_ms=200)
        made.add(f"VS-{language}", SETPOINT, unit="%", low=0, high=100, scan_ms=200)
        draft = {"tag_id": pressure["id"], "condition": "H", "limit": 80, "name": {"en": name, "zh": name}}
        alarm = administrator.post("/alarm-definitions", draft)
        watched = open_page(f"/plant/{made.asset['id']}", language)
        watched.allow("422")
        page = watched.page
        settled(page)
        page.get_by_role("button", name=t["edit"], exact=True).first.click()
        page.get_by_role("menuitem", name=t["asset"]).click()
        drawer = page.get_by_role("dialog").last
        field = drawer.get_by_role("textbox", name=t["while"])
        field.fill(f"VS-{language} < 10 kPa")
        drawer.get_by_role("button", name=t["save"]).click()
        expect(drawer.get_by_text(re.compile(t["need"])).first).to_be_visible(timeout=WAIT_MS)
        drawer.get_by_label(t["why"]).fill(reason)
        drawer.get_by_role("button", name=t["save"]).click()
        # The server says what is wrong beside the field: a percentage is no pressure.
        expect(drawer.locator(".ant-form-item-explain-error").first).to_be_visible(timeout=WAIT_MS)
        field.fill(f"VS-{language} < 10 %")
        drawer.get_by_role("button", name=t["save"]).click()
        expect(field).to_have_count(0, timeout=WAIT_MS)

        page.goto(f"{watched.origin}/alarms?tab=suppressed")
        row = page.get_by_role("grid", name=t["list"]).get_by_role("row").filter(has_text=name)
        expect(row).to_contain_text(reason, timeout=WAIT_MS)
        assert row.locator(".ms-struck").evaluate("each => getComputedStyle(each).textDecorationLine") == "line-through"
        made.device.show(SETPOINT, 50)
        expect(row).to_have_count(0, timeout=WAIT_MS)
        page.get_by_role("tab", name=re.compile(f"^{t['active']}")).click()
        back = page.get_by_role("grid", name=t["activeList"]).get_by_role("row").filter(has_text=name)
        expect(back).to_be_visible(timeout=WAIT_MS)
        made.device.show(PRESSURE, 20)
        administrator.delete(f"/alarm-definitions/{alarm['id']}")
        administrator.change(f"/assets/{made.asset['id']}", suppress_when="")
