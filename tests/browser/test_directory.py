"""Provisioning is turned on and off: the token is shown once, with all that the directory is told."""

from __future__ import annotations

import httpx
from playwright.sync_api import expect
from tests.browser.conftest import PHONE, Open, settled
from tests.browser.looks import looked_into
from tests.waiting import PATIENCE_S


def asked(address: str, token: str) -> int:
    return httpx.get(f"{address}/Users", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S).status_code


def test_a_directory_gets_a_token_uses_it_and_loses_it(open_page: Open) -> None:
    page = open_page("/admin/users").page
    settled(page)
    page.get_by_role("tab", name="Directory").click()
    state = page.get_by_role("status").filter(has_text="directory manages")
    expect(state).to_be_visible()
    looked_into(page)
    page.get_by_label("Which directory").fill("Keycloak")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("status").filter(has_text="On:")).to_be_visible()
    token = page.get_by_role("alert").locator(".ms-code").inner_text().strip()
    address = page.locator("dd .ms-breaks").inner_text().strip()
    assert address.endswith("/scim/v2")
    looked_into(page)
    assert asked(address, token) == 200

    other = open_page("/admin/provisioning", "zh", "dark", PHONE).page
    settled(other)
    line = other.get_by_role("listitem").filter(has_text="Keycloak")
    expect(line).to_contain_text("最近使用")
    expect(line).not_to_contain_text("从未")
    assert token not in other.content()
    looked_into(other)

    page.get_by_role("listitem").filter(has_text="Keycloak").get_by_role("button", name="Revoke").click()
    page.get_by_role("tooltip").get_by_role("button", name="Revoke").click()
    expect(state).to_be_visible()
    assert asked(address, token) == 401
