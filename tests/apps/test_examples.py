"""The sample apps, whole: on a real web role, by what their definitions say alone."""

from __future__ import annotations

import ast
import json
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.apps.asking import Asking
from tests.records import ground
from tests.records.ground import in_thread
from tests.web.running import Running, now_ms

ROOT = Path(__file__).parents[2]
LINES_MAX = 150
APPS = {"tool_crib": ("tool", "tool-loan"), "shift_log": ("shift-report", "shift-entry"),
        "supplier_rating": ("supplier-rating",)}  # fmt: skip
SURFACE = {"mainspring.apps", "mainspring.apps.kit", "mainspring.apps.nouns"}
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def today() -> date:
    """Return the day by the plant's clock."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


@pytest.fixture
def ask(web: Running) -> Asking:
    return Asking(web)


def written(app: str) -> list[Path]:
    """Return what people wrote of an app; migrations are made by a command."""
    return [file for file in (ROOT / "examples" / app).rglob("*.py") if "migrations" not in file.parts]


@pytest.mark.parametrize("app", APPS)
def test_an_app_is_small_and_builds_on_the_stable_surface_alone(app: str) -> None:
    assert sum(file.read_text(encoding="utf-8").count("\n") for file in written(app)) <= LINES_MAX
    for file in written(app):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                for name in found:
                    root = name.partition(".")[0]
                    assert name in SURFACE or root == "django" or root in sys.stdlib_module_names, (
                        f"{file.name}: {name}"
                    )


@pytest.mark.parametrize("app", APPS)
def test_an_app_has_a_readme_and_migrations_that_say_what_it_says(app: str) -> None:
    from mainspring.apps.tables import left_behind, refuse_pending

    assert (ROOT / "examples" / app / "README.md").read_text(encoding="utf-8").startswith("# ")
    refuse_pending()
    assert left_behind() == []
    assert f"examples.{app}" in ground.SETTINGS.apps


async def test_every_word_of_an_app_is_there_in_both_languages(ask: Asking) -> None:
    listed = {each["kind"] for each in await ask("GET", "/kinds")}
    for kind in (kind for kinds in APPS.values() for kind in kinds):
        assert kind in listed
        told = await ask("GET", f"/kinds/{kind}")
        properties = told["schema"]["properties"].values()
        words = [told["one"], told["many"], *told["states"].values(), *(step["words"] for step in told["moves"])]
        words += [field["x-words"] for field in properties]
        words += [each for field in properties for each in field.get("x-choices", {}).values()]
        words += [field["x-hint"] for field in properties if "x-hint" in field]
        assert all(each["en"] and each["zh"] for each in words), kind
        document = await ask("GET", "/openapi.json")
        assert kind in json.dumps(document)


async def test_a_tool_is_lent_to_one_person_at_a_time_and_comes_back(ask: Asking) -> None:
    person = await ask.make("party", name={"en": "Wang", "zh": "王"}, sort="person")
    tool = await ask.make("tool", name={"en": "Torque wrench", "zh": "扭矩扳手"})
    asked = {"tool": tool["id"], "holder": person["id"], "back_by": str(today() + timedelta(days=7))}
    loans = [await ask.of("operator").make("tool-loan", **asked) for _ in range(2)]
    await ask.of("viewer").move("tool-loan", loans[0], "issue", 403)
    lent = await ask.of("operator").move("tool-loan", loans[0], "issue")
    assert lent["lent_ms"]
    shown = await ask.show("tool", tool)
    assert (shown["state"], shown["holder"], shown["times"], shown["moves"]) == ("lent", person["id"], 1, [])
    refused = await ask.of("operator").move("tool-loan", loans[1], "issue", 409)
    assert refused["text"]["en"] == f"{tool['number']} is not in the crib: Lent."
    assert refused["text"]["zh"] == f"{tool['number']} 不在工具库中：已领用。"
    await ask.change("tool-loan", lent, 409, back_by="2030-01-01")
    back = await ask.of("operator").move("tool-loan", lent, "return-damaged")
    assert back["back_ms"] >= lent["lent_ms"]
    shown = await ask.show("tool", tool)
    assert (shown["state"], shown["holder"]) == ("held", None)
    (finding,) = await ask.listed("finding")
    assert (finding["about"], finding["sort"]) == (f"tool:{tool['id']}", "fault")
    undone = await ask.undo("tool-loan", back)
    assert (undone["state"], (await ask.show("tool", tool))["state"]) == ("out", "lent")
    await ask.of("operator").move("tool-loan", undone, "return")
    assert (await ask.show("tool", tool))["state"] == "available"


async def test_what_is_not_calibrated_is_not_lent_and_is_held_when_it_runs_out(ask: Asking) -> None:
    person = await ask.make("party", name={"en": "Li"}, sort="person")
    now = today()
    gauge: dict[str, Any] = {"name": {"en": "Caliper", "zh": "卡尺"}, "every_days": 365}
    old = await ask.make("tool", **gauge, calibrated=str(now - timedelta(days=400)))
    assert old["due"] == str(now - timedelta(days=35))
    asked = {"holder": person["id"], "back_by": str(now)}
    loan = await ask.make("tool-loan", **asked, tool=old["id"])
    refused = await ask.move("tool-loan", loan, "issue", 409)
    assert "is calibrated until" in refused["text"]["en"]
    held = await ask.move("tool", old, "hold")
    await ask.move("tool", held, "pass", 422)
    passed = await ask.change("tool", held, calibrated=str(now))
    assert (await ask.move("tool", passed, "pass"))["due"] == str(now + timedelta(days=365))
    last = await ask.make("tool", **gauge, calibrated=str(now - timedelta(days=364)))
    loan = await ask.make("tool-loan", **asked, tool=last["id"])
    await ask.move("tool-loan", await ask.move("tool-loan", loan, "issue"), "return")
    assert (await ask.show("tool", last))["state"] in {"available", "held"}


async def test_a_sheet_of_tools_is_imported_with_its_bad_rows_told(ask: Asking) -> None:
    rows = ["Number,Name in English,Name in Chinese,Calibrated every,Last calibrated", "W-1,Wrench,扳手,,",
            "W-2,Gauge,量规,0,2026-01-05", "W-3,Scale,秤,90,2026-01-05"]  # fmt: skip
    checked, loaded = await ask.loaded("tool", "tools.csv", "\n".join(rows).encode())
    assert checked["counts"] == {"created": 2, "updated": 0, "unchanged": 0, "refused": 1}
    (fault,) = (await ask("GET", f"/imports/{loaded['id']}/faults"))["items"]
    assert (fault["row"], fault["field"], fault["found"]) == (3, "every_days", "0")
    assert [each["number"] for each in await ask.listed("tool", sort="number")] == ["W-1", "W-3"]
    assert (await ask.listed("tool", search="秤"))[0]["due"] == "2026-04-05"


async def test_another_company_sees_nothing_of_it(ask: Asking) -> None:
    tool = await ask.make("tool", name={"en": "Wrench"})
    stranger = ask.of("stranger")
    assert await stranger.listed("tool") == []
    await stranger.show("tool", tool, 404)
    await stranger.change("tool", tool, 404, name={"en": "Mine"})
    await stranger.move("tool", tool, "hold", 404)
    assert (await stranger("GET", f"/records/tool/{tool['id']}/history", status=404))["code"] == "not-found"
    theirs = await stranger.make("party", name={"en": "Thief"}, sort="person")
    asked = {"tool": tool["id"], "holder": theirs["id"], "back_by": "2030-01-01"}
    assert (await stranger.make("tool-loan", 422, **asked))["fields"].keys() == {"tool"}


async def test_rows_of_an_app_that_was_taken_out_hold_what_they_link_to(ask: Asking) -> None:
    from django.db import connection

    item = await ask.make("item", number="P-1", name={"en": "Bearing"})

    def leave() -> None:
        with connection.cursor() as cursor:
            kind = "uuid" if connection.vendor == "postgresql" else "char(32)"
            cursor.execute(
                f"CREATE TABLE gone_row (item {kind} REFERENCES records_item (id) DEFERRABLE INITIALLY DEFERRED)"
            )
            cursor.execute("INSERT INTO gone_row (item) SELECT id FROM records_item")

    in_thread(leave)
    answer = await ask.web.ask("DELETE", f"/records/item/{item['id']}", **{"If-Match": "1"})
    assert (answer.status, "an app that was taken out" in answer.json["text"]["en"]) == (409, True)
    assert (await ask.show("item", item))["number"] == "P-1"


async def crew(ask: Asking, web: Running) -> tuple[Any, Any, Any]:
    """Make a calendar of two shifts, a leader, and a relief who is the operator's account."""
    from mainspring.records.people.user import User

    operator = in_thread(lambda: str(User.objects.get(tenant=web.records.plant, username="operator").pk))
    shifts = [
        {"name": {"en": name, "zh": zh}, "start": start, "end": end, "weekdays": [1, 2, 3, 4, 5, 6, 7]}
        for name, zh, start, end in (("Day", "白班", "08:00", "20:00"), ("Night", "夜班", "20:00", "08:00"))
    ]
    calendar = await ask.make("calendar", code="C", name={"en": "Two shifts"}, shifts=shifts)
    leader = await ask.make("party", name={"en": "Zhao"}, sort="person")
    relief = await ask.make("party", name={"en": "Qian"}, sort="person", account=operator)
    return calendar, leader, relief


