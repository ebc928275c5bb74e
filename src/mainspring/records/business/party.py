"""Parties: the companies and people a plant works with, its own among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db import models

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.graph import leads_to
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices, Grade
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Move, Shape, States
from mainspring.records.faults import Invalid
from mainspring.records.people.user import User

_OWN_PART: Final = Text("A party cannot be a part of itself.", "往来方不能隶属于自身。")
IN_USE: Final = States(
    words={"active": Text("Active", "启用"), "blocked": Text("Blocked", "停用")},
    moves=(
        Move("block", ("active",), "blocked", Text("Block", "停用")),
        Move("activate", ("blocked",), "active", Text("Activate", "启用")),
    ),
)
"""The states of what is there until it is blocked."""


class PartyKind(Choices):
    """What a party is."""

    COMPANY = "company", "Company", "企业"
    UNIT = "unit", "Department or team", "部门或班组"
    PERSON = "person", "Person", "个人"


class Party(Defined):
    """A company, a part of one, or a person (ISA-95 personnel): who orders, delivers, carries, works."""

    number = fields.code(Text("Number", "编号"), series="P")
    name = fields.words(Text("Name", "名称"), personal=True)
    sort = fields.choice(PartyKind, Text("Kind", "类别"), default=PartyKind.COMPANY)
    within = fields.link("self", Text("Part of", "隶属于"))
    customer = fields.yes(Text("Customer", "客户"))
    supplier = fields.yes(Text("Supplier", "供应商"))
    carrier = fields.yes(Text("Carrier", "承运商"))
    maker = fields.yes(Text("Maker of equipment", "设备制造商"))
    contractor = fields.yes(Text("Contractor", "承包商"))
    rating = fields.whole(Text("Rating", "评级"), least=1, most=5, hint=Text("1 is the best.", "1 为最优。"))
    preferred = fields.yes(Text("Preferred", "优先"))
    tax_number = fields.code(Text("Tax number", "税号"), need=False)
    contact = fields.text(Text("Contact", "联系人"), personal=True)
    phone = fields.code(Text("Phone", "电话"), need=False, personal=True)
    email = fields.code(Text("Email", "电子邮件"), length=254, need=False, personal=True)
    address = fields.notes(Text("Address", "地址"), personal=True)
    account = fields.link(User, Text("Account here", "本平台账号"), gone=models.SET_NULL)
    remarks = fields.notes(Text("Notes", "备注"), grade=Grade.CONFIDENTIAL)

    within_id: UUID | None
    kind = "party"
    shape = Shape(
        one=Text("Party", "往来方"),
        many=Text("Parties", "往来方"),
        group=Group.SUPPLY,
        key=("number",),
        columns=("number", "name", "sort", "customer", "supplier", "rating"),
        found_by=("number", "name", "contact"),
        states=IN_USE,
        labels=("name",),
    )

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse a party that is a part of itself; a new one holds nothing yet."""
        if before is not None and self.within_id is not None and leads_to(self.within_id, self.pk, _wholes):
            raise Invalid({"within": _OWN_PART})


def _wholes(ids: list[UUID]) -> Iterable[UUID]:
    return Party.objects.filter(pk__in=ids).exclude(within=None).values_list("within_id", flat=True)
