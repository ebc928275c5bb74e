"""Mails and webhooks of alarms: a real engine raises them, a real mail server and a real web server take them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.records import ground
from tests.records.plant import author, modbus
from tests.serving import served
from tests.waiting import PATIENCE_S
from tests.web.post import PostOffice
from tests.web.running import Records, running

from mainspring.core.errors import NotConnected
from mainspring.records.access.assignment import Assignment
from mainspring.records.access.scope import Scope
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people.user import User
from mainspring.records.plant import subscription
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.subscription import Notice, SubscriptionDraft
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms
from mainspring.web.api.subscriptions import TRIALS_MAX
from mainspring.web.notices import channels
from mainspring.web.notices.channels import SIGNATURE_HEADER, signature
from mainspring.web.notices.letter import letter

HOOK = f"http://127.0.0.1:{ground.HOOK_PORT}/alarms"
SECRET = "shown once"
Waits = Callable[[Callable[[], Any]], Any]


class Hook(ThreadingHTTPServer):
    """A web server that keeps what is posted to it, once it may answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.waits = threading.Event()
        self.waits.set()
        self.taken: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", ground.HOOK_PORT), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Hook)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.server.waits.wait(60)
        self.server.taken.append((self.headers[SIGNATURE_HEADER], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with served(Hook()) as server:
        yield server


def subscribe(of: Records, channel: str, target: str, **fields: Any) -> subscription.Subscription:
    draft = SubscriptionDraft.model_validate({"channel": channel, "target": target, "gather_s": 0, **fields})

    def made() -> subscription.Subscription:
        user = User.objects.get(tenant=of.plant, username="engineer")
        return subscription.create(author(of.plant), user, draft, SECRET, Scope(of.plant))

    return ground.in_thread(made)


async def test_a_raised_alarm_is_mailed_in_the_language_of_the_person(
    kept: Records, post_office: PostOffice, tmp_path: Path
) -> None:
    ground.in_thread(lambda: User.objects.filter(tenant=kept.plant, username="engineer").update(language="zh"))
    subscribe(kept, "mail", "engineer@plant.test", priorities=["critical"])
    async with running(tmp_path, kept) as web:
        await web.value("T2", 60.0)
        await web.value("T1", 150.0)
        await web.until(lambda: post_office.mails, PATIENCE_S)
    assert len(post_office.mails) == 1
    mail = post_office.mails[0]
    assert mail["To"] == "engineer@plant.test"
    assert mail["Subject"] == "[紧急] T1 报警 触发：150 °C（限值 100 °C）"
    text = mail.get_content()
    assert kept.tags["T1"].path in text
    assert "https://plant.test/alarms" in text
    assert kept.tags["T2"].path not in text


async def test_an_area_hears_of_its_own_alarms_alone(kept: Records, hook: Hook, tmp_path: Path) -> None:
    area = str(kept.tags["T2"].asset_id)
    subscribe(kept, "webhook", HOOK, asset=area, priorities=["critical", "medium"])
    async with running(tmp_path, kept) as web:
        await web.value("T1", 150.0)
        await web.value("T2", 60.0)
        await web.until(lambda: hook.taken, PATIENCE_S)
    [(shown, body)] = hook.taken
    document = json.loads(body)
    assert document["events"][0]["limit"] == 50
    assert [event["tag_name"] for event in document["events"]] == ["T2"]
    at = int(shown.split(",")[0].removeprefix("t="))
    assert shown == signature(SECRET, at, body)


async def test_what_comes_from_a_recording_is_marked_in_mail_and_webhook(
    kept: Records, post_office: PostOffice, hook: Hook, tmp_path: Path
) -> None:
    def replay() -> None:
        recording = modbus(kept.plant)
        Connection.objects.filter(pk=recording.pk).update(replayed=True)
        Tag.objects.filter(pk=kept.tags["T1"].pk).update(connection=recording.pk)

    ground.in_thread(replay)
    subscribe(kept, "webhook", HOOK, priorities=["critical", "medium"])
    subscribe(kept, "mail", "engineer@plant.test", priorities=["critical", "medium"])
    async with running(tmp_path, kept) as web:
        await web.value("T1", 150.0)
        await web.until(lambda: post_office.mails and hook.taken, PATIENCE_S)
        await web.value("T2", 60.0)
        await web.until(lambda: len(post_office.mails) > 1 and len(hook.taken) > 1, PATIENCE_S)
    recorded, real = post_office.mails
    assert recorded["Subject"] == "↻ [critical] T1 HH raised: 150 °C (limit 100 °C)"
    assert f"{kept.tags['T1'].path}\n↻ replayed from a recording\n" in recorded.get_content().replace("\r", "")
    assert "↻" not in real["Subject"] + real.get_content()
    [marked], [plain] = [json.loads(body)["events"] for _, body in hook.taken]
    assert (marked["replayed"], plain["replayed"], plain["mark"]) == (True, False, None)
    assert marked["mark"] == {"en": "↻ replayed from a recording", "zh": "↻ 录制数据回放"}


async def test_what_a_mail_server_refuses_is_kept_told_and_sent_later(
    kept: Records, post_office: PostOffice, tmp_path: Path
) -> None:
    post_office.refuses = True
    made = subscribe(kept, "mail", "engineer@plant.test", priorities=["critical"])

    def told() -> Any:
        return ground.in_thread(lambda: subscription.Subscription.objects.get(pk=made.pk).fault)

    async with running(tmp_path, kept) as web:
        await web.value("T1", 150.0)
        await web.until(told)
        assert "451" in told()["en"]
        post_office.refuses = False
        ground.in_thread(lambda: subscription.Subscription.objects.update(next_ms=0))
        await web.until(lambda: post_office.mails, PATIENCE_S)
        await web.until(lambda: told() is None, PATIENCE_S)


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}", "name": {"en": "T1 high", "zh": "T1 高"}, "priority": "critical", "transition": "raised",
        "value": 1.0, "unit": "°C", "path": "site/a/u/T1", "response": None, "time_ms": 0,
        "alarm": f"a{number}", "condition": "H", "limit": 0.5, "tag": 1, **fields,
    }  # fmt: skip


