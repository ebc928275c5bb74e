"""Every setting and every file of the gateway stands in its page."""

from __future__ import annotations

from pathlib import Path

from mainspring.gateway.settings import GatewaySettings

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def test_every_setting_is_documented_and_no_other() -> None:
    table = PAGE.partition("## Settings")[2]
    documented = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert documented == set(GatewaySettings.model_fields)
