"""Two people on one record: the second to save chooses field by field, and nothing either of them typed is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.conftest import Open, settled
from tests.browser.looks import looked_into
from tests.e2e.platform import Person, eventually
from tests.waiting import PATIENCE_S

MET = "Someone else changed this in the meantime"


@pytest.fixture
def shared(administrator: Person) -> Iterator[dict[str, Any]]:
    """A unit with a tag, an alarm, and someone of another role, for two people to change."""
    above = next(each for each in administrator.get("/assets", search="Plant 1")["items"] if each["kind"] == "site")
    draft = {"parent": above["id"], "kind": "unit", "name": {"en": "Shared", "zh": "共用"}, "slug": "shared"}
    unit = administrator.post("/assets", draft)
    tag = administrator.post("/tags", {"name": "SHARED_1", "asset": unit["id"], "unit": "kPa", "low": 0, "high": 100})
    alarm = administrator.post(
        "/alarm-definitions", {"tag_id": tag["id"], "condition": "H", "limit": 80, "priority": "low"}
    )
    person = administrator.post("/users", {"username": "shared", "display_name": "Before", "role": "viewer"})
    yield {"unit": unit, "tag": tag, "alarm": alarm, "user": person}
    administrator.delete(f"/users/{person['id']}")
    administrator.delete(f"/alarm-definitions/{alarm['id']}")
    administrator.delete(f"/tags/{tag['id']}")
    administrator.delete(f"/assets/{unit['id']}")


def save(form: Locator) -> None:
    form.get_by_role("button", name="Save", exact=True).click()


def choose(form: Locator, field: str, whose: str) -> None:
    asked = form.get_by_role("radiogroup", name=f"Whose {field} holds")
    asked.get_by_role("radio", name=re.compile(f"^{whose}")).check()


def test_tag_and_alarm(administrator: Person, open_page: Open, shared: dict[str, Any]) -> None:
    watched = open_page(f"/plant/{shared['unit']['id']}")
    watched.allow("status of 409")
    page = watched.page
    page.emulate_media(reduced_motion="reduce")
    settled(page)
    tag, alarm = f"/tags/{shared['tag']['id']}", f"/alarm-definitions/{shared['alarm']['id']}"
    page.get_by_role("row").filter(has_text="SHARED_1").get_by_role("button", name="Edit").click()
    drawer = page.get_by_role("dialog").filter(has_text="Edit tag")
    drawer.get_by_label("Range to", exact=True).fill("150")
    drawer.get_by_label("Decimals", exact=True).fill("2")
    administrator.change(tag, high=200, dead_band=0.5, decimals=2)
    save(drawer)
    expect(drawer.get_by_text(MET)).to_be_visible()
    looked_into(page)
    # Both changed the range: mine stands until theirs is chosen, and can be had back. The dead-band only they changed.
    expect(drawer.get_by_label("Range to", exact=True)).to_have_value("150")
    choose(drawer, "Range to", "Theirs")
    expect(drawer.get_by_label("Range to", exact=True)).to_have_value("200")
    choose(drawer, "Range to", "Mine")
    expect(drawer.get_by_label("Range to", exact=True)).to_have_value("150")
    expect(drawer.get_by_label("Dead-band", exact=True)).to_have_value("0.5")
    expect(drawer.get_by_role("radiogroup")).to_have_count(1)

    # A drawer over the drawer: its conflict is its own.
    drawer.get_by_role("listitem").filter(has_text="80").get_by_role("button", name="Edit").click()
    above = page.get_by_role("dialog").filter(has_text="Edit alarm")
    above.get_by_label("Limit (kPa)", exact=True).fill("85")
    above.get_by_label("Response in English", exact=True).fill("Close the valve")
    administrator.change(alarm, limit=90, on_delay_ms=500)
    save(above)
    choose(above, "Limit (kPa)", "Theirs")
    expect(above.get_by_label("Limit (kPa)", exact=True)).to_have_value("90")
    save(above)
    expect(above).to_have_count(0)
    stored = administrator.get(alarm)
    assert (stored["limit"], stored["on_delay_ms"], stored["response"]["en"]) == (90, 500, "Close the valve")

    save(drawer)
    expect(drawer).to_have_count(0)
    stored = administrator.get(tag)
    assert (stored["high"], stored["dead_band"], stored["decimals"]) == (150, 0.5, 2)


def test_user(administrator: Person, open_page: Open, shared: dict[str, Any]) -> None:
    watched = open_page("/admin/users")
    watched.allow("status of 409")
    page = watched.page
    settled(page)
    page.get_by_role("button", name="More for shared").click()
    page.get_by_role("menuitem", name="role").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Name shown", exact=True).fill("Mine")
    administrator.change(f"/users/{shared['user']['id']}", display_name="Theirs", role="operator")
    save(drawer)
    expect(drawer.get_by_text(MET)).to_be_visible()
    expect(drawer.get_by_label("Name shown", exact=True)).to_have_value("Mine")
    save(drawer)
    expect(drawer).to_have_count(0)
    stored = administrator.get(f"/users/{shared['user']['id']}")
    assert (stored["display_name"], stored["role"]) == ("Mine", "operator"), "the role only they changed"


def test_connection(administrator: Person, open_page: Open) -> None:
    settings = {"host": "127.0.0.1", "port": 1502, "timeout_ms": 900}
    made = administrator.post(
        "/connections", {"name": "Shared", "driver": "modbus-tcp", "enabled": False, "settings": settings}
    )
    address = f"/connections/{made['id']}"
    watched = open_page(f"/connect/{made['id']}/edit", purpose="two")
    watched.allow("status of 409")
    page = watched.page
    settled(page)

    def saved() -> None:
        page.get_by_role("button", name="6 Save").click()
        page.get_by_role("button", name="Save connection").click()

    page.get_by_role("button", name="2 Address").click()
    page.get_by_label("Port", exact=True).fill("1503")
    # What was entered is kept in the browser; what others save meanwhile is met by it, not overwritten.
    kept = "() => Object.values(localStorage).some((text) => text.includes('1503'))"
    eventually(lambda: page.evaluate(kept), PATIENCE_S, "the draft is kept")
    administrator.change(address, name="Theirs", settings=settings | {"port": 1504, "timeout_ms": 700})
    page.reload()
    settled(page)
    saved()
    expect(page.get_by_text(MET)).to_be_visible()
    looked_into(page)
    choose(page.locator("body"), "Port", "Mine")
    saved()
    expect(page.get_by_role("heading", name="Theirs")).to_be_visible()
    stored = administrator.get(address)
    assert (stored["settings"]["port"], stored["settings"]["timeout_ms"], stored["name"]) == (1503, 700, "Theirs")
    administrator.delete(address)


def test_subscription(administrator: Person, open_page: Open, sign_in_as: Any) -> None:
    person = sign_in_as("en", "light", "two")
    draft = {"channel": "page", "priorities": ["critical"], "transitions": ["raised"], "gather_s": 10}
    made = person.post("/subscriptions", draft)
    watched = open_page("/apps", purpose="two")
    watched.allow("status of 409")
    page = watched.page
    settled(page)
    page.get_by_role("button", name=re.compile("^Signed in as")).click()
    page.get_by_role("menuitem", name="Notifications").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("button", name="Pause")).to_be_visible()
    changed = person.ask("PATCH", f"/subscriptions/{made['id']}", {"enabled": False, "version": made["version"]})
    assert changed.status == 200, changed.body
    drawer.get_by_role("button", name="Pause").click()
    # It is not paused by accident twice: what they did is shown, and what to do next is there.
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(drawer.get_by_role("button", name="Resume")).to_be_visible()
    drawer.get_by_role("button", name="Resume").click()
    expect(drawer.get_by_role("button", name="Pause")).to_be_visible()
    person.delete(f"/subscriptions/{made['id']}")
