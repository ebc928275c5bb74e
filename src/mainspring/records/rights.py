"""Roles and the rights they carry; each role has all rights of the one before it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from mainspring.core.text import Text


class Right(StrEnum):
    """What an endpoint can ask for."""

    SIGN_IN = "sign-in"
    VIEW = "view"
    EXPORT = "export"
    ACKNOWLEDGE = "acknowledge"
    COMMAND = "command"
    ENTER = "enter"
    CONFIGURE = "configure"
    CORRECT = "correct"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a person or token may do."""

    GUEST = "guest"
    """What a guest may do beyond signing in, assignments alone say."""
    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"

    @property
    def rights(self) -> frozenset[Right]:
        """The rights of this role and of all below it."""
        return _RIGHTS[self]

    def covers(self, other: Role) -> bool:
        """Tell whether this role has every right of `other`."""
        return other.rights <= self.rights


_OWN: Final[dict[Role, frozenset[Right]]] = {
    Role.GUEST: frozenset({Right.SIGN_IN}),
    Role.VIEWER: frozenset({Right.VIEW, Right.EXPORT}),
    Role.OPERATOR: frozenset({Right.ACKNOWLEDGE, Right.COMMAND, Right.ENTER}),
    Role.ENGINEER: frozenset({Right.CONFIGURE, Right.CORRECT}),
    Role.ADMINISTRATOR: frozenset({Right.ADMINISTER}),
}


class Requirement(StrEnum):
    """Who must sign in with a second factor."""

    NOBODY = "nobody"
    ADMINISTRATORS = "administrators"
    EVERYONE = "everyone"

    def asks(self, rights: frozenset[Right]) -> bool:
        """Tell whether someone with these rights needs one."""
        return self is Requirement.EVERYONE or (self is Requirement.ADMINISTRATORS and Right.ADMINISTER in rights)


def _cumulated() -> dict[Role, frozenset[Right]]:
    rights: frozenset[Right] = frozenset()
    cumulated = {}
    for role in Role:
        rights |= _OWN[role]
        cumulated[role] = rights
    return cumulated


_RIGHTS: Final = _cumulated()

ROLE_WORDS: Final[dict[Role, Text]] = {
    Role.GUEST: Text("guest", "访客"),
    Role.VIEWER: Text("viewer", "查看者"),
    Role.OPERATOR: Text("operator", "操作员"),
    Role.ENGINEER: Text("engineer", "工程师"),
    Role.ADMINISTRATOR: Text("administrator", "管理员"),
}
RIGHT_WORDS: Final[dict[Right, Text]] = {
    Right.SIGN_IN: Text("sign in", "登录"),
    Right.VIEW: Text("view", "查看"),
    Right.EXPORT: Text("export", "导出"),
    Right.ACKNOWLEDGE: Text("acknowledge alarms", "确认报警"),
    Right.COMMAND: Text("command equipment", "操作设备"),
    Right.ENTER: Text("enter values by hand", "人工录入数值"),
    Right.CORRECT: Text("correct samples", "修正采样值"),
    Right.CONFIGURE: Text("configure plant and connections", "配置工厂与连接"),
    Right.ADMINISTER: Text("administer users", "管理用户"),
}


def least_role(right: Right) -> Role:
    """Return the lowest role that has a right."""
    return next(role for role in Role if right in role.rights)
