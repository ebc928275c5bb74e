"""Projects: who works on what until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.graph import leads_to
from mainspring.records.business.party import Party
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Move, Rule, Shape, States
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right

_CYCLE: Final = Text("A task cannot be a part of itself.", "任务不能隶属于自身。")
_OTHER: Final = Text("This task belongs to another project.", "该任务属于其他项目。")
PROJECT_STATES: Final = States(
    words={
        "planned": Text("Planned", "计划中"),
        "running": Text("Running", "进行中"),
        "done": Text("Done", "已完成"),
        "cancelled": Text("Cancelled", "已取消"),
    },
    moves=(
        Move("start", ("planned",), "running", Text("Start", "启动")),
        Move("finish", ("running",), "done", Text("Finish", "完成")),
        Move("reopen", ("done",), "running", Text("Reopen", "重新打开")),
        Move("cancel", ("planned", "running"), "cancelled", Text("Cancel", "取消")),
    ),
    fixed=frozenset({"done", "cancelled"}),
)
TASK_STATES: Final = States(
    words={"open": Text("Open", "未开始"), "running": Text("Running", "进行中"), "done": Text("Done", "已完成")},
    moves=(
        Move("start", ("open",), "running", Text("Start", "开始"), Right.ENTER),
        Move("finish", ("open", "running"), "done", Text("Finish", "完成"), Right.ENTER),
        Move("reopen", ("done",), "running", Text("Reopen", "重新打开"), Right.ENTER),
    ),
)
ENDS: Final = Rule(
    "ends",
    Q(begins__isnull=True) | Q(ends__isnull=True) | Q(ends__gte=F("begins")),
    Text("It cannot end before it begins.", "结束日期不能早于开始日期。"),
    "ends",
)


class Project(Defined):
    """An undertaking with an end: members, tasks, documents and orders of it."""

    number = fields.code(Text("Number", "编号"), series="PR")
    name = fields.words(Text("Name", "名称"))
    asset = fields.link(Asset, Text("Asset", "资产"))
    customer = fields.link(Party, Text("Customer", "客户"))
    lead = fields.link(Party, Text("Lead", "负责人"))
    begins = fields.day(Text("Begins", "开始日期"))
    ends = fields.day(Text("Ends", "结束日期"))
    budget = fields.exact(Text("Budget", "预算"), least=0, grade=fields.Grade.CONFIDENTIAL)
    aim = fields.notes(Text("Aim", "目标"))

    kind = "project"
    shape = Shape(
        one=Text("Project", "项目"),
        many=Text("Projects", "项目"),
        group=Group.ENGINEERING,
        key=("number",),
        columns=("number", "name", "lead", "begins", "ends"),
        found_by=("number", "name"),
        place="asset",
        states=PROJECT_STATES,
        rules=(ENDS,),
    )


class ProjectMember(Defined):
    """Someone who works on a project."""

    project = fields.link(Project, Text("Project", "项目"), need=True, gone=models.CASCADE)
    party = fields.link(Party, Text("Who", "成员"), need=True)
    part = fields.text(Text("Part", "职责"))
    share = fields.exact(Text("Share of their time", "投入比例"), least=0, most=100, unit="%")

    kind = "project-member"
    shape = Shape(
        one=Text("Member of a project", "项目成员"),
        many=Text("Members of projects", "项目成员"),
        group=Group.ENGINEERING,
        key=("project", "party"),
        title="part",
        columns=("project", "party", "part", "share"),
        found_by=("part",),
        part_of="project",
    )

    def label(self) -> str:
        """Return project and party."""
        return f"{self.project.number} / {self.party.number}"


class ProjectTask(Defined):
    """A piece of a project's work."""

    project = fields.link(Project, Text("Project", "项目"), need=True, gone=models.CASCADE)
    number = fields.code(Text("Number", "序号"), length=32)
    name = fields.words(Text("Name", "名称"))
    within = fields.link("self", Text("Part of", "上级任务"))
    assignee = fields.link(Party, Text("Assigned to", "执行人"))
    begins = fields.day(Text("Begins", "开始日期"))
    ends = fields.day(Text("Ends", "结束日期"))
    progress = fields.whole(Text("Progress", "进度"), most=100, default=0, unit="%")

    project_id: UUID
    within_id: UUID | None
    kind = "project-task"
    shape = Shape(
        one=Text("Task", "任务"),
        many=Text("Tasks", "任务"),
        group=Group.ENGINEERING,
        key=("project", "number"),
        title="number",
        order="number",
        columns=("project", "number", "name", "assignee", "begins", "ends", "progress"),
        found_by=("number", "name"),
        states=TASK_STATES,
        write=Right.ENTER,
        part_of="project",
        rules=(ENDS,),
    )

    def settle(self) -> None:
        """Refuse a part of another project's task; what is done is done wholly."""
        if self.within is not None and self.within.project_id != self.project_id:
            raise Invalid({"within": _OTHER})
        if self.state == "done":
            self.progress = 100

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse a task that is a part of itself; a new one holds nothing yet."""
        if before is not None and self.within_id is not None and leads_to(self.within_id, self.pk, _wholes):
            raise Invalid({"within": _CYCLE})


def _wholes(ids: list[UUID]) -> Iterable[UUID]:
    return ProjectTask.objects.filter(pk__in=ids).exclude(within=None).values_list("within_id", flat=True)
