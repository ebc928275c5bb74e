"""Findings: what is wrong - in quality, safety, maintenance, energy, security - until it is mended and verified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Author
from mainspring.records.business.order import Order
from mainspring.records.business.party import Party
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Move, Rule, Shape, States
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant, now_ms

ESCALATED_MAX: Final = 1000
"""Findings escalated in one go."""


class FindingKind(Choices):
    """What was found."""

    NONCONFORMITY = "nonconformity", "Nonconformity", "不合格"
    HAZARD = "hazard", "Hazard", "隐患"
    FAULT = "fault", "Fault", "故障"
    ENERGY_LOSS = "energy-loss", "Energy loss", "能源浪费"
    MATURITY_GAP = "maturity-gap", "Maturity gap", "成熟度差距"
    VULNERABILITY = "vulnerability", "Vulnerability", "安全漏洞"


class Severity(Choices):
    """How grave it is."""

    NOTE = "note", "Observation", "观察项"
    MINOR = "minor", "Minor", "一般"
    MAJOR = "major", "Major", "严重"
    CRITICAL = "critical", "Critical", "重大"


ALLOWED: Final[Mapping[str, timedelta]] = {
    Severity.NOTE: timedelta(days=90), Severity.MINOR: timedelta(days=30),
    Severity.MAJOR: timedelta(days=7), Severity.CRITICAL: timedelta(days=1),
}  # fmt: skip
"""How long mending may take where nobody set a deadline."""
STEPS: Final = (timedelta(0), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""How long beyond the deadline a finding climbs to the next step."""
OPEN: Final = ("detected", "graded", "assigned")
FINDING_STATES: Final = States(
    words={
        "detected": Text("Detected", "已发现"),
        "graded": Text("Graded", "已定级"),
        "assigned": Text("Assigned", "已派发"),
        "fixed": Text("Fixed", "已整改"),
        "verified": Text("Verified", "已验证"),
        "closed": Text("Closed without action", "已关闭"),
    },
    moves=(
        Move("grade", ("detected",), "graded", Text("Grade", "定级"), Right.ENTER),
        Move("assign", ("graded",), "assigned", Text("Assign", "派发")),
        Move("fix", ("assigned",), "fixed", Text("Fixed", "整改完成"), Right.ENTER),
        Move("verify", ("fixed",), "verified", Text("Verify", "验证通过")),
        Move("return", ("fixed",), "assigned", Text("Return", "退回整改")),
        Move("close", ("detected", "graded"), "closed", Text("Close", "关闭")),
        Move("reopen", ("verified", "closed"), "detected", Text("Reopen", "重新打开")),
    ),
    fixed=frozenset({"verified", "closed"}),
    needs={
        "graded": ("severity", "deadline_ms"),
        "assigned": ("severity", "deadline_ms", "assignee"),
        "fixed": ("severity", "deadline_ms", "assignee", "remedy"),
        "verified": ("severity", "assignee", "remedy", "verifier"),
        "closed": ("remedy",),
    },
)


class Finding(Defined):
    """Something that is not as it should be: detected, graded, assigned, fixed, verified, with a deadline."""

    number = fields.code(Text("Number", "编号"), series="F")
    sort = fields.choice(FindingKind, Text("Kind", "类别"))
    subject = fields.text(Text("What was found", "发现内容"), need=True)
    description = fields.notes(Text("Description", "详细描述"))
    asset = fields.link(Asset, Text("Asset", "资产"))
    about = fields.anything(Text("Record", "相关记录"))
    reference = fields.code(Text("Reference", "外部编号"), need=False, hint=Text("CVE, clause", "CVE 编号、条款号"))
    found_ms = fields.moment(Text("Found", "发现时间"), default=now_ms)
    finder = fields.link(Party, Text("Found by", "发现人"))
    severity = fields.choice(Severity, Text("Severity", "严重程度"), need=False)
    assignee = fields.link(Party, Text("Assigned to", "责任人"))
    deadline_ms = fields.moment(Text("Deadline", "整改期限"))
    cause = fields.notes(Text("Cause", "原因"))
    remedy = fields.notes(Text("Remedy", "整改措施"), hint=Text("or why nothing is done", "或不整改的理由"))
    order = fields.link(Order, Text("Order", "关联订单"))
    verifier = fields.link(Party, Text("Verified by", "验证人"))
    step = fields.whole(Text("Escalation", "升级级别"), default=0, given=True)

    kind = "finding"
    shape = Shape(
        one=Text("Finding", "问题"),
        many=Text("Findings", "问题"),
        group=Group.QUALITY,
        key=("number",),
        order="-found_ms",
        columns=("number", "sort", "subject", "asset", "severity", "assignee", "deadline_ms", "step"),
        found_by=("number", "subject", "reference"),
        place="asset",
        states=FINDING_STATES,
        write=Right.ENTER,
        labels=("sort", "subject"),
        rules=(
            Rule(
                "deadline_after_found",
                Q(deadline_ms__isnull=True) | Q(deadline_ms__gte=F("found_ms")),
                Text("The deadline lies before it was found.", "整改期限早于发现时间。"),
                "deadline_ms",
            ),
            Rule(
                "verified_by_another",
                Q(verifier__isnull=True) | Q(assignee__isnull=True) | ~Q(verifier=F("assignee")),
                Text("Who mended it does not verify it.", "整改人不能验证自己的整改。"),
                "verifier",
            ),
        ),
    )

    def settle(self) -> None:
        """Give a graded finding the deadline of its grade, if it has none."""
        if self.severity and self.deadline_ms is None:
            self.deadline_ms = self.found_ms + int(ALLOWED[self.severity].total_seconds() * 1000)
        if self.state in OPEN:
            self.step = 0 if self.deadline_ms is None else step_at(self.deadline_ms, now_ms())


def step_at(deadline_ms: int, time_ms: int) -> int:
    """Return how far a finding has climbed at a time: 0 in time, then one step after another."""
    late = timedelta(milliseconds=time_ms - deadline_ms)
    return sum(late > beyond for beyond in STEPS)


def overdue(tenant: Tenant, time_ms: int) -> QuerySet[Any]:
    """Return the open findings whose deadline has passed, the longest overdue first."""
    rows = Finding.objects.of(tenant).filter(state__in=OPEN, deadline_ms__lt=time_ms)
    return rows.order_by("deadline_ms", "id")


def escalate(author: Author, time_ms: int) -> list[Finding]:
    """Let overdue findings climb to their step; return those that did, at most `ESCALATED_MAX`."""
    climbed = []
    with transaction.atomic():
        rows = overdue(author.tenant, time_ms).filter(_behind(time_ms)).select_for_update(of=("self",))
        for finding in rows[:ESCALATED_MAX]:
            before = finding.document()
            finding.step = step_at(finding.deadline_ms, time_ms)
            changes.change(author, finding, before)
            climbed.append(finding)
    return climbed


def escalate_all(time_ms: int) -> int:
    """Do so in every company; return how many climbed."""
    late = Finding.objects.filter(_behind(time_ms), state__in=OPEN)
    tenants = Tenant.objects.filter(pk__in=late.order_by().values_list("tenant").distinct())
    return sum(len(escalate(Author(tenant), time_ms)) for tenant in tenants)


def _behind(time_ms: int) -> Q:
    """Return the condition that a finding stands below the step it should be at."""
    behind = Q()
    for number, beyond in enumerate(STEPS, start=1):
        behind |= Q(step__lt=number, deadline_ms__lt=time_ms - int(beyond.total_seconds() * 1000))
    return behind
