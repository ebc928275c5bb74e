"""Sign-in at a certified OpenID Connect provider that runs beside the platform, and all it must refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from tests.answer import Answer
from tests.e2e.platform import Person, Platform, free_ports, running
from tests.peers.oidc import peer
from tests.peers.oidc.peer import Client, Peer
from tests.web.doors import PASSWORD, AnyDoors, SameRules

SECRET: Final = "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"
NAMES: Final = ("works", "closed", "stale", "elsewhere", "away")


@dataclass
class Doors(AnyDoors):
    """The platform with its administrator, and the provider."""

    provider: Peer

    speaks = "oidc"

    def finish(self, person: Person, brought: dict[str, str], provider: str = "works") -> Answer:
        assert {"code", "state"} <= brought.keys(), brought
        return person.ask("POST", "/session/providers/callback", {"provider": provider, **brought})

    def sign_in(self, name: str, groups: str = "", provider: str = "works") -> tuple[Person, Answer]:
        person = self.anyone()
        brought = self.provider.sign_in(self.begin(person, provider), name, groups)
        return person, self.finish(person, brought, provider)


def _settings(folder: Path, port: int, provider: int) -> Path:
    sections = [f'data_folder = "{folder / "data"}"', f"[bus]\nport = {port + 1}", f"[web]\nport = {port}"]
    issuers = dict.fromkeys(NAMES, f"http://127.0.0.1:{provider}")
    issuers |= {"elsewhere": f"http://localhost:{provider}", "away": f"http://127.0.0.1:{port + 3}"}
    more = {
        "works": 'create = true\n[sign_in.providers.works.groups]\nfitters = "operator"\nmasters = "engineer"',
        "closed": "second_factor = true",
        "stale": "create = true",
    }
    for name in NAMES:
        written = f'name = "{name.title()}"\nissuer = "{issuers[name]}"\nclient_id = "{name}"'
        sections.append(f"[sign_in.providers.{name}]\n{written}\n{more.get(name, '')}")
    file = folder / "mainspring.toml"
    file.write_text("\n".join(sections))
    return file


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder, port = tmp_path_factory.mktemp("oidc"), free_ports(4)
    clients = [Client(name, SECRET, f"http://127.0.0.1:{port}/sign-in/{name}") for name in NAMES]
    arguments = ["--config", str(_settings(folder, port, port + 2)), "up"]
    with pytest.MonkeyPatch.context() as environment:
        for name in NAMES:
            environment.setenv(f"MAINSPRING_SIGN_IN_{name.upper()}_SECRET", SECRET)
        with peer.running(port + 2, clients) as provider, running(Platform(folder, arguments, port)) as platform:
            administrator = platform.administrator()
            administrator.post("/session/password", {"old": platform.password, "new": PASSWORD})
            yield Doors(platform, administrator, provider)


def changed(url: str, **parameters: str) -> str:
    """Return an address with other parameters."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | parameters
    return urlunsplit(parts._replace(query=urlencode(query)))


