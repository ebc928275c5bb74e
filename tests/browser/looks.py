"""What is looked for on every page: violations, cut words, what sticks out; and the pages themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page
from tests.browser.conftest import asset_path
from tests.e2e.platform import Person

AXE: Final = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The pages of the gallery, each seen in every look; the addresses left empty hold an identifier.
MAIN: Final = {
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
# All others, each seen in both languages, both themes and both sizes.
MORE: Final = {
    "plant": "/plant",
    "asset-commands": "",
    "alarms-shelved": "/alarms?tab=shelved",
    "alarms-out": "/alarms?tab=out-of-service",
    "alarm-performance": "/alarms?tab=performance",
    "trend-empty": "/trend",
    "pictures": "/pictures",
    "apps": "/apps",
    "events": "/records/events",
    "connection": "",
    "connection-edit": "",
    "connection-tags": "",
    "gateways": "/connect/gateways",
    "history-import": "/connect/history-import",
    "missing": "/nowhere",
}
PAGES: Final = MAIN | MORE
_TRENDED: Final = ("XMEAS_7", "XMEAS_9", "XMV_10", "power")

# The document itself may not scroll sideways; what makes it do so is named.
_TOO_WIDE: Final = """() => { const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return '';
  const wide = [...document.querySelectorAll('body *')].filter((one) =>
    one.getBoundingClientRect().right > root.clientWidth + 1);
  return `${root.scrollWidth} > ${root.clientWidth}: ` + wide.slice(0, 4).map((one) =>
    one.outerHTML.slice(0, 120)).join(' | '); }"""

# Words are cut where an element hides what overflows and does not say so by an ellipsis, and where a word runs out of
# a box that shows it: over its neighbour. Charts draw, and a field scrolls what is typed into it.
_CUT: Final = """() => { const found = [];
  const hides = new Set(['hidden', 'clip']), scrolls = new Set(['auto', 'scroll']);
  for (const one of document.querySelectorAll('body *')) {
    if (one.closest('canvas, svg, input, textarea, script, style, .ms-hidden, .ms-skip, [aria-hidden=true]')) continue;
    if (![...one.childNodes].some((part) => part.nodeType === 3 && part.nodeValue.trim() !== '')) continue;
    const style = getComputedStyle(one);
    if (style.visibility === 'hidden' || style.clipPath !== 'none' || !one.getClientRects().length) continue;
    const range = document.createRange(); range.selectNodeContents(one);
    const words = range.getBoundingClientRect();
    if (words.width < 2) continue;
    for (let box = one; box && box !== document.body; box = box.parentElement) {
      const look = getComputedStyle(box);
      if (scrolls.has(look.overflowX) || box.matches('.ant-tabs-nav-wrap')) break;
      if (hides.has(look.overflowX) || box.matches('button, .ms-grid-cell, .ant-tag')) {
        if (look.textOverflow === 'ellipsis' || look.webkitLineClamp !== 'none') break;
        const edge = box.getBoundingClientRect();
        if (edge.width > 2 && (words.right > edge.right + 1.5 || words.left < edge.left - 1.5)) {
          found.push(`"${one.textContent.trim().slice(0, 40)}" ` +
            `${Math.round(words.left)}..${Math.round(words.right)} in ${box.tagName}.${box.className} ` +
            `${Math.round(edge.left)}..${Math.round(edge.right)}`);
          break;
        }
      }
    }
  }
  return [...new Set(found)].slice(0, 12); }"""

# Every word of the page grows by two fifths: text written in any language finds room in what passes this.
_LENGTHEN: Final = """() => { const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const parts = []; while (walk.nextNode()) parts.push(walk.currentNode);
  const kept = 'script, style, .ms-value, .ms-num, .ms-code, code, kbd, svg';
  for (const part of parts) {
    const text = part.nodeValue;
    if (!/\\p{L}{2}/u.test(text) || part.parentElement.closest(kept)) continue;
    const more = Math.ceil(text.trim().length * 0.4);
    const words = more > 6 ? ' ' + 'and some more '.repeat(more).slice(0, more - 1).trimEnd() : 'm'.repeat(more);
    part.nodeValue = text.trimEnd() + words;
  } }"""


def address_of(name: str, person: Person) -> str:
    """Return the address of a page by its name."""
    if name in ("asset", "asset-commands"):
        return (
            asset_path(person, "Chiller 6") + "?tab=commands"
            if name == "asset-commands"
            else asset_path(person, "Reactor")
        )
    if name == "trend":
        return f"/trend?tags={','.join(str(person.tag(tag)['tag']) for tag in _TRENDED)}&range=10m"
    if name.startswith("connection") and name != "connections":
        return f"/connect/{person.connection('Chiller 6')['id']}" + name.removeprefix("connection").replace("-", "/")
    return PAGES[name]


def violations(page: Page) -> list[str]:
    """Run axe and say what it found in one line each."""
    assert AXE.exists(), "axe-core is missing: run `make page`"
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: Any = page.evaluate(f"axe.run(document, {{ runOnly: {json.dumps(_TAGS)}, resultTypes: ['violations'] }})")
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}; {node['target']} {node['html'][:160]} "
        f"{' '.join(check['message'] for check in node['any'][:1])}"
        for rule in found["violations"]
        for node in rule["nodes"][:4]
    ]


def too_wide(page: Page) -> list[str]:
    """Say what makes the page scroll sideways."""
    wide = page.evaluate(_TOO_WIDE)
    return [f"scrolls sideways, {wide}"] if wide else []


def cut(page: Page) -> list[str]:
    """Say which words are cut without an ellipsis, or run over their neighbours."""
    return [f"cut: {each}" for each in page.evaluate(_CUT)]


def looked_into(page: Page) -> None:
    assert too_wide(page) + cut(page) + violations(page) == []


def lengthen(page: Page) -> None:
    """Let every word that is not a value grow by two fifths."""
    page.evaluate(_LENGTHEN)
