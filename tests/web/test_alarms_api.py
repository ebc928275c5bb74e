"""The alarm list, acknowledgement and the history of alarms, with the real engine and historian."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.records.plant import author
from tests.web.running import Records, Running, running

from mainspring.core import subjects
from mainspring.records.plant import connection
from mainspring.records.plant.connection import ConnectionDraft
from mainspring.records.plant.tag import Tag

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


async def raised(web: Running) -> None:
    """Raise both alarms, that of T2 first."""
    await web.value("T2", 60.0)
    await listed(web, 1)
    await web.value("T1", 150.0)
    await listed(web, 2)


async def listed(web: Running, count: int) -> list[Any]:
    found: list[Any] = []

    async def as_many() -> bool:
        found[:] = (await web.get("/alarms", "viewer"))["items"]
        return len(found) == count

    await web.until(as_many)
    return found


async def test_the_list_is_filtered_and_what_is_hidden_is_told(web: Running) -> None:
    await raised(web)
    whole = await web.get("/alarms", "viewer")
    assert [row["tag_name"] for row in whole["items"]] == ["T1", "T2"]
    assert (whole["total"], whole["hidden"]) == (2, 0)
    none = {"unacknowledged": 0, "total": 0}
    one = {"unacknowledged": 1, "total": 1}
    assert whole["counts"] == {"critical": one, "high": none, "medium": one, "low": none, "diagnostic": none}
    asset = str(web.records.tags["T2"].asset_id)
    for wanted, names in (
        ("priority=critical", ["T1"]),
        ("priority=high", []),
        (f"asset={asset}", ["T2"]),
        ("search=site/a", ["T1"]),
        ("search=压力", ["T2"]),
        ("search=ylg", ["T2"]),
        ("limit=1&offset=1", ["T2"]),
    ):
        found = await web.get(f"/alarms?{wanted}")
        assert [row["tag_name"] for row in found["items"]] == names, wanted
        # Filters never change what is told of the plant.
        assert found["counts"] == whole["counts"]
        if "offset" not in wanted:
            assert (found["total"], found["hidden"]) == (len(names), 2 - len(names))
    assert (await web.ask("GET", f"/alarms?asset={UNKNOWN}")).status == 404
    assert (await web.ask("GET", "/alarms?priority=worst")).status == 422
    assert (await web.get("/alarms", "stranger"))["items"] == []


async def test_a_search_takes_fragments_of_path_and_name(web: Running) -> None:
    await raised(web)
    assert [row["tag_name"] for row in (await web.get("/alarms?search=site%20t1"))["items"]] == ["T1"]
    assert (await web.get("/alarms?search=site%20nowhere"))["hidden"] == 2


async def test_an_alarm_of_a_replayed_recording_is_marked(kept: Records, tmp_path: Path) -> None:
    def replay() -> None:
        draft = ConnectionDraft(name="PLC", driver="modbus-tcp", settings={"host": "127.0.0.1"}, replayed=True)
        made = connection.create(author(kept.plant), draft)
        Tag.objects.filter(pk=kept.tags["T1"].pk).update(connection=made.id)

    await asyncio.to_thread(replay)
    async with running(tmp_path, kept, historian=True) as web:
        await raised(web)
        marks = {"T1": True, "T2": False}
        assert {row["tag_name"]: row["replayed"] for row in await listed(web, 2)} == marks
        await web.stored(2, subjects.ALARM)
        past = (await web.get("/alarms/history"))["items"]
        assert {row["tag_name"]: row["replayed"] for row in past} == marks


async def test_acknowledging_tells_what_was_refused_and_is_audited(web: Running) -> None:
    await raised(web)
    critical = str(web.records.alarms["T1"].id)
    body = {"alarms": [critical, UNKNOWN], "comment": "已派人查看"}
    assert (await web.ask("POST", "/alarms/acknowledge", body, "viewer")).status == 403
    answer = await web.post("/alarms/acknowledge", body, "operator")
    assert answer["acknowledged"] == [critical]
    (refused,) = answer["refused"]
    assert refused["alarm"] == UNKNOWN
    assert refused["text"]["zh"]
    again = await web.post("/alarms/acknowledge", {"alarms": [critical]}, "operator")
    assert again["acknowledged"] == []
    assert "already" in again["refused"][0]["text"]["en"]
    first, second = await listed(web, 2)
    assert (first["tag_name"], second["tag_name"]) == ("T2", "T1")
    assert (second["state"], second["acknowledged_by"], second["comment"]) == (
        "active-acknowledged", "Person operator", "已派人查看",
    )  # fmt: skip
    (entry,) = (await web.get("/audit?action=acknowledge"))["items"]
    assert (entry["object_id"], entry["changes"]["comment"][1]) == (critical, "已派人查看")
    assert entry["object_name"] == web.records.tags["T1"].path
    foreign = await web.post("/alarms/acknowledge", {"alarms": [str(web.records.alarms["T2"].id)]}, "stranger")
    assert foreign["acknowledged"] == []
    assert (await web.ask("POST", "/alarms/acknowledge", {"alarms": []})).status == 422


async def test_without_an_engine_the_list_says_so(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        answer = await web.ask("GET", "/alarms")
        assert (answer.status, answer.json["code"]) == (503, "not-connected")


async def test_every_transition_is_in_the_history_as_rows_and_as_a_file(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        await raised(web)
        critical = str(kept.alarms["T1"].id)
        await web.post("/alarms/acknowledge", {"alarms": [critical], "comment": "=SUM(A1)"}, "operator")
        await web.value("T1", 20.0)
        await listed(web, 1)
        await web.stored(4, subjects.ALARM)
        everything = (await web.get("/alarms/history"))["items"]
        assert [(row["tag_name"], row["transition"]) for row in everything] == [
            ("T1", "cleared"), ("T1", "acknowledged"), ("T1", "raised"), ("T2", "raised"),
        ]  # fmt: skip
        assert [row["transition"] for row in (await web.get(f"/alarms/history?alarm={critical}&limit=2"))["items"]] == [
            "cleared", "acknowledged",
        ]  # fmt: skip
        tag = kept.ordinal("T2")
        assert [row["tag"] for row in (await web.get(f"/alarms/history?tag={tag}"))["items"]] == [tag]
        acknowledged = everything[1]
        assert (acknowledged["by"], acknowledged["comment"]) == ("Person operator", "=SUM(A1)")
        assert UUID(acknowledged["alarm"]) == kept.alarms["T1"].id
        oldest = everything[-1]["time_ms"]
        early = await web.get(f"/alarms/history?start_ms={oldest - 10}&end_ms={oldest + 1}")
        assert [row["tag_name"] for row in early["items"]] == ["T2"]
        for wrong in ("start_ms=-1", "end_ms=a", f"end_ms={2**60}", "tag=x", "alarm=x"):
            assert (await web.ask("GET", f"/alarms/history?{wrong}")).status == 422, wrong
        file = await web.ask("GET", "/alarms/history?format=csv&language=zh", who="viewer")
        assert file.body.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(file.body.decode("utf-8-sig").splitlines()))
        assert rows[0][0].startswith("# 工厂; ")
        assert rows[0][0].endswith("; 时间为 Asia/Shanghai; 筛选: 无")
        assert rows[1][:3] == ["时间", "报警", "路径"]
        assert rows[2][0].endswith("+08:00")
        assert (rows[3][1], rows[3][-1], rows[3][-2]) == ("T1 报警", "'=SUM(A1)", "Person operator")
        english = await web.ask("GET", "/alarms/history?format=csv&language=en")
        assert "'=T2 high" in english.body.decode()
        assert [entry["object_kind"] for entry in (await web.get("/audit?action=export"))["items"]] == [
            "alarm-history", "alarm-history",
        ]  # fmt: skip
        assert (await web.get("/alarms/history", "stranger"))["items"] == []
