"""The alarm list: a recorded fault appears, is acknowledged, is cleared; and the same by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Open, settled
from tests.e2e.device import PRESSURE, Wired, wired
from tests.e2e.platform import Person, eventually

ALARM_MS = 180_000
LIMIT_NAME = "Press pressure high"


@pytest.fixture
def press(administrator: Person) -> Iterator[Wired]:
    """A press of the test's own, whose pressure is too high."""
    with wired(administrator, "press-9") as made:
        made.device.show(PRESSURE, 20)
        tag = made.add("PI-901", PRESSURE, low=0, high=100, scan_ms=200)
        alarm = administrator.post(
            "/alarm-definitions",
            {
                "tag_id": tag["id"], "condition": "HH", "limit": 90, "priority": "critical",
                "name": {"en": LIMIT_NAME, "zh": "压机压力高高"},
            },
        )  # fmt: skip
        made.device.show(PRESSURE, 95)
        yield made
        administrator.delete(f"/alarm-definitions/{alarm['id']}")


def test_a_recorded_fault_is_acknowledged_and_later_cleared(open_page: Open, administrator: Person) -> None:
    page = open_page("/alarms").page
    settled(page)
    grid = page.get_by_role("grid", name="Active alarms")
    waiting = grid.get_by_role("button", name="Acknowledge", exact=True)
    expect(waiting.first).to_be_visible(timeout=ALARM_MS)
    expect(grid.get_by_role("img", name="replayed from a recording").first).to_have_text("↻")

    def over() -> str | None:
        """Acknowledge on the page, one after the other, until one of those is cleared; returns its name."""
        items = administrator.get("/alarms/history", limit=500)["items"]
        mine = {(each["alarm"], each["raised_ms"]) for each in items if each["by"] == "Li Wei en"}
        for each in items:
            if each["transition"] == "cleared" and (each["alarm"], each["raised_ms"]) in mine:
                return str(each["name"]["en"])
        if waiting.count():
            waiting.first.click()
            expect(page.get_by_text("1 alarm acknowledged").first).to_be_visible()
        page.wait_for_timeout(1000)
        return None

    name = eventually(over, 180, "an acknowledged alarm is cleared")
    page.get_by_role("tab", name="History").click()
    kept = page.get_by_role("grid", name="Alarm history")
    rows = kept.get_by_role("row").filter(has_text=name)
    # Few rows are left: only those that are seen are in the document, and the plant goes on raising alarms.
    for label, text, shown in (
        ("Alarm, tag or place", name, ("cleared", "raised")),
        ("Person", "Li Wei en", ("acknowledged",)),
    ):
        page.get_by_label(label).fill(text)
        page.get_by_label(label).press("Enter")
        for transition in shown:
            expect(rows.filter(has_text=transition).first).to_be_visible()
    expect(rows.first).to_contain_text("Li Wei en")


def tab_to(page: Page, condition: str, most: int = 60) -> None:
    """Press Tab until the focused element meets a condition; it is never covered on the way."""
    for _ in range(most):
        page.keyboard.press("Tab")
        state = page.evaluate(
            f"""() => {{ const one = document.activeElement; const box = one.getBoundingClientRect();
                const top = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 20));
                return {{ met: Boolean({condition}), seen: box.width === 0 || one.contains(top) || top?.contains(one),
                          what: one.outerHTML.slice(0, 120) }}; }}"""
        )
        assert state["seen"], f"focus is covered: {state['what']}"
        if state["met"]:
            return
    pytest.fail(f"not reached by keyboard: {condition}")


def test_acknowledge_by_keyboard_alone(press: Wired, open_page: Open) -> None:
    page = open_page("/").page
    settled(page)
    page.keyboard.press("g")
    page.keyboard.press("a")
    grid = page.get_by_role("grid", name="Active alarms")
    row = grid.get_by_role("row").filter(has_text=LIMIT_NAME)
    expect(row).to_be_visible()
    tab_to(page, "one.getAttribute('role') === 'grid'")
    page.keyboard.press("Home")
    for _ in range(20):
        if LIMIT_NAME in grid.locator(".ms-grid-active").inner_text():
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(row).to_have_attribute("aria-selected", "true")
    page.keyboard.press("k")
    expect(page.get_by_text("1 alarm acknowledged")).to_be_visible()
    expect(row).to_contain_text("acknowledged, Li Wei en")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "grid", "focus stays"
    press.device.show(PRESSURE, 20)
    # Focus is in the list: the row keeps its place, and says that the alarm is over.
    expect(row).to_contain_text("cleared")
    page.locator("#main").focus()
    expect(row).to_have_count(0)


def test_the_newest_critical_alarm_stands_on_every_page(press: Wired, open_page: Open) -> None:
    page = open_page("/connect", "zh").page
    line = page.get_by_role("status").filter(has_text="压机压力高高")
    expect(line).to_be_visible()
    line.get_by_role("button", name="前往").click()
    expect(page.get_by_role("complementary").get_by_text("压机压力高高").first).to_be_visible()
    line.get_by_role("button", name="确认").click()
    expect(line).to_be_hidden()
