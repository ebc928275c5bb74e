"""Criteria and evidence: what an assessment asks, and what answers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.document import Document
from mainspring.records.business.graph import leads_to
from mainspring.records.business.party import Party
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Move, Rule, Shape, States
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right
from mainspring.records.tenant import now_ms

_OWN_PART: Final = Text("A criterion cannot be a part of itself.", "条款不能隶属于自身。")
_OTHER: Final = Text("This criterion belongs to another scheme.", "该条款属于其他标准。")
EVIDENCE_STATES: Final = States(
    words={
        "draft": Text("Draft", "草稿"),
        "submitted": Text("Submitted", "已提交"),
        "accepted": Text("Accepted", "已采纳"),
        "refused": Text("Refused", "已退回"),
    },
    moves=(
        Move("submit", ("draft", "refused"), "submitted", Text("Submit", "提交"), Right.ENTER),
        Move("accept", ("submitted",), "accepted", Text("Accept", "采纳")),
        Move("refuse", ("submitted",), "refused", Text("Refuse", "退回")),
        Move("withdraw", ("submitted", "accepted"), "draft", Text("Withdraw", "撤回")),
    ),
    fixed=frozenset({"submitted", "accepted"}),
)


class Criterion(Defined):
    """One question of an assessment: a clause of a standard, a level of a maturity model, a line of a programme."""

    scheme = fields.code(Text("Scheme", "标准"), length=80)
    edition = fields.code(Text("Edition", "版次"), length=32, default="1")
    number = fields.code(Text("Number", "条款号"), length=32)
    name = fields.words(Text("Name", "名称"))
    question = fields.notes(Text("Asks", "要求"))
    within = fields.link("self", Text("Part of", "上级条款"))
    level = fields.whole(Text("Level", "等级"), most=10)
    weight = fields.exact(Text("Weight", "权重"), least=0, default=1)

    within_id: UUID | None
    kind = "criterion"
    shape = Shape(
        one=Text("Criterion", "评估条款"),
        many=Text("Criteria", "评估条款"),
        group=Group.QUALITY,
        key=("scheme", "edition", "number"),
        title="number",
        columns=("scheme", "edition", "number", "name", "level", "weight"),
        found_by=("scheme", "number", "name"),
        states=RELEASED,
    )

    def settle(self) -> None:
        """Refuse a part of another scheme."""
        if self.within is not None and (self.within.scheme, self.within.edition) != (self.scheme, self.edition):
            raise Invalid({"within": _OTHER})

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse a criterion that is a part of itself; a new one holds nothing yet."""
        if before is not None and self.within_id is not None and leads_to(self.within_id, self.pk, _wholes):
            raise Invalid({"within": _OWN_PART})


class Origin(Choices):
    """Where evidence comes from; some schemes count only what machines sent."""

    MACHINE = "machine", "Sent by machines", "设备上报"
    CALCULATED = "calculated", "Worked out", "系统计算"
    MANUAL = "manual", "Entered by hand", "人工填写"
    IMPORTED = "imported", "Imported", "导入"


class Evidence(Defined):
    """What answers a criterion: a statement, a document, or any record here, with a score."""

    number = fields.code(Text("Number", "编号"), series="EV")
    criterion = fields.link(Criterion, Text("Criterion", "评估条款"), need=True)
    asset = fields.link(Asset, Text("Asset", "资产"))
    statement = fields.notes(Text("Statement", "说明"))
    paper = fields.link(Document, Text("Document", "文件"))
    about = fields.anything(Text("Record", "记录"))
    origin = fields.choice(Origin, Text("Origin", "来源"), default=Origin.MANUAL)
    score = fields.exact(Text("Score", "得分"), least=0, most=100, unit="%")
    assessor = fields.link(Party, Text("Assessor", "评估人"))
    assessed_ms = fields.moment(Text("Assessed", "评估时间"), default=now_ms)

    kind = "evidence"
    shape = Shape(
        one=Text("Evidence", "证据"),
        many=Text("Evidence", "证据"),
        group=Group.QUALITY,
        key=("number",),
        order="-assessed_ms",
        columns=("number", "criterion", "asset", "origin", "score", "assessed_ms"),
        found_by=("number", "statement"),
        place="asset",
        states=EVIDENCE_STATES,
        write=Right.ENTER,
        rules=(
            Rule(
                "something",
                ~Q(statement="") | Q(paper__isnull=False) | ~Q(about=""),
                Text("Give a statement, a document or a record.", "请填写说明、文件或记录。"),
                "statement",
            ),
        ),
    )


def _wholes(ids: list[UUID]) -> Iterable[UUID]:
    return Criterion.objects.filter(pk__in=ids).exclude(within=None).values_list("within_id", flat=True)
