"""Events in the page: the demo's story filtered, opened, corrected by declaration; a file taken in, a list exported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, Theme, settled
from tests.browser.looks import cut, lengthen, looked_into, too_wide, violations
from tests.e2e.platform import Person

EVENTS: Final = "/records/events"
CONTEXT: Final = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld"
PLACE: Final = "urn:mainspring:asset:demo/plant-1/synthesis/stripper"


def opened(open_page: Open, path: str, *look: Any, **more: Any) -> Page:
    watched = open_page(path, *look, **more)
    watched.allow("status of (403|422)")
    watched.page.emulate_media(reduced_motion="reduce")
    settled(watched.page)
    return watched.page


def rows(page: Page) -> Locator:
    return page.get_by_role("grid").get_by_role("row").filter(has=page.get_by_role("gridcell"))


def event(lot: str, quantity: float, **more: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent", "action": "ADD", "eventTime": "2026-11-20T06:00:00Z", "eventTimeZoneOffset": "+00:00",
        "bizStep": "receiving", "bizLocation": {"id": PLACE},
        "quantityList": [{"epcClass": f"urn:mainspring:lot:TE-D:{lot}", "quantity": quantity, "uom": "KGM"}], **more,
    }  # fmt: skip


def document(*events: dict[str, Any]) -> dict[str, Any]:
    return {
        "@context": [CONTEXT], "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-11-20T06:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }  # fmt: skip


def stock(person: Person, lot: str) -> list[float]:
    items = person.get("/epcis/stock", thing=f"urn:mainspring:lot:TE-D:{lot}")["items"]
    return [each["quantity"] for each in items]


@pytest.mark.parametrize(
    ("language", "theme", "size"), [("en", "dark", DESKTOP), ("zh", "light", PHONE)], ids=["wide", "phone"]
)
def test_the_page_is_whole_in_every_look(
    administrator: Person, open_page: Open, language: Language, theme: Theme, size: tuple[int, int]
) -> None:
    found = administrator.get("/epcis/events", EXISTS_errorDeclaration="true")
    wrong = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"][0]["eventID"]
    faults: list[str] = []
    for path in (
        EVENTS,
        f"{EVENTS}?event={wrong}",
        EVENTS + '?where=declared+in+["only"]',
        f"{EVENTS}?event=urn:no:event",
    ):
        watched = open_page(path, language, theme, size)
        watched.allow("status of 404")
        page = watched.page
        settled(page)
        page.wait_for_timeout(500)
        found = too_wide(page) + cut(page) + violations(page)
        lengthen(page)
        faults += [f"{path}: {each}" for each in found + too_wide(page) + cut(page)]
        page.context.close()
    assert not faults, "\n".join(faults)


def test_the_story_of_a_lot_is_filtered_and_opened(open_page: Open) -> None:
    page = opened(open_page, "/apps")
    page.get_by_role("link", name="Events", exact=True).click()
    expect(rows(page).first).to_be_visible()
    page.get_by_role("button", name="Add filter").click()
    layer = page.get_by_role("dialog")
    layer.get_by_label("Field", exact=True).click()
    page.get_by_title("Item or lot").last.click()
    layer.get_by_role("combobox", name="Item or lot", exact=True).fill("G-0418")
    page.get_by_title("Product G G-0418").click()
    looked_into(page)
    layer.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("button", name="Item or lot: Product G G-0418", exact=True)).to_be_visible()
    expect(rows(page)).to_have_count(5)
    expect(rows(page).last).to_contain_text("Product G G-0418 12,400 kg of Reactant A 400 kg and 2 more")
    # The address is the list; the words of the vocabulary narrow it further.
    page.goto(page.url + "&where=" + 'bizStep+in+["storing"]')
    expect(rows(page)).to_have_count(1)
    rows(page).first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("link", name="Product G", exact=True)).to_be_visible()
    expect(drawer).to_contain_text("38.4 °C")
    expect(drawer.get_by_role("link", name="Synthesis / Stripper").first).to_have_attribute(
        "href", re.compile("/plant/")
    )
    looked_into(page)
    drawer.get_by_role("button", name="Show JSON-LD").click()
    expect(drawer.get_by_role("group", name="As JSON-LD")).to_contain_text('"bizStep": "storing"')
    drawer.get_by_role("link", name="G-0418", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="G-0418")).to_be_visible()
    # From the lot its story is one press away.
    page.get_by_role("tab", name="Events").click()
    story = page.get_by_role("tabpanel").get_by_role("listitem")
    expect(story).to_have_count(5)
    expect(page.get_by_role("tabpanel")).to_contain_text("those that name it by GTIN are in the list of all events")
    looked_into(page)
    story.filter(has_text="Packing").get_by_role("link").click()
    expect(page.get_by_role("dialog")).to_contain_text("urn:epc:id:sscc:9521321.0000000417")
    expect(rows(page)).to_have_count(5)


def test_an_item_is_asked_for_with_its_lots_and_times_narrow(open_page: Open) -> None:
    page = opened(open_page, EVENTS, "zh")
    page.get_by_role("button", name="添加筛选").click()
    layer = page.get_by_role("dialog")
    layer.get_by_label("字段", exact=True).click()
    page.get_by_title("物料或批次").last.click()
    layer.get_by_role("combobox", name="物料或批次", exact=True).fill("产品 H")
    page.get_by_title("产品 H", exact=True).click()
    layer.get_by_role("button", name="应用").click()
    expect(rows(page)).to_have_count(4)
    expect(rows(page).first).to_contain_text("发运")
    expect(rows(page).first).to_contain_text("错误声明")
    page.get_by_role("button", name="时间").click()
    expect(page.get_by_role("columnheader", name="时间")).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).first).to_contain_text("产出批次")
    page.goto(page.url + "&where=eventTime+ge+4000000000000")
    expect(page.get_by_text("没有符合条件的事件")).to_be_visible()
    page.get_by_role("button", name="清除筛选").click()
    expect(rows(page).first).to_be_visible()


def test_an_event_is_declared_wrong_with_the_right_one_in_its_place(administrator: Person, open_page: Open) -> None:
    lot, wrong = f"T-{uuid4().hex[:6]}", f"urn:uuid:{uuid4()}"
    administrator.post("/epcis/capture", document(event(lot, 500, eventID=wrong)))
    page = opened(open_page, f"{EVENTS}?event={wrong}")
    page.get_by_role("dialog").get_by_role("button", name="Declare in error").click()
    form = page.get_by_role("dialog").filter(has_text="This cannot be undone")
    send = form.get_by_role("button", name="Declare in error")
    expect(send).to_be_disabled()
    form.get_by_label("What it says is wrong").check()
    right = form.get_by_label("The right event", exact=True)
    copied = json.loads(right.input_value())
    assert "eventID" not in copied
    # What is refused is told of the right event, and nothing of the two is taken in.
    right.fill(json.dumps(copied | {"bizStep": "recieving"}))
    send.click()
    expect(form.get_by_role("alert")).to_contain_text("The right event bizStep 'recieving' is no word")
    looked_into(page)
    assert stock(administrator, lot) == [500]
    copied["quantityList"][0]["quantity"] = 50
    right.fill(json.dumps(copied))
    send.click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_have_count(1)
    expect(drawer.get_by_role("note")).to_contain_text("It counts for nothing")
    expect(drawer.get_by_role("note")).to_contain_text("What it says is wrong")
    expect(drawer.get_by_role("button", name="Declare in error")).to_have_count(0)
    assert stock(administrator, lot) == [50]
    # From the wrong one to the right one and back.
    drawer.get_by_role("button", name="Open event").click()
    expect(drawer).to_contain_text("Stands for an event declared in error")
    expect(drawer).to_contain_text("50 kg")
    looked_into(page)
    drawer.get_by_role("button", name="Open event").click()
    expect(drawer.get_by_role("note")).to_contain_text("It counts for nothing")
    drawer.get_by_role("button", name="Close").click()
    marked = rows(page).filter(has_text=lot)
    expect(marked.filter(has_text="Declared in error")).to_have_count(1)
    expect(marked.filter(has_text="Error declaration")).to_have_count(1)
    expect(marked).to_have_count(3)


def test_the_right_event_is_stored_once_after_a_lost_answer(administrator: Person, open_page: Open) -> None:
    lot, wrong = f"T-{uuid4().hex[:6]}", f"urn:uuid:{uuid4()}"
    administrator.post("/epcis/capture", document(event(lot, 500, eventID=wrong)))
    watched = open_page(f"{EVENTS}?event={wrong}")
    watched.allow("ERR_FAILED")
    page = watched.page
    settled(page)
    page.get_by_role("dialog").get_by_role("button", name="Declare in error").click()
    form = page.get_by_role("dialog").filter(has_text="This cannot be undone")
    form.get_by_label("What it says is wrong").check()
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        route.fetch()
        route.abort()

    page.route("**/api/v1/epcis/capture", lose, times=1)
    send = form.get_by_role("button", name="Declare in error")
    send.click()
    expect(form.get_by_role("alert")).to_contain_text("did not answer")
    assert lost
    assert stock(administrator, lot) == [500]
    send.click()
    expect(form).to_have_count(0)
    assert stock(administrator, lot) == [500]


def test_an_event_of_thousands_of_things_is_shown_with_names_and_without(
    administrator: Person, open_page: Open
) -> None:
    first = f"urn:epc:id:sgtin:9521321.000001.{uuid4().hex[:6]}"
    many = event("", 0, action="OBSERVE", eventTime="2020-01-01T00:00:00Z", readPoint={"id": PLACE})
    many |= {"epcList": [first, *(f"{first}-{n}" for n in range(2500))]}
    del many["quantityList"], many["bizLocation"]
    administrator.post("/epcis/capture", document(many))
    watched = open_page(f'{EVENTS}?where=thing+eq+"{first}"')
    watched.allow("status of 500")
    page = watched.page
    settled(page)
    # The place is the last of its names.
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Synthesis / Stripper")
    page.route("**/api/v1/epcis/names", lambda route: route.fulfill(status=500, body="{}"))
    page.reload()
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).not_to_contain_text("Synthesis / Stripper")


def test_a_file_is_taken_in_whole_or_not_at_all(administrator: Person, open_page: Open, tmp_path: Path) -> None:
    lot = f"T-{uuid4().hex[:6]}"
    good, bad = event(lot, 7, eventID=f"urn:uuid:{uuid4()}"), event(lot, 3, action="SEE")
    file = tmp_path / "events.jsonld"
    page = opened(open_page, EVENTS)
    page.get_by_role("button", name="Import", exact=True).click()
    drawer = page.get_by_role("dialog")

    def choose(*events: dict[str, Any]) -> None:
        file.write_text(json.dumps(document(*events)), encoding="utf-8")
        drawer.locator("input[type=file]").set_input_files(file)

    choose(good, bad)
    expect(drawer.get_by_role("alert")).to_contain_text("nothing was taken in")
    expect(drawer.get_by_role("listitem")).to_have_text([re.compile("Event 2 action Must be one of")])
    looked_into(page)
    assert stock(administrator, lot) == []
    choose(good)
    expect(drawer.get_by_role("status")).to_contain_text("1 new event taken in, 0 known already")
    choose(good)
    expect(drawer.get_by_role("status")).to_contain_text("0 new events taken in, 1 known already")
    drawer.get_by_role("button", name="Close").click()
    expect(rows(page).filter(has_text=lot)).to_have_count(1)

    page.goto(page.url + "?where=" + f'thing+eq+"urn:mainspring:lot:TE-D:{lot}"')
    expect(rows(page)).to_have_count(1)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Export").click()
    saved = json.loads(Path(saving.value.path()).read_text(encoding="utf-8"))
    assert [each["eventID"] for each in saved["epcisBody"]["eventList"]] == [good["eventID"]]


def test_without_events_the_page_says_what_they_are_for(open_page: Open, tenant_without_events: Person) -> None:
    page = opened(open_page, EVENTS, person=tenant_without_events)
    expect(page.get_by_role("heading", name="No events yet")).to_be_visible()
    expect(page.get_by_text("POST /api/v1/epcis/capture")).to_be_visible()
    looked_into(page)


@pytest.fixture
def tenant_without_events(demo: Any, administrator: Person) -> Person:
    """Return the administrator of a company of its own."""
    key = f"empty-{uuid4().hex[:6]}"
    draft = {"key": key, "name": {"en": "Empty Works", "zh": "空工厂"}, "zone": "Asia/Shanghai"}
    first = administrator.post("/tenants", draft)["initial_password"]
    person = Person(demo.port)
    assert person.sign_in(f"{key}/admin", first).status == 200
    person.post("/session/password", {"old": first, "new": "one of their own"})
    return person
