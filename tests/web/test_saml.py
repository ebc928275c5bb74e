"""Sign-in at a SAML 2.0 provider that runs beside the platform: the same people and rules as with OpenID Connect."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from playwright.sync_api import expect
from pydantic import ValidationError
from tests.answer import Answer
from tests.browser.conftest import launched
from tests.e2e.platform import Person, Platform, free_ports, running
from tests.peers.saml import peer
from tests.peers.saml.peer import Client, Form, Peer
from tests.waiting import PATIENCE_S
from tests.web.authenticator import shown
from tests.web.doors import PASSWORD, AnyDoors, SameRules

from mainspring.configuration import SignInSection

NAMES: Final = ("works", "closed", "numbers")
LINKED: Final = f"saml:{peer.ISSUER}"
FAILED: Final = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


@pytest.fixture(autouse=True)
def database() -> None:
    """Nothing here asks the records of this process."""


@dataclass
class Doors(AnyDoors):
    """The platform with its administrator, and the provider."""

    provider: Peer

    speaks = "saml"

    def send(self, form: Form, action: str = "") -> dict[str, str]:
        """Send the provider's form as a browser does from elsewhere: no cookies; returns what the page opens with."""
        connection = http.client.HTTPConnection("127.0.0.1", self.platform.port, timeout=PATIENCE_S)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", urlsplit(action or form.action).path, form.body, headers)
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Set-Cookie")) == (303, None), answer.read()
            return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
        finally:
            connection.close()

    def finish(self, person: Person, brought: dict[str, str], provider: str = "works") -> Answer:
        assert list(brought) == ["answer"], brought
        return person.ask("POST", "/session/providers/answer", {"provider": provider, **brought})

    def sign_in(self, name: str, groups: str = "", provider: str = "works", **otherwise: Any) -> tuple[Person, Answer]:
        person = self.anyone()
        form = self.provider.sign_in(self.begin(person, provider), name, groups, **otherwise)
        return person, self.finish(person, self.send(form), provider)


def _settings(folder: Path, port: int) -> Path:
    sections = [f'data_folder = "{folder / "data"}"', f"[bus]\nport = {port + 1}", f"[web]\nport = {port}"]
    more = {
        "works": 'create = true\n[sign_in.saml.works.groups]\nfitters = "operator"\nmasters = "engineer"',
        "closed": 'second_factor = true\nplatform_id = "urn:plant:platform"',
        "numbers": 'create = true\nsubject_attribute = "employee"',
    }
    for name in NAMES:
        written = f'name = "{name.title()}"\nissuer = "{peer.ISSUER}"\nmetadata = "{folder / "idp.xml"}"'
        sections.append(f"[sign_in.saml.{name}]\n{written}\n{more[name]}")
    missing = f'name = "Away"\nissuer = "{peer.ISSUER}"\nmetadata = "{folder / "missing.xml"}"'
    sections.append(f"[sign_in.saml.away]\n{missing}")
    file = folder / "mainspring.toml"
    file.write_text("\n".join(sections))
    return file


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder, port = tmp_path_factory.mktemp("saml"), free_ports(3)
    ours = f"http://127.0.0.1:{port}/api/v1/session/providers"
    clients = [
        Client("urn:plant:platform" if name == "closed" else f"{ours}/{name}/metadata", f"{ours}/{name}/response")
        for name in NAMES
    ]
    arguments = ["--config", str(_settings(folder, port)), "up"]
    with peer.running(port + 2, clients) as provider:
        (folder / "idp.xml").write_text(provider.metadata())
        with running(Platform(folder, arguments, port)) as platform:
            administrator = platform.administrator()
            administrator.post("/session/password", {"old": platform.password, "new": PASSWORD})
            yield Doors(platform, administrator, provider)