def test_a_flood_is_one_message_and_a_number(kept: Records) -> None:
    made = subscribe(kept, "mail", "engineer@plant.test")
    rows = [row(number) for number in range(subscription.WAITING_MAX + 7)]
    assert subscription.note("acme", rows) == subscription.WAITING_MAX
    # The bus may deliver an event again.
    subscription.note("acme", rows[:3])
    made.refresh_from_db()
    assert Notice.objects.filter(subscription=made).count() == subscription.WAITING_MAX
    assert made.dropped == 7
    told = letter(rows[:60], made.dropped, "en", "Asia/Shanghai", "Acme", "")
    assert told.subject.startswith(f"{60 + made.dropped} alarms, first [critical] T1 high")
    assert told.body.count("1970-01-01 08:00:00 +0800") == 50
    assert f"and {10 + made.dropped} more" in told.body


def test_one_alarm_is_told_with_its_limit_and_a_link_to_it() -> None:
    told = letter([row(1)], 0, "en", "UTC", "Acme", "https://plant.test/")
    assert told.subject == "[critical] T1 high raised: 1 °C (limit 0.5 °C)"
    assert "\nhttps://plant.test/alarms?alarm=a1\n" in told.body
    assert "\nhttps://plant.test/alarms\n" in letter([row(1), row(2)], 0, "en", "UTC", "A", "https://plant.test").body
    unlimited = row(1, condition="expression", limit=0.0)
    assert letter([unlimited], 0, "zh", "UTC", "Acme", "").subject.endswith("触发：1 °C")


def test_a_letter_is_marked_as_a_recording_if_all_of_it_is_one() -> None:
    told = letter([row(1, replayed=True)], 0, "zh", "UTC", "Acme", "")
    assert told.subject == "↻ [紧急] T1 高 触发：1 °C（限值 0.5 °C）"
    assert "\n↻ 录制数据回放\n" in told.body
    mixed = letter([row(1, replayed=True), row(2)], 0, "en", "UTC", "Acme", "")
    assert mixed.subject.startswith("2 alarms")
    assert mixed.body.count("↻ replayed from a recording") == 1
    assert letter([row(1, replayed=True)], 3, "en", "UTC", "Acme", "").subject.startswith("4 alarms")


def test_a_name_cannot_begin_another_header(kept: Records) -> None:
    evil = row(1, name={"en": "x\r\nBcc: all@plant.test", "zh": ""})
    assert "\n" not in letter([evil], 0, "en", "UTC", "Acme", "").subject


