"""A person without a mouse: stops at what Tab reaches, and looks at each stop whether it can be seen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import CDPSession, Page

STOPS_MAX: Final = 120
FADES_MAX: Final = 20

# What a sighted person needs at a stop: it is on the screen, nothing lies over it, and something is drawn around it.
# antd draws the ring of a checkbox, a radio button or a field on the box around the element that has the focus.
_STOP: Final = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return { what: 'nothing', faults: [], nowhere: true };
  const box = one.getBoundingClientRect(), faults = [];
  const own = one.closest('label') ?? [...(one.labels ?? [])][0];
  const x = Math.min(Math.max(box.x + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.y + box.height / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  const seen = box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth
    && box.top < innerHeight && getComputedStyle(one).visibility === 'visible';
  if (!seen) faults.push(`is not on the screen: ${Math.round(box.x)},${Math.round(box.y)} ` +
    `${Math.round(box.width)} x ${Math.round(box.height)}`);
  else if (!top || !(one.contains(top) || own?.contains(top) || near(one, 2).includes(top)))
    faults.push(`is covered by ${top?.outerHTML.slice(0, 160)}`);
  function near(element, levels) {
    const found = [element];
    for (let at = element; levels > 0 && at.parentElement; levels -= 1) {
      found.push(...[...at.parentElement.children].filter((each) => each !== at && !each.contains(element)));
      at = at.parentElement; found.push(at);
      if (at.matches('.ant-select, .ant-input-affix-wrapper, .ant-input-number, label')) break;
    }
    return found;
  }
  const drawn = (element, part) => {
    const look = getComputedStyle(element, part);
    const outline = look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 1
      && !/, 0\\)$/.test(look.outlineColor);
    return (outline || look.boxShadow !== 'none') && solid(element);
  };
  const solid = (element) => {
    for (let at = element; at; at = at.parentElement) if (parseFloat(getComputedStyle(at).opacity) < 0.2) return false;
    return true;
  };
  const wraps = one.closest('.ant-select, .ant-input-affix-wrapper, .ant-input-number, .ant-checkbox-wrapper, ' +
    '.ant-radio-wrapper, .ant-switch, .ant-tabs-tab');
  const around = [one, ...(wraps ? [wraps, ...wraps.querySelectorAll('*')] : [])];
  if (!around.some((element) => drawn(element, null) || drawn(element, '::after') || drawn(element, '::before')))
    faults.push('has no visible ring');
  return { what: one.outerHTML.slice(0, 160), faults, nowhere: false };
}"""


@dataclass(frozen=True)
class Stop:
    """What has the focus, as assistive technology hears it."""

    role: str
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.role} {self.name!r}" if self.role else self.what


class Keyboard:
    """Works a page by keys alone."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._tools: CDPSession = page.context.new_cdp_session(page)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Type where the focus is, over what stands there."""
        self.press("Control+a")
        self.page.keyboard.type(text)

    def here(self) -> Stop:
        """Return what has the focus; fails where a person could not see it, once what fades in has done so."""
        for _ in range(FADES_MAX):
            seen: dict[str, Any] = self.page.evaluate(_STOP)
            if not seen["faults"]:
                break
            self.page.wait_for_timeout(50)
        if seen["nowhere"]:
            return Stop("", "", "nothing")
        found = self._tools.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]
        asked = {"objectId": found["objectId"], "fetchRelatives": False}
        node = self._tools.send("Accessibility.getPartialAXTree", asked)["nodes"][0]
        role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
        stop = Stop(role, " ".join(name.split()), seen["what"])
        assert not seen["faults"], f"{stop} {'; '.join(seen['faults'])}: {stop.what}"
        return stop

    def is_at(self, role: str, name: str | re.Pattern[str]) -> bool:
        """Tell whether the focus is at what has this role and name."""
        return _fits(self.here(), role, name)

    def tab_to(self, role: str, name: str | re.Pattern[str], *, back: bool = False, most: int = STOPS_MAX) -> Stop:
        """Press Tab, or Shift Tab, until something of this role and name has the focus."""
        met: list[str] = []
        for _ in range(most):
            self.press("Shift+Tab" if back else "Tab")
            stop = self.here()
            if _fits(stop, role, name):
                return stop
            met.append(str(stop))
        pytest.fail(f"{role} {name!r} is not reached by {'Shift Tab' if back else 'Tab'}; met:\n" + "\n".join(met))

    def waits_at(self, role: str, name: str | re.Pattern[str]) -> None:
        """Wait until the focus is at what has this role and name, where the page itself put it."""
        for _ in range(200):
            if self.is_at(role, name):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"focus is at {self.here()}, not at {role} {name!r}")


def _fits(stop: Stop, role: str, name: str | re.Pattern[str]) -> bool:
    if stop.role != role:
        return False
    return stop.name == name if isinstance(name, str) else name.search(stop.name) is not None
