"""A company asks for an account on the sign-in page; the platform's administrator accepts one and refuses another."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, Theme, settled
from tests.browser.looks import cut, lengthen, looked_into, too_wide, violations
from tests.e2e.platform import Person


def opened(open_page: Open, path: str, *look: Any, **more: Any) -> Page:
    watched = open_page(path, *look, **more)
    watched.allow("status of 422")
    watched.page.emulate_media(reduced_motion="reduce")
    settled(watched.page)
    return watched.page


def asked(person: Person, **fields: str) -> str:
    """Ask as a company would; returns its name."""
    name = f"Works {uuid4().hex[:6]}"
    sent = {"company": name, "credit_code": "", "contact": "A. Sailor", "email": "", "phone": "+44 1", "notes": ""}
    person.post("/registration", sent | fields)
    return name


@pytest.mark.parametrize(
    ("language", "theme", "size"), [("en", "dark", DESKTOP), ("zh", "light", PHONE)], ids=["wide", "phone"]
)
def test_the_pages_are_whole_in_every_look(
    administrator: Person, open_page: Open, language: Language, theme: Theme, size: tuple[int, int]
) -> None:
    asked(administrator)
    faults: list[str] = []
    for path, signed_in in (("/register", False), ("/admin/registrations", True)):
        page = opened(open_page, path, language, theme, size, signed_in=signed_in)
        page.wait_for_timeout(500)
        found = too_wide(page) + cut(page) + violations(page)
        lengthen(page)
        faults += [f"{path}: {each}" for each in found + too_wide(page) + cut(page)]
        page.context.close()
    assert not faults, "\n".join(faults)


def test_a_company_asks_and_is_accepted(open_page: Open) -> None:
    name, key = f"东方精密 {uuid4().hex[:6]}", f"east-{uuid4().hex[:6]}"
    page = opened(open_page, "/", "zh", signed_in=False)
    page.get_by_role("link", name="申请开通企业账号").click()
    page.get_by_label("企业名称").fill(name)
    page.get_by_label("联系人").fill("陈静")
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("alert")).to_contain_text("邮箱或电话")
    looked_into(page)
    page.get_by_label("电话").fill("+86 592 555 0101")
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="申请已提交")).to_be_visible()
    looked_into(page)
    page.get_by_role("link", name="前往登录").click()
    expect(page.get_by_label("用户名")).to_be_visible()

    page = opened(open_page, "/admin/registrations")
    page.get_by_role("row").filter(has_text=name).click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("+86 592 555 0101")
    looked_into(page)
    drawer.get_by_role("button", name="Accept").click()
    expect(drawer).to_contain_text("陈静 is invited as its first administrator")
    drawer.get_by_label("Short name on this platform").fill("East!")
    drawer.get_by_role("button", name="Accept").click()
    expect(drawer.get_by_text("Small letters, digits and hyphens, a letter first.")).to_be_visible()
    looked_into(page)
    drawer.get_by_label("Short name on this platform").fill(key)
    drawer.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("dialog").filter(has_text="works once")).to_contain_text("/invitation#")
    page.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text(f"accepted as {key}")


def test_who_is_refused_and_left_no_mail_address_is_told_by_a_person(administrator: Person, open_page: Open) -> None:
    name = asked(administrator)
    page = opened(open_page, "/admin/registrations")
    page.get_by_role("row").filter(has_text=name).click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("button", name="Refuse").click()
    drawer.get_by_label("Reason").fill("No business with you yet.")
    looked_into(page)
    drawer.get_by_role("button", name="Refuse").click()
    expect(page.get_by_text("Tell A. Sailor yourself: +44 1")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("refused")
    # The audit says so in words.
    page.goto(page.url.replace("registrations", f"audit?search={name.replace(' ', '+')}"))
    expect(page.get_by_role("row").filter(has_text="request of a company").first).to_contain_text("waiting → refused")
