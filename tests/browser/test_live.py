"""Live values: both sources move without moving the page; a device cut off is said in words and heals by itself."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import Language, Open, asset_path, settled, shift_sum
from tests.e2e.platform import Person, Platform


def value_of(page: Page, tag: str) -> Locator:
    """Return the live value in a tag's row."""
    row = page.get_by_role("row").filter(has=page.get_by_text(tag, exact=True))
    return row.locator(".ms-value")


@pytest.mark.parametrize(("asset", "tag"), [("Reactor", "XMEAS_9"), ("Chiller 6", "supply_temperature")])
def test_values_change_and_nothing_else_moves(administrator: Person, open_page: Open, asset: str, tag: str) -> None:
    page = open_page(asset_path(administrator, asset)).page
    settled(page)
    value = value_of(page, tag)
    expect(value).to_have_attribute("data-look", "good")
    assert "↻" in value.inner_text(), "a replayed value is marked"
    shifted = shift_sum(page)
    for _ in range(3):
        before = value.inner_text()
        expect(value).not_to_have_text(before)
    assert shifted() == 0


@pytest.mark.parametrize(("language", "said"), [("en", "replayed from a recording"), ("zh", "录制数据回放")])
def test_what_a_recording_replays_is_marked_on_overview_and_connections(
    open_page: Open, language: Language, said: str
) -> None:
    page = open_page("/", language).page
    settled(page)
    expect(page.get_by_role("img", name=said).first).to_have_text("↻")
    page.goto(page.url + "connect")
    settled(page)
    chiller = page.get_by_role("row").filter(has_text="Chiller 6")
    expect(chiller.get_by_role("img", name=said)).to_have_text("↻")


def test_all_columns_of_a_table_of_tags_are_in_sight(administrator: Person, open_page: Open) -> None:
    page = open_page(asset_path(administrator, "Chiller 6"), purpose="connector").page
    settled(page)
    edit = page.get_by_role("row").nth(1).get_by_role("button", name="Edit")
    expect(edit).to_be_in_viewport(ratio=1)
    table = page.get_by_role("grid")
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth"), "nothing is cut at the right"


def test_a_device_cut_off_is_said_in_words_and_heals_by_itself(
    demo: Platform, administrator: Person, open_page: Open
) -> None:
    page = open_page(asset_path(administrator, "Chiller 6")).page
    settled(page)
    value = value_of(page, "supply_temperature")
    expect(value).to_have_attribute("data-look", "good")
    connections = open_page("/connect").page
    chiller = connections.get_by_role("row").filter(has_text="Chiller 6")
    expect(chiller).to_contain_text("connected")
    demo.role("demo").send_signal(signal.SIGUSR1)
    try:
        expect(value).to_have_attribute("data-look", "bad")
        # The last value stays, in brackets and crossed.
        expect(value).to_contain_text("✕")
        expect(value).to_contain_text("(")
        value.click()
        expect(page.get_by_text("bad: not connected").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(chiller).to_contain_text("did not accept the connection")
    finally:
        demo.role("demo").send_signal(signal.SIGUSR2)
    expect(value).to_have_attribute("data-look", "good")
    expect(value).not_to_contain_text("✕")
    expect(chiller).not_to_contain_text("did not accept")


def test_a_role_that_restarts_is_said_on_the_page(demo: Platform, open_page: Open) -> None:
    watched = open_page("/alarms")
    watched.allow("status of 50[34]")
    page = watched.page
    settled(page)
    killed = demo.kill("engine")
    banner = page.get_by_role("status").filter(has_text="engine ended unexpectedly")
    expect(banner).to_be_visible(timeout=180_000)
    expect(banner).to_contain_text("started again")
    demo.restarted("engine", killed)
    expect(banner).to_be_hidden(timeout=180_000)
