"""Menus, drawers, dialogs, popovers: opened by keyboard, looked into, closed one at a time, the focus given back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from playwright.sync_api import ElementHandle, Page, expect
from tests.browser.conftest import DESKTOP, PHONE, Language, Open, Theme, settled
from tests.browser.looks import address_of, cut, too_wide, violations
from tests.e2e.platform import Person, eventually
from tests.waiting import PATIENCE_S

LAYER = ", ".join(
    f"{each}:visible"
    for each in (".ant-drawer-section", ".ant-modal", ".ant-dropdown", ".ant-popover", ".ant-picker-dropdown")
)
ME = r"^(Signed in as|已登录)"
EDIT = r"^(Edit|编辑)$"
REMOVE = r"^(Delete|删除)$"


ROW = "row"


@dataclass(frozen=True)
class Way:
    """A page, and the names of what is pressed one after the other; each opens a layer over the one before."""

    page: str
    names: tuple[str, ...]
    desk_only: bool = False


WAYS = (
    Way("overview", (ME,)),
    Way("overview", (ME, "^(Keys|快捷键)$")),
    Way("overview", (ME, "^(Notifications|通知)$")),
    Way("overview", (ME, "^(API tokens|API 令牌)$")),
    Way("overview", (ME, "^(Change password|修改密码)$")),
    Way("overview", (r"^(Search or jump|搜索或跳转)",)),
    Way("asset", (EDIT, "^(Edit asset|编辑资产)$")),
    Way("asset", (EDIT, "^(Delete asset|删除资产)$")),
    Way("asset", ("^(Enter from file|从文件录入)$",)),
    Way("asset", ("^(Add tag|添加测点)$",)),
    Way("tag", (EDIT, "^(Add alarm|添加报警)$"), desk_only=True),
    Way("tag", (EDIT, REMOVE), desk_only=True),
    Way("alarms", (r"^(Sound|声音)",)),
    Way("connection", ("^(More|更多)$", "^(Disable|停用)$")),
    Way("connection", ("^(More|更多)$", "^(Save as template|存为模板)$")),
    Way("connection", ("^(Test|测试)$",)),
    Way("devices", ("^(Issue device|签发设备)$",)),
    Way("gateways", ("^(Announce a gateway|添加网关)",)),
    Way("audit", (ROW,)),
    Way("users", ("^(Add user|添加用户)$",)),
    Way("users", (r"^(More for admin|admin 的更多操作)$", "^(Change role or name|修改角色或名称)")),
    Way("trend", ("^(Export|导出)$",), desk_only=True),
)


def press(page: Page, name: str, place: str = "main, header") -> ElementHandle:
    """Press what has this name by keyboard, in the layer on top if there is one; returns it."""
    inside = page.locator(LAYER).last if page.locator(LAYER).count() else page.locator(place)
    if name == ROW:
        found = inside.get_by_role("grid")
    else:
        found = inside.locator("button, [role=menuitem]").filter(visible=True)
        found = found.and_(
            page.get_by_role("button", name=re.compile(name)).or_(page.get_by_role("menuitem", name=re.compile(name)))
        )
    one = found.first.element_handle()
    one.focus()
    page.keyboard.press("ArrowDown" if name == ROW else "Enter")
    if name == ROW:
        page.keyboard.press("Enter")
    return one


def at_rest(page: Page) -> None:
    """Wait until nothing moves: colours and places are then those a person sees."""
    eventually(
        lambda: page.evaluate("() => document.getAnimations().every((one) => one.playState !== 'running')"),
        60, "the layer is at rest",
    )  # fmt: skip


# What has the focus is in the page's view and on top of everything else at its own place.
_COVERED = """() => { const one = document.activeElement;
  if (!one || one === document.body) return 'nothing has the focus';
  const { left, top, width, height } = one.getBoundingClientRect();
  const over = document.elementFromPoint(left + width / 2, top + height / 2);
  if (over && (one.contains(over) || over.contains(one) || over.closest('label')?.contains(one))) return '';
  return `${one.outerHTML.slice(0, 120)} is covered by ${over?.outerHTML.slice(0, 120)}`; }"""


def test_layers_wide(administrator: Person, open_page: Open) -> None:
    walk(administrator, open_page, "en", "dark", DESKTOP)


def test_layers_phone(administrator: Person, open_page: Open) -> None:
    walk(administrator, open_page, "zh", "light", PHONE)


def walk(administrator: Person, open_page: Open, language: Language, theme: Theme, size: tuple[int, int]) -> None:
    watched = open_page("/apps", language, theme, size)
    page = watched.page
    page.emulate_media(reduced_motion="reduce")
    faults: list[str] = []
    shown = ""
    for way in WAYS:
        if way.desk_only and size == PHONE:
            continue
        if way.page != shown:
            page.goto(watched.origin + address_of("asset" if way.page == "tag" else way.page, administrator))
            settled(page)
            shown = way.page
        try:
            faults += [f"{way.page} {way.names}: {each}" for each in look(page, way)]
        except AssertionError as error:
            # The others are looked into all the same, on a fresh page.
            faults.append(str(error).split("Call log")[0])
            shown = ""
    assert not faults, "\n".join(faults)


def escaped(page: Page, left: int) -> bool:
    """Press Escape and tell whether so many layers are left; one that is just fading away may have taken the key."""
    page.keyboard.press("Escape")
    try:
        expect(page.locator(LAYER)).to_have_count(left, timeout=4000)
    except AssertionError:
        assert page.locator(LAYER).count() > left, "Escape closed more than one layer"
        return False
    return True


def look(page: Page, way: Way) -> list[str]:
    """Open the layers of a way, look into them, close them from the top; say what is wrong."""
    openers: list[ElementHandle] = []
    for name in way.names:
        openers.append(press(page, name, ".ms-grid" if way.page == "tag" else "main, header"))
        expect(page.locator(LAYER).last, f"{way.page} {name} opens").to_be_visible()
        at_rest(page)
    faults = too_wide(page) + cut(page) + violations(page)
    # Whoever goes on by keyboard sees where they are; a drawer has the focus itself until a key is pressed.
    if page.evaluate(_COVERED):
        page.keyboard.press("Tab")
    faults += [covered] if (covered := page.evaluate(_COVERED)) else []
    while layers := page.locator(LAYER).count():
        left = layers - 1
        eventually(partial(escaped, page, left), PATIENCE_S, f"{way.page} {way.names}: Escape closes one layer")
        at_rest(page)
    assert openers[0].evaluate("(one) => one.isConnected"), "what opened it is still there"
    try:
        eventually(
            lambda: openers[0].evaluate("(one) => document.activeElement === one"), PATIENCE_S, "the focus comes back"
        )
    except AssertionError:
        faults.append(f"the focus goes to {page.evaluate('document.activeElement?.outerHTML')[:200]}")
    return faults