def test_the_page_and_the_provider_know_each_other(doors: Doors) -> None:
    told = doors.anyone().get("/session/providers")
    assert [each["provider"] for each in told] == [*NAMES, "away"]
    assert (told[0]["name"], told[0]["issuer"]) == ({"en": "Works", "zh": "Works"}, LINKED)
    assert doors.anyone().get("/session/providers", tenant="north") == []
    answer = doors.anyone().ask("GET", "/session/providers/works/metadata")
    assert answer.headers["Content-Type"] == "application/samlmetadata+xml"
    root = ElementTree.fromstring(answer.body)
    (service,) = root.iter("{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    assert root.get("entityID") == f"{doors.platform.url}/api/v1/session/providers/works/metadata"
    assert service.get("Location") == f"{doors.platform.url}/api/v1/session/providers/works/response"
    assert doors.anyone().ask("GET", "/session/providers/nowhere/metadata").status == 404


class TestRules(SameRules):
    """Of everyone who signs in."""


@pytest.mark.parametrize("signed", [{"signResponse": True}, {"signResponse": True, "signAssertion": False}])
def test_what_is_signed_as_a_whole_is_taken_too(doors: Doors, signed: dict[str, Any]) -> None:
    _, answer = doors.sign_in("lan", "fitters", **signed)
    assert (answer.status, answer.json["user"]["role"]) == (200, "operator")


def test_an_attribute_says_who_someone_is_where_the_settings_say_so(doors: Doors) -> None:
    first = doors.sign_in("rong", provider="numbers", format=TRANSIENT)[1]
    again = doors.sign_in("rong", provider="numbers", format=TRANSIENT)[1]
    assert first.json["user"]["id"] == again.json["user"]["id"]
    form = doors.provider.sign_in(doors.begin(doors.anyone()), "rong", format=TRANSIENT)
    assert list(doors.send(form)) == ["refused"]


def test_what_was_not_begun_in_this_browser_is_refused(doors: Doors) -> None:
    person, other = doors.anyone(), doors.anyone()
    brought = doors.send(doors.provider.sign_in(doors.begin(person), "ping"))
    for wrong in (
        doors.finish(other, brought),
        doors.finish(person, brought, "numbers"),
        doors.finish(person, {"answer": brought["answer"][:-4] + "AAAA"}),
    ):
        assert (wrong.status, wrong.json["code"]) == (401, "provider-refused"), wrong.body
    assert doors.finish(doors.anyone(), {"answer": "x"}, "nowhere").status == 404
    assert not any(each["username"] == "ping" for each in doors.administrator.get("/users", search="ping")["items"])
    person.cookies["csrftoken"] = ""
    assert doors.finish(person, brought).status == 403


def test_an_answer_holds_once(doors: Doors) -> None:
    person = doors.anyone()
    form = doors.provider.sign_in(doors.begin(person), "tan")
    brought = doors.send(form)
    assert doors.finish(person, brought).status == 200
    for again in (brought, doors.send(form)):
        answer = doors.finish(person, again)
        assert (answer.status, answer.json["code"]) == (401, "provider-refused")
    person = doors.anyone()
    brought = doors.send(doors.provider.sign_in(doors.begin(person), "tan"))
    browsers = [Person(doors.platform.port, dict(person.cookies)) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        statuses = [answer.status for answer in threads.map(lambda each: doors.finish(each, brought), browsers)]
    # Of two tabs at once one signs in; for the other the request is answered, or its session is the first one's.
    assert sorted(statuses) in ([200, 400], [200, 401])


def test_a_sign_in_that_the_provider_began_is_refused(doors: Doors) -> None:
    platform = f"{doors.platform.url}/api/v1/session/providers/works/metadata"
    assert list(doors.send(doors.provider.unasked(platform, "ping"))) == ["refused"]


def test_an_answer_for_one_door_does_not_open_another(doors: Doors) -> None:
    form = doors.provider.sign_in(doors.begin(doors.anyone(), "numbers"), "ping")
    assert list(doors.send(form, form.action.replace("numbers", "works"))) == ["refused"]


def test_what_the_provider_refuses_and_what_cannot_be_read_lead_back_to_the_page(doors: Doors) -> None:
    form = doors.provider.sign_in(doors.begin(doors.anyone()), "ping", refuse=FAILED)
    assert doors.send(form) == {"error": "AuthnFailed"}
    stale = doors.provider.sign_in(doors.begin(doors.anyone()), "ping", lifetimeInSeconds=-600)
    told = doors.send(stale)
    assert list(told) == ["refused"]
    assert len(told["refused"]) == 32, "the id of the request, for the administrator"
    for response in (b"", b"\xff\xfe", b"<", b"<a/>", b"<" * 600_000):
        assert list(doors.send(Form(form.action, response))) == ["refused"]


def test_without_metadata_nobody_is_sent_away(doors: Doors) -> None:
    answer = doors.anyone().ask("POST", "/session/providers", {"provider": "away"})
    assert (answer.status, answer.json["code"]) == (503, "not-connected")
    assert list(doors.send(Form(f"{doors.platform.url}/api/v1/session/providers/away/response", b"<a/>"))) == [
        "refused"
    ]


def test_people_link_their_own_account_and_their_second_factor_is_asked_for(doors: Doors) -> None:
    person, made = doors.local("hua")
    _, unknown = doors.sign_in("hua-elsewhere", provider="closed")
    assert (unknown.status, unknown.json["code"]) == (403, "not-allowed")
    brought = doors.send(doors.provider.sign_in(doors.begin(person, "closed", "/session/links"), "hua-elsewhere"))
    assert doors.finish(doors.anyone(), brought, "closed").status == 401
    assert doors.finish(person, brought, "closed").json["user"]["id"] == made["id"]
    assert [each["issuer"] for each in person.get("/session/links")] == [LINKED]
    secret = person.post("/session/second-factor/totp/begin", {})["secret"]
    person.post("/session/second-factor/totp", {"code": shown(secret)})
    # This provider asks for a second factor itself; the other one, which knows the same people, does not.
    _, answer = doors.sign_in("hua-elsewhere", provider="closed")
    assert (answer.status, answer.json["user"]["id"]) == (200, made["id"])
    second, answer = doors.sign_in("hua-elsewhere")
    assert (answer.status, answer.json["second_step"]) == (202, ["recovery_codes", "totp"])
    assert second.ask("GET", "/session").status == 401
    answer = second.ask("POST", "/session/second-step", {"code": shown(secret, 1)})
    assert (answer.status, answer.json["user"]["id"]) == (200, made["id"])
    # Nobody else takes it over.
    other, _ = doors.local("jin")
    brought = doors.send(doors.provider.sign_in(doors.begin(other, "closed", "/session/links"), "hua-elsewhere"))
    assert doors.finish(other, brought, "closed").status == 409
    assert person.ask("DELETE", "/session/links", issuer=LINKED).status == 204
    assert doors.sign_in("hua-elsewhere", provider="closed")[1].status == 403


@pytest.mark.browser
def test_a_browser_goes_there_and_comes_back_from_another_site(doors: Doors) -> None:
    with launched() as chromium:
        page = chromium.new_page(locale="en-US")
        page.goto(f"{doors.platform.url}/admin/users")
        page.get_by_role("button", name="Sign in with Works").click()
        page.get_by_label("Name").fill("wei")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Signed in as")).to_be_visible(timeout=180_000)
        assert page.url == f"{doors.platform.url}/admin/users", "the page that was wanted, and no answer in its address"
        page.context.clear_cookies()
        page.goto(f"{doors.platform.url}/sign-in/works?refused=0123abc")
        expect(page.get_by_role("alert")).to_contain_text("tell your administrator the request id 0123abc")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"saml": {"works": {"name": "Works", "issuer": "urn:idp"}}}, "needs name and metadata"),
        ({"saml": {"works": {"name": "Works", "issuer": "urn:idp", "metadata": "x", "key": "x"}}}, "Extra inputs"),
        ({"saml": {"Works": {}}}, "not the name of a provider"),
        ({"saml": {"works": {}}, "providers": {"works": {}}}, None),
        ({"saml": {"works": {"name": "Works", "issuer": "urn:idp", "metadata": "x"}},
          "providers": {"works": {"name": "Works", "issuer": "https://idp.example", "client_id": "x"}}}, "already"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(written: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        assert SignInSection.model_validate(written).saml == {}, "what has no issuer is not used"
        return
    with pytest.raises(ValidationError, match=reason):
        SignInSection.model_validate(written)
