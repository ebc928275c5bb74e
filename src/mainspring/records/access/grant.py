"""Grants: what a company shows of its records to another one, for what purpose, until when."""

from __future__ import annotations

from typing import Final

from mainspring.core.text import Text
from mainspring.records.defined import fields, listing
from mainspring.records.defined.fields import Choices, Grade
from mainspring.records.defined.kinds import Defined, find_kind, kinds
from mainspring.records.defined.shape import Group, Move, Shape, States
from mainspring.records.faults import Invalid
from mainspring.records.rights import Right

_NO_KIND: Final = Text(
    "No kind of record {kind!r} can be granted. GET /api/v1/kinds lists them.",
    "没有可授权的记录类型“{kind}”，可用 GET /api/v1/kinds 查询。",
)
_OTHER_KIND: Final = Text("This record is of another kind.", "该记录属于其他类型。")
_OWN: Final = Text("Your own company sees its records already.", "本企业已可查看自己的记录。")


class Shows(Choices):
    """What of the granted records the other company gets."""

    RECORDS = "records", "The records", "记录本身"
    FIGURES = "figures", "Counts and sums alone", "仅数量与合计"


class UpTo(Choices):
    """How sensitive the fields may be that are shown."""

    PUBLIC = "public", "Public", "公开"
    INTERNAL = "internal", "Internal", "内部"
    CONFIDENTIAL = "confidential", "Confidential", "机密"
    SECRET = "secret", "Secret", "绝密"


class Grant(Defined):
    """Records of one kind that another company may see."""

    number = fields.code(Text("Number", "编号"), series="G")
    company = fields.code(
        Text("To the company", "授权给企业"),
        length=32,
        hint=Text("its short name on this platform", "其在平台上的标识"),
    )
    subject = fields.code(Text("Kind of record", "记录类型"), length=32, holds="kind")
    only = fields.anything(Text("Only this record", "仅此记录"))
    where = fields.notes(
        Text("Only records that", "仅限符合条件的记录"), hint=Text("empty: all of this kind", "空表示该类型的全部记录"),
        holds="conditions subject",
    )  # fmt: skip
    purpose = fields.text(Text("Purpose", "用途"), need=True)
    shows = fields.choice(Shows, Text("Shows", "可见内容"), default=Shows.RECORDS)
    may_export = fields.yes(Text("May export", "可导出"))
    may_comment = fields.yes(Text("May comment", "可评论"))
    up_to = fields.choice(
        UpTo, Text("Most sensitive fields shown", "可见的最高敏感级别"), default=UpTo.PUBLIC,
        hint=Text("most fields are internal; public shows little more than the state",
                  "多数字段为内部级，选“公开”时除状态外几乎不可见"),
    )  # fmt: skip
    until_ms = fields.moment(Text("Until", "截止时间"), need=True)

    kind = "grant"
    shape = Shape(
        one=Text("Grant", "数据授权"),
        many=Text("Grants", "数据授权"),
        group=Group.PLATFORM,
        key=("number",),
        columns=("number", "company", "subject", "purpose", "shows", "until_ms"),
        found_by=("number", "company", "subject", "purpose"),
        view=Right.ADMINISTER,
        write=Right.ADMINISTER,
        states=States(
            words={"given": Text("Given", "生效"), "revoked": Text("Revoked", "已撤销")},
            moves=(Move("revoke", ("given",), "revoked", Text("Revoke", "撤销"), right=Right.ADMINISTER),),
            fixed=frozenset({"revoked"}),
        ),
    )

    @property
    def grade(self) -> Grade:
        """How sensitive the fields may be that are shown."""
        return Grade[self.up_to.upper()]

    def settle(self) -> None:
        """Refuse what cannot be granted; whether the other company exists is not told."""
        found = next((each for each in kinds() if each.kind == self.subject), None)
        if found is None or Right.ADMINISTER in {found.shape.view, found.shape.write}:
            raise Invalid({"subject": _NO_KIND.format(kind=self.subject)})
        if self.only and not self.only.startswith(f"{self.subject}:"):
            raise Invalid({"only": _OTHER_KIND})
        if self.company == self.tenant.key:
            raise Invalid({"company": _OWN})
        listing.conditions(found, self.where)

    @property
    def granted(self) -> type[Defined]:
        """The kind whose records are shown."""
        return find_kind(self.subject)
