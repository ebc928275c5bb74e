"""An administrator invites, the invited come in with a name and password of their own, and their session is ended."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.browser.conftest import Open, settled
from tests.e2e.platform import Person

PASSWORD = "heron kettle 93 moss"


def test_someone_is_invited_comes_in_and_is_signed_out_by_the_administrator(
    administrator: Person, open_page: Open
) -> None:
    page = open_page("/admin/users").page
    settled(page)
    page.get_by_role("button", name="Invite", exact=True).click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Name", exact=True).fill("Chen Jie")
    drawer.get_by_role("button", name="Save").click()
    secret = page.locator(".ms-secret")
    expect(secret).to_contain_text("/invitation#ms_")
    link = secret.inner_text().strip()
    page.get_by_role("button", name="Close", exact=True).last.click()
    expect(page.get_by_role("region", name="Open invitations")).to_contain_text("Chen Jie")

    watched = open_page(re.sub(r"^https?://[^/]+", "", link), signed_in=False)
    watched.allow("status of 4(01|22)")
    guest = watched.page
    expect(guest.get_by_role("heading", name="You are invited")).to_be_visible()
    assert "#" not in guest.url, "the secret stays in no history"
    guest.get_by_label("User").fill("chen jie")
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_role("button", name="Make my account").click()
    expect(guest.locator(".ant-form-item-explain")).not_to_be_empty()
    guest.get_by_label("User").fill("chen.jie")
    guest.get_by_role("button", name="Make my account").click()
    expect(guest.get_by_role("status")).to_contain_text("chen.jie")
    guest.get_by_role("button", name="To sign-in").click()
    guest.get_by_label("User").fill("chen.jie")
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_role("button", name="Sign in").click()
    expect(guest.get_by_role("navigation").first).to_be_visible()

    page.reload()
    settled(page)
    expect(page.get_by_role("grid").get_by_text("chen.jie")).to_be_visible()
    expect(page.get_by_role("region", name="Open invitations")).to_have_count(0)
    page.get_by_role("button", name="More for chen.jie").click()
    page.get_by_role("menuitem", name="Sessions").click()
    sessions = page.get_by_role("dialog", name="Sessions of chen.jie")
    expect(sessions).to_contain_text("Chrome")
    sessions.get_by_role("button", name=re.compile("End the session")).click()
    expect(sessions).to_contain_text("Not signed in anywhere.")
    guest.reload()
    expect(guest.get_by_role("button", name="Sign in")).to_be_visible()

    gone = open_page(re.sub(r"^https?://[^/]+", "", link), signed_in=False)
    gone.allow("status of 404")
    expect(gone.page.get_by_role("heading", name="This invitation does not hold")).to_be_visible()
    made = administrator.get("/users", search="chen.jie")["items"][0]
    administrator.delete(f"/users/{made['id']}")