def test_who_may_no_longer_sign_in_is_told_nothing(kept: Records) -> None:
    made = subscribe(kept, "mail", "engineer@plant.test")
    subscription.note("acme", [row(1)])
    assert subscription.due(now_ms() + 1000) == [made]
    User.objects.filter(pk=made.user_id).update(enabled=False)
    assert subscription.due(now_ms() + 1000) == []
    assert not subscription.any_waiting()


def test_who_may_no_longer_look_is_told_of_what_they_still_see(kept: Records) -> None:
    made = subscribe(kept, "mail", "engineer@plant.test")
    near, far = kept.tags["T1"], kept.tags["T2"]
    rows = [row(number, tag=tag.ordinal, path=tag.path) for number, tag in enumerate((near, far))]
    User.objects.filter(pk=made.user_id).update(role=Role.GUEST)
    assert subscription.note("acme", rows) == 0
    fields = {"person": str(made.user_id), "built_in": "viewer", "place": str(near.asset_id), "reason": "test"}
    writing.create(Access(author(kept.plant), Role.ADMINISTRATOR.rights), Assignment, fields)
    assert subscription.note("acme", rows) == 1
    assert Notice.objects.get(subscription=made).row["tag"] == near.ordinal
    # What was noted while they saw it is not sent once they no longer do.
    (made,) = subscription.due(now_ms() + 1000)
    assert len(subscription.waiting(made, 10)) == 1
    Assignment.objects.update(place=far.asset_id)
    assert subscription.waiting(made, 10) == []
    assert not Notice.objects.filter(subscription=made).exists()


def test_someone_of_a_part_subscribes_to_what_lies_there(kept: Records, signed_in: Callable[..., Any]) -> None:
    near, far = str(kept.tags["T1"].asset_id), str(kept.tags["T2"].asset_id)
    guest = signed_in(Role.GUEST, of=kept.plant)
    assert guest.get("/api/v1/subscriptions").status_code == 403
    user = User.objects.get(tenant=kept.plant, username="guest")
    fields = {"person": str(user.pk), "built_in": "engineer", "place": near, "reason": "test"}
    writing.create(Access(author(kept.plant), Role.ADMINISTRATOR.rights), Assignment, fields)

    def ask(method: str, path: str = "", **fields: Any) -> Any:
        return getattr(guest, method)(f"/api/v1/subscriptions{path}", fields, content_type="application/json")

    mail = {"channel": "mail", "target": "guest@plant.test"}
    assert ask("post", **mail, asset=far).json()["fields"]["asset"]["en"] == "There is no such asset."
    # What leaves the platform for another host takes the right everywhere.
    assert ask("post", channel="webhook", target=HOOK).status_code == 403
    made = ask("post", **mail, asset=near).json()
    assert made["area"]["path"] == kept.tags["T1"].asset.path
    assert ask("patch", f"/{made['id']}", asset=far, version=1).status_code == 422
    Assignment.objects.update(place=far)
    (listed,) = ask("get").json()["items"]
    assert (listed["area"]["path"], "no longer see" in listed["area"]["name"]["en"]) == ("", True)
    assert ask("patch", f"/{made['id']}", enabled=False, version=1).json()["enabled"] is False
    assert ask("delete", f"/{made['id']}").status_code == 204


def test_another_company_hears_nothing(kept: Records) -> None:
    subscribe(kept, "mail", "engineer@plant.test")
    assert subscription.note("other", [row(1)]) == 0


