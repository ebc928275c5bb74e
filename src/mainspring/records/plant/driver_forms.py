"""The forms that drivers declare: which settings a connection takes, which address a tag."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from mainspring.core.drivers import Driver, registered
from mainspring.core.text import Text
from mainspring.records.draft import check
from mainspring.records.faults import Invalid

_UNKNOWN: Final = Text("There is no driver {name}. Installed: {known}.", "没有驱动 {name}，已安装：{known}。")
_BROKEN: Final = Text(
    "The driver {name} is installed but does not load ({reason}). Reinstall its package.",
    "驱动 {name} 已安装但无法加载（{reason}），请重新安装其软件包。",
)


@cache
def driver(name: str) -> type[Driver]:
    """Return a registered driver; raises Invalid for the field `driver`."""
    entry = registered().get(name)
    if entry is None:
        known = ", ".join(sorted(registered())) or "-"
        raise Invalid({"driver": _UNKNOWN.format(name=name, known=known)})
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise Invalid({"driver": _BROKEN.format(name=name, reason=error)}) from error


def check_settings(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a connection's settings as the driver understands them, without defaults; raises Invalid."""
    return check(driver(name).Config, settings, "settings").model_dump(mode="json", exclude_unset=True)


def check_address(name: str, address: dict[str, Any], prefix: str = "address") -> dict[str, Any]:
    """Return a tag's address as the driver understands it; raises Invalid."""
    return check(driver(name).Address, address, prefix).model_dump(mode="json", exclude_unset=True)


@cache
def secrets(name: str) -> frozenset[str]:
    """Return the names of the settings of a driver that nobody may read back."""
    properties = driver(name).Config.model_json_schema().get("properties", {})
    return frozenset(field for field, schema in properties.items() if schema.get("secret"))
