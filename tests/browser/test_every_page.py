"""Every page in both languages, both themes, wide and on a phone: no violation, nothing cut, a picture of it.

The pictures go to the folder MAINSPRING_SCREENSHOTS; the docs are made of them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, Theme, asset_path, settled
from tests.e2e.platform import Person

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = {
    "overview": "/",
    "asset": "",
    "alarms": "/alarms",
    "alarm-history": "/alarms?tab=history",
    "trend": "",
    "connections": "/connect",
    "connect-new": "/connect/new",
    "devices": "/connect/devices",
    "templates": "/connect/templates",
    "import": "/connect/import",
    "users": "/admin/users",
    "audit": "/admin/audit",
}
LOOKS: tuple[tuple[Language, Theme, str, bool], ...] = (
    ("en", "light", "wide", True), ("zh", "dark", "wide", True),
    ("zh", "light", "phone", True), ("en", "dark", "phone", True),
    # Colours, names and sizes are those of the four above: these two are for the pictures.
    ("zh", "light", "wide", False), ("en", "dark", "wide", False),
)  # fmt: skip
SIZES = {"wide": DESKTOP, "phone": PHONE}
TOO_WIDE = """() => { const root = document.documentElement; if (root.scrollWidth <= root.clientWidth) return null;
  const wide = [...document.querySelectorAll('body *')].filter((one) =>
    one.getBoundingClientRect().right > root.clientWidth + 1);
  return `${root.scrollWidth} > ${root.clientWidth}: ` + wide.slice(0, 4).map((one) =>
    one.outerHTML.slice(0, 120)).join(' | '); }"""


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = os.environ.get("MAINSPRING_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def address_of(name: str, person: Person) -> str:
    if name == "asset":
        return asset_path(person, "Reactor")
    if name == "trend":
        tags = [str(person.tag(tag)["tag"]) for tag in ("XMEAS_7", "XMEAS_9", "XMV_10", "power")]
        return f"/trend?tags={','.join(tags)}&range=10m"
    return PAGES[name]


def violations(page: Page) -> list[str]:
    """Run axe and say what it found in one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: Any = page.evaluate(f"axe.run(document, {{ runOnly: {json.dumps(AXE_TAGS)}, resultTypes: ['violations'] }})")
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}; {node['target']} {node['html'][:160]} "
        f"{' '.join(check['message'] for check in node['any'][:1])}"
        for rule in found["violations"]
        for node in rule["nodes"][:4]
    ]


@pytest.mark.parametrize(("language", "theme", "size", "with_axe"), LOOKS, ids=["-".join(look[:3]) for look in LOOKS])
def test_pages(
    administrator: Person, open_page: Open, gallery: Path, language: Language, theme: Theme, size: str, with_axe: bool
) -> None:
    assert AXE.exists(), "axe-core is missing: run `make page`"
    watched = open_page("/", language, theme, SIZES[size])
    page = watched.page
    # A blinking sign would be photographed at any moment of its blinking.
    page.emulate_media(reduced_motion="reduce")
    faults: list[str] = []
    for name in PAGES:
        page.goto(watched.origin + address_of(name, administrator))
        settled(page)
        if name == "trend":
            page.locator(".ms-trend-lanes canvas").first.wait_for()
        page.wait_for_timeout(500)
        wide = page.evaluate(TOO_WIDE)
        if wide:
            faults.append(f"{name}: scrolls sideways, {wide}")
        page.screenshot(path=gallery / f"{name}-{language}-{theme}-{size}.png")
        if with_axe:
            faults += [f"{name}: {each}" for each in violations(page)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_the_door(open_page: Open, gallery: Path, language: Language, theme: Theme) -> None:
    watched = open_page("/", language, theme, PHONE, signed_in=False)
    watched.allow("status of 401")
    settled(watched.page)
    watched.page.screenshot(path=gallery / f"sign-in-{language}-{theme}-phone.png")
    assert watched.page.evaluate(TOO_WIDE) is None
    assert violations(watched.page) == []
