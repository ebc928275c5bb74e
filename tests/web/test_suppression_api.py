"""Suppressed by design, shifts of a site, and two people at the same alarms, with the real engine and historian."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
from tests.web.running import Records, now_ms, running

from mainspring.core import subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build

REASON = {"en": "Pump stopped", "zh": "泵已停"}


async def test_a_condition_of_an_asset_silences_all_below_and_says_why(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        unit = str(kept.tags["T1"].asset_id)
        id = str(kept.alarms["T1"].id)
        for body, who, status, field in (
            ({"suppress_when": "N == 0", "suppress_reason": REASON}, "operator", 403, None),
            ({"suppress_when": "N == 0 bar", "suppress_reason": REASON}, "engineer", 422, "suppress_when"),
            ({"suppress_when": "N == 0"}, "engineer", 422, "suppress_reason"),
            ({"suppress_when": "X > 0", "suppress_reason": REASON}, "engineer", 422, "suppress_when"),
            ({"suppress_when": "N == 0", "suppress_reason": REASON}, "engineer", 200, None),
        ):
            answer = await web.ask("PATCH", f"/assets/{unit}", {**body, "version": 1}, who)
            assert (answer.status, list(answer.json.get("fields", []))) == (status, [field] if field else []), body
        await web.value("N", 0)

        async def hidden() -> Any:
            return (await web.get("/alarms?view=suppressed"))["items"]

        (row,) = await web.until(hidden)
        assert (row["alarm"], row["state"], row["active"]) == (id, "suppressed", False)
        assert row["suppression"] == {
            "reason": REASON, "expression": "N == 0", "path": "site/a/u", "name": {"en": "u", "zh": ""},
        }  # fmt: skip
        await web.value("T1", 150.0)
        await web.value("T2", 60.0)

        async def raised() -> bool:
            return [row["active"] for row in await hidden()] == [True]

        await web.until(raised)

        async def active() -> list[str]:
            return [row["tag_name"] for row in (await web.get("/alarms"))["items"]]

        async def only_the_other() -> bool:
            return await active() == ["T2"]

        await web.until(only_the_other)
        assert (await web.get("/alarms?view=suppressed", "stranger"))["items"] == []
        refused = (await web.post("/alarms/acknowledge", {"alarms": [id]}, "operator"))["refused"]
        assert "抑制" in refused[0]["text"]["zh"]
        await web.value("N", 1)

        async def both() -> bool:
            return sorted(await active()) == ["T1", "T2"]

        await web.until(both)
        await web.stored(4, subjects.ALARM)
        events = (await web.get(f"/alarms/history?alarm={id}"))["items"]
        assert [(row["transition"], row["state"]) for row in events] == [
            ("unsuppressed", "active-unacknowledged"), ("raised", "suppressed"), ("suppressed", "suppressed"),
        ]  # fmt: skip
        assert events[-1]["comment"] == "Pump stopped · 泵已停"
        figures = await web.get("/alarms/performance")
        assert figures["raised"] == 1
        file = await web.ask("GET", "/alarms/history?format=csv&language=zh&transition=suppressed")
        assert ",抑制," in file.body.decode()


async def test_a_trial_tells_what_would_have_been_suppressed(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, historian=True) as web:
        end = now_ms() // 1000 * 1000
        start = end - 3_600_000
        times = np.arange(start, end, 1000)
        second = (times - start) // 1000
        hot = np.where(second % 600 < 60, 90.0, 20.0)  # six times a minute
        pressure = np.where(second < 1200, 5.0, 1.0)  # stopped for the first third, its end in the middle of nothing
        pressure[(second >= 1830) & (second < 1900)] = 5.0  # and from the middle of the fourth on
        quality = np.where((second >= 600) & (second < 620), 0, 0xC0).astype(np.uint8)
        for name, values, told in (("T1", hot, 0xC0), ("T2", pressure, quality)):
            ordinals = [kept.ordinal(name)] * len(times)
            last = await web.send(build(Column.FLOAT64, ordinals, times, values, told, Origin.MACHINE))
        await web.stored(last)

        async def tried(**fields: Any) -> Any:
            draft = {"tag_id": str(kept.tags["T1"].id), "condition": "H", "limit": 80, **fields}
            asked = {"definition": draft, "start_ms": start, "end_ms": end}
            return await web.post("/alarm-definitions/try", asked, "engineer")

        plain = await tried()
        assert (plain["count"], plain["suppressed_count"], plain["suppressed_ms"]) == (6, 0, 0)
        found = await tried(suppress_when="T2 > 400 kPa", suppress_reason=REASON)
        # The first is hidden, the second but for the 20 s of bad readings, the fourth from its 30th second on.
        spans = [(each["start_ms"] - start, each["end_ms"] - start) for each in found["occurrences"]]
        assert spans == [
            (600_000, 620_000), (1_200_000, 1_260_000), (1_800_000, 1_830_000), (2_400_000, 2_460_000),
            (3_000_000, 3_060_000),
        ]  # fmt: skip
        assert (found["count"], found["suppressed_count"], found["suppressed_ms"]) == (5, 1, 60_000 + 40_000 + 30_000)
        stale = await tried(condition="stale", suppress_when="T2 > 400 kPa", suppress_reason=REASON)
        assert (stale["count"], stale["suppressed_count"]) == (0, 0)


async def test_shifts_of_a_site_are_told_to_those_signed_in(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept, engine=False) as web:
        assert (await web.get("/site"))["shifts"] == []
        site = next(row for row in (await web.get("/assets?parent=root"))["items"] if row["kind"] == "site")
        calendar = {"shifts": ["14:00", "06:00"], "version": 1}
        answer = await web.ask("PATCH", f"/assets/{site['id']}", calendar, "engineer")
        assert (answer.status, answer.json["shifts"]) == (200, ["06:00", "14:00"])
        assert (await web.get("/site", "viewer"))["shifts"] == [{"path": "site", "starts": ["06:00", "14:00"]}]
        assert (await web.get("/site", "stranger"))["shifts"] == []
        wrong = await web.ask("PATCH", f"/assets/{site['id']}", {"shifts": ["25:00"], "version": 2})
        assert (wrong.status, next(iter(wrong.json["fields"])).startswith("shifts")) == (422, True)


async def test_two_people_at_once_are_told_of_each_other(kept: Records, tmp_path: Path) -> None:
    async with running(tmp_path, kept) as web:
        ids = [str(kept.alarms[name].id) for name in ("T1", "T2")]
        await web.value("T1", 150.0)
        await web.value("T2", 60.0)

        async def standing() -> bool:
            return len((await web.get("/alarms"))["items"]) == 2

        await web.until(standing)
        people = ("operator", "engineer")
        body = {"alarms": ids, "comment": "seen"}
        answers = await asyncio.gather(*(web.post("/alarms/acknowledge", body, who) for who in people))
        done = [set(answer["acknowledged"]) for answer in answers]
        # Each alarm is acknowledged by exactly one of them, and the other is told by whom.
        assert done[0] | done[1] == set(ids)
        assert not done[0] & done[1]
        for who, answer in zip(people, answers, strict=True):
            other = people[1 - people.index(who)]
            for refused in answer["refused"]:
                assert refused["text"]["en"] == f"This alarm was acknowledged already by Person {other}."
        rows = {row["alarm"]: row["acknowledged_by"] for row in (await web.get("/alarms"))["items"]}
        assert rows == {id: f"Person {who}" for who, mine in zip(people, done, strict=True) for id in mine}
        # Two that shelve: the later one's time counts, and both deeds are in the audit.
        shelve = [{"alarms": ids[:1], "comment": f"c{n}", "for_ms": 600_000 * (n + 1)} for n in range(2)]
        told = await asyncio.gather(*(
            web.post("/alarms/shelve", each, who) for each, who in zip(shelve, people, strict=True)))  # fmt: skip
        (row,) = (await web.get("/alarms?view=shelved"))["items"]
        assert (row["by"], row["until_ms"]) in {
            (f"Person {who}", each["until_ms"]) for who, each in zip(people, told, strict=True)
        }
        entries = (await web.get("/audit?action=change&object=alarm-definition"))["items"]
        assert sorted(entry["changes"]["comment"][1] for entry in entries) == ["c0", "c1"]