async def test_a_shift_is_handed_over_signed_by_the_next_and_fixed(ask: Asking, web: Running) -> None:
    calendar, leader, relief = await crew(ask, web)
    areas = await ask("GET", "/assets")
    line = areas["items"][0]["id"]
    begun = now_ms() - 40 * HOUR_MS
    operator = ask.of("operator")
    fields = {"asset": line, "calendar": calendar["id"], "leader": leader["id"]}
    report = await operator.make("shift-report", **fields, begun_ms=begun)
    assert report["shift"]["en"] in {"Day", "Night"}
    assert report["start_ms"] <= begun <= report["end_ms"] == report["start_ms"] + 12 * HOUR_MS
    assert (await operator.make("shift-report", 422, **fields, begun_ms=begun + 1))["fields"].keys() == {"begun_ms"}
    of_it = {"report": report["id"], "at_ms": report["start_ms"] + HOUR_MS}
    await operator.make("shift-entry", **of_it, sort="stop", text="Belt torn", minutes=25)
    await operator.make("shift-entry", **of_it, sort="stop", text="Jam", minutes=5)
    await operator.make("shift-entry", **of_it, sort="hazard", text="Oil on the floor")
    task = await operator.make("shift-entry", **of_it, sort="task", text="Order a new belt")
    for wrong, field in (({"sort": "stop"}, "minutes"), ({"at_ms": report["end_ms"] + 1}, "at_ms")):
        entry = {**of_it, "text": "x", **wrong}
        assert (await operator.make("shift-entry", 422, **entry))["fields"].keys() == {field}
    (finding,) = await ask.listed("finding")
    assert (finding["sort"], finding["subject"], finding["finder"]) == ("hazard", "Oil on the floor", leader["id"])
    assert (await operator.move("shift-report", report, "hand", 422))["fields"].keys() == {"summary", "relief"}
    changed = await operator.change("shift-report", report, summary="All runs", relief=relief["id"])
    handed = await operator.move("shift-report", changed, "hand")
    refused = await ask.move("shift-report", handed, "sign", 409)
    assert "Only who takes over signs" in refused["text"]["en"]
    signed = await operator.move("shift-report", handed, "sign")
    assert (signed["stopped"], signed["signed_ms"] > signed["end_ms"], signed["moves"]) == (30, True, [])
    await ask.change("shift-report", signed, 409, summary="Nothing happened")
    await ask.change("shift-entry", task, 409, done=True)
    await ask.make("shift-entry", 409, **of_it, text="Later")
    assert "stays as it is" in (await ask.undo("shift-report", signed, 409))["text"]["en"]
    (following,) = [each for each in await ask.listed("shift-report") if each["id"] != report["id"]]
    assert (following["start_ms"], following["leader"]) == (report["end_ms"], relief["id"])
    (left,) = await ask.listed("shift-entry", where=json.dumps([["report", "eq", following["id"]]]))
    assert (left["text"], left["sort"]) == ("Order a new belt", "task")


