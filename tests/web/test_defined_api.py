"""Business records over the API: what every kind gets from its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.web.asking import ITEMS, Asking

from mainspring.records.rights import Role


def test_a_kind_describes_itself_in_both_languages(admin: Asking) -> None:
    assert ("item", "material") in {(each["kind"], each["group"]) for each in admin.get("/kinds")}
    kind = admin.get("/kinds/item")
    assert kind["many"] == {"en": "Items", "zh": "物料"}
    assert kind["schema"]["properties"]["number"]["x-words"] == {"en": "Number", "zh": "物料编码"}
    assert kind["schema"]["required"] == ["number", "name"]
    assert kind["states"]["released"] == {"en": "Released", "zh": "已发布"}
    assert ("lot", "item") in {(each["kind"], each["field"]) for each in kind["linked_by"]}
    admin.get("/kinds/nothing", 404)


def test_a_record_is_made_changed_moved_and_removed(admin: Asking) -> None:
    made = admin("post", ITEMS, {"number": "P-1", "name": {"zh": "轴承"}, "weight": "1.25"}, 201)
    assert (made["weight"], made["state"], made["version"], made["revision"]) == (1.25, "draft", 1, "A")
    one = f"{ITEMS}/{made['id']}"
    changed = admin("patch", one, {"weight": 3, "version": 1})
    assert (changed["weight"], changed["version"], changed["name"]["zh"]) == (3, 2, "轴承")
    released = admin("post", f"{one}/moves/release", {"version": 2})
    assert (released["state"], released["moves"], released["fixed"]) == ("released", ["revise", "withdraw"], True)
    admin("patch", one, {"weight": 4, "version": 3}, 409)
    admin("post", f"{one}/moves/release", {"version": 3}, 409)
    told = admin.get(f"{one}/history")["items"]
    assert [entry["action"] for entry in told] == ["change", "change", "create"]
    assert told[1]["changes"] == {"weight": [1.25, 3]}
    assert told[1]["by"] == "Person administrator"


def test_a_change_of_an_old_version_is_refused_with_the_present_one(admin: Asking) -> None:
    made = admin("post", ITEMS, {"number": "P-1", "name": {"en": "Bearing"}}, 201)
    one = f"{ITEMS}/{made['id']}"
    admin("patch", one, {"size": "6204", "version": 1})
    refused = admin("patch", one, {"size": "6205", "version": 1}, 409)
    assert refused["current"]["size"] == "6204"
    admin("patch", one, {"size": "6205"}, 422)


def test_every_fault_is_told_beside_its_field(admin: Asking) -> None:
    wrong = {"number": "", "name": {"zh": ""}, "weight": -1, "unit": "foo", "sort": "no", "colour": 1}
    refused = admin("post", ITEMS, wrong, 422)
    assert refused["fields"].keys() == wrong.keys()
    admin("post", ITEMS, {"number": "P-1", "name": {"en": "Bearing"}}, 201)
    refused = admin("post", ITEMS, {"number": "P-1", "name": {"en": "Another"}}, 422)
    assert refused["fields"].keys() == {"number"}


def test_lists_are_filtered_searched_sorted_and_paged(admin: Asking) -> None:
    for number in range(7):
        body = {"number": f"P-{number}", "name": {"en": f"Part {number}", "zh": "轴承"}, "weight": number or None}
        admin("post", ITEMS, body, 201)
    assert admin.get(ITEMS, where='[["weight","ge",5]]')["total"] == 2
    assert admin.get(ITEMS, where='[["weight","eq",null]]')["total"] == 1
    assert admin.get(ITEMS, where='[["number","in",["P-1","P-2","P-9"]]]')["total"] == 2
    assert admin.get(ITEMS, search="zc part")["total"] == 7
    assert admin.get(ITEMS, search="part 3")["total"] == 1
    seen, after = [], ""
    while True:
        page = admin.get(ITEMS, sort="-number", limit=3, after=after)
        seen += [row["number"] for row in page["items"]]
        if not (after := page["next"]):
            break
    assert seen == [f"P-{number}" for number in range(6, -1, -1)]
    for wrong in ({"where": "["}, {"where": '[["weight","ge","x"]]'}, {"sort": "nothing"}, {"after": "no"}):
        admin.get(ITEMS, 422, **wrong)


def test_who_may_only_look_changes_nothing(signed_in: Callable[..., Any]) -> None:
    made = Asking(signed_in())("post", ITEMS, {"number": "P-1", "name": {"en": "Bearing"}}, 201)
    viewer = Asking(signed_in(Role.VIEWER))
    assert viewer.get(ITEMS)["total"] == 1
    viewer("post", ITEMS, {"number": "P-2", "name": {"en": "No"}}, 403)
    viewer("patch", f"{ITEMS}/{made['id']}", {"size": "x", "version": 1}, 403)
    viewer("post", f"{ITEMS}/{made['id']}/moves/release", {"version": 1}, 403)
    viewer("delete", f"{ITEMS}/{made['id']}", status=403)
