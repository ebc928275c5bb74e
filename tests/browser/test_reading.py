"""What people read and look for first: sentences without their code, alarms where their asset is, an end to waiting."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Language, Open, asset_path, settled
from tests.e2e.platform import Person

CODE = re.compile(r"\{\w+[,}]")
"""A place or a choice by count that was not filled."""
PAGES = (
    "/", "/plant", "/alarms", "/alarms?tab=history", "/alarms?tab=performance", "/trend", "/connect", "/connect/new",
    "/connect/devices", "/connect/gateways", "/admin/users",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_sentence_shows_its_code(language: Language, open_page: Open) -> None:
    page = open_page("/", language).page
    origin = page.url.rstrip("/")
    for path in PAGES:
        page.goto(origin + path)
        settled(page)
        expect(page.locator("body")).not_to_contain_text(CODE)
    page.get_by_role("button", name="Signed in as" if language == "en" else "已登录").click()
    page.get_by_role("menuitem", name="Notifications" if language == "en" else "通知").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("#channel").click()
    page.locator(".ant-select-item-option").filter(has_text="Mail" if language == "en" else "邮件").first.click()
    gather = dialog.locator("#gather_s")
    expect(gather).to_be_visible()
    gather.click()
    expect(page.locator(".ant-select-dropdown").last).to_contain_text("at once" if language == "en" else "立即")
    expect(page.locator("body")).not_to_contain_text(CODE)


def test_an_alarm_is_defined_where_its_asset_is(administrator: Person, open_page: Open) -> None:
    page = open_page(asset_path(administrator, "Reactor") + "?tab=alarms").page
    defined = page.get_by_role("region", name="Defined alarms")
    expect(defined.get_by_role("listitem").filter(has_text="XMEAS_9").first).to_be_visible()
    expect(defined.get_by_role("listitem").filter(has_text="Machine 7")).to_have_count(0)
    defined.get_by_role("combobox", name="Add alarm to a tag").click()
    page.locator(".ant-select-item-option").filter(has_text="XMEAS_7").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Add alarm · XMEAS_7")


def test_a_trend_of_tags_that_are_gone_does_not_wait_for_ever(open_page: Open) -> None:
    page = open_page("/trend?tags=4000000000").page
    settled(page)
    expect(page.locator(".ms-trend-foot")).to_be_visible()
    expect(page.get_by_text("Reading history")).to_have_count(0)
