"""Every page in both languages, both themes, wide and on a phone: no violation, nothing cut, a picture of it.

The pictures go to the folder MAINSPRING_SCREENSHOTS; the docs are made of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, Theme, settled
from tests.browser.looks import MAIN, MORE, PAGES, address_of, cut, lengthen, too_wide, violations
from tests.e2e.platform import Person

# Language, theme, size, and which pages are looked into; of the others a picture is taken.
LOOKS: tuple[tuple[Language, Theme, str, dict[str, str]], ...] = (
    ("en", "light", "wide", MAIN), ("zh", "dark", "wide", MAIN),
    ("zh", "light", "phone", MAIN), ("en", "dark", "phone", PAGES),
    ("zh", "light", "wide", MORE), ("en", "dark", "wide", {}),
)  # fmt: skip
SIZES = {"wide": DESKTOP, "phone": PHONE, "tablet": (820, 1180), "wall": (3840, 2160)}


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = os.environ.get("MAINSPRING_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize(("language", "theme", "size", "looked"), LOOKS, ids=["-".join(look[:3]) for look in LOOKS])
def test_pages(
    administrator: Person, open_page: Open, gallery: Path, language: Language, theme: Theme, size: str,
    looked: dict[str, str],
) -> None:  # fmt: skip
    watched = open_page("/", language, theme, SIZES[size])
    page = watched.page
    # A blinking sign would be photographed at any moment of its blinking.
    page.emulate_media(reduced_motion="reduce")
    faults: list[str] = []
    for name in MAIN | looked:
        page.goto(watched.origin + address_of(name, administrator))
        settled(page)
        if name == "trend":
            page.locator(".ms-trend-lanes canvas").first.wait_for()
        # What comes a moment after the first answer belongs to the page as well.
        page.wait_for_timeout(300)
        page.screenshot(path=gallery / f"{name}-{language}-{theme}-{size}.png")
        found = too_wide(page) + cut(page)
        if name in looked:
            found += violations(page) + narrower(page, size)
        faults += [f"{name}: {each}" for each in found]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("language", "theme", "size"), [("zh", "dark", "tablet"), ("en", "light", "wall")], ids=["tablet", "wall"]
)
def test_tablet_and_wall(
    administrator: Person, open_page: Open, gallery: Path, language: Language, theme: Theme, size: str
) -> None:
    watched = open_page("/", language, theme, SIZES[size])
    page = watched.page
    page.emulate_media(reduced_motion="reduce")
    faults: list[str] = []
    for name in (*MAIN, "connection", "gateways", "alarm-performance"):
        page.goto(watched.origin + address_of(name, administrator))
        settled(page)
        page.wait_for_timeout(300)
        page.screenshot(path=gallery / f"{name}-{language}-{theme}-{size}.png")
        faults += [f"{name}: {each}" for each in too_wide(page) + cut(page) + violations(page)]
    assert not faults, "\n".join(faults)


def narrower(page: Page, size: str) -> list[str]:
    """Look at the page as at twice the size (320 px on a phone, 720 on a desk), then with longer words."""
    wide, high = SIZES[size]
    page.set_viewport_size(
        {"width": 320 if size == "phone" else wide // 2, "height": high if size == "phone" else high // 2}
    )
    found = [f"narrower, {each}" for each in too_wide(page) + cut(page)]
    page.set_viewport_size({"width": wide, "height": high})
    lengthen(page)
    return found + [f"longer words, {each}" for each in too_wide(page) + cut(page)]


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_the_door(open_page: Open, gallery: Path, language: Language, theme: Theme) -> None:
    watched = open_page("/", language, theme, PHONE, signed_in=False)
    watched.allow("status of 401")
    settled(watched.page)
    watched.page.screenshot(path=gallery / f"sign-in-{language}-{theme}-phone.png")
    assert too_wide(watched.page) + cut(watched.page) + violations(watched.page) == []
