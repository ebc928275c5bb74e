"""The door, over real HTTP: sign-in, lock-out, CSRF, cookies, headers, limits, the built page."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import pytest
import uvicorn
from tests.answer import Answer
from tests.records import ground
from tests.records.plant import person
from tests.waiting import PATIENCE_S

from mainspring.records.audit import AuditEntry
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant
from mainspring.web import pages
from mainspring.web.asgi import application

PASSWORD = "a long enough one"


@dataclass
class Browser:
    """A client with cookies, as a browser has them."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, *, csrf: bool = True, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if csrf and "csrftoken" in self.cookies:
            sent["X-CSRFToken"] = self.cookies["csrftoken"]
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, content, sent)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        for line in answer.headers.get_all("Set-Cookie") or ():
            self.set_cookies.append(line)
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]
        return answer

    def sign_in(self, username: str = "administrator", password: str = PASSWORD) -> Answer:
        self.ask("GET", "/api/v1/session")
        return self.ask("POST", "/api/v1/session", {"username": username, "password": password})


@pytest.fixture
def port(plant: Tenant) -> Iterator[int]:
    person(Role.ADMINISTRATOR, plant, password=PASSWORD)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(), log_config=None, lifespan="on", server_header=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


@pytest.fixture
def browser(port: int) -> Browser:
    return Browser(port)


def test_a_session_from_sign_in_to_sign_out(browser: Browser) -> None:
    assert browser.ask("GET", "/api/v1/site").json["zone_offset_min"] == 480
    assert browser.ask("GET", "/api/v1/session").status == 401
    signed_in = browser.sign_in()
    assert signed_in.status == 200
    assert signed_in.json["user"]["rights"][-1] == "administer"
    session = next(line for line in browser.set_cookies if line.startswith("sessionid="))
    assert "HttpOnly" in session
    assert "SameSite=Strict" in session
    changed = browser.ask("PATCH", "/api/v1/session", {"theme": "dark", "language": "en"})
    assert (changed.json["user"]["theme"], changed.json["user"]["language"]) == ("dark", "en")
    stolen = dict(browser.cookies)
    assert browser.ask("DELETE", "/api/v1/session").status == 204
    assert Browser(browser.port, stolen).ask("GET", "/api/v1/session").status == 401


def test_signing_in_changes_session_and_csrf_token(browser: Browser) -> None:
    browser.ask("GET", "/api/v1/session")
    before = browser.cookies["csrftoken"]
    browser.sign_in()
    assert browser.cookies["csrftoken"] != before


def test_no_change_without_the_csrf_token(browser: Browser) -> None:
    body = {"username": "administrator", "password": PASSWORD}
    browser.ask("GET", "/api/v1/session")
    refused = browser.ask("POST", "/api/v1/session", body, csrf=False)
    assert (refused.status, refused.json["code"]) == (403, "csrf")
    browser.sign_in()
    asset = {"kind": "site", "name": {"en": "site"}}
    assert browser.ask("POST", "/api/v1/assets", asset, csrf=False).json["code"] == "csrf"
    assert browser.ask("POST", "/api/v1/assets", asset, Origin="http://evil.example").json["code"] == "csrf"
    assert browser.ask("POST", "/api/v1/assets", asset).status == 201
    assert browser.ask("POST", "/elsewhere", {}, csrf=False).status == 403


def test_wrong_passwords_lock_the_name_for_this_address_and_say_until_when(browser: Browser, plant: Tenant) -> None:
    for _ in range(ground.SETTINGS.sign_in_failures_max - 1):
        wrong = browser.sign_in(password="wrong")
        assert (wrong.status, wrong.json["code"]) == (401, "credentials")
    nobody = browser.sign_in("nobody", "wrong")
    assert nobody.json["text"] == wrong.json["text"]
    locked = browser.sign_in(password="wrong")
    assert (locked.status, locked.json["code"]) == (429, "locked")
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d \(Asia/Shanghai\)", locked.json["text"]["en"])
    right = browser.sign_in()
    assert (right.status, right.json["code"]) == (429, "locked")
    assert right.json["text"] == locked.json["text"]
    person(Role.VIEWER, plant, password=PASSWORD)
    assert browser.sign_in("viewer").status == 200
    tries = AuditEntry.objects.of(plant).filter(action="sign-in-failed").count()
    assert browser.sign_in(password="wrong").status == 429
    failed = AuditEntry.objects.of(plant).filter(action="sign-in-failed")
    assert failed.count() == tries  # whoever is locked out cannot fill the log
    assert "wrong" not in str(list(failed.values()))


