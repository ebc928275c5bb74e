"""What else every record has over the API: undo, many at once, comments, files, labels, views, printed labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from tests.records import ground
from tests.records.plant import tenant
from tests.web.asking import ITEMS, PNG, Keeper, whole

from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.business.item import Item
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant


def test_a_record_goes_back_to_before_an_entry_as_a_new_change(asking: Keeper) -> None:
    made = asking.item(weight=0, stock_least=5)
    one = f"{ITEMS}/{made['id']}"
    asking("patch", one, {"weight": 3, "version": 1})
    asking("patch", one, {"size": "6204", "stock_least": None, "version": 2})
    entries = asking.history(one)
    back = asking("post", f"{one}/undo", {"sequence": entries[0]["sequence"], "version": 3})
    assert (back["weight"], back["size"], back["stock_least"], back["version"]) == (3, "", 5, 4)
    asking("post", f"{one}/undo", {"sequence": entries[0]["sequence"], "version": 3}, 409)
    refused = asking("post", f"{one}/undo", {"sequence": entries[0]["sequence"], "version": 4}, 409)
    assert "already" in refused["text"]["en"]
    back = asking("post", f"{one}/undo", {"sequence": entries[1]["sequence"], "version": 4})
    assert (back["weight"], back["version"]) == (0, 5)
    assert asking.history(one)[0]["changes"] == {"weight": [3, 0]}
    asking("post", f"{one}/undo", {"sequence": entries[2]["sequence"], "version": 5}, 409)
    asking("post", f"{one}/undo", {"sequence": 10**6, "version": 5}, 404)


def test_a_step_is_undone_and_what_is_fixed_stays(asking: Keeper) -> None:
    made = asking.item()
    one = f"{ITEMS}/{made['id']}"
    asking("patch", one, {"weight": 3, "version": 1})
    asking("post", f"{one}/moves/release", {"version": 2})
    step, change, _ = asking.history(one)
    back = asking("post", f"{one}/undo", {"sequence": step["sequence"], "version": 3})
    assert (back["state"], back["weight"], back["version"]) == ("draft", 3, 4)
    asking("post", f"{one}/moves/release", {"version": 4})
    back = asking("post", f"{one}/undo", {"sequence": change["sequence"], "version": 5})
    assert (back["state"], back["weight"]) == ("draft", None)
    asking("patch", one, {"weight": 4, "version": 6})
    asking("post", f"{one}/moves/release", {"version": 7})
    asking("post", f"{one}/moves/revise", {"version": 8})
    asking("post", f"{one}/moves/release", {"version": 9})
    revise = asking.history(one)[1]
    back = asking("post", f"{one}/undo", {"sequence": revise["sequence"], "version": 10}, 409)


def test_removed_records_are_listed_and_brought_back(asking: Keeper, plant: Tenant) -> None:
    made = asking.item(weight=0, made=True, size="6204")
    asking.remove(made)
    asking.remove(asking.item("P-2"))
    listed = asking.get(f"{ITEMS}/removed")["items"]
    assert [each["title"] for each in listed] == ["P-2", "P-1"]
    entry = listed[1]
    back = asking("post", f"{ITEMS}/{made['id']}/undo", {"sequence": entry["sequence"]})
    same = {name: back[name] for name in made if name not in {"version", "changed_ms"}}
    assert same == {name: value for name, value in made.items() if name not in {"version", "changed_ms"}}
    assert back["version"] > made["version"]
    assert [each["title"] for each in asking.get(f"{ITEMS}/removed")["items"]] == ["P-2"]
    assert first_broken(plant) is None
    asking.item("P-2")
    taken = asking("post", f"{ITEMS}/{listed[0]['id']}/undo", {"sequence": listed[0]["sequence"]}, 422)
    assert taken["fields"].keys() == {"number"}


def test_a_whole_comes_back_with_its_parts_and_not_without_what_it_links_to(asking: Keeper) -> None:
    items = [asking.item(number, unit="{count}") for number in ("Pump", "Bolt")]
    lines = [{"position": 10, "item": items[1]["id"], "quantity": 4, "unit": "{count}"}]
    bill = asking("post", "/records/bill-of-material", {"item": items[0]["id"], "bill-line": lines}, 201)
    asking.remove(bill, "bill-of-material")
    assert asking.get("/records/bill-line")["total"] == 0
    entry = asking.get("/records/bill-of-material/removed")["items"][0]
    bill = asking("post", f"/records/bill-of-material/{bill['id']}/undo", {"sequence": entry["sequence"]})
    found = asking.get("/records/bill-line")["items"]
    assert [(each["quantity"], each["item"]) for each in found] == [(4, items[1]["id"])]
    asking.remove(bill, "bill-of-material")
    asking.remove(items[1])
    entry = asking.get("/records/bill-of-material/removed")["items"][0]
    asking("post", f"/records/bill-of-material/{bill['id']}/undo", {"sequence": entry["sequence"]}, 422)
    assert asking.get("/records/bill-of-material")["total"] == 0


def test_many_changes_are_done_together_or_not_at_all(asking: Keeper, plant: Tenant) -> None:
    old, gone, moved = (asking.item(number) for number in ("P-1", "P-2", "P-3"))
    rows: list[dict[str, Any]] = [
        {"do": "create", "fields": {"number": "P-4", "name": {"en": "New"}}},
        {"do": "change", "id": old["id"], "version": 1, "fields": {"weight": 2}},
        {"do": "remove", "id": gone["id"], "version": 1},
        {"do": "move", "id": moved["id"], "version": 1, "move": "release"},
    ]
    wrong = [
        *rows,
        {"do": "create", "fields": {"number": "P-4", "name": {"en": "Twice"}, "weight": -1}},
        {"do": "change", "id": old["id"], "version": 1, "fields": {}},
        {"do": "move", "id": moved["id"], "version": 2, "move": "fly"},
        {"do": "remove", "id": gone["id"], "version": 1},
        {"do": "change", "fields": {"weight": 2}},
    ]
    refused = asking("post", f"{ITEMS}/bulk", {"items": wrong}, 422)
    assert refused["fields"].keys() == {"4.weight", "5.version", "6.id", "7.id", "8.id"}
    assert "5 of 9" in refused["text"]["en"]
    assert asking.get(ITEMS)["total"] == 3
    done = asking("post", f"{ITEMS}/bulk", {"items": rows})["items"]
    assert [each["version"] for each in done] == [1, 2, None, 2]
    assert set(Item.objects.values_list("number", "state")) == {
        ("P-1", "draft"), ("P-3", "released"), ("P-4", "draft"),
    }  # fmt: skip
    assert first_broken(plant) is None
    asking("post", f"{ITEMS}/bulk", {"items": []}, 422)
    asking("post", f"{ITEMS}/bulk", {"items": [rows[0]] * 1001}, 422)


def test_comments_are_changed_by_who_wrote_them(asking: Keeper, signed_in: Callable[..., Any]) -> None:
    made = asking.item()
    comments = f"{ITEMS}/{made['id']}/comments"
    said = asking("post", comments, {"text": " Check the fit.\n检查配合。 "}, 201)
    assert (said["text"], said["by"], said["mine"]) == ("Check the fit.\n检查配合。", "Person administrator", True)
    one = f"{comments}/{said['id']}"
    assert asking("patch", one, {"text": "Checked.", "version": 1})["version"] == 2
    asking("patch", one, {"text": "Again.", "version": 1}, 409)
    for wrong in ("", "  ", "x" * 10_001):
        asking("post", comments, {"text": wrong}, 422)
    asking("post", comments, {"text": "a\x00b"}, 400)
    other = Keeper(signed_in(Role.VIEWER))
    assert [(each["text"], each["mine"]) for each in other.get(comments)["items"]] == [("Checked.", False)]
    other("patch", one, {"text": "No."}, 403)
    other("delete", one, status=403)
    asking("delete", one, status=204)
    assert asking.get(comments)["items"] == []
    actions = AuditEntry.objects.filter(object_kind="comment").order_by("sequence").values_list("action", flat=True)
    assert list(actions) == ["create", "change", "delete"]


def test_files_are_kept_once_and_never_shown_by_browsers(asking: Keeper, signed_in: Callable[..., Any]) -> None:
    made = asking.item()
    files = f"{ITEMS}/{made['id']}/attachments"
    first = asking.sent(f"{files}?name=../../图纸 1.png", PNG)
    second = asking.sent(f"{files}?name=again.png", PNG)
    assert (first["name"], first["media_type"], first["size"], first["sha256"]) == (
        "图纸 1.png", "image/png", len(PNG), second["sha256"],
    )  # fmt: skip
    kept = list((ground.FOLDER / "attachments" / "plant").rglob(first["sha256"]))
    assert len(kept) == 1
    answer = asking.client.get(f"/api/v1{files}/{first['id']}")
    assert answer.content == PNG
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''%E5%9B%BE")
    assert "sandbox" in answer["Content-Security-Policy"]
    page = asking.sent(f"{files}?name=notes.txt", b"<script>alert(1)</script>")
    assert asking.client.get(f"/api/v1{files}/{page['id']}")["Content-Type"] == "application/octet-stream"
    for name, content in (("a.exe", b"MZ"), ("a.html", b"<p>"), ("a.svg", b"<svg/>"), ("a.png", b"MZ"), ("a", PNG)):
        asking.sent(f"{files}?name={name}", content, 422)
    asking.sent(f"{files}?name=a.txt", b"", 422)
    Keeper(signed_in(Role.VIEWER)).sent(f"{files}?name=a.png", PNG, 403)
    asking("delete", f"{files}/{first['id']}", status=204)
    assert kept[0].exists()
    asking("delete", f"{files}/{second['id']}", status=204)
    assert not kept[0].exists()
    assert [each["name"] for each in asking.get(files)["items"]] == ["notes.txt"]


def test_labels_are_names_with_values(asking: Keeper, signed_in: Callable[..., Any]) -> None:
    labels = f"{ITEMS}/{asking.item()['id']}/labels"
    asking("put", labels, {"labels": {"line": "3", "检验": "免检"}})
    asking("put", labels, {"labels": {"line": "4", "检验": "免检", "urgent": ""}})
    assert asking.get(labels)["labels"] == {"line": "4", "urgent": "", "检验": "免检"}
    asking.item("P-2")
    for where, numbers in (
        (["label.line", "eq", "4"], ["P-1"]), (["label.line", "eq", "3"], []), (["label.line", "ne", "4"], ["P-2"]),
        (["label.urgent", "eq", ""], ["P-1"]), (["label.urgent", "eq", None], ["P-2"]),
        (["label.urgent", "ne", None], ["P-1"]),
    ):  # fmt: skip
        found = asking.get(ITEMS, where=json.dumps([where]))["items"]
        assert [each["number"] for each in found] == numbers, where
    asking.get(ITEMS, 422, where='[["label.line","ge","4"]]')
    told = AuditEntry.objects.filter(object_kind="label").order_by("-sequence").first()
    assert told is not None
    assert told.changes == {"label line": ["3", "4"], "label urgent": [None, ""]}
    for wrong in ({"": "x"}, {"a=b": ""}, {"a": "x" * 201}, {f"n{number}": "" for number in range(51)}):
        asking("put", labels, {"labels": wrong}, 422)
    asking("put", labels, {"labels": {"a": "\x00"}}, 400)
    viewer = Keeper(signed_in(Role.VIEWER))
    assert viewer.get(labels)["labels"]["line"] == "4"
    viewer("put", labels, {"labels": {}}, 403)


def test_views_are_one_s_own_or_for_everyone(asking: Keeper, signed_in: Callable[..., Any]) -> None:
    views = f"{ITEMS}/views"
    query = {"where": '[["weight","ge",5]]', "sort": "-number", "columns": "number,name"}
    mine = asking("post", views, {"name": "Heavy", "query": query, "shared": True}, 201)
    asking("post", views, {"name": "Mine", "query": {}}, 201)
    asking("post", views, {"name": "Mine", "query": {}}, 422)
    for wrong in ({"where": "["}, {"sort": "nothing"}):
        asking("post", views, {"name": "Wrong", "query": wrong}, 422)
    viewer = Keeper(signed_in(Role.VIEWER))
    found = viewer.get(views)["items"]
    assert [(each["name"], each["query"]["where"], each["mine"]) for each in found] == [
        ("Heavy", query["where"], False)
    ]
    viewer("patch", f"{views}/{mine['id']}", {"name": "No"}, 403)
    viewer("post", views, {"name": "For all", "shared": True}, 403)
    own = viewer("post", views, {"name": "Own"}, 201)
    assert viewer("patch", f"{views}/{own['id']}", {"name": "Still own", "version": 1})["name"] == "Still own"
    viewer("delete", f"{views}/{own['id']}", status=204)
    asking("delete", f"{views}/{own['id']}", status=404)


def test_labels_are_printed_with_a_code_that_leads_to_the_record(asking: Keeper) -> None:
    items = [asking.item(f"<b>P-{number}</b>", size='"6204"') for number in range(3)]
    ids = ",".join(each["id"] for each in items)
    for size in asking.get("/label-sizes")["items"]:
        answer = asking.client.get(f"/api/v1{ITEMS}/labels", {"ids": ids, "size": size["size"], "language": "zh"})
        page = answer.content.decode()
        assert (answer.status_code, page.count("<svg"), page.count("<article")) == (200, 3, 3)
        assert "<b>" not in page
        assert "&lt;b&gt;P-1" in page
        nonce = answer["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0]
        assert f'<style nonce="{nonce}">' in page
    for wrong in ({"ids": "x"}, {"ids": ids, "size": "huge"}, {"ids": ","}):
        asking.get(f"{ITEMS}/labels", 422, **wrong)
    asking.get(f"{ITEMS}/labels", 404, ids="0190a000-0000-7000-8000-000000000000")


def test_another_company_finds_nothing_on_a_record(asking: Keeper, signed_in: Callable[..., Any]) -> None:
    made = asking.item()
    one = f"{ITEMS}/{made['id']}"
    said = asking("post", f"{one}/comments", {"text": "Ours"}, 201)
    file = asking.sent(f"{one}/attachments?name=a.png", PNG)
    view = asking("post", f"{ITEMS}/views", {"name": "Ours", "shared": True}, 201)
    entry = asking.history(one)[0]
    stranger = Keeper(signed_in(Role.ADMINISTRATOR, of=tenant("north")))
    for path in ("comments", "attachments", f"attachments/{file['id']}", "labels"):
        stranger.get(f"{one}/{path}", 404)
    stranger("patch", f"{one}/comments/{said['id']}", {"text": "x"}, 404)
    stranger("put", f"{one}/labels", {"labels": {}}, 404)
    stranger("post", f"{one}/undo", {"sequence": entry["sequence"], "version": 1}, 404)
    stranger("delete", f"{ITEMS}/views/{view['id']}", status=404)
    stranger.get(f"{ITEMS}/labels", 404, ids=made["id"])
    assert stranger.get(f"{ITEMS}/views")["items"] == []
    asking.remove(made)
    assert stranger.get(f"{ITEMS}/removed")["items"] == []
    stranger("post", f"{one}/undo", {"sequence": entry["sequence"] + 1}, 404)
    assert stranger("post", f"{ITEMS}/bulk", {"items": [{"do": "remove", "id": made["id"], "version": 1}]}, 422)


def test_who_may_only_look_brings_nothing_back(asking: Keeper, signed_in: Callable[..., Any]) -> None:
    made = asking.item()
    viewer = Keeper(signed_in(Role.VIEWER))
    viewer.get(f"{ITEMS}/removed", 403)
    entry = asking.history(f"{ITEMS}/{made['id']}")[0]
    viewer("post", f"{ITEMS}/{made['id']}/undo", {"sequence": entry["sequence"], "version": 1}, 403)
    viewer("post", f"{ITEMS}/bulk", {"items": [{"do": "create", "fields": {}}]}, 403)


def test_a_list_is_downloaded(asking: Keeper) -> None:
    asking.item("=P-1")
    for form, holds in (("csv", b"'=P-1"), ("json", b'"=P-1"'), ("xlsx", b"PK")):
        answer = asking.client.get(f"/api/v1{ITEMS}/export", {"format": form, "search": "bearing", "language": "zh"})
        assert answer["Content-Disposition"] == f'attachment; filename="item.{form}"'
        assert holds in async_to_sync(whole)(answer.streaming_content)
    asking.get(f"{ITEMS}/export", 422, where="[")
    asking.get(f"{ITEMS}/export", 422, format="pdf")
