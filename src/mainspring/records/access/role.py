"""Roles of a company's own, beside the built-in ones: rights, and what may be done with which records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from mainspring.core.text import Text
from mainspring.records.defined import fields
from mainspring.records.defined.access import EVERY, GROUP, Doing
from mainspring.records.defined.kinds import Defined, kinds
from mainspring.records.defined.shape import Group, Shape
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.rights import RIGHT_WORDS, Right

NAMES_MAX: Final = 100
_NO_KIND: Final = Text(
    "There is no kind of record {kind!r}. Write a kind, `group:` and a group, or `*` for all.",
    "没有记录类型“{kind}”，请填写类型、“group:”加分组，或用 * 表示全部。",
)
_NO_MOVE: Final = Text("No kind of record has a step {move!r}.", "没有记录类型具有“{move}”操作。")


_DOINGS: Final = {
    Doing.VIEW: Text("view", "查看"),
    Doing.EXPORT: Text("export", "导出"),
    Doing.COMMENT: Text("comment", "评论"),
    Doing.CREATE: Text("create", "新建"),
    Doing.CHANGE: Text("change", "修改"),
    Doing.REMOVE: Text("delete", "删除"),
    Doing.MOVE: Text("take steps", "执行状态操作"),
}
_GRADES: Final = {
    "public": Text("Public", "公开"),
    "internal": Text("Internal", "内部"),
    "confidential": Text("Confidential", "机密"),
    "secret": Text("Secret", "绝密"),
}


def _told(en: str, zh: str, words: Mapping[Any, Text] | None = None, *, holds: str = "") -> Any:
    """Say what a cell is called, what its values are called, and what they stand for."""
    extra: dict[str, Any] = {"x-words": {"en": en, "zh": zh}}
    if words:
        extra["x-choices"] = {str(value): each.document() for value, each in words.items()}
    return {"json_schema_extra": extra | ({"x-holds": holds} if holds else {}), "title": en}


class PlatformRight(Draft):
    """One right of the platform."""

    right: Right = Field(**_told("Right", "权限", RIGHT_WORDS))


class Permission(Draft):
    """What may be done with records of some kinds."""

    kinds: list[str] = Field(
        min_length=1, max_length=NAMES_MAX, description="kinds, `group:quality`, or `*`",
        **_told("Kinds", "记录类型", holds="kinds"),
    )  # fmt: skip
    doings: list[Doing] = Field(min_length=1, max_length=len(Doing), **_told("May", "可执行", _DOINGS))
    moves: list[str] = Field(
        default_factory=list, max_length=NAMES_MAX, description="steps, or `*`",
        **_told("Steps", "状态操作", holds="moves"),
    )  # fmt: skip
    grade: str = Field(
        default="internal", pattern="^(public|internal|confidential|secret)$",
        **_told("Most sensitive fields shown", "可见的最高敏感级别", _GRADES),
    )  # fmt: skip


class CompanyRole(Defined):
    """A role that a company defines for itself."""

    code = fields.code(Text("Short name", "代号"), length=32)
    name = fields.words(Text("Name", "名称"))
    rights = fields.rows(PlatformRight, Text("Rights of the platform", "平台权限"), most=len(Right))
    permissions = fields.rows(Permission, Text("Records", "记录权限"), most=NAMES_MAX)
    notes = fields.notes(Text("Notes", "备注"))

    kind = "role"
    shape = Shape(
        one=Text("Role", "角色"),
        many=Text("Roles", "角色"),
        group=Group.PLATFORM,
        key=("code",),
        columns=("code", "name"),
        found_by=("code", "name"),
        view=Right.ADMINISTER,
        write=Right.ADMINISTER,
    )

    def settle(self) -> None:
        """Refuse kinds and steps that do not exist: a slip would give nothing, and nobody would see why."""
        known = {EVERY, *(each.kind for each in kinds()), *(f"{GROUP}{group}" for group in Group)}
        steps = {EVERY, *(step.name for each in kinds() for step in each.shape.states.moves)}
        faults: dict[str, Text] = {}
        for place, row in enumerate(self.permissions):
            for name in set(row["kinds"]) - known:
                faults[f"permissions.{place}.kinds"] = _NO_KIND.format(kind=name)
            for name in set(row["moves"]) - steps:
                faults[f"permissions.{place}.moves"] = _NO_MOVE.format(move=name)
        if faults:
            raise Invalid(faults)