def test_the_page_knows_the_providers(doors: Doors) -> None:
    told = doors.anyone().get("/session/providers")
    assert [each["provider"] for each in told] == list(NAMES)
    assert told[0]["name"] == {"en": "Works", "zh": "Works"}
    assert doors.anyone().get("/session/providers", tenant="north") == []
    asked = parse_qs(urlsplit(doors.begin(doors.anyone())).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert SECRET not in str(asked)


class TestRules(SameRules):
    """Of everyone who signs in."""


def test_what_was_not_begun_here_is_refused(doors: Doors) -> None:
    person, other = doors.anyone(), doors.anyone()
    brought = doors.provider.sign_in(doors.begin(person), "ping")
    for wrong in (
        doors.finish(other, brought),  # another browser
        doors.finish(person, brought | {"state": "x" * 16}),
        doors.finish(person, brought | {"iss": "https://elsewhere.example"}),
    ):
        assert (wrong.status, wrong.json["code"]) == (401, "provider-refused"), wrong.body
    assert not any(each["username"] == "ping" for each in doors.administrator.get("/users", search="ping")["items"])


def test_a_code_is_bound_to_what_was_begun_and_holds_once(doors: Doors) -> None:
    person = doors.anyone()
    first, second = doors.begin(person), doors.begin(person)
    brought = doors.provider.sign_in(first, "ping")
    state = parse_qs(urlsplit(second).query)["state"][0]
    # The other sign-in has another PKCE verifier.
    assert doors.finish(person, brought | {"state": state}).json["code"] == "provider-refused"
    person, answer = doors.sign_in("tan")
    assert answer.status == 200
    brought = doors.provider.sign_in(doors.begin(person), "tan")
    assert doors.finish(person, brought).status == 200
    assert doors.finish(person, brought).status == 401


def test_a_token_with_another_nonce_is_refused(doors: Doors) -> None:
    person = doors.anyone()
    brought = doors.provider.sign_in(changed(doors.begin(person), nonce="chosen-by-someone-else"), "ping")
    answer = doors.finish(person, brought)
    assert (answer.status, answer.json["code"]) == (401, "provider-refused")
    assert person.ask("GET", "/session").status == 401


def test_a_code_of_one_provider_is_not_taken_for_another(doors: Doors) -> None:
    person = doors.anyone()
    brought = doors.provider.sign_in(doors.begin(person, "closed"), "ping")
    assert doors.finish(person, brought, "works").status == 401


def test_an_expired_token_and_a_foreign_issuer_are_refused(doors: Doors) -> None:
    _, answer = doors.sign_in("ping", provider="stale")
    assert (answer.status, answer.json["code"]) == (401, "provider-refused")
    foreign = doors.anyone().ask("POST", "/session/providers", {"provider": "elsewhere"})
    assert (foreign.status, foreign.json["code"]) == (401, "provider-refused")
    away = doors.anyone().ask("POST", "/session/providers", {"provider": "away"})
    assert away.status == 503
    assert doors.anyone().ask("POST", "/session/providers", {"provider": "nowhere"}).status == 404


def test_without_the_token_of_the_page_nothing_begins(doors: Doors) -> None:
    person = doors.anyone()
    person.cookies["csrftoken"] = ""
    assert person.ask("POST", "/session/providers", {"provider": "works"}).status == 403


def test_people_link_their_own_account_and_sign_in_by_it(doors: Doors) -> None:
    person, made = doors.local("hua")
    _, unknown = doors.sign_in("hua-elsewhere", provider="closed")
    assert (unknown.status, unknown.json["code"]) == (403, "not-allowed")
    begun = doors.begin(person, "closed", "/session/links")
    brought = doors.provider.sign_in(begun, "hua-elsewhere")
    assert doors.finish(doors.anyone(), brought, "closed").status == 401
    linked = doors.finish(person, brought, "closed")
    assert linked.json["user"]["id"] == made["id"]
    (link,) = person.get("/session/links")
    assert link["issuer"] == doors.provider.issuer
    _, answer = doors.sign_in("hua-elsewhere", provider="closed")
    assert answer.json["user"]["id"] == made["id"]
    # Nobody else takes it over.
    other, _ = doors.local("jin")
    brought = doors.provider.sign_in(doors.begin(other, "closed", "/session/links"), "hua-elsewhere")
    assert doors.finish(other, brought, "closed").status == 409
    assert person.ask("DELETE", "/session/links", issuer=doors.provider.issuer).status == 204
    assert doors.sign_in("hua-elsewhere", provider="closed")[1].status == 403


def test_the_only_way_in_is_not_removed(doors: Doors) -> None:
    person, answer = doors.sign_in("only")
    assert answer.status == 200
    assert person.ask("DELETE", "/session/links", issuer=doors.provider.issuer).status == 409
