"""Device templates: what a kind of device offers, as a TOML file anyone can write, send on and keep under versions.

Shipped ones lie in the package, a company's own in its folder; a file is checked against one declaration, and against
the driver it names.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

import mainspring
from mainspring.core import toml
from mainspring.core.definitions import Words
from mainspring.core.errors import ConfigurationError, Conflict, MainspringError, reason_of
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import check_unit
from mainspring.records.faults import Invalid
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.driver_forms import check_address, check_settings, driver, secrets
from mainspring.records.plant.tag import Tag
from mainspring.records.record import absent

SHIPPED: Final = Path(mainspring.__file__).parent / "templates"
FILE_BYTES_MAX: Final = 1024 * 1024
TAGS_MAX: Final = 5000
OWN_MAX: Final = 500
NAME: Final = r"^[a-z0-9][a-z0-9-]{0,63}$"
_WHOLE_MAX: Final = 10**15
_MARK: Final = re.compile(r"\{([a-z_]+)\}")

_NOT_TOML: Final = Text(
    "The template is not TOML: {reason}. Correct that line.", "模板不是有效的 TOML：{reason}。请修正该行。"
)
_TOO_LARGE: Final = Text("A template holds at most {limit} bytes.", "模板最多 {limit} 字节。")
_SHIPPED: Final = Text(
    "{name} comes with the product and stays. Save yours under another name.",
    "{name} 为随产品提供的模板，请另用名称保存。",
)
_NO_PARAMETER: Final = Text("{path} names {found}, which is no parameter.", "{path} 引用的 {found} 不是参数。")
_OF_TAG: Final = Text("tags.{row} {name}: {reason}", "tags.{row} {name}：{reason}")
_NOT_FINITE: Final = Text("{path} is {found}. Enter a finite number.", "{path} 的值为 {found}，请填写有限的数。")
_NOT_WHOLE: Final = Text(
    "parameters.{key} has adds_to and is text. Make its kind whole.",
    "parameters.{key} 带有 adds_to，但类型为文本。请将 kind 设为 whole。",
)
_NOT_ADDED: Final = Text(
    "{first} cannot be added to {found!r}. Make it a whole number.", "{found!r} 不能与 {first} 相加，请改为整数。"
)
_UNREADABLE: Final = Text("The file cannot be read ({reason}).", "无法读取该文件（{reason}）。")
_NEEDED: Final = Text("This is required.", "此项必填。")
_NUMBER: Final = Text("Enter a whole number.", "请输入整数。")
_TOO_MANY: Final = Text(
    "There are {limit} templates already. Delete some first.", "已有 {limit} 个模板，请先删除一些。"
)


class Part(BaseModel):
    """A part of a template: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(Part):
    """What differs from one device of the kind to the next."""

    key: str = Field(pattern=r"^[a-z_]{1,32}$")
    title: Words
    kind: Literal["text", "whole"] = "text"
    setting: str = Field(default="", description="the connection's setting it fills")
    adds_to: str = Field(default="", description="the address field of every tag it is added to: a first register")
    default: str | int | None = None


class TemplateTag(Part):
    """One value of the device."""

    name: str = Field(min_length=1, max_length=200)
    address: dict[str, Any] = Field(description="as the driver declares it; `{parameter}` in a text is filled in")
    description: Words = Words(en="")
    kind: SampleKind = SampleKind.FLOAT
    unit: str = Field(default="1", max_length=32, description="UCUM code")
    low: float | None = None
    high: float | None = None
    decimals: int | None = Field(default=None, ge=0, le=9)
    scan_ms: int = Field(default=1000, ge=10, le=86_400_000)
    gain: float = 1.0
    offset: float = 0.0
    dead_band: float = Field(default=0.0, ge=0)
    writable: bool = False
    words: dict[str, Words] | None = Field(default=None, description="words of a boolean's or enumeration's values")
    limits: dict[Literal["LL", "L", "H", "HH"], float] = Field(default_factory=dict, description="alarm limits")


class DeviceTemplate(Part):
    """A kind of device."""

    name: str = Field(pattern=NAME, description="its own name, as the file's")
    title: Words
    description: Words = Words(en="")
    source: str = Field(default="", max_length=500, description="where its registers are written down")
    driver: str = Field(max_length=64)
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of the connection")
    parameters: tuple[Parameter, ...] = Field(default=(), max_length=20)
    tags: tuple[TemplateTag, ...] = Field(max_length=TAGS_MAX)


