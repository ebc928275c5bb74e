"""Sign-in with a second factor: an authenticator app set up by its secret, a passkey in a virtual device."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open
from tests.browser.looks import cut, too_wide, violations
from tests.e2e.platform import Person, Platform
from tests.web.authenticator import shown

PASSWORD: Final = "heron-kettle-93-moss"
WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "user": "User", "password": "Password", "in": "Sign in", "menu": "Signed in as", "account": "My account",
        "setup": "Set up", "shown": "Code the app shows", "kept": "I have kept them", "out": "Sign out",
        "code": "Code", "on": "Go on", "add": "Add a passkey", "name": "What you call it", "use": "Use a passkey",
        "alone": "Sign in with a passkey",
    },
    "zh": {
        "user": "用户名", "password": "密码", "in": "登录", "menu": "已登录", "account": "我的账号",
        "setup": "设置", "shown": "应用显示的验证码", "kept": "已妥善保存", "out": "退出",
        "code": "验证码", "on": "继续", "add": "添加通行密钥", "name": "名称", "use": "使用通行密钥",
        "alone": "使用通行密钥登录",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def newcomer(demo: Platform, administrator: Person) -> Callable[[str], str]:
    """Make a person with a password of their own; returns the name."""

    def made(name: str) -> str:
        first = administrator.post("/users", {"username": name, "role": "viewer"})["initial_password"]
        person = Person(demo.port)
        assert person.sign_in(name, first).status == 200
        person.post("/session/password", {"old": first, "new": PASSWORD})
        return name

    return made


def sign_in(page: Page, words: dict[str, str], name: str) -> None:
    page.get_by_label(words["user"], exact=True).fill(name)
    page.get_by_label(words["password"], exact=True).fill(PASSWORD)
    page.get_by_role("button", name=words["in"], exact=True).click()


def choose(page: Page, words: dict[str, str], item: str) -> None:
    page.get_by_role("button", name=words["menu"]).click()
    page.get_by_role("menuitem", name=words[item], exact=True).click()


@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("zh", PHONE)])
def test_an_authenticator_app_is_set_up_and_asked_for(
    open_page: Open, newcomer: Callable[[str], str], language: Language, size: tuple[int, int]
) -> None:
    words, name = WORDS[language], newcomer(f"app-{language}")
    watched = open_page("/", language, size=size, signed_in=False)
    watched.allow("status of 401")
    page = watched.page
    sign_in(page, words, name)
    choose(page, words, "account")
    expect(page.get_by_role("heading", name=words["account"])).to_be_visible()
    page.get_by_role("button", name=words["setup"], exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".ms-qr")).to_be_visible()
    secret = dialog.locator(".ms-code").inner_text().strip()
    dialog.get_by_label(words["shown"]).fill(shown(secret))
    dialog.get_by_role("button", name=words["setup"], exact=True).click()
    codes = page.locator(".ms-recovery").inner_text().split()
    assert len(codes) == 10
    page.get_by_role("button", name=words["kept"]).click()
    for proof in (shown(secret, 1), codes[0]):
        choose(page, words, "out")
        sign_in(page, words, name)
        page.get_by_label(words["code"], exact=True).fill("000000")
        page.get_by_role("button", name=words["on"], exact=True).click()
        expect(page.get_by_role("main").get_by_role("alert")).to_be_visible()
        page.get_by_label(words["code"], exact=True).fill(proof)
        page.get_by_role("button", name=words["on"], exact=True).click()
        expect(page.get_by_role("button", name=words["menu"])).to_be_visible()


def virtual_key(page: Page) -> None:
    """Give the browser a device that holds passkeys, with someone always touching it."""
    devices: Any = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": device})


@pytest.mark.parametrize(("language", "size"), [("zh", DESKTOP), ("en", PHONE)])
def test_a_passkey_is_made_and_used_beside_a_password_and_alone(
    open_page: Open, newcomer: Callable[[str], str], language: Language, size: tuple[int, int]
) -> None:
    words, name = WORDS[language], newcomer(f"key-{language}")
    # Passkeys belong to a host name.
    watched = open_page("/", language, size=size, signed_in=False, host="localhost")
    watched.allow("status of 401")
    page = watched.page
    virtual_key(page)
    sign_in(page, words, name)
    choose(page, words, "account")
    page.get_by_role("button", name=words["add"], exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(words["name"]).fill("Phone")
    dialog.get_by_role("button", name=words["add"], exact=True).click()
    page.get_by_role("button", name=words["kept"]).click()
    expect(page.get_by_text("Phone", exact=True)).to_be_visible()
    choose(page, words, "out")
    sign_in(page, words, name)
    page.get_by_role("button", name=words["use"], exact=True).click()
    expect(page.get_by_role("button", name=words["menu"])).to_be_visible()
    # The same one without name and password: the device has verified who it is.
    choose(page, words, "out")
    page.get_by_role("button", name=words["alone"], exact=True).wait_for()
    assert too_wide(page) + cut(page) + violations(page) == []
    page.get_by_role("button", name=words["alone"], exact=True).click()
    expect(page.get_by_role("button", name=words["menu"])).to_have_accessible_name(re.compile(f"{name}$"))
