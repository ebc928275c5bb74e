"""Every way across on the bus, tried with the key of another company's gateway, and what its own key is good for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import json
from typing import Any, Final

import pytest
from nats.errors import Error as NatsError
from tests.e2e.platform import eventually
from tests.isolation.estate import EDGE, Company, Estate
from tests.waiting import PATIENCE_S

from mainspring.bus.connect import Bus, inbox_prefix
from mainspring.core import subjects
from mainspring.core.definitions import BUCKET, Definition, Since
from mainspring.core.errors import NotConnected

FORGED: Final = b"forged by another company"


def asked(company: Company) -> dict[str, bytes]:
    """Return every subject through which something of a company could be asked, written or ended, with a payload."""
    key, bucket, live = company.key, f"KV_{BUCKET}", subjects.readings(company.key, EDGE)
    filters = f"$KV.{BUCKET}.{key}.>"
    consumer = {"stream_name": bucket, "config": {"name": "spy", "filter_subject": filters, "ack_policy": "none"}}
    pushed = {"stream_name": "LIVE", "config": {"name": "spy", "deliver_subject": "spy", "filter_subject": live}}
    last = json.dumps({"last_by_subj": f"$KV.{BUCKET}.{key}.tenant.1"}).encode()
    batch = json.dumps({"seq": 1, "next_by_subj": filters, "batch": 100}).encode()
    return {
        **dict.fromkeys((
            live, subjects.readings(key, EDGE, late=True), subjects.readings(key, subjects.BY_HAND),
            subjects.blob(key, EDGE), subjects.blob(key, subjects.BY_HAND), subjects.connections(key, EDGE),
            subjects.alarm(key), subjects.alarms(key, "list"), subjects.alarms(key, "acknowledge"),
            subjects.health("gateway", EDGE, key), subjects.health("historian", "1"), subjects.position("LIVE"),
            *(subjects.gateway(key, name, verb) for name in (EDGE, "main") for verb in ("test", "browse", "command")),
            *(subjects.history(key, query) for query in ("raw", "trend", "events", "extent", "blob", "correct")),
            f"$KV.{BUCKET}.{key}.tags.0", f"ms.defined.{key}.tags.0", f"{inbox_prefix(company.user)}.x",
        ), FORGED),
        subjects.clock(key): b"",
        subjects.definitions(key): Since().model_dump_json().encode(),
        subjects.current(key): company.ordinal.to_bytes(4, "little"),
        f"$JS.API.DIRECT.GET.LIVE.{live}": b"",
        f"$JS.API.DIRECT.GET.{bucket}.$KV.{BUCKET}.{key}.tenant.1": b"",
        f"$JS.API.DIRECT.GET.{bucket}": batch,
        f"$JS.API.STREAM.MSG.GET.{bucket}": last,
        f"$JS.API.CONSUMER.CREATE.{bucket}.spy.{filters}": json.dumps(consumer).encode(),
        f"$JS.API.CONSUMER.CREATE.{bucket}": json.dumps(consumer).encode(),
        f"$JS.API.CONSUMER.DURABLE.CREATE.{bucket}.spy": json.dumps(consumer).encode(),
        f"$JS.API.CONSUMER.CREATE.LIVE.spy.{live}": json.dumps(pushed).encode(),
        f"$JS.API.CONSUMER.MSG.NEXT.{bucket}.spy": b"1",
        f"$JS.API.CONSUMER.LIST.{bucket}": b"",
        **dict.fromkeys((
            "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.LIVE",
            f"$JS.API.STREAM.INFO.{bucket}", "$JS.API.STREAM.PURGE.LIVE", "$JS.API.STREAM.DELETE.LIVE",
            "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.MAINSPRING.CONNZ", "$SYS.REQ.SERVER.PING.CONNZ",
            "$SYS.REQ.USER.INFO",
        ), b""),
    }  # fmt: skip


HEARD: Final = (
    ">", "ms.>", "*.*.live.*", "ms.plant.>", "ms.*.connections.*", "ms.health.>", "ms.defined.>", "ms.defined.plant.>",
    f"$KV.{BUCKET}.>", "_INBOX.>", "_INBOX_web.>", f"{inbox_prefix('gateway-plant-edge')}.>", "_R_.>", "$JS.>",
    "$SYS.>",
)  # fmt: skip


async def answer(bus: Bus, subject: str, payload: bytes) -> bytes | None:
    """Return what a subject answers, None for nothing."""
    try:
        return bytes((await bus.nc.request(subject, payload, timeout=1.0)).data)
    except (NatsError, TimeoutError):
        return None


async def listening(bus: Bus, *subjects_: str) -> list[Any]:
    """Subscribe and return the list that what arrives is put into."""
    heard: list[Any] = []

    async def on_message(message: Any) -> None:
        heard.append(message)

    for subject in subjects_:
        await bus.nc.subscribe(subject, cb=on_message)
    await bus.settled()
    return heard


async def test_no_subject_of_another_company_answers_or_takes_anything(two: Estate) -> None:
    victim = two.plant
    own, spy, admin = [await victim.connect(two.bus_url), await two.north.connect(two.bus_url), await two.admin()]
    try:
        seen = await listening(
            admin, "ms.plant.>", f"$KV.{BUCKET}.>", "ms.defined.plant.>", "ms.position.*", "ms.health.>"
        )
        tried = asked(victim)
        answers = await asyncio.gather(*(answer(spy, subject, payload) for subject, payload in tried.items()))
        told = {subject: found for subject, found in zip(tried, answers, strict=True) if found is not None}
        assert told == {}
        await spy.settled()
        assert [each.subject for each in seen if each.data == FORGED] == []
        # The same questions are answered for the company itself, so that the silence above means something.
        page = await own.ask(subjects.definitions(victim.key), Since().model_dump_json().encode())
        assert victim.mark.encode() in page
        assert two.north.mark.encode() not in page
        assert await own.last_on("LIVE", subjects.readings(victim.key, EDGE)) is not None
        assert await answer(spy, subjects.definitions("north"), Since().model_dump_json().encode()) is not None
    finally:
        for bus in (own, spy, admin):
            await bus.close()


async def test_nothing_of_another_company_is_heard(two: Estate) -> None:
    victim = two.plant
    own, spy, admin = [await victim.connect(two.bus_url), await two.north.connect(two.bus_url), await two.admin()]
    try:
        heard, seen = await listening(spy, *HEARD), await listening(admin, "ms.plant.>", "ms.defined.plant.>")
        definitions: dict[str, Definition | None] = {}
        await own.watch_tenant(definitions.__setitem__, victim.key)
        await victim.publish(own, victim.ordinal, victim.value)
        await asyncio.to_thread(victim.person.change, f"/connections/{victim.ids['connections']}", enabled=False)
        made = await asyncio.to_thread(victim.person.post, "/tags", {"name": "later", "asset": victim.ids["assets"]})
        async with asyncio.timeout(PATIENCE_S):
            while not any(
                b"later" in definition.model_dump_json().encode() for definition in definitions.values() if definition
            ):
                await asyncio.sleep(0.05)
            while not {each.subject.split(".")[1] for each in seen} >= {"plant", "defined"}:
                await asyncio.sleep(0.05)
        await spy.settled()
        foreign = [each.subject for each in heard if not _may_hear(each.subject)]
        assert foreign == []
        assert not any(victim.mark.encode() in each.data or b"later" in each.data for each in heard)
        await asyncio.to_thread(victim.person.delete, f"/tags/{made['id']}")
    finally:
        for bus in (own, spy, admin):
            await bus.close()


def _may_hear(subject: str) -> bool:
    """Tell whether a gateway of north may hear a subject: how far the historian is, and what is its own."""
    return subject.startswith(("ms.position.", "ms.defined.north.", "ms.north.gateway.edge."))


async def test_foreign_tags_in_a_batch_are_refused_and_counted(two: Estate) -> None:
    thief, victim = two.north, two.plant
    bus = await thief.connect(two.bus_url)
    try:
        await thief.publish(bus, victim.ordinal, 6.66)
        await thief.publish(bus, thief.ordinal, thief.value)

        def counted() -> bool:
            told = {each["gateway"]: each["samples"] for each in thief.person.get("/health")["refused"]}
            return bool(told.get(EDGE))

        await asyncio.to_thread(eventually, counted, 30, "the refusal is counted for the sender")
        await asyncio.to_thread(
            eventually, lambda: len(thief.history(thief.ordinal)) == 2, 30, "its own reading is kept"
        )
        assert victim.person.get("/health")["refused"] == []
        assert set(victim.history(victim.ordinal)) == {victim.value}
        assert thief.history(victim.ordinal) == []
        assert victim.person.current(victim.ordinal)[victim.ordinal]["value"] == victim.value
    finally:
        await bus.close()


def test_the_live_feed_knows_no_foreign_tags(two: Estate) -> None:
    thief, victim = two.north, two.plant
    made = thief.person.post("/live", {"tags": [victim.ordinal, thief.ordinal]})
    connection = http.client.HTTPConnection("127.0.0.1", thief.person.port, timeout=PATIENCE_S)
    try:
        cookies = "; ".join(f"{name}={value}" for name, value in thief.person.cookies.items())
        connection.request("GET", f"/api/v1/live/{made['id']}/stream", headers={"Cookie": cookies})
        stream = connection.getresponse()
        assert stream.status == 200
        name = b""
        while name != b"snapshot":
            line = stream.readline().strip()
            name = line.removeprefix(b"event: ") if line.startswith(b"event: ") else name
        shown = json.loads(stream.readline().removeprefix(b"data: "))
        by_tag = dict(zip(shown["tags"], zip(shown["values"], shown["flags"], strict=True), strict=True))
        assert by_tag[victim.ordinal] == (None, 0)
        assert by_tag[thief.ordinal][0] == thief.value
    finally:
        connection.close()


# The client leaves the sockets of refused attempts to the garbage collector, which is to come within this test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_revoked_gateway_is_cut_off_and_lets_nobody_in_until_it_enrols_again(two: Estate) -> None:
    company = two.north
    bus = await company.connect(two.bus_url)
    try:
        await asyncio.to_thread(company.person.delete, f"/gateways/{company.ids['gateways']}")
        async with asyncio.timeout(PATIENCE_S):
            while bus.connected:
                await asyncio.sleep(0.05)
        with pytest.raises(NotConnected):
            await Bus.connect(two.bus_url, company.seed, company.user, wait_s=2)
    finally:
        with contextlib.suppress(NatsError):
            await bus.close()
    del bus
    gc.collect()
    made = await asyncio.to_thread(company.person.post, f"/gateways/{company.ids['gateways']}/token", {})
    await asyncio.to_thread(company.enrol_with, made["token"], company.seed.parent)
    again = await company.connect(two.bus_url)
    await company.publish(again, company.ordinal, company.value)
    await again.close()
    states = {each["name"]: each["state"] for each in company.person.get("/gateways")}
    assert states == {"edge": "enrolled", "main": "enrolled"}