def parse(content: bytes, file: str) -> DeviceTemplate:
    """Read a template; raises ConfigurationError naming the path and, for an unknown key, the nearest."""
    if len(content) > FILE_BYTES_MAX:
        raise ConfigurationError(_TOO_LARGE, limit=FILE_BYTES_MAX)
    try:
        found = tomllib.loads(content.decode())
        _refuse_not_finite(found, "")
    except ValueError as error:
        # Not only what tomllib says itself: numbers of thousands of digits, and text that is no UTF-8.
        raise ConfigurationError(_NOT_TOML, reason=error) from error
    except RecursionError as error:
        raise ConfigurationError(_NOT_TOML, reason="nested too deeply") from error
    template = toml.check(DeviceTemplate, found, file)
    _refuse_wrong_parameters(template)
    tags = [
        tag.model_copy(update={"unit": check_unit(tag.unit, f"tags.{row}.unit")})
        for row, tag in enumerate(template.tags)
    ]
    return template.model_copy(update={"tags": tuple(tags)})


def check(template: DeviceTemplate) -> None:
    """Check addresses and settings against the driver; raises Invalid naming the tag."""
    given = {each.key: each.default if each.default is not None else _sample(each) for each in template.parameters}
    apply(template, given)


def _sample(parameter: Parameter) -> str | int:
    return 1 if parameter.kind == "whole" else "device.example"


