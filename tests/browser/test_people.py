"""Users with a one-time password, the list of connections, language and theme."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from tests.browser.conftest import Open, settled
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S


def test_a_new_user_gets_a_password_once_and_changes_it(demo: Platform, administrator: Person, open_page: Open) -> None:
    page = open_page("/admin/users").page
    settled(page)
    page.get_by_role("button", name="Add user").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("User name").fill("zhang.min")
    drawer.get_by_label("Name shown").fill("Zhang Min")
    drawer.get_by_role("button", name="Save").click()
    secret = page.locator(".ms-secret")
    expect(secret).to_be_visible()
    password = secret.inner_text().strip()
    page.get_by_role("button", name="Close", exact=True).last.click()
    expect(page.get_by_role("grid").get_by_text("zhang.min")).to_be_visible()

    watched = open_page("/", signed_in=False)
    watched.allow("status of 401")
    fresh = watched.page
    for leave in (True, False):
        fresh.get_by_label("User").fill("zhang.min")
        fresh.get_by_label("Password", exact=True).fill(password)
        fresh.get_by_role("button", name="Sign in", exact=True).click()
        expect(fresh.get_by_role("heading", name="Set your own password")).to_be_visible()
        if leave:
            fresh.get_by_role("button", name="Sign out").click()
    fresh.get_by_label("Present password").fill(password)
    fresh.get_by_label("New password", exact=True).fill("a password of my own")
    fresh.get_by_label("New password again").fill("a password of my own")
    fresh.get_by_role("button", name="Change password").click()
    expect(fresh.get_by_role("navigation").first).to_be_visible()
    fresh.goto(f"{demo.url}/admin/users")
    expect(fresh.get_by_text("This page needs the role Administrator")).to_be_visible()
    made = administrator.get("/users", search="zhang.min")["items"][0]
    administrator.delete(f"/users/{made['id']}")


def test_connections_are_listed_with_their_health(open_page: Open) -> None:
    page = open_page("/connect").page
    settled(page)
    grid = page.get_by_role("grid", name="Connections")
    for name, protocol in (("Chiller 6", "Modbus TCP"), ("Tennessee Eastman", "OPC UA")):
        row = grid.get_by_role("row").filter(has_text=name)
        expect(row).to_contain_text("connected")
        expect(row).to_contain_text(protocol)
        expect(row).to_contain_text("127.0.0.1")
    grid.get_by_role("row").filter(has_text="Chiller 6").click()
    expect(page.get_by_role("heading", name="Chiller 6")).to_be_visible()


def test_language_and_theme_are_switched_and_kept(open_page: Open, sign_in_as: Callable[..., Person]) -> None:
    page = open_page("/connect", purpose="switcher").page
    settled(page)
    background = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(background) == "rgb(233, 236, 239)"
    # Two choices in one breath: none undoes the other.
    page.get_by_role("button", name="Language: switch to Chinese").click()
    page.get_by_role("button", name="切换到深色主题").click()
    expect(page.get_by_role("heading", name="连接")).to_be_visible()
    page.wait_for_function(f"{background} === 'rgb(21, 24, 28)'")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"

    def kept() -> bool:
        user = sign_in_as("en", "light", "switcher").get("/session")["user"]
        return (user["language"], user["theme"]) == ("zh", "dark")

    eventually(kept, PATIENCE_S, "both choices kept")
    page.reload()
    expect(page.get_by_role("heading", name="连接")).to_be_visible()
    assert page.evaluate(background) == "rgb(21, 24, 28)"
