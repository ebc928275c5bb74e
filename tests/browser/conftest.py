"""Headless Chromium at the demo plant: console errors, refused policies and foreign requests fail every test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from tests.e2e.platform import Person, Platform, eventually
from tests.turns import network

Language = Literal["en", "zh"]
Theme = Literal["light", "dark"]
DESKTOP: Final = (1440, 900)
PHONE: Final = (360, 780)
WAIT_MS: Final = 180_000
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_PASSWORD: Final = "one of their own"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


@contextmanager
def launched() -> Iterator[Browser]:
    """Run Chromium until the end of the block; beside it no coroutine runs in this thread."""
    program = os.environ.get("MAINSPRING_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.fail(
            "There is no Chromium, so no page was tested. Install it (Debian, Ubuntu: apt-get install chromium "
            "fonts-noto-cjk), or set MAINSPRING_CHROMIUM to the program."
        )
    with network(changes=False), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def administrator(demo: Platform) -> Person:
    """Someone at the API beside the browser, once both sources are live."""
    person = demo.administrator()
    eventually(
        lambda: {each["health"]["state"] for each in person.get("/connections")["items"]} == {"connected"}, 60,
        "both sources live",
    )  # fmt: skip
    return person


@pytest.fixture(scope="session")
def sign_in_as(demo: Platform, administrator: Person) -> Callable[[Language, Theme, str], Person]:
    """Make an administrator for each language, theme and purpose, once, with their choice stored."""
    known: dict[str, Person] = {}

    def signed_in(language: Language, theme: Theme, purpose: str) -> Person:
        name = f"{purpose}-{language}-{theme}"
        if name not in known:
            draft = {"username": name, "display_name": f"Li Wei {language}", "role": "administrator"}
            first = administrator.post("/users", draft)["initial_password"]
            person = Person(demo.port)
            assert person.sign_in(name, first).status == 200
            person.post("/session/password", {"old": first, "new": _PASSWORD})
            chosen = person.ask("PATCH", "/session", {"language": language, "theme": theme})
            assert chosen.status == 200, chosen.body
            known[name] = person
        return known[name]

    return signed_in


@dataclass
class Watched:
    """A page, and what went wrong in it."""

    page: Page
    origin: str
    problems: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Expect a console error that belongs to the test."""
        self.allowed.append(pattern)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def on_request(self, request: Request) -> None:
        address = urlparse(request.url)
        if address.scheme not in ("data", "blob") and f"{address.scheme}://{address.netloc}" != self.origin:
            self.problems.append(f"request to another host: {request.url}")

    def check(self) -> None:
        left = [each for each in self.problems if not any(re.search(pattern, each) for pattern in self.allowed)]
        assert not left, left


Open = Callable[..., Watched]


@pytest.fixture
def open_page(demo: Platform, chromium: Browser, sign_in_as: Callable[..., Person]) -> Iterator[Open]:
    """Open a page as someone of a language and theme, or as nobody; what went wrong in it fails the test."""
    watched: list[Watched] = []
    contexts: list[BrowserContext] = []

    def opened(
        path: str, language: Language = "en", theme: Theme = "light", size: tuple[int, int] = DESKTOP, *,
        signed_in: bool = True, purpose: str = "reader", person: Person | None = None, zone: str = "Asia/Shanghai",
        host: str = "127.0.0.1",
    ) -> Watched:  # fmt: skip
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="zh-CN" if language == "zh" else "en-US",
            color_scheme=theme, timezone_id=zone, accept_downloads=True,
            is_mobile=size == PHONE, has_touch=size == PHONE,
        )  # fmt: skip
        contexts.append(context)
        origin = f"http://{host}:{demo.port}"
        context.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        if signed_in:
            cookies = (person or sign_in_as(language, theme, purpose)).cookies
            context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
        page = context.new_page()
        one = Watched(page, origin)
        watched.append(one)
        page.on("console", one.on_console)
        page.on("pageerror", lambda error: one.problems.append(f"uncaught: {error}"))
        context.on("request", one.on_request)
        page.goto(origin + path)
        return one

    yield opened
    for context in contexts:
        context.close()
    for one in watched:
        one.check()


def settled(page: Page) -> None:
    """Wait until the page has its heading, nothing is loading, and the feed is live."""
    page.locator("h1").first.wait_for(state="attached")
    page.locator(".ms-loading").first.wait_for(state="detached")


def asset_path(person: Person, name: str) -> str:
    """Return the address of an asset by its English name."""
    found = person.get("/assets", search=name)["items"]
    return f"/plant/{next(each['id'] for each in found if each['name']['en'] == name)}"


def shift_sum(page: Page) -> Callable[[], float]:
    """Begin to add up layout shift; returns the way to read the sum."""
    page.evaluate(
        """() => { window.shifted = 0; new PerformanceObserver((list) => {
             for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
           }).observe({ type: 'layout-shift' }); }"""
    )

    def read() -> float:
        summed: Any = page.evaluate("window.shifted")
        return float(summed)

    return read
