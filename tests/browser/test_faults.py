"""What goes wrong around a page: each time it says so in words, keeps what was typed, and heals by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from playwright.sync_api import Route, expect
from tests.browser.conftest import PHONE, Open, asset_path, settled
from tests.browser.looks import cut, too_wide
from tests.e2e.device import wired
from tests.e2e.platform import Person, Platform, eventually
from tests.waiting import PATIENCE_S

from mainspring.simulators.modbus_tcp import words_of

LONG_MS = 180_000
AN_HOUR_AHEAD = "const real = Date.now; Date.now = () => real() + 3_600_000;"
HUGE = 1e308


def test_a_cut_feed_marks_values_and_heals_without_a_reload(
    demo: Platform, administrator: Person, open_page: Open
) -> None:
    watched = open_page(asset_path(administrator, "Reactor"))
    watched.allow("ERR_|status of 50[234]")
    page = watched.page
    settled(page)
    value = page.get_by_role("row").filter(has_text="XMEAS_9").locator(".ms-value")
    expect(value).to_have_attribute("data-look", "good", timeout=LONG_MS)
    page.evaluate("window.same = true")
    # The server is there, and silent: as when a cable is pulled, nothing ends the stream.
    server = demo.role("web")
    server.suspend()
    try:
        expect(value).to_have_attribute("data-look", "stale", timeout=LONG_MS)
        expect(value).to_contain_text(re.compile(r"◷.*\d"))
        expect(page.get_by_role("status").filter(has_text="No answer from the server since")).to_be_visible()
    finally:
        with suppress(psutil.NoSuchProcess):
            server.resume()
    expect(value).to_have_attribute("data-look", "good", timeout=LONG_MS)
    assert page.evaluate("window.same"), "healed without a reload"


@pytest.mark.parametrize(
    ("status", "words"),
    [(500, "could not be loaded"), (403, "Only administrators see this"), (404, "Not found"), (0, "did not answer")],
)
def test_a_failed_answer_is_said_and_asked_again(open_page: Open, status: int, words: str) -> None:
    watched = open_page("/apps")
    watched.allow(f"status of {status}|ERR_FAILED")
    page = watched.page
    settled(page)
    said = {"en": words, "zh": "无权查看"}
    body = json.dumps({"code": "refused", "text": said, "request_id": "r-17"}) if status == 403 else "{}"

    def answer(route: Route) -> None:
        if status:
            route.fulfill(status=status, content_type="application/json", body=body)
        else:
            route.abort()

    page.route("**/api/v1/users?*", answer)
    page.goto(f"{watched.origin}/admin/users")
    expect(page.get_by_text(words).first).to_be_visible()
    assert too_wide(page) + cut(page) == []
    page.unroute("**/api/v1/users?*")
    if status in (403, 404):
        # Asking again would not help, and is not offered.
        page.reload()
    else:
        page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_role("grid").get_by_text("admin", exact=True)).to_be_visible()


def test_a_slow_answer_shows_the_shape_of_the_page_and_then_the_page(open_page: Open) -> None:
    watched = open_page("/apps")
    page = watched.page
    settled(page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/v1/users?*", hold)
    page.goto(f"{watched.origin}/admin/users", wait_until="domcontentloaded")
    expect(page.locator(".ms-loading .ant-skeleton").last).to_be_visible()
    # The code of the page may show a skeleton, too: it is the answer that is waited for.
    eventually(lambda: page.evaluate("1") and held, PATIENCE_S, "the request is held")
    expect(page.locator(".ms-loading .ant-skeleton").last).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.get_by_role("grid").get_by_text("admin", exact=True)).to_be_visible()


def test_what_has_been_removed_is_not_found_in_words(open_page: Open) -> None:
    watched = open_page("/plant/00000000-0000-4000-8000-000000000000")
    watched.allow("status of 404")
    page = watched.page
    expect(page.get_by_text("Nothing is at this address")).to_be_visible()
    page.goto(f"{watched.origin}/trend?tags=4000000000&range=10m")
    expect(page.get_by_role("textbox").or_(page.get_by_role("combobox")).first).to_be_visible()
    assert too_wide(page) == []


def test_a_clock_an_hour_off_ages_nothing(administrator: Person, open_page: Open) -> None:
    watched = open_page("/apps")
    page = watched.page
    page.add_init_script(AN_HOUR_AHEAD)
    page.goto(watched.origin + asset_path(administrator, "Reactor"))
    settled(page)
    row = page.get_by_role("row").filter(has_text="XMEAS_9")
    expect(row.locator(".ms-value")).to_have_attribute("data-look", "good", timeout=LONG_MS)
    expect(row).to_contain_text(re.compile(r"\d s"))
    expect(page.locator(".ms-header")).to_contain_text(re.compile(r"Live \d"))

    def by_the_server() -> bool:
        shown = page.locator(".ms-clock").inner_text()
        hour = (administrator.get("/site")["now_ms"] // 3_600_000 + 8) % 24
        return shown.startswith(f"{hour:02}:")

    eventually(by_the_server, PATIENCE_S, "the plant's clock is the server's")


def test_a_browser_in_another_zone_reads_the_time_of_the_plant(open_page: Open) -> None:
    page = open_page("/alarms?tab=history", zone="America/New_York").page
    settled(page)
    note = page.get_by_role("status").filter(has_text="This browser is in another one")
    expect(note).to_be_visible()
    expect(page.locator(".ms-clock")).to_contain_text("+08")
    note.get_by_role("button", name="Understood").click()
    expect(note).to_have_count(0)
    page.reload()
    settled(page)
    expect(page.locator(".ms-clock")).to_contain_text("+08")
    expect(note).to_have_count(0)


@pytest.fixture
def oddities(administrator: Person) -> Iterator[dict[str, Any]]:
    """An asset of a very long name, and below it a tag at the end of what a number can be."""
    above = next(each for each in administrator.get("/assets", search="Plant 1")["items"] if each["kind"] == "site")
    name = {"en": "Unbreakable" * 10, "zh": "不可断开的名称" * 14}
    draft = {"parent": above["id"], "kind": "unit", "name": name, "slug": "oddities"}
    unit = administrator.post("/assets", draft)
    tag = administrator.post(
        "/tags", {"name": "ODD_" + "X" * 50, "asset": unit["id"], "unit": "1", "description": name}
    )
    yield unit | {"ordinal": tag["tag"], "name_of_tag": tag["name"]}
    administrator.delete(f"/tags/{tag['id']}")
    administrator.delete(f"/assets/{unit['id']}")


@pytest.mark.parametrize("size", [(1440, 900), PHONE], ids=["wide", "phone"])
def test_huge_names_and_numbers_stay_in_their_places(
    administrator: Person, open_page: Open, oddities: dict[str, Any], size: tuple[int, int]
) -> None:
    tag = oddities["ordinal"]

    def entered() -> bool:
        # The engine may not have heard of the new tag yet.
        administrator.ask("POST", "/samples", {"tag": tag, "value": -HUGE})
        return administrator.current(tag).get(tag, {}).get("value") == -HUGE

    eventually(entered, PATIENCE_S, "the value is current")
    watched = open_page(f"/plant/{oddities['id']}", "zh", "dark", size)
    page = watched.page
    settled(page)
    row = page.get_by_role("row").filter(has_text="ODD_")
    expect(row).to_contain_text("1.000e308", timeout=LONG_MS)
    assert too_wide(page) + cut(page) == []
    page.goto(f"{watched.origin}/trend?tags={oddities['ordinal']}&range=10m")
    page.locator(".ms-trend-lanes canvas").first.wait_for()
    assert too_wide(page) + cut(page) == []


@pytest.mark.parametrize("odd", ["nan", "inf"])
def test_what_is_no_number_is_marked_live_and_in_history(administrator: Person, open_page: Open, odd: str) -> None:
    with wired(administrator, f"odd-{odd}") as made:

        def shows(number: str) -> None:
            made.device.simulator.units[1].holding[0:2] = words_of("float32", "ABCD", float(number))

        shows("21.5")
        tag = made.add(f"ODD_{odd}", 0, "float32", unit="Cel", low=0, high=100, decimals=1, scan_ms=200)
        watched = open_page(f"/plant/{made.asset['id']}")
        page = watched.page
        settled(page)
        value = page.get_by_role("row").filter(has_text=tag["name"]).locator(".ms-value")
        expect(value).to_contain_text("21.5", timeout=LONG_MS)
        shows(odd)
        # The last number stands in brackets, marked, and is not shown as the present one.
        expect(value).to_have_attribute("data-look", "bad", timeout=LONG_MS)
        assert too_wide(page) + cut(page) == []
        eventually(
            lambda: len(administrator.raw(tag["tag"], 0, 2**51).get("value", [])) > 1, PATIENCE_S, "both are kept"
        )
        page.get_by_role("button", name=f"Samples of {tag['name']}").click()
        samples = page.get_by_role("dialog")
        expect(samples.get_by_role("row").nth(2)).to_be_visible(timeout=LONG_MS)
        shows("22.5")
        expect(value).to_have_attribute("data-look", "good", timeout=LONG_MS)
        page.goto(f"{watched.origin}/trend?tags={tag['tag']}&range=10m")
        page.locator(".ms-trend-lanes canvas").first.wait_for()
        expect(page.locator(".ms-trend")).not_to_contain_text(re.compile("NaN|Infinity"))
        assert too_wide(page) + cut(page) == []


def test_two_people_on_one_record_lose_nothing(
    administrator: Person, open_page: Open, oddities: dict[str, Any]
) -> None:
    watched = open_page(f"/plant/{oddities['id']}")
    watched.allow("status of 409")
    page = watched.page
    settled(page)
    page.locator(".ms-title").get_by_role("button", name="Edit").click()
    page.get_by_role("menuitem", name="Edit asset").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Name in English", exact=True).fill("Mine")
    administrator.change(f"/assets/{oddities['id']}", name={"en": "Theirs", "zh": "他人的"})
    drawer.get_by_role("button", name="Save").click()
    expect(drawer.get_by_text("Someone else changed this in the meantime")).to_be_visible()
    expect(drawer.get_by_role("radio", name="Theirs: Theirs")).to_be_visible()
    expect(drawer.get_by_label("Name in English", exact=True)).to_have_value("Mine")
    drawer.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Mine")).to_be_visible()
    assert administrator.get(f"/assets/{oddities['id']}")["name"] == {"en": "Mine", "zh": "他人的"}, (
        "what only they changed"
    )