def test_an_administrator_opens_a_lock(browser: Browser, plant: Tenant) -> None:
    person(Role.VIEWER, plant, password=PASSWORD)
    for _ in range(ground.SETTINGS.sign_in_failures_max):
        browser.sign_in("viewer", "wrong")
    boss = Browser(browser.port)
    boss.sign_in()
    listed = {user["username"]: user for user in boss.ask("GET", "/api/v1/users").json["items"]}
    assert listed["viewer"]["locked"]
    assert not listed["administrator"]["locked"]
    password = boss.ask("POST", f"/api/v1/users/{listed['viewer']['id']}/reset-password", {}).json["initial_password"]
    entered = browser.sign_in("viewer", password)
    assert entered.status == 200
    assert entered.json["user"]["must_change_password"]


def test_a_right_password_forgets_wrong_ones(browser: Browser) -> None:
    for _ in range(2):
        for _ in range(ground.SETTINGS.sign_in_failures_max - 1):
            assert browser.sign_in(password="wrong").status == 401
        assert browser.sign_in().status == 200


def test_every_answer_carries_a_strict_policy_with_a_nonce_of_its_own(browser: Browser) -> None:
    answers = [browser.ask("GET", path) for path in ("/", "/api/v1/site", "/api/v1/session", "/static/x", "/api/x")]
    nonces = set()
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert directives["default-src"] == "'none'"
        assert directives["frame-ancestors"] == "'none'"
        assert directives["script-src"].startswith("'self' 'nonce-")
        assert "unsafe" not in policy
        assert "*" not in policy
        nonces.add(directives["script-src"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert len(nonces) == len(answers)


def test_a_host_that_is_not_ours_is_refused(browser: Browser) -> None:
    assert browser.ask("GET", "/", Host="evil.example").status == 400


def test_requests_have_a_limit_told_or_not(browser: Browser) -> None:
    browser.sign_in()
    limit = ground.SETTINGS.request_bytes_max
    told = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=PATIENCE_S)
    told.putrequest("POST", "/api/v1/assets")
    told.putheader("Content-Length", str(limit + 1))
    told.endheaders()
    assert told.getresponse().status == 413
    told.close()
    untold = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=PATIENCE_S)
    untold.putrequest("POST", "/api/v1/assets")
    untold.putheader("Transfer-Encoding", "chunked")
    untold.endheaders()
    part = b" " * (1024 * 1024)
    try:
        for _ in range(limit // len(part) + 2):
            untold.send(b"%x\r\n%s\r\n" % (len(part), part))
        untold.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before the end was sent
    answer = untold.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "too-large"
    untold.close()


@pytest.fixture
def built() -> Iterator[None]:
    assets = ground.STATIC / "assets"
    assets.mkdir(parents=True)
    (ground.STATIC / "index.html").write_text('<script nonce="__CSP_NONCE__" src="/static/assets/a.js"></script>')
    (assets / "index-abcdEF12.js").write_text("let answer = 42;\n" * 200)
    (ground.STATIC / "icon.svg").write_text("<svg/>")
    pages.forget()
    yield
    import shutil

    shutil.rmtree(ground.STATIC)
    pages.forget()


def test_every_other_address_is_the_page_with_its_nonce(browser: Browser, built: None) -> None:
    for path in ("/", "/plant/0190a000?tab=live", "/alarms"):
        answer = browser.ask("GET", path)
        assert answer.status == 200
        nonce = re.search(r'nonce="([^"]+)"', answer.body.decode())
        assert nonce is not None
        assert f"'nonce-{nonce[1]}'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_parts_of_the_page_are_compressed_and_kept(browser: Browser, built: None) -> None:
    plain = browser.ask("GET", "/static/assets/index-abcdEF12.js")
    packed = browser.ask("GET", "/static/assets/index-abcdEF12.js", Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "immutable" in packed.headers["Cache-Control"]
    assert packed.headers["Content-Type"].startswith("text/javascript")
    same = browser.ask("GET", "/static/assets/index-abcdEF12.js", If_None_Match=packed.headers["ETag"])
    assert (same.status, same.body) == (304, b"")
    assert "immutable" not in browser.ask("GET", "/static/icon.svg").headers["Cache-Control"]
    for outside in ("/static/../settings.py", "/static/%2e%2e/settings.py", "/static/index.html", "/static/none.js"):
        assert browser.ask("GET", outside).status == 404


def test_an_absent_page_says_how_to_build_it(browser: Browser) -> None:
    answer = browser.ask("GET", "/")
    assert answer.status == 503
    assert b"make page" in answer.body
