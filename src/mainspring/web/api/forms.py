"""Forms that many endpoints share: lists, patches, versions."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Schema
from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from mainspring.core.text import Text
from mainspring.records.faults import Invalid

LIMIT_MAX: Final = 1000
_VERSION: Final = Text(
    "Say which version you change: send back `version` as you read it, or the header If-Match.",
    "请注明所修改的版本：原样返回读取到的 version，或使用 If-Match 请求头。",
)


_ORDINALS: Final = Text("List up to {limit} whole numbers with commas.", "请用逗号分隔列出最多 {limit} 个整数。")


class Listing(Schema):
    """What every list takes."""

    search: str = Field(default="", max_length=200)
    offset: int = Field(default=0, ge=0, le=10_000_000)
    limit: int = Field(default=200, ge=1, le=LIMIT_MAX)


class Label(Schema):
    """A text in both languages."""

    en: str
    zh: str


def cut(rows: QuerySet[Any], listing: Listing) -> list[Any]:
    """Return the asked part of a query."""
    return list(rows[listing.offset : listing.offset + listing.limit])


def ordinals_of(text: str, field: str, limit: int) -> list[int]:
    """Read tag ordinals listed with commas; raises Invalid."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    ordinals = [int(part) for part in parts if part.isdecimal() and len(part) < 11] if len(parts) <= limit else []
    if len(ordinals) < len(parts) or max(ordinals, default=0) >= 2**32:
        raise Invalid({field: _ORDINALS.format(limit=limit)})
    return ordinals


def patch_of(draft: type[BaseModel]) -> Any:
    """Make the form of a PATCH from that of a POST: every field may be left out, `version` is added."""
    fields: dict[str, Any] = {"version": (int | None, None)}
    for name, field in draft.model_fields.items():
        optional = FieldInfo.merge_field_infos(field, default=None)
        optional.default_factory = None
        fields[name] = (field.annotation, optional)
    config = draft.model_config
    return create_model(draft.__name__.replace("Draft", "Patch"), __config__=config, **fields)


def written(patch: BaseModel) -> dict[str, Any]:
    """Return the fields a PATCH names, without its version."""
    return {name: getattr(patch, name) for name in patch.model_fields_set if name != "version"}


def version_of(request: HttpRequest, version: int | None) -> int:
    """Return the version a change was made against, from body or If-Match; raises Invalid if neither tells."""
    if version is not None:
        return version
    matched = if_match(request)
    if matched is None:
        raise Invalid({"version": _VERSION})
    return matched


def if_match(request: HttpRequest) -> int | None:
    """Return the version in the header If-Match, None if there is none."""
    shown = request.headers.get("If-Match", "").strip('"')
    return int(shown) if shown.isdecimal() and len(shown) < 10 else None