def test_subscriptions_are_ones_own(plant: Tenant, signed_in: Callable[..., Any]) -> None:
    engineer, viewer = signed_in(Role.ENGINEER), signed_in(Role.VIEWER)

    def post(client: Any, **fields: Any) -> Any:
        return client.post("/api/v1/subscriptions", fields, content_type="application/json")

    made = post(engineer, channel="webhook", target=HOOK)
    assert made.status_code == 201
    assert made.json()["secret"]
    listed = engineer.get("/api/v1/subscriptions").json()
    assert [each["target"] for each in listed["items"]] == [HOOK]
    assert "secret" not in listed["items"][0]
    assert listed["mail"] is True
    assert viewer.get("/api/v1/subscriptions").json()["items"] == []
    place = f"/api/v1/subscriptions/{made.json()['id']}"
    assert viewer.delete(place).status_code == 404
    refused = {
        "a viewer's webhook": post(viewer, channel="webhook", target=HOOK).status_code,
        "a host that is not allowed": post(engineer, channel="webhook", target="http://10.0.0.1/x").status_code,
        "another port of an allowed host": post(engineer, channel="webhook", target="http://127.0.0.1:1/").status_code,
        "no port": post(engineer, channel="webhook", target="http://127.0.0.1:99999/").status_code,
        "no web address": post(engineer, channel="webhook", target=f"{HOOK}/a b").status_code,
        "no address": post(engineer, channel="mail", target="nobody").status_code,
        "a header": post(engineer, channel="mail", target="a@b.test\nBcc: c@d.test").status_code,
        "no priority": post(engineer, channel="page", priorities=[]).status_code,
    }
    assert refused == {
        "a viewer's webhook": 403,
        "a host that is not allowed": 403,
        "another port of an allowed host": 403,
        "no port": 422,
        "no web address": 422,
        "no address": 422,
        "a header": 422,
        "no priority": 422,
    }
    as_mail = {"channel": "mail", "target": "a@b.test", "version": 1}
    other = engineer.patch(place, as_mail, content_type="application/json")
    assert "Make another" in other.json()["fields"]["channel"]["en"]
    elsewhere = engineer.patch(place, {"target": "http://127.0.0.1:99999/"}, content_type="application/json")
    assert elsewhere.status_code == 403
    changed = engineer.patch(place, {"enabled": False, "version": 1}, content_type="application/json")
    assert changed.json()["enabled"] is False
    assert engineer.delete(place).status_code == 204


def test_a_trial_tells_why_it_does_not_get_through(plant: Tenant, signed_in: Callable[..., Any]) -> None:
    client = signed_in(Role.ENGINEER)
    made = client.post(
        "/api/v1/subscriptions", {"channel": "mail", "target": "a@plant.test"}, content_type="application/json"
    ).json()
    answer = client.post(f"/api/v1/subscriptions/{made['id']}/try")
    assert answer.status_code == 503
    assert "did not take the message" in answer.json()["text"]["en"]


def test_trials_of_a_person_are_few_a_minute(plant: Tenant, signed_in: Callable[..., Any]) -> None:
    client, other = signed_in(Role.ENGINEER), signed_in(Role.VIEWER)
    draft = {"channel": "mail", "target": "a@plant.test"}

    def tries(of: Any, place: str, count: int) -> list[int]:
        return [of.post(place).status_code for _ in range(count)]

    def place_of(of: Any) -> str:
        made = of.post("/api/v1/subscriptions", draft, content_type="application/json").json()
        return f"/api/v1/subscriptions/{made['id']}/try"

    place = place_of(client)
    assert tries(client, place, TRIALS_MAX) == [503] * TRIALS_MAX
    refused = client.post(place)
    assert refused.status_code == 429
    text = refused.json()["text"]
    assert "Try again in" in text["en"]
    assert "秒后重试" in text["zh"]
    # Another subscription of theirs counts as well, another person does not.
    assert tries(client, place_of(client), 1) == [429]
    assert tries(other, place_of(other), 1) == [503]


async def test_a_host_that_does_not_answer_holds_up_its_own_messages_alone(
    kept: Records, hook: Hook, post_office: PostOffice, tmp_path: Path
) -> None:
    hook.waits.clear()
    for _ in range(3):
        subscribe(kept, "webhook", HOOK, priorities=["critical"])
    subscribe(kept, "mail", "engineer@plant.test", priorities=["critical"])
    try:
        async with running(tmp_path, kept) as web:
            await web.value("T1", 150.0)
            await web.until(lambda: hook.asked, PATIENCE_S)
            await web.until(lambda: post_office.mails, PATIENCE_S)
            assert hook.taken == []
            hook.waits.set()
            await web.until(lambda: len({body for _, body in hook.taken}) == 3, PATIENCE_S)
    finally:
        hook.waits.set()


def test_a_host_that_answers_byte_by_byte_meets_the_limit(plant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "TIMEOUT_S", 0.5)
    ended = threading.Event()

    def drips(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer, suppress(OSError):
            peer.recv(65536)
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 60_000:
                peer.sendall(bytes([byte]))
                if ended.wait(0.05):
                    return

    with socket.create_server(("127.0.0.1", ground.HOOK_PORT)) as server:
        thread = threading.Thread(target=drips, args=(server,))
        thread.start()
        try:
            with pytest.raises(NotConnected, match="did not answer"):
                channels.send_webhook(HOOK, SECRET, {})
        finally:
            ended.set()
            thread.join()
