"""A person's own subscriptions: what is possible, what is refused, and an alarm that the browser shows."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Language, Open, settled
from tests.e2e.platform import Person, eventually

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "notices": "Notifications", "person": "Signed in as", "subscribe": "Subscribe", "how": "How",
        "browser": "This browser", "no mail": "No mail server is set", "mail": "Mail", "remove": "Remove",
        "critical": "critical", "high": "high", "medium": "medium", "low": "low", "diagnostic": "diagnostic",
    },
    "zh": {
        "notices": "通知", "person": "已登录", "subscribe": "订阅", "how": "方式", "browser": "浏览器",
        "no mail": "平台未设置邮件服务器", "mail": "邮件", "remove": "删除",
        "critical": "紧急", "high": "高", "medium": "中", "low": "低", "diagnostic": "诊断",
    },
}  # fmt: skip
SHOWN: Final = """() => {
  window.shown = [];
  window.Notification = class {
    static permission = 'granted';
    static requestPermission = async () => 'granted';
    constructor(title, options) { window.shown.push({ title, ...options }); }
    close() {}
  };
}"""


def opened(page: Page, words: dict[str, str]) -> None:
    page.get_by_role("button", name=words["person"]).click()
    page.get_by_role("menuitem", name=words["notices"]).click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_alarm_is_shown_by_the_browser_to_who_subscribed(
    open_page: Open, administrator: Person, language: Language
) -> None:
    words = WORDS[language]
    watched = open_page("/", language, purpose="notices")
    page = watched.page
    page.add_init_script(f"({SHOWN})()")
    page.reload()
    settled(page)
    opened(page, words)
    drawer = page.get_by_role("dialog")
    subscribe = drawer.get_by_role("button", name=words["subscribe"])
    expect(subscribe, "what works here is chosen to begin with").to_be_enabled()
    for name, chosen in (("critical", True), ("high", True), ("medium", True), ("low", False), ("diagnostic", False)):
        expect(drawer.get_by_role("checkbox", name=words[name], exact=True)).to_be_checked(checked=chosen)
    drawer.get_by_label(words["how"]).click()
    page.get_by_title(words["mail"], exact=True).last.click()
    expect(drawer.get_by_text(words["no mail"])).to_contain_text("mainspring.toml")
    expect(subscribe).to_be_disabled()
    drawer.get_by_label(words["how"]).click()
    page.get_by_title(words["browser"], exact=True).last.click()
    drawer.get_by_role("checkbox", name=words["low"], exact=True).check()
    drawer.get_by_role("button", name=words["subscribe"]).click()
    expect(drawer.get_by_role("button", name=words["remove"])).to_be_visible()
    tag = next(each for each in administrator.get("/tags", search="XMEAS")["items"] if not each["alarms"])
    draft = {
        "tag_id": tag["id"],
        "condition": "L",
        "limit": 1e9,
        "priority": "low",
        "name": {"en": "Told", "zh": "已告知"},
    }
    made = administrator.post("/alarm-definitions", draft)
    try:
        eventually(
            lambda: any(tag["path"] in each["body"] for each in page.evaluate("window.shown")), 30, "the browser tells"
        )
    finally:
        administrator.delete(f"/alarm-definitions/{made['id']}")
    drawer.get_by_role("button", name=words["remove"]).click()
    page.get_by_role("tooltip").get_by_role("button", name=words["remove"]).click()
    expect(drawer.get_by_role("button", name=words["remove"])).to_have_count(0)
