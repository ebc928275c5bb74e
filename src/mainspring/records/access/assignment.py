"""Assignments: who has which role, in which part of the plant, on which conditions, from when until when."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q

from mainspring.core.text import Text
from mainspring.records.access.role import CompanyRole
from mainspring.records.business.calendar import Calendar
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Rule, Shape
from mainspring.records.faults import Invalid
from mainspring.records.people.credential import Credential
from mainspring.records.people.user import User
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right

_NO_SHIFT: Final = Text(
    "The calendar {calendar} has no shift {shift!r}; it has {known}.",
    "日历 {calendar} 没有班次“{shift}”，已有班次：{known}。",
)


class BuiltIn(Choices):
    """The roles that every company has."""

    VIEWER = "viewer", "Viewer", "查看者"
    OPERATOR = "operator", "Operator", "操作员"
    ENGINEER = "engineer", "Engineer", "工程师"
    ADMINISTRATOR = "administrator", "Administrator", "管理员"


class OwnCompany(Choices):
    """What this company must be to an asset."""

    OPERATOR = "operator", "It operates the asset", "本企业运营该资产"
    OWNER = "owner", "It owns the asset", "本企业拥有该资产"


class Assignment(Defined):
    """A role of someone."""

    number = fields.code(Text("Number", "编号"), series="A")
    person = fields.link(User, Text("Person", "人员"), gone=models.CASCADE)
    service = fields.link(Credential, Text("Token or service", "令牌或服务"), gone=models.CASCADE)
    role = fields.link(CompanyRole, Text("Role", "角色"))
    built_in = fields.choice(BuiltIn, Text("Or a built-in role", "或内置角色"), need=False)
    place = fields.link(Asset, Text("Part of the plant", "工厂范围"), hint=Text("empty: all of it", "空表示全厂"))
    company = fields.choice(OwnCompany, Text("Only where", "仅限"), need=False)
    calendar = fields.link(Calendar, Text("Only in working time of", "仅限工作时间"))
    shift = fields.text(Text("Only in the shift", "仅限班次"), length=120)
    from_ms = fields.moment(Text("From", "生效时间"))
    until_ms = fields.moment(Text("Until", "失效时间"))
    reason = fields.text(Text("Reason", "原因"), need=True)

    kind = "assignment"
    shape = Shape(
        one=Text("Assignment of a role", "角色分配"),
        many=Text("Assignments of roles", "角色分配"),
        group=Group.PLATFORM,
        key=("number",),
        columns=("number", "person", "service", "role", "built_in", "place", "until_ms"),
        found_by=("number", "reason"),
        view=Right.ADMINISTER,
        write=Right.ADMINISTER,
        rules=(
            Rule(
                "of_one",
                Q(person__isnull=True, service__isnull=False) | Q(person__isnull=False, service__isnull=True),
                Text("Choose a person, or a token or service.", "请选择人员，或令牌/服务，二者之一。"),
                "person",
            ),
            Rule(
                "one_role",
                Q(role__isnull=False, built_in="") | Q(role__isnull=True) & ~Q(built_in=""),
                Text("Choose a role of yours or a built-in one.", "请选择自定义角色或内置角色，二者之一。"),
                "role",
            ),
            Rule(
                "ends_after",
                Q(from_ms__isnull=True) | Q(until_ms__isnull=True) | Q(until_ms__gt=F("from_ms")),
                Text("It ends before it begins.", "失效时间早于生效时间。"),
                "until_ms",
            ),
            Rule(
                "shift_of_calendar",
                Q(shift="") | Q(calendar__isnull=False),
                Text("Choose the calendar that has the shift.", "请选择包含该班次的日历。"),
                "calendar",
            ),
        ),
    )

    def settle(self) -> None:
        """Refuse a shift that its calendar does not have."""
        if not self.shift or self.calendar is None:
            return
        names = [word for row in self.calendar.shifts for word in row["name"].values() if word]
        if self.shift not in names:
            words = {"calendar": self.calendar.code, "shift": self.shift, "known": ", ".join(names) or "-"}
            raise Invalid({"shift": _NO_SHIFT.format(**words)})
