"""The door: wrong password in words, signing in and out by keyboard."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.browser.conftest import Open
from tests.e2e.platform import Platform


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
