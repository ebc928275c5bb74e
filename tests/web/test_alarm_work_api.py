"""Shelving, comments, out of service, filters, files, figures and trials, with the real engine and historian."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from tests.records import ground
from tests.web.running import Records, Running, now_ms, running

from mainspring.core import subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.records.importing.sheets import read_sheet

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


async def standing(web: Running, name: str, value: float) -> str:
    """Raise the alarm of a tag and return its id."""
    await web.value(name, value)
    id = str(web.records.alarms[name].id)

    async def there() -> bool:
        return any(row["alarm"] == id for row in (await web.get("/alarms"))["items"])

    await web.until(there)
    return id


async def view(web: Running, name: str, who: str = "viewer") -> list[Any]:
    found: list[Any] = (await web.get(f"/alarms?view={name}", who))["items"]
    return found


async def test_an_alarm_is_shelved_with_a_reason_and_returns_by_itself(web: Running) -> None:
    id = await standing(web, "T1", 150.0)
    body = {"alarms": [id, UNKNOWN], "comment": "sensor is being cleaned", "for_ms": 3000}
    assert (await web.ask("POST", "/alarms/shelve", body, "viewer")).status == 403
    answer = await web.post("/alarms/shelve", body, "operator")
    assert answer["done"] == [id]
    assert [refused["alarm"] for refused in answer["refused"]] == [UNKNOWN]
    assert await view(web, "active") == []
    (row,) = await view(web, "shelved")
    assert (row["state"], row["by"], row["comment"], row["until_ms"], row["active"]) == (
        "shelved", "Person operator", "sensor is being cleaned", answer["until_ms"], True,
    )  # fmt: skip
    assert await view(web, "shelved", "stranger") == []

    async def back() -> bool:
        return [row["state"] for row in await view(web, "active")] == ["active-unacknowledged"]

    await web.until(back)
    assert await view(web, "shelved") == []
    (entry,) = (await web.get("/audit?action=change&object=alarm-definition"))["items"]
    assert entry["changes"]["comment"][1] == "sensor is being cleaned"


async def test_shelving_has_limits_and_unshelving_is_at_once(web: Running) -> None:
    id = await standing(web, "T1", 150.0)
    for wrong in (
        {"for_ms": 25 * 3_600_000}, {"for_ms": 10}, {"until_ms": 5}, {}, {"for_ms": 9000, "until_ms": now_ms() + 9000},
    ):  # fmt: skip
        answer = await web.ask("POST", "/alarms/shelve", {"alarms": [id], "comment": "c", **wrong})
        assert (answer.status, list(answer.json["fields"])) == (422, ["until_ms"]), wrong
    assert (await web.ask("POST", "/alarms/shelve", {"alarms": [id], "comment": "", "for_ms": 9000})).status == 422
    await web.post("/alarms/shelve", {"alarms": [id], "comment": "c", "for_ms": 3_600_000}, "operator")
    refused = await web.post("/alarms/acknowledge", {"alarms": [id]}, "operator")
    assert refused["acknowledged"] == []
    assert (await web.post("/alarms/unshelve", {"alarms": [id]}, "operator"))["done"] == [id]
    assert [row["state"] for row in await view(web, "active")] == ["active-unacknowledged"]
    assert (await web.post("/alarms/unshelve", {"alarms": [id]}, "operator"))["refused"][0]["alarm"] == id


async def test_out_of_service_says_who_and_why_and_is_for_engineers(web: Running) -> None:
    id = await standing(web, "T1", 150.0)
    body = {"alarms": [id], "comment": "transmitter replaced in week 48"}
    assert (await web.ask("POST", "/alarms/out-of-service", body, "operator")).status == 403
    assert (await web.post("/alarms/out-of-service", body, "engineer"))["done"] == [id]
    (row,) = await view(web, "out-of-service")
    assert (row["state"], row["by"], row["comment"]) == ("out-of-service", "Person engineer", body["comment"])
    shelved = await web.post("/alarms/shelve", {"alarms": [id], "comment": "c", "for_ms": 9000}, "operator")
    assert "out of service" in shelved["refused"][0]["text"]["en"]
    await web.post("/alarms/out-of-service", {**body, "out": False}, "engineer")
    assert [row["alarm"] for row in await view(web, "active")] == [id]


async def test_history_is_filtered_and_saved_in_three_formats(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        hot, _ = await standing(web, "T1", 150.0), await standing(web, "T2", 60.0)
        await web.post("/alarms/comment", {"alarms": [hot], "comment": "=1+1"}, "operator")
        await web.post("/alarms/shelve", {"alarms": [hot], "comment": "cleaning", "for_ms": 60_000}, "operator")
        await web.stored(4, subjects.ALARM)
        area = str(kept.tags["T2"].asset_id)
        for wanted, transitions in (
            ("", ["shelved", "commented", "raised", "raised"]),
            ("transition=shelved,commented", ["shelved", "commented"]),
            ("priority=critical", ["shelved", "commented", "raised"]),
            ("priority=critical&transition=raised", ["raised"]),
            ("person=person%20oper", ["shelved", "commented"]),
            ("person=nobody", []),
            ("search=t1&transition=raised", ["raised"]),
            ("search=nothing", []),
            (f"asset={area}", ["raised"]),
            (f"alarm={hot}&limit=1", ["shelved"]),
        ):
            rows = (await web.get(f"/alarms/history?{wanted}"))["items"]
            assert [row["transition"] for row in rows] == transitions, wanted
        for wanted in (
            "transition=a'b",
            f"transition=raised,{'a' * 40}",
            "priority=purple",
            f"priority={'low,' * 30}low",
        ):
            assert (await web.ask("GET", f"/alarms/history?{wanted}")).status == 422, wanted
        sifted = f"asset={kept.tags['T1'].asset_id}&person=oper"
        book = await web.ask("GET", f"/alarms/history?format=xlsx&language=zh&{sifted}", who="viewer")
        sheet = read_sheet(book.body, "alarms.xlsx")
        assert sheet.head[0].endswith("; 时间为 Asia/Shanghai; 筛选: 操作人 = oper; 资产 = site/a/u")
        head, *found = sheet.rows
        assert head[0] == "时间"
        assert (found[1][5], found[1][-1]) == ("备注", "'=1+1")
        table = pyarrow.parquet.read_table(
            io.BytesIO((await web.ask("GET", "/alarms/history?format=parquet")).body)
        )  # fmt: skip
        assert table.column("transition").to_pylist() == ["shelved", "commented", "raised", "raised"]
        assert table.column("value").to_pylist()[2:] == [60.0, 150.0]
        told = {name.decode(): found.decode() for name, found in (table.schema.metadata or {}).items()}
        assert (told["zone"], told["filters"], told["plant"]) == ("Asia/Shanghai", "{}", "Acme")
        assert int(told["end_ms"]) - int(told["start_ms"]) == 86_400_000
        figures = await web.get("/alarms/performance", "viewer")
        assert (figures["raised"], figures["most_in_10_min"], figures["by_priority"]["critical"]) == (2, 2, 1)
        assert {row["tag_name"] for row in figures["top"]} == {"T1", "T2"}
        assert (figures["standing"], figures["chattering"], figures["flood_ratio"]) == ([], [], 0)
        await asyncio.to_thread(ground.in_thread, partial(kept.assign, "viewer", "a"))
        figures = await web.get("/alarms/performance", "guest")
        assert ([row["tag_name"] for row in figures["top"]], figures["raised"]) == (["T1"], 1)


async def test_a_draft_is_tried_on_history_before_it_is_saved(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        end = now_ms() // 1000 * 1000
        start = end - 3_600_000
        times = np.arange(start, end, 1000)
        hot = np.where((times - start) // 1000 % 600 < 60, 90.0, 20.0)  # six times a minute long
        pressure = np.where((times - start) // 1000 % 1200 < 30, 5.0, 1.0)  # three times half a minute
        for name, values in (("T1", hot), ("T2", pressure)):
            ordinals = [kept.ordinal(name)] * len(times)
            last = await web.send(build(Column.FLOAT64, ordinals, times, values, 0xC0, Origin.MACHINE))
        await web.stored(last)

        async def tried(condition: str, of: str = "T1", **fields: Any) -> Any:
            draft = {"tag_id": str(kept.tags[of].id), "condition": condition, **fields}
            return await web.post(
                "/alarm-definitions/try", {"definition": draft, "start_ms": start, "end_ms": end}, "engineer"
            )  # fmt: skip

        over = await tried("H", limit=80)
        assert (over["count"], over["longest_ms"], over["samples"], over["bucket_ms"]) == (6, 60_000, 3600, None)
        assert over["occurrences"][0] == {"start_ms": start, "end_ms": start + 60_000}
        assert (await tried("H", limit=80, on_delay_ms=61_000))["count"] == 0
        both = await tried("expression", expression="T1 > 80 degC and T2 > 400 kPa")
        assert (both["count"], both["longest_ms"]) == (3, 30_000)
        # In the first ten seconds there is no window yet: the first rise is at the second minute of heat.
        rate = await tried("rate", limit=60, per="minute", window_ms=10_000, direction="rising")
        assert (rate["count"], rate["occurrences"][0]["start_ms"]) == (5, start + 600_000)
        stale = await tried("stale")
        assert (stale["count"], stale["standing"]) == (0, False)
        longer = {"tag_id": str(kept.tags["T1"].id), "condition": "H", "limit": 80}
        asked = {"definition": longer, "start_ms": start, "end_ms": end}
        assert (await web.ask("POST", "/alarm-definitions/try", asked, "operator")).status == 403
        assert (await web.ask("POST", "/alarm-definitions/try", asked, "stranger")).status == 422
        wrong = await web.ask("POST", "/alarm-definitions/try", {**asked, "end_ms": start + 93 * 86_400_000})
        assert list(wrong.json["fields"]) == ["end_ms"]
        faulty = {**asked, "definition": {**longer, "condition": "expression", "expression": "T1 > 5 kPa"}}
        answer = await web.ask("POST", "/alarm-definitions/try", faulty)
        assert "do not measure the same" in answer.json["fields"]["expression"]["en"]
        assert (await web.get("/alarm-definitions"))["total"] == len(kept.alarms)