def apply(template: DeviceTemplate, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings and tags of one device, as the API takes them; raises Invalid for a wrong parameter."""
    values = _values(template, given)
    settings = dict(template.settings)
    added: dict[str, int] = {}
    for parameter in template.parameters:
        if parameter.setting:
            settings[parameter.setting] = values[parameter.key]
        if parameter.adds_to:
            added[parameter.adds_to] = int(values[parameter.key])
    tags = []
    for row, tag in enumerate(template.tags):
        address = {key: _filled(found, values) for key, found in tag.address.items()}
        try:
            address = check_address(template.driver, _moved(address, added))
        except Invalid as error:
            path, reason = next(iter(error.fields.items()))
            told = Text(_OF_TAG.en.format(row=row, name=tag.name, reason=reason.en),
                        _OF_TAG.zh.format(row=row, name=tag.name, reason=reason.zh))  # fmt: skip
            raise Invalid({f"tags.{row}.{path}": told}, told) from error
        tags.append(tag.model_dump(mode="json", exclude_defaults=True) | {"address": address, "kind": str(tag.kind)})
    return {"driver": template.driver, "settings": check_settings(template.driver, settings), "tags": tags}


def _values(template: DeviceTemplate, given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    faults: dict[str, Text] = {}
    for parameter in template.parameters:
        value = given.get(parameter.key, parameter.default)
        if value is None or (value == "" and parameter.default != ""):
            faults[f"parameters.{parameter.key}"] = _NEEDED
        elif parameter.kind == "whole" and not _is_whole(value):
            faults[f"parameters.{parameter.key}"] = _NUMBER
        else:
            values[parameter.key] = int(value) if parameter.kind == "whole" else str(value)
    if faults:
        raise Invalid(faults)
    return values


def _is_whole(value: str | int) -> bool:
    if isinstance(value, int):
        return 0 <= value < _WHOLE_MAX
    return value.isdecimal() and len(value) < len(str(_WHOLE_MAX))


def _moved(address: dict[str, Any], added: Mapping[str, int]) -> dict[str, Any]:
    """Return an address with the first registers added; raises Invalid where one is no number."""
    moved = dict(address)
    for key, first in added.items():
        found = address.get(key, 0)
        if type(found) is not int:
            raise Invalid({key: _NOT_ADDED.format(first=first, found=found)})
        moved[key] = found + first
    return moved


def _filled(found: Any, values: Mapping[str, Any]) -> Any:
    return _MARK.sub(lambda mark: str(values.get(mark[1], mark[0])), found) if isinstance(found, str) else found


def _refuse_not_finite(found: Any, path: str) -> None:
    """Refuse nan and inf, which TOML knows and no setting, address or limit can mean."""
    if isinstance(found, float) and not math.isfinite(found):
        raise ConfigurationError(_NOT_FINITE, path=path, found=found)
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, each in inner:
        _refuse_not_finite(each, f"{path}.{key}".lstrip("."))


def _refuse_wrong_parameters(template: DeviceTemplate) -> None:
    for parameter in template.parameters:
        if parameter.adds_to and parameter.kind != "whole":
            raise ConfigurationError(_NOT_WHOLE, key=parameter.key)
    known = {parameter.key for parameter in template.parameters}
    for row, tag in enumerate(template.tags):
        for key, found in tag.address.items():
            for mark in _MARK.findall(found) if isinstance(found, str) else ():
                if mark not in known:
                    raise ConfigurationError(_NO_PARAMETER, path=f"tags.{row}.address.{key}", found=f"{{{mark}}}")


@dataclass(frozen=True, slots=True)
class Listed:
    """The templates one company sees by name, each with whether it is its own, and what is wrong with other files."""

    templates: list[tuple[DeviceTemplate, bool]] = field(default_factory=list)
    damaged: dict[str, Text] = field(default_factory=dict)


class Templates:
    """The templates one company sees: shipped ones and its own."""

    def __init__(self, folder: Path) -> None:
        self._own = folder

    def all(self) -> Listed:
        """Read all templates; a file that is damaged is named and hides no other."""
        listed = Listed()
        for folder, own in ((SHIPPED, False), (self._own, True)):
            for file in sorted(folder.glob("*.toml")) if folder.exists() else ():
                try:
                    listed.templates.append((parse(file.read_bytes(), file.name), own))
                except MainspringError as error:
                    listed.damaged[file.stem] = error.text
                except OSError as error:
                    listed.damaged[file.stem] = _UNREADABLE.format(reason=reason_of(error))
        return listed

    def find(self, name: str) -> Path:
        """Return the file of a template, the company's own before a shipped one; raises NotFound."""
        # A name is looked for among files that are there; it is never made into a path.
        for folder in (self._own, SHIPPED):
            for file in folder.glob("*.toml") if folder.exists() else ():
                if file.stem == name:
                    return file
        raise absent("template", name)

    def keep(self, content: bytes) -> DeviceTemplate:
        """Keep a template under its own name, in place of an older one; shipped ones stay as they are."""
        template = parse(content, "template")
        driver(template.driver)
        check(template)
        if (SHIPPED / f"{template.name}.toml").exists():
            raise Conflict(_SHIPPED, name=template.name)
        self._own.mkdir(parents=True, exist_ok=True)
        file = self._own / f"{template.name}.toml"
        if not file.exists() and len(list(self._own.glob("*.toml"))) >= OWN_MAX:
            raise Conflict(_TOO_MANY, limit=OWN_MAX)
        file.write_bytes(content)
        return template

    def remove(self, name: str) -> None:
        """Remove one of the company's own; raises Conflict for a shipped one."""
        file = self.find(name)
        if file.parent == SHIPPED:
            raise Conflict(_SHIPPED, name=name)
        file.unlink()


def of_connection(connection: Connection, name: str, title: Words) -> bytes:
    """Write a connection with its tags as a template; where the device is becomes a parameter, secrets stay out."""
    hidden = secrets(connection.driver)
    settings = {key: found for key, found in connection.settings.items() if key not in hidden}
    declared = driver(connection.driver).Config.model_json_schema()["properties"]
    parameters = []
    for key in ("host", "url", "unit"):
        if key in settings or (key in declared and key in {"host", "url"}):
            found = settings.pop(key, None)
            schema = declared[key]
            title_of = {"en": schema.get("title", key), "zh": schema.get("title_zh", "")}
            parameter = {"key": key, "title": title_of, "setting": key}
            whole = {"kind": "whole", "default": found} if isinstance(found, int) else {}
            parameters.append(parameter | whole)
    tags = []
    for tag in Tag.objects.of(connection.tenant).filter(connection=connection).order_by("path")[:TAGS_MAX]:
        document = tag.document() | {"limits": {a.condition: a.limit for a in tag.alarm_definitions.all()
                                                if a.condition in {"LL", "L", "H", "HH"}}}  # fmt: skip
        kept = {key: document[key] for key in TemplateTag.model_fields}
        tags.append(TemplateTag.model_validate(kept).model_dump(mode="json", exclude_defaults=True))
    document = {
        "name": name, "title": title.model_dump(), "driver": connection.driver, "settings": settings,
        "parameters": parameters, "tags": tags,
    }  # fmt: skip
    return written(document).encode()


def written(document: Mapping[str, Any]) -> str:
    """Write a template's document as TOML."""
    lines = [f"{key} = {_toml(found)}" for key, found in document.items() if key not in {"parameters", "tags"}]
    for table in ("parameters", "tags"):
        for entry in document[table]:
            lines += ["", f"[[{table}]]", *(f"{key} = {_toml(found)}" for key, found in entry.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {_toml(found)}" for key, found in value.items() if found is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)
