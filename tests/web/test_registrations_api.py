"""Companies that ask for an account: taken where that is allowed, confirmed, decided by the platform alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.test import Client
from tests.records.plant import tenant
from tests.web.post import PostOffice

from mainspring.records.business.credit_code import is_credit_code
from mainspring.records.first_start import ensure_tenant
from mainspring.records.people.registration import Registration
from mainspring.records.people.user import User
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant
from mainspring.web import configure

ASKS = {"company": "Northern Bearings", "contact": "Zhang Min", "phone": "+86 10 1234 5678"}


@pytest.fixture
def opened(plant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    monkeypatch.setattr(configure, "_current", configure.current().model_copy(update={"registration": True}))
    return plant


def ask(**fields: Any) -> Any:
    return Client().post("/api/v1/registration", {**ASKS, **fields}, content_type="application/json")


def decide(client: Client, id: str, verb: str, **body: Any) -> Any:
    return client.post(f"/api/v1/registrations/{id}/{verb}", body, content_type="application/json")


def test_it_is_closed_unless_the_settings_open_it(plant: Tenant) -> None:
    assert ask().status_code == 404
    assert not Client().get("/api/v1/site").json()["registration"]


def test_a_company_asks_is_accepted_and_its_first_administrator_comes_in(
    opened: Tenant, signed_in: Callable[..., Client]
) -> None:
    assert ask(credit_code="914403001922038216").json() == {"confirm": False}
    admin = signed_in()
    waiting = admin.get("/api/v1/registrations").json()["items"]
    assert [(each["company"], each["state"]) for each in waiting] == [("Northern Bearings", "waiting")]
    draft = {"key": "north-bearings", "name": {"en": "Northern Bearings"}, "zone": "Asia/Shanghai"}
    decided = decide(admin, waiting[0]["id"], "accept", **draft)
    assert decided.status_code == 200, decided.content
    made = Tenant.objects.get(key="north-bearings")
    assert made.parent == opened
    assert not User.objects.filter(tenant=made).exists()
    body = {
        "token": decided.json()["link"].partition("#")[2], "username": "zhang.min", "password": "heron kettle 93 moss"
    }  # fmt: skip
    joined = Client().post("/api/v1/invitations/accept", body, content_type="application/json")
    assert joined.json() == {"tenant": "north-bearings", "username": "zhang.min"}
    assert User.objects.get(tenant=made).role == Role.ADMINISTRATOR
    assert decide(admin, waiting[0]["id"], "accept", **draft).status_code == 409


def test_a_refusal_carries_its_reason(
    opened: Tenant,
    signed_in: Callable[..., Client],
    post_office: PostOffice,
) -> None:
    assert ask(email="zhang@example.com", language="zh").json() == {"confirm": True}
    row = Registration.objects.get()
    assert row.state == "unconfirmed"
    link = next(word for word in post_office.mails[0].get_content().split() if word.startswith("https://"))
    page, _, shown = link.partition("#")
    assert page == "https://plant.test/register"
    confirm = {"token": shown}
    for expected in (204, 404):
        answer = Client().post("/api/v1/registration/confirm", confirm, content_type="application/json")
        assert answer.status_code == expected
    assert Registration.objects.get().state == "waiting"
    assert decide(signed_in(), str(row.pk), "refuse", reason="").status_code == 422
    refused = decide(signed_in(), str(row.pk), "refuse", reason="资料不全")
    assert (refused.json()["state"], refused.json()["mailed"]) == ("refused", True)
    assert "资料不全" in post_office.mails[1].get_content()


def test_nonsense_is_refused_and_nothing_of_the_platform_is_told(opened: Tenant) -> None:
    ensure_tenant("north", {"en": "Northern Bearings", "zh": ""})
    for fields, field in (
        ({"credit_code": "914403001922038217"}, "credit_code"), ({"company": ""}, "company"),
        ({"email": "x"}, "email"), ({"phone": "call me"}, "phone"), ({"unknown": 1}, "unknown"),
    ):  # fmt: skip
        answer = ask(**fields)
        assert answer.status_code == 422
        assert field in answer.json()["fields"]
    assert ask(phone="").status_code == 422, "no way to reach them"
    first, again = ask(), ask()
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, {"confirm": False})


def test_few_are_taken_from_one_address(opened: Tenant) -> None:
    assert [ask().status_code for _ in range(6)] == [202] * 5 + [429]


def test_a_strangers_box_is_not_filled_and_tells_nothing_that_strangers_wrote(
    opened: Tenant, post_office: PostOffice
) -> None:
    asked = {**ASKS, "company": "https://evil.test", "email": "Zhang@example.com"}

    def mails_after(senders: Iterable[int]) -> int:
        for sender in senders:
            client = Client(REMOTE_ADDR=f"10.0.0.{sender}")
            answer = client.post("/api/v1/registration", asked, content_type="application/json")
            assert (answer.status_code, answer.json()) == (202, {"confirm": True})
        assert len(post_office.mails) == Registration.objects.count()
        return len(post_office.mails)

    assert mails_after([1] * 5) == 3
    # Its owner is still written to, until many ask for it.
    assert mails_after([2]) == 4
    assert mails_after(range(3, 12)) == 10
    assert not any("evil.test" in mail.as_string() for mail in post_office.mails)
    network = [
        Client(REMOTE_ADDR=f"2001:db8::{number:x}").post("/api/v1/registration", ASKS, content_type="application/json")
        for number in range(6)
    ]
    assert [each.status_code for each in network] == [202] * 5 + [429]


def test_only_the_platforms_administrators_decide(opened: Tenant, signed_in: Callable[..., Client]) -> None:
    ask()
    id = str(Registration.objects.get().pk)
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert stranger.get("/api/v1/registrations").status_code == 404
    for who, expected in ((stranger, 404), (signed_in(Role.ENGINEER), 403)):
        assert decide(who, id, "refuse", reason="x").status_code == expected
        assert decide(who, id, "accept", key="k", name={"en": "K"}).status_code == expected
    assert Registration.objects.get().state == "waiting"


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("914403001922038216", True), ("9144030071526726XG", True), ("91330100799655058B", True),
        ("91330100799655058C", False), ("9133010079965505", False), ("I1330100799655058B", False), ("", False),
    ],
)  # fmt: skip
def test_check_characters_of_credit_codes(code: str, right: bool) -> None:
    assert is_credit_code(code) is right
