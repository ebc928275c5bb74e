"""Fifty thousand tags and assets on a page: few elements in the document, and the last one is reached.

The page's own requests are answered here: what is looked at is the page, and it asks as it always does.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Page, Route, expect
from tests.browser.conftest import Open, asset_path, settled
from tests.e2e.platform import Person

MANY = 50_000
LONG_MS = 180_000
ROWS_MAX = 60
ELEMENTS_MAX = 3_000


def paged(first: dict[str, Any], number_at: str) -> Any:
    """Answer a list with copies of its first item, numbered, as many as are asked for at a time."""

    def answer(route: Route) -> None:
        query = parse_qs(urlparse(route.request.url).query)
        offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["200"])[0])
        items = []
        for number in range(offset, min(MANY, offset + limit)):
            name = f"T{number:05}"
            changed = {"id": f"{number:08}-0000-4000-8000-000000000000", number_at: 1_000_000 + number}
            items.append(
                first | changed | {"name": name if isinstance(first["name"], str) else {"en": name, "zh": name}}
            )
        route.fulfill(content_type="application/json", body=json.dumps({"items": items, "total": MANY}))

    return answer


def few_elements(page: Page, rows: str) -> None:
    assert page.locator(rows).count() <= ROWS_MAX
    assert page.evaluate("document.querySelectorAll('*').length") <= ELEMENTS_MAX


def test_fifty_thousand_tags_of_an_asset(administrator: Person, open_page: Open) -> None:
    tag = administrator.tag("XMEAS_9") | {"description": {"en": "one of many", "zh": "其中之一"}, "alarms": []}
    watched = open_page("/apps")
    # None of these tags exists: the feed knows nothing of them, and says so.
    watched.allow("status of 4")
    page = watched.page
    page.route("**/api/v1/tags?*", paged(tag, "tag"))
    page.goto(watched.origin + asset_path(administrator, "Reactor"))
    settled(page)
    grid = page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", str(MANY), timeout=LONG_MS)
    few_elements(page, ".ms-grid-row")
    grid.focus()
    page.keyboard.press("End")
    expect(grid.get_by_text(f"T{MANY - 1:05}", exact=True)).to_be_visible(timeout=LONG_MS)
    few_elements(page, ".ms-grid-row")
    page.keyboard.press("Home")
    expect(grid.get_by_text("T00000", exact=True)).to_be_visible(timeout=LONG_MS)


def test_fifty_thousand_assets_in_the_tree(administrator: Person, open_page: Open) -> None:
    asset = administrator.get("/assets", parent="root")["items"][0] | {"child_count": 0, "tag_count": 0}
    watched = open_page("/apps")
    page = watched.page
    page.route("**/api/v1/assets?*", paged(asset, "version"))
    page.goto(f"{watched.origin}/plant")
    settled(page)
    tree = page.get_by_role("tree")
    expect(tree.get_by_text("T00000", exact=True)).to_be_visible()
    few_elements(page, "[role=treeitem]")
    # So many at a time: the end of the list says how many are left, and fetches the next.
    tree.focus()
    for last in (199, 399):
        page.keyboard.press("End")
        expect(tree.get_by_text(f"T{last:05}", exact=True)).to_be_visible()
        page.keyboard.press("Enter")
        expect(tree.get_by_text(f"T{last + 1:05}", exact=True)).to_be_visible()
    few_elements(page, "[role=treeitem]")
