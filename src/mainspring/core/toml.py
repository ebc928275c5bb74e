"""A settings file in TOML, checked against its declaration; sample file and reference are made from the same."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

Declared = TypeVar("Declared", bound=BaseModel)

_NO_FILE: Final = Text(
    "{file} does not exist. Write one with `mainspring sample-config > {file}`, or start without --config.",
    "{file} 不存在。请用 `mainspring sample-config > {file}` 生成，或不带 --config 启动。",
)
_NOT_TOML: Final = Text(
    "{file} is not TOML: {reason}. Correct that line.", "{file} 不是有效的 TOML：{reason}。请修正该行。"
)
_UNKNOWN: Final = Text(
    "{file}: {path} is not a setting. Nearest: {nearest}.", "{file}：{path} 不是设置项，最接近的是 {nearest}。"
)
_WRONG: Final = Text(
    "{file}: {path} is {found}. Allowed: {allowed}.", "{file}：{path} 的值为 {found}，允许：{allowed}。"
)
_MISSING: Final = Text("{file}: {path} is missing. Allowed: {allowed}.", "{file}：缺少 {path}，允许：{allowed}。")


def load(declaration: type[Declared], file: Path) -> Declared:
    """Read a settings file; raises ConfigurationError naming the path, what was found and what is allowed."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(_NO_FILE, file=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(_NOT_TOML, file=file, reason=error) from error
    return check(declaration, content, str(file))


def check(declaration: type[Declared], content: dict[str, Any], file: str) -> Declared:
    """Check settings already read; `file` names their source in errors."""
    try:
        return declaration.model_validate(content)
    except ValidationError as error:
        raise _first_fault(declaration, error, file) from error


def _first_fault(declaration: type[BaseModel], error: ValidationError, file: str) -> ConfigurationError:
    # An unknown key is told first: it is often the cause of what else is missing.
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    place = [str(part) for part in fault["loc"]]
    path = ".".join(place)
    if fault["type"] == "extra_forbidden":
        known = _names(declaration, place[:-1])
        near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.0)
        nearest = ".".join([*place[:-1], near[0]]) if near else "none"
        return ConfigurationError(_UNKNOWN, file=file, path=path, nearest=nearest)
    found_field = _field(declaration, place)
    allowed = _allowed(found_field) if found_field is not None else Text(fault["msg"], fault["msg"])
    if fault["type"] == "missing":
        return ConfigurationError(_MISSING, file=file, path=path, allowed=allowed)
    found = json.dumps(fault["input"], ensure_ascii=False, default=str)
    return ConfigurationError(_WRONG, file=file, path=path, found=found, allowed=_with(allowed, fault["msg"]))


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """Return the settings class of a field that is a section, or a table of named sections."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _names(declaration: type[BaseModel], place: list[str]) -> list[str]:
    owner: type[BaseModel] = declaration
    for part in place:
        field = owner.model_fields.get(part)
        inner = _section(field) if field is not None else None
        owner = inner or owner
    return list(owner.model_fields)


def _field(declaration: type[BaseModel], place: list[str]) -> FieldInfo | None:
    owner: type[BaseModel] = declaration
    field: FieldInfo | None = None
    for part in place:
        found = owner.model_fields.get(part)
        if found is None:
            continue
        field = found
        owner = _section(found) or owner
    return field


_KINDS: Final[dict[Any, Text]] = {
    str: Text("text", "文本"),
    int: Text("a whole number", "整数"),
    float: Text("a number", "数字"),
    bool: Text("true or false", "true 或 false"),
    Path: Text("a path", "路径"),
}
_LIMITS: Final = {
    "ge": Text("at least {limit}", "不小于 {limit}"), "gt": Text("more than {limit}", "大于 {limit}"),
    "le": Text("at most {limit}", "不大于 {limit}"), "lt": Text("less than {limit}", "小于 {limit}"),
    "pattern": Text("of the form {limit}", "格式为 {limit}"),
}  # fmt: skip
_SUCH_AS: Final = Text("such as {limit}", "例如 {limit}")


def _allowed(field: FieldInfo) -> Text:
    """Tell what a setting may be: its choices, or its kind with its limits."""
    kind = field.annotation
    choices = [choice for choice in get_args(kind) if choice is not type(None)]
    if choices and all(isinstance(choice, str) for choice in choices):
        return Text(" | ".join(choices), " | ".join(choices))
    if len(choices) == 1 and type(None) in get_args(kind):
        kind = choices[0]
    name = getattr(kind, "__name__", str(kind))
    parts = [_KINDS.get(kind, Text(name, name))]
    parts += [
        text.format(limit=getattr(limit, attribute))
        for limit in field.metadata
        for attribute, text in _LIMITS.items()
        if getattr(limit, attribute, None) is not None and not (attribute == "pattern" and field.examples)
    ]
    parts += [_SUCH_AS.format(limit=each) for each in field.examples or ()]
    return Text(", ".join(part.en for part in parts), "，".join(part.zh for part in parts))


def _with(allowed: Text, remark: str) -> Text:
    return Text(f"{allowed.en} ({remark})", allowed.zh)


def _default(field: FieldInfo) -> Any:
    if field.default_factory is not None:
        return field.default_factory()  # type: ignore[call-arg]
    return field.default


def settings_of(declaration: type[BaseModel], path: str = "") -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield every setting as (section path, name, declaration), sections after their plain settings."""
    sections = []
    for name, field in declaration.model_fields.items():
        inner = _section(field)
        if inner is None:
            yield path, name, field
        else:
            table = str(field.annotation).startswith("dict")
            sections.append((".".join(part for part in (path, name, "main" if table else "") if part), inner))
    for inner_path, inner in sections:
        yield from settings_of(inner, inner_path)


