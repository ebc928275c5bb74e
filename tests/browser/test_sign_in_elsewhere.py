"""Sign-in at a certified OpenID Connect provider, by its button on the page of the company that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open
from tests.browser.looks import cut, too_wide, violations
from tests.e2e.platform import PROVIDER_SECRET, Person, Platform, provider_port
from tests.peers.oidc import peer
from tests.peers.oidc.peer import Client, Peer


@pytest.fixture(scope="module")
def provider(demo: Platform, administrator: Person) -> Iterator[Peer]:
    """The company `works`, and the provider at which its people sign in."""
    draft = {"key": "works", "name": {"en": "Works", "zh": "工厂"}, "zone": "Asia/Shanghai"}
    administrator.post("/tenants", draft)
    client = Client("works", PROVIDER_SECRET, f"{demo.url}/sign-in/works")
    with peer.running(provider_port(demo.port), [client]) as running:
        yield running


@pytest.mark.parametrize(
    ("language", "size", "name", "button", "menu"),
    [
        ("en", DESKTOP, "mei", "Sign in with Works account", "Signed in as"),
        ("zh", PHONE, "tan", "使用工厂账号登录", "已登录"),
    ],
)
def test_people_sign_in_at_their_company_s_provider(
    open_page: Open, provider: Peer, language: Language, size: tuple[int, int], name: str, button: str, menu: str
) -> None:
    watched = open_page("/?tenant=works", language, size=size, signed_in=False)
    watched.allow("status of 401")
    watched.allow(f"127.0.0.1:{provider.port}")
    page = watched.page
    page.get_by_role("button", name=button, exact=True).wait_for()
    assert too_wide(page) + cut(page) + violations(page) == []
    page.get_by_role("button", name=button, exact=True).click()
    expect(page).to_have_title("Works sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Sign in").click()
    account = page.get_by_role("button", name=menu)
    expect(account).to_be_visible()
    expect(account).to_have_accessible_name(re.compile(f"Person {name}$"))
    # Code and state stay in no history.
    assert page.url.endswith("/?tenant=works")
    page.reload()
    expect(account).to_be_visible()
