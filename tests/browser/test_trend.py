"""The trend: it draws, zooms, goes back, goes live again, shows numbers and downloads a file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import Open
from tests.e2e.platform import Person

INK = """(canvas) => { const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const sheet = copy.getContext('2d', { willReadFrequently: true }); sheet.drawImage(canvas, 0, 0);
  const pixels = sheet.getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set(); for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] > 200)
    seen.add((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2]); return [...seen]; }"""


def trend_of(person: Person, *names: str) -> str:
    return "/trend?tags=" + ",".join(str(person.tag(name)["tag"]) for name in names)


def drawn(page: Page, canvas: Locator, colour: str) -> None:
    """Wait until a series colour of the theme is among the pixels."""
    expect(canvas).to_be_visible()
    page.wait_for_function(
        f"(wanted) => {{ const canvas = document.querySelector('.ms-trend-lanes canvas');"
        f" return canvas && ({INK})(canvas).includes(wanted); }}",
        arg=int(colour.removeprefix("#"), 16),
    )


def test_a_line_is_drawn_zoomed_and_exported(administrator: Person, open_page: Open, tmp_path: Path) -> None:
    page = open_page(trend_of(administrator, "XMEAS_9", "supply_temperature") + "&range=10m").page
    canvas = page.locator(".ms-trend-lanes canvas").first
    drawn(page, canvas, "#1C3390")
    assert page.locator(".ms-trend-lanes canvas").count() >= 2, "two units, two lanes"
    live = page.get_by_role("button", name=re.compile("Live|Paused"))
    expect(live).to_contain_text("Live")
    address = page.url

    box = canvas.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.7, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.85, middle, steps=5)
    page.mouse.up()
    expect(live).to_contain_text("Paused")
    assert page.url != address, "the range stands in the address"
    page.go_back()
    expect(live).to_contain_text("Live")
    assert page.url == address
    page.keyboard.press("+")
    expect(live).to_contain_text("Paused")
    page.keyboard.press("l")
    expect(live).to_contain_text("Live")

    page.get_by_role("button", name="As table").click()
    expect(page.get_by_role("row").nth(2)).to_be_visible()
    page.get_by_role("button", name="As chart").click()
    page.get_by_role("button", name="Export", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Every sample").click()
    with page.expect_download() as begun:
        dialog.get_by_role("button", name="Export").click()
    file = tmp_path / "trend.csv"
    begun.value.save_as(file)
    assert begun.value.suggested_filename.endswith(".csv")
    text = file.read_text(encoding="utf-8-sig")
    assert "Demo plant" in text and "Asia/Shanghai" in text and "°C" in text
    rows = list(csv.reader(text.splitlines()))
    assert sum("XMEAS_9" in ",".join(row) for row in rows) > 10


def test_a_trend_opens_from_an_asset_in_dark(administrator: Person, open_page: Open) -> None:
    page = open_page(trend_of(administrator, "XMEAS_7") + "&range=10m", "zh", "dark").page
    drawn(page, page.locator(".ms-trend-lanes canvas").first, "#4076F5")
    expect(page.get_by_role("button", name="导出")).to_be_visible()


def test_states_are_bands_with_words(administrator: Person, open_page: Open) -> None:
    page = open_page(trend_of(administrator, "pump", "XMEAS_7") + "&range=10m", "en", "dark").page
    # The fill of a state that runs; the legend says which state that is.
    expect(page.locator(".ms-state-legend")).to_contain_text(re.compile(r"pump\s*on"))
    expect(page.locator(".ms-trend-lanes canvas")).to_have_count(2)
    page.wait_for_function(
        f"(wanted) => {{ const canvas = [...document.querySelectorAll('.ms-trend-lanes canvas')].at(-1);"
        f" return canvas && ({INK})(canvas).includes(wanted); }}",
        arg=int("7FA3C2", 16),
    )
    page.get_by_role("button", name="Hide pump").click()
    expect(page.locator(".ms-state-legend")).to_have_count(0)