def sample(declaration: type[BaseModel], given: Mapping[str, str] | None = None) -> str:
    """Return a complete settings file with every default, commented out; what is `given` by its path is set."""
    known = given or {}
    lines = ["# Every setting with its default. Remove the leading # of what you change.", ""]
    section = ""
    for path, name, field in settings_of(declaration):
        if path != section:
            section = path
            lines += ["", f"[{path}]"]
        value = _default(field)
        set_to = known.get(f"{path}.{name}")
        unset = f"# {name} = ..." if _unset(value) else f"# {name} = {_toml(value)}"
        lines += [f"# {field.description}", unset if set_to is None else f"{name} = {_toml(set_to)}"]
    return "\n".join(lines) + "\n"


def written(document: Mapping[str, Any]) -> str:
    """Return settings as a file: plain ones first, then a section each."""
    lines = [f"{name} = {_toml(value)}" for name, value in document.items() if not isinstance(value, Mapping)]
    for section, settings in document.items():
        if isinstance(settings, Mapping):
            lines += ["", f"[{section}]", *(f"{name} = {_toml(value)}" for name, value in settings.items())]
    return "\n".join(lines) + "\n"


def reference(declaration: type[BaseModel]) -> str:
    """Return the settings as Markdown tables, one for each section."""
    lines: list[str] = []
    section: str | None = None
    for path, name, field in settings_of(declaration):
        if path != section:
            section = path
            lines += ["", f"## [{path}]" if path else "## Top level", "", "| setting | default | allowed | meaning |"]
            lines += ["|---|---|---|---|"]
        value = _default(field)
        shown = "required" if value is PydanticUndefined else "none" if value is None else f"`{_toml(value)}`"
        allowed = _allowed(field).en.replace("|", "\\|")
        lines.append(f"| `{name}` | {shown} | {allowed} | {field.description} |")
    return "\n".join(lines) + "\n"


def _unset(value: Any) -> bool:
    return value is None or value is PydanticUndefined


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)