async def test_nobody_signs_before_the_shift_ends(ask: Asking, web: Running) -> None:
    calendar, leader, relief = await crew(ask, web)
    line = (await ask("GET", "/assets"))["items"][0]["id"]
    report = await ask.make("shift-report", asset=line, calendar=calendar["id"], leader=leader["id"],
                            begun_ms=now_ms() + 12 * HOUR_MS, summary="-", relief=relief["id"])  # fmt: skip
    handed = await ask.move("shift-report", report, "hand")
    assert "not ended" in (await ask.of("operator").move("shift-report", handed, "sign", 409))["text"]["en"]


async def supplied(ask: Asking) -> tuple[Any, dict[int, Any]]:
    """Make a supplier with two deliveries due, one in time and one late, and a finding."""
    supplier = await ask.make("party", name={"en": "Steel Ltd", "zh": "钢材公司"}, supplier=True)
    own = await ask.make("party", name={"en": "Us"})
    now = today()
    promises = {}
    for days, rest_came in ((20, 21), (10, 8)):
        due = now_ms() - days * DAY_MS
        made = await ask.make("commitment", sort="delivery", debtor=supplier["id"], creditor=own["id"], quantity=100,
                              unit="kg", due_ms=due)  # fmt: skip
        promises[days] = await ask.move("commitment", made, "accept")
        parts = (days + 1, "0.06", "t"), (rest_came, 40, "kg")
        for before, quantity, unit in parts:
            day = str(now - timedelta(days=before))
            await ask.make("settlement", commitment=made["id"], day=day, quantity=quantity, unit=unit)
    order = await ask.make("order", sort="purchase", party=supplier["id"])
    await ask.make("finding", sort="nonconformity", subject="Rust", order=order["id"], severity="minor",
                   found_ms=now_ms() - 5 * DAY_MS)  # fmt: skip
    return supplier, promises


