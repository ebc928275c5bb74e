"""Devices that publish: issued on the page, seen live, taken for what they are when they go; four recorded sources."""

from __future__ import annotations

import json
from typing import Any, Final

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page, expect
from tests.browser.conftest import Language, Open, settled
from tests.e2e.platform import Person, eventually
from tests.waiting import PATIENCE_S

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {"issue": "Issue device", "name": "Name", "lost": "not connected", "connected": "connected"},
    "zh": {"issue": "签发设备", "name": "名称", "lost": "未连接", "connected": "已连接"},
}
SOURCES: Final = {
    "Tennessee Eastman": "OPC UA", "Chiller 6": "Modbus TCP", "OKUMA MULTUS": "MTConnect", "Edge node": "Sparkplug"
}  # fmt: skip


def listener(person: Person) -> tuple[str, int]:
    """Where the demo's gateway listens for devices."""

    def told() -> str:
        return str(next(each for each in person.get("/gateways") if each["name"] == "main")["listener"])

    host, port = eventually(told, PATIENCE_S, "the gateway listens").removeprefix("mqtt://").split(":")
    return host, int(port)


def issued(page: Page, name: str, words: dict[str, str]) -> str:
    """Issue a device on the page and return the password it shows once."""
    page.get_by_role("button", name=words["issue"]).first.click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label(words["name"]).fill(name)
    drawer.get_by_role("button", name=words["issue"]).click()
    secret = page.locator(".ms-secret")
    expect(secret).to_be_visible()
    return secret.inner_text().strip()


def connected(person: Person, name: str) -> dict[str, Any]:
    """Make a connection and two tags for what a device publishes."""
    settings = {"topics": [f"plant/{name}/#"]}
    connection = person.post("/connections", {"name": name, "driver": "mqtt", "settings": settings})
    asset = person.post(
        "/assets", {"parent": None, "kind": "enterprise", "slug": name, "name": {"en": name, "zh": name}}
    )
    made: dict[str, Any] = {"connection": connection, "asset": asset, "tags": []}
    for field, unit in (("temperature", "Cel"), ("pressure", "kPa")):
        address = {"topic": f"plant/{name}/values", "path": field}
        draft = {"name": field, "asset": asset["id"], "connection": connection["id"], "address": address, "unit": unit}
        made["tags"].append(person.post("/tags", draft))
    return made


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_device_issued_on_the_page_publishes_and_is_seen(
    open_page: Open, administrator: Person, language: Language
) -> None:
    words, name = WORDS[language], f"press-{language}"
    page = open_page("/connect/devices", language, purpose="devices").page
    settled(page)
    password = issued(page, name, words)
    made = connected(administrator, name)
    host, port = listener(administrator)
    device = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
    device.username_pw_set(name, password)
    device.connect(host, port)
    device.loop_start()
    try:
        page.goto(page.url.split("/connect")[0] + f"/plant/{made['asset']['id']}")
        settled(page)

        def shown() -> bool:
            sent = device.publish(f"plant/{name}/values", json.dumps({"temperature": 48.25, "pressure": 310}), qos=1)
            sent.wait_for_publish(10)
            return page.get_by_role("row").filter(has_text="temperature").get_by_text("48.25").count() > 0

        eventually(shown, PATIENCE_S, "the value on the page")
        row = page.get_by_role("row").filter(has_text="pressure")
        expect(row).to_contain_text("310")
        expect(row).to_contain_text("kPa")
        # Its credential is taken away: the device is out within seconds and gets in no more.
        known = administrator.get("/devices", search=name)["items"][0]
        administrator.delete(f"/devices/{known['id']}")
        eventually(lambda: not device.is_connected(), PATIENCE_S, "the device is cut off")
    finally:
        device.disconnect()
        device.loop_stop()
        for tag in made["tags"]:
            administrator.delete(f"/tags/{tag['id']}")
        administrator.delete(f"/connections/{made['connection']['id']}")
        administrator.delete(f"/assets/{made['asset']['id']}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_four_recorded_sources_are_live(open_page: Open, language: Language) -> None:
    page = open_page("/connect", language).page
    settled(page)
    grid = page.get_by_role("grid")
    for name, protocol in SOURCES.items():
        row = grid.get_by_role("row").filter(has_text=name).first
        expect(row).to_contain_text(WORDS[language]["connected"])
        expect(row).to_contain_text(protocol)
