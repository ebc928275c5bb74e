"""Rights in the page: a role and the look through it, who can do what and why, a grant given, used and revoked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import PHONE, Open, asset_path, settled
from tests.browser.looks import looked_into
from tests.e2e.platform import Person, Platform

ITEMS: Final = "/records/item"
_PASSWORD: Final = "one of their own"


def opened(open_page: Open, path: str, *look: Any, **more: Any) -> Page:
    watched = open_page(path, *look, **more)
    watched.allow("status of (403|404)")
    watched.page.emulate_media(reduced_motion="reduce")
    settled(watched.page)
    return watched.page


@pytest.fixture(scope="module")
def items(administrator: Person) -> Iterator[list[dict[str, Any]]]:
    made = [
        administrator.post(
            ITEMS,
            {"number": f"GR-{number}", "name": {"en": f"Gear {number}", "zh": f"齿轮 {number}"}, "weight": 10 * number},
        )
        for number in range(1, 4)
    ]
    yield made
    for each in made:
        administrator.delete(f"{ITEMS}/{each['id']}")


@pytest.fixture(scope="module")
def east(demo: Platform, administrator: Person) -> Person:
    """The administrator of another company on the platform."""
    draft = {"key": "east", "name": {"en": "East Works", "zh": "东方工厂"}, "zone": "Asia/Shanghai"}
    first = administrator.post("/tenants", draft)["initial_password"]
    person = Person(demo.port)
    assert person.sign_in("east/admin", first).status == 200
    person.post("/session/password", {"old": first, "new": _PASSWORD})
    return person


def test_a_grant_is_given_used_seen_by_its_owner_and_revoked(
    open_page: Open, items: list[dict[str, Any]], east: Person
) -> None:
    owner = opened(open_page, "/admin/grants")
    owner.get_by_role("button", name="New", exact=True).first.click()
    form = owner.get_by_role("dialog").filter(has_text="New: Grant")
    form.get_by_label("To the company", exact=True).fill("east")
    form.get_by_label("Kind of record", exact=True).fill("Items")
    owner.get_by_title("Items", exact=True).last.click()
    form.get_by_role("button", name="Add filter").click()
    layer = owner.get_by_role("dialog").filter(has=owner.get_by_role("button", name="Apply"))
    layer.get_by_label("Field", exact=True).click()
    owner.get_by_title("Weight of one").last.click()
    layer.get_by_label("Weight of one", exact=True).fill("20")
    layer.get_by_label("Comparison", exact=True).click()
    owner.get_by_title("at least").last.click()
    layer.get_by_role("button", name="Apply").click()
    form.get_by_label("Purpose", exact=True).fill("Quotation of gears")
    form.get_by_label("May comment", exact=True).click()
    form.get_by_label("Most sensitive fields shown", exact=True).click()
    owner.get_by_title("Internal", exact=True).last.click()
    form.get_by_label("Until", exact=True).fill("2099-01-01T00:00")
    looked_into(owner)
    form.get_by_role("button", name="Save", exact=True).click()
    expect(owner.get_by_role("heading", level=1, name="G-0")).to_be_visible()
    facts = owner.locator(".ms-record-facts")
    expect(facts).to_contain_text("Weight of one: at least 20 kg")
    expect(facts).to_contain_text("Items")
    owner.get_by_role("tab", name="Uses").click()
    expect(owner.get_by_text("Not used yet")).to_be_visible()
    looked_into(owner)

    partner = opened(open_page, "/apps/shared", person=east)
    line = partner.get_by_role("listitem").filter(has_text="Quotation of gears")
    expect(line).to_contain_text("of Demo plant")
    looked_into(partner)
    line.get_by_role("link", name="Open list").click()
    rows = partner.get_by_role("grid").get_by_role("row").filter(has=partner.get_by_role("gridcell"))
    expect(rows).to_have_count(2)
    expect(partner.get_by_role("button", name="New", exact=True)).to_have_count(0)
    rows.filter(has_text="GR-3").click()
    expect(partner.get_by_text("You can look, and comment.")).to_be_visible()
    expect(partner.get_by_role("tab", name="History")).to_have_count(0)
    partner.get_by_role("tab", name="Comments").click()
    partner.get_by_label("Comment", exact=True).fill("When can we have 200?")
    partner.get_by_role("button", name="Add comment").click()
    expect(
        partner.get_by_role("tabpanel").get_by_role("listitem").filter(has_text="When can we have 200?")
    ).to_be_visible()
    looked_into(partner)

    # The owner sees the use without asking for it again, and what was said, with the company's name.
    uses = owner.get_by_role("group", name="Uses").get_by_role("row").filter(has_text="east")
    expect(uses.filter(has_text="view")).to_be_visible()
    expect(uses.filter(has_text="comment")).to_be_visible()
    said = opened(open_page, f"/records/item/{items[2]['id']}?tab=comments")
    expect(said.get_by_role("tabpanel").get_by_role("listitem").filter(has_text="someone of east")).to_be_visible()
    owner.get_by_role("button", name="Revoke").click()
    expect(owner.get_by_text("In the state Revoked fields do not change.")).to_be_visible()
    partner.reload()
    expect(partner.get_by_text("Not found")).to_be_visible()
    expect(partner.get_by_text("GR-3")).to_have_count(0)


def test_a_role_is_made_and_the_page_looked_at_as_it(
    open_page: Open, administrator: Person, items: list[dict[str, Any]]
) -> None:
    page = opened(open_page, "/admin/roles", "zh")
    page.get_by_role("button", name="新建", exact=True).first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("代号", exact=True).fill("班长")
    form.get_by_label("中文名称").fill("班长")
    form.get_by_role("button", name="添加行").last.click()
    form.get_by_label("第 1 行记录类型", exact=True).fill("物料")
    page.get_by_title("物料", exact=True).last.click()
    form.get_by_label("代号", exact=True).click()
    may = form.get_by_role("group", name="第 1 行可执行", exact=True)
    for name in ("查看", "修改"):
        may.get_by_role("checkbox", name=name, exact=True).check()
    looked_into(page)
    form.get_by_role("button", name="保存", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="班长")).to_be_visible()
    expect(page.get_by_role("table").first).to_contain_text("查看, 修改")

    page.get_by_role("button", name="以此角色预览").click()
    banner = page.get_by_role("status").filter(has_text="正以角色“班长”预览。")
    expect(banner).to_be_visible()
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + f"{ITEMS}/{items[0]['id']}")
    expect(page.get_by_role("heading", level=1, name="GR-1")).to_be_visible()
    # Change is in the role, steps are not; and nothing at all is changed in a preview.
    expect(page.get_by_role("button", name="编辑", exact=True)).to_be_enabled()
    expect(page.get_by_role("button", name="发布", exact=True)).to_be_disabled()
    page.keyboard.press("e")
    form = page.get_by_role("dialog")
    form.get_by_label("规格", exact=True).fill("1")
    form.get_by_role("button", name="保存", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("预览")
    looked_into(page)
    form.get_by_role("button", name="取消", exact=True).click()
    page.get_by_role("dialog").nth(1).get_by_role("button").last.click()
    banner.get_by_role("button", name="退出预览").click()
    expect(page.get_by_role("heading", level=1, name="班长")).to_be_visible()
    expect(banner).to_have_count(0)
    (made,) = administrator.get("/records/role", search="班长")["items"]
    administrator.delete(f"/records/role/{made['id']}")


def test_who_can_do_what_here_is_told_with_the_reason(
    open_page: Open, administrator: Person, items: list[dict[str, Any]]
) -> None:
    person = administrator.post("/users", {"username": "gu.ke", "display_name": "Gu Ke", "role": "guest"})
    permission = {"kinds": ["item"], "doings": ["view", "move"], "moves": ["release"]}
    role = administrator.post(
        "/records/role", {"code": "releaser", "name": {"en": "Releaser"}, "permissions": [permission]}
    )
    assigned = administrator.post(
        "/records/assignment", {"person": person["id"], "role": role["id"], "reason": "stands in for Li"}
    )
    page = opened(open_page, f"{ITEMS}/{items[0]['id']}?tab=access")
    of_guest = page.get_by_role("rowgroup").filter(has_text="Gu Ke")
    expect(of_guest).to_contain_text("view, step “Release”")
    expect(of_guest).to_contain_text("role releaser")
    expect(of_guest).to_contain_text("stands in for Li")
    looked_into(page)
    of_guest.get_by_role("link", name=assigned["number"]).click()
    expect(page.get_by_role("heading", level=1, name=assigned["number"])).to_be_visible()
    expect(page.locator(".ms-record-facts")).to_contain_text("Gu Ke")

    # The same of a person, and of a place; on a phone, too.
    page = opened(open_page, f"/admin/access?by=person&person={person['id']}", size=PHONE)
    expect(page.get_by_role("rowgroup").filter(has_text="Items")).to_contain_text("step “Release”")
    looked_into(page)
    page = opened(open_page, asset_path(administrator, "Reactor") + "?tab=access")
    expect(page.get_by_role("rowgroup").filter(has_text="Gu Ke")).to_contain_text("sign in")
    looked_into(page)
    for path in (f"/records/assignment/{assigned['id']}", f"/records/role/{role['id']}", f"/users/{person['id']}"):
        administrator.delete(path)


def test_someone_of_a_part_finds_what_works_for_them_and_nothing_that_refuses(
    open_page: Open, demo: Platform, administrator: Person
) -> None:
    first = administrator.post("/users", {"username": "gao.yu", "role": "guest"})
    someone = Person(demo.port)
    assert someone.sign_in("gao.yu", first["initial_password"]).status == 200
    someone.post("/session/password", {"old": first["initial_password"], "new": _PASSWORD})
    # Whatever is refused stands in the console, and fails this test.
    page = open_page("/", person=someone).page
    rail = page.get_by_role("navigation", name="Main").first.get_by_role("link")
    expect(rail).to_have_text(["Apps"])
    settled(page)
    place = asset_path(administrator, "Reactor")
    fields = {"person": first["id"], "built_in": "operator", "place": place.rpartition("/")[2], "reason": "trial"}
    administrator.post("/records/assignment", fields)
    page.goto(demo.url)
    expect(rail).to_have_text(["Overview", "Plant", "Alarms", "Trends", "Pictures", "Apps"])
    for name in ("Alarms", "Trends", "Apps", "Plant"):
        rail.filter(has_text=name).click()
        settled(page)
    page.goto(f"{demo.url}{place}")
    settled(page)
    expect(page.get_by_role("button", name="Enter from file")).to_be_visible()
    page.get_by_role("button", name="Signed in as").click()
    expect(page.get_by_role("menuitem", name="API tokens")).to_have_count(0)
    page.get_by_role("menuitem", name="Notifications").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("button", name="Subscribe").click()
    expect(drawer.get_by_role("listitem")).to_contain_text("All that you see of the plant")
    looked_into(page)


def test_whoever_may_create_in_a_part_alone_is_offered_it_beside_a_record_of_that_part(
    open_page: Open, demo: Platform, administrator: Person
) -> None:
    first = administrator.post("/users", {"username": "shen.lan", "role": "guest"})
    someone = Person(demo.port)
    assert someone.sign_in("shen.lan", first["initial_password"]).status == 200
    someone.post("/session/password", {"old": first["initial_password"], "new": _PASSWORD})
    place = asset_path(administrator, "Reactor").rpartition("/")[2]
    fields = {"person": first["id"], "built_in": "operator", "place": place, "reason": "trial"}
    assigned = administrator.post("/records/assignment", fields)
    order = administrator.post("/records/order", {"sort": "maintenance", "subject": "Check the jacket", "asset": place})
    fields = {"sort": "fault", "subject": "Jacket leaks", "asset": place, "order": order["id"]}
    finding = administrator.post("/records/finding", fields)
    address = f"/records/order/{order['id']}?tab=related"
    new = "New: Finding"
    assert "enter" not in someone.get("/session")["user"]["rights"]
    expect(opened(open_page, address, person=someone).get_by_role("button", name=new)).to_be_visible()
    # As soon as nothing lets them create any more, it is not offered.
    administrator.delete(f"/records/assignment/{assigned['id']}")
    reader = {"person": first["id"], "built_in": "viewer", "place": place, "reason": "reads"}
    assigned = administrator.post("/records/assignment", reader)
    page = opened(open_page, address, person=someone)
    expect(page.get_by_role("link", name=finding["number"])).to_be_visible()
    expect(page.get_by_role("button", name=new)).to_have_count(0)
    for path in (f"/records/assignment/{assigned['id']}", f"/records/finding/{finding['id']}",
                 f"/records/order/{order['id']}", f"/users/{first['id']}"):  # fmt: skip
        administrator.delete(path)