async def test_a_supplier_is_rated_with_the_evidence_behind_each_number(ask: Asking) -> None:
    supplier, promises = await supplied(ask)
    now = today()
    period = {"party": supplier["id"], "first": str(now - timedelta(days=30)), "last": str(now)}
    rating = await ask.make("supplier-rating", **period)
    numbers = ("promises", "on_time", "faults", "quality", "score", "mark")
    assert [rating[name] for name in numbers] == [2, 50, 1, 50, 50, "C"]
    assert [(each["good"], each["told"]) for each in rating["evidence"]] == [
        (True, "100 / 100 kg"), (False, "60 / 100 kg"), (False, "Rust"),
    ]  # fmt: skip
    assert rating["evidence"][1]["record"] == f"commitment:{promises[10]['id']}"
    await ask.make("supplier-rating", 422, **period, score=100)
    assert (await ask.make("supplier-rating", 422, **period))["fields"].keys() == {"party"}
    assert (await ask.make("supplier-rating", 422, **period | {"last": "2020-01-01"}))["fields"].keys() == {"last"}
    (finding,) = await ask.listed("finding")
    await ask.move("finding", await ask.change("finding", finding, remedy="Not theirs"), "close")
    again = await ask.move("supplier-rating", rating, "recompute")
    assert [again[name] for name in numbers] == [2, 50, 0, 100, 70, "C"]
    released = await ask.move("supplier-rating", again, "release")
    assert (await ask.show("party", supplier))["rating"] == 5
    await ask.change("supplier-rating", released, 409, remarks="x")
    sheet = (await ask.file("/records/supplier-rating/export?format=csv&language=zh")).decode("utf-8-sig")
    assert "供应商" in sheet
    assert "60 / 100 kg" in sheet
    nobody = await ask.make("party", name={"en": "Customer"})
    assert (await ask.make("supplier-rating", 422, **period | {"party": nobody["id"]}))["fields"].keys() == {"party"}
    empty = await ask.make("supplier-rating", **period | {"first": str(now)})
    assert (empty["promises"], empty["score"]) == (0, None)
    await ask.move("supplier-rating", empty, "release", 409)
