"""The door: wrong password in words, signing in and out by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Language, Open
from tests.e2e.platform import Person, Platform


def test_a_wrong_password_is_said_and_the_right_one_opens(demo: Platform, open_page: Open) -> None:
    watched = open_page("/alarms", signed_in=False)
    watched.allow("status of 401")
    page = watched.page
    expect(page.get_by_role("heading", name="Demo plant")).to_be_visible()
    expect(page.get_by_label("User")).to_be_focused()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("password")
    page.get_by_label("Password", exact=True).fill(demo.password)
    page.keyboard.press("Enter")
    # The page asked for first is the page that opens.
    expect(page.get_by_role("heading", name="Alarms")).to_be_visible()
    page.get_by_role("button", name="Signed in as").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("User")).to_be_visible()


def test_the_door_speaks_chinese(open_page: Open) -> None:
    watched = open_page("/", "zh", signed_in=False)
    watched.allow("status of 401")
    page = watched.page
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    page.get_by_label("用户名").fill("nobody")
    page.get_by_label("密码", exact=True).fill("wrong")
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert")).to_contain_text("密码")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


@pytest.fixture(scope="module")
def north(administrator: Person) -> str:
    """Another company on the platform; returns the first password of its administrator."""
    draft = {"key": "north", "name": {"en": "North Works", "zh": "北方工厂"}, "zone": "Asia/Shanghai"}
    return str(administrator.post("/tenants", draft)["initial_password"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_someone_of_another_company_names_it(open_page: Open, north: str, language: Language) -> None:
    words = {"en": ("Company", "User", "Set your own password"), "zh": ("企业", "用户名", "设置您的密码")}[language]
    # Typed by one; for the other it stands in the address, and no other company above the form.
    watched = open_page("/" if language == "en" else "/?tenant=north", language, signed_in=False)
    watched.allow("status of 401")
    page = watched.page
    company = page.get_by_label(words[0], exact=True)
    expect(company).to_be_visible()
    expect(company).to_have_value("" if language == "en" else "north")
    expect(page.get_by_label(words[1], exact=True)).to_be_focused()
    if language == "en":
        # Without its company the name is that of someone else.
        page.keyboard.type("admin")
        page.keyboard.press("Tab")
        page.keyboard.type(north)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("password")
        company.fill("north")
    else:
        expect(page.get_by_role("heading", level=1)).to_have_text("north")
        page.keyboard.type("admin")
        page.keyboard.press("Tab")
        page.keyboard.type(north)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=words[2])).to_be_visible()
    expect(page.get_by_text("North Works" if language == "en" else "北方工厂")).to_be_visible()
