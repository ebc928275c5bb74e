"""Writing to equipment as a person does it: select, enter, execute, and see what became of it, in both languages."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import PHONE, Language, Open, asset_path, settled
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S

SLOW_MS = 180_000
OWN = "a password of one's own"
WORDS: dict[str, dict[Language, str]] = {
    "write": {"en": "Write {}", "zh": "写入 {}"},
    "select": {"en": "Select", "zh": "选择"},
    "new": {"en": "New value of {}", "zh": "{} 的新值"},
    "act": {"en": "Set {} to {}", "zh": "将 {} 设为 {}"},
    "outside": {"en": "Outside the range 40 to 60 °F.", "zh": "超出量程 40 至 60 °F。"},
    "done": {"en": "The equipment shows the new value.", "zh": "设备已显示新值。"},
    "stages": {"en": r"sent\s*accepted after \d+ ms\s*read back {} after \d+ ms",
               "zh": r"已下发\s*已接受，\d+ 毫秒\s*回读 {}，\d+ 毫秒"},
    "commands": {"en": "Commands", "zh": "命令"},
    "outcome": {"en": "Done", "zh": "已完成"},
    "reason": {"en": "Reason", "zh": "原因"},
    "close": {"en": "Close", "zh": "关闭"},
}  # fmt: skip


def said(key: str, language: Language, *values: str) -> str:
    return WORDS[key][language].format(*values)


def chiller(open_page: Open, administrator: Person, language: Language, **more: Any) -> Page:
    page: Page = open_page(asset_path(administrator, "Chiller 6"), language, purpose="writer", **more).page
    settled(page)
    return page


def begun(page: Page, language: Language, name: str) -> Locator:
    """Open writing for a tag and select it."""
    button = page.get_by_role("button", name=said("write", language, name))
    expect(button).to_be_enabled(timeout=SLOW_MS)
    button.click()
    drawer = page.get_by_role("dialog")
    select = drawer.get_by_role("button", name=said("select", language), exact=True)
    expect(select).to_be_enabled(timeout=SLOW_MS)
    select.click()
    expect(drawer.get_by_role("timer")).to_be_visible(timeout=SLOW_MS)
    return drawer


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_set_point_is_selected_written_read_back_and_listed(
    open_page: Open, administrator: Person, language: Language
) -> None:
    page = chiller(open_page, administrator, language)
    drawer = begun(page, language, "remote_setpoint")
    field = drawer.get_by_label(said("new", language, "remote_setpoint"))
    expect(field).to_be_focused()
    execute = drawer.locator(".ms-write-execute")
    expect(execute).to_be_disabled()
    field.fill("99")
    expect(drawer.get_by_role("alert")).to_have_text(said("outside", language))
    expect(execute).to_be_disabled()
    value = "47.5" if language == "en" else "45.25"
    field.fill(value)
    expect(execute).to_have_text(said("act", language, "remote_setpoint", f"{value} °F"))
    # Enter gets nobody anywhere: neither in the field nor on the button.
    field.press("Enter")
    execute.press("Enter")
    expect(execute).to_be_enabled()
    drawer.get_by_label(said("reason", language)).fill("warmer water")
    execute.click()
    expect(drawer.get_by_role("status")).to_contain_text(said("done", language), timeout=SLOW_MS)
    shown = f"{value} °F"
    stages = re.compile(said("stages", language, re.escape(shown)))
    expect(drawer.locator(".ms-write-stages")).to_have_text(stages)
    tag = administrator.tag("remote_setpoint")["tag"]
    eventually(lambda: administrator.current(tag)[tag]["value"] == float(value), PATIENCE_S, "the new value is live")
    drawer.get_by_role("button", name=said("close", language)).last.click()
    page.get_by_role("tab", name=said("commands", language)).click()
    row = page.get_by_role("grid", name=said("commands", language)).get_by_role("row").nth(1)
    expect(row).to_contain_text("remote_setpoint")
    expect(row).to_contain_text(f"> {shown}")
    expect(row).to_contain_text(said("outcome", language))
    expect(row).to_contain_text("warmer water")
    expect(row).to_contain_text(f"Li Wei {language}")


@pytest.fixture
def colleague(administrator: Person) -> Iterator[str]:
    """Someone else with the right, and a password of their own."""
    draft = {"username": "second.person", "display_name": "Wang Fang", "role": "operator"}
    made = administrator.post("/users", draft)
    person = Person(administrator.port)
    assert person.sign_in("second.person", made["initial_password"]).status == 200
    person.post("/session/password", {"old": made["initial_password"], "new": OWN})
    yield "second.person"
    administrator.delete(f"/users/{made['id']}")


def test_a_second_person_confirms_with_their_own_password(
    open_page: Open, administrator: Person, colleague: str
) -> None:
    watched = open_page(asset_path(administrator, "Chiller 6"), "en", purpose="writer")
    watched.allow("status of 422")
    page = watched.page
    settled(page)
    drawer = begun(page, "en", "trip_pressure")
    drawer.get_by_label(said("new", "en", "trip_pressure")).fill("160")
    drawer.get_by_label("Reason").fill("test of the protection")
    drawer.get_by_label("Your password").fill("one of their own")
    drawer.get_by_label("User name of the second person").fill(colleague)
    drawer.get_by_label("Password of the second person").fill("not this")
    execute = drawer.locator(".ms-write-execute")
    execute.click()
    expect(drawer.get_by_text("Name or password of the second person is wrong.")).to_be_visible(timeout=SLOW_MS)
    drawer.get_by_label("Password of the second person").fill(OWN)
    execute.click()
    expect(drawer.get_by_role("status")).to_contain_text(said("done", "en"), timeout=SLOW_MS)
    page.goto(page.url + "?tab=commands")
    expect(page.get_by_role("grid").get_by_role("row").nth(1)).to_contain_text("Li Wei en with Wang Fang")


def test_an_interlock_refuses_in_words(open_page: Open, administrator: Person) -> None:
    mode = administrator.tag("control_mode")["tag"]

    def set_mode(value: int) -> None:
        outcome = administrator.post("/commands", {"items": [{"tag": mode, "value": value}]})
        assert outcome["items"][0]["outcome"] == "done", outcome
        eventually(lambda: administrator.current(mode)[mode]["value"] == value, PATIENCE_S, "the mode is known")

    set_mode(0)
    try:
        watched = open_page(asset_path(administrator, "Chiller 6"), "en", purpose="writer")
        watched.allow("status of 409")
        page = watched.page
        settled(page)
        button = page.get_by_role("button", name="Write demand_limit")
        expect(button).to_be_enabled(timeout=SLOW_MS)
        button.click()
        drawer = page.get_by_role("dialog")
        drawer.get_by_role("button", name="Select", exact=True).click()
        expect(drawer.get_by_text("Interlock of demand_limit: control_mode must be 1; it is 0.")).to_be_visible(
            timeout=SLOW_MS
        )
    finally:
        set_mode(1)


def test_what_cannot_be_seen_cannot_be_written(demo: Platform, open_page: Open, administrator: Person) -> None:
    page = chiller(open_page, administrator, "en")
    button = page.get_by_role("button", name="Write remote_setpoint")
    expect(button).to_be_enabled(timeout=SLOW_MS)
    demo.role("demo").send_signal(signal.SIGUSR1)
    try:
        expect(button).to_be_disabled(timeout=SLOW_MS)
    finally:
        demo.role("demo").send_signal(signal.SIGUSR2)
    expect(button).to_be_enabled(timeout=2 * SLOW_MS)
    page.goto(page.url + "?wall")
    settled(page)
    expect(button).to_be_disabled(timeout=SLOW_MS)


def test_on_touch_the_button_is_held(open_page: Open, administrator: Person) -> None:
    page = chiller(open_page, administrator, "zh", size=PHONE)
    drawer = begun(page, "zh", "pump")
    # The page is laid out for 360 px: nothing sticks out of it.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    drawer.get_by_text("停", exact=True).click()
    execute = drawer.locator(".ms-write-execute")
    expect(execute).to_have_text(said("act", "zh", "pump", "停"))
    execute.click()
    expect(drawer.get_by_role("timer")).to_be_visible()
    box = execute.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    expect(drawer.get_by_role("status")).to_contain_text(said("done", "zh"), timeout=SLOW_MS)
    page.mouse.up()
