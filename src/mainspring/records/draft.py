"""What people and programs may write, before it becomes a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FiniteFloat,
    GetJsonSchemaHandler,
    ValidationError,
)

from mainspring.core.definitions import Words
from mainspring.core.errors import ConfigurationError
from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.core.units import check_unit
from mainspring.records.faults import Invalid, faults

_NAMELESS: Final = Text("Give a name in at least one language.", "请至少用一种语言填写名称。")


D = TypeVar("D", bound=BaseModel)


class Draft(BaseModel):
    """Fields that can be written; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def _one_language(found: Any) -> Any:
    # Whoever knows only the Chinese name must be able to store it; every reader can count on the English one.
    if isinstance(found, dict) and not found.get("en"):
        return {**found, "en": found.get("zh", "")}
    return found


def _named(words: Words) -> Words:
    if not words.en:
        raise fault(_NAMELESS)
    return words


def _known_unit(code: str) -> str:
    try:
        return check_unit(code)
    except ConfigurationError as error:
        raise fault(error.text) from error


@dataclass(frozen=True, slots=True)
class _EitherLanguage:
    """Describes words of which one language is enough."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler.resolve_ref_schema(handler(schema))
        return {name: value for name, value in described.items() if name != "required"}


Description = Annotated[Words, BeforeValidator(_one_language), _EitherLanguage()]
"""A text in both languages that may be empty."""
Name = Annotated[Words, BeforeValidator(_one_language), AfterValidator(_named), _EitherLanguage()]
"""A name in at least one language."""
Unit = Annotated[str, AfterValidator(_known_unit)]
"""A UCUM code, or one of those declared beside UCUM."""
Number = FiniteFloat
"""A number without NaN and infinity."""


def check(form: type[D], fields: Any, prefix: str = "") -> D:
    """Read fields into a form; raises Invalid with every fault by its path."""
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        raise Invalid(faults(error, prefix)) from error


def merged(form: type[D], document: dict[str, Any], patch: dict[str, Any]) -> D:
    """Read a record's document with some fields replaced into a form."""
    unknown = {name: Text("There is no such field.", "没有此字段。") for name in patch if name not in form.model_fields}
    if unknown:
        raise Invalid(unknown)
    return check(form, {name: document[name] for name in form.model_fields if name in document} | patch)
