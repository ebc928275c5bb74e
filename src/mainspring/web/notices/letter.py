"""What a notice says, in the language of the person it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from mainspring.core.text import Text

LINES_MAX: Final = 50
_PRIORITIES: Final = {
    "critical": Text("critical", "紧急"),
    "high": Text("high", "高"),
    "medium": Text("medium", "中"),
    "low": Text("low", "低"),
    "diagnostic": Text("diagnostic", "诊断"),
}
_TRANSITIONS: Final = {
    "raised": Text("raised", "触发"),
    "cleared": Text("cleared", "恢复"),
    "acknowledged": Text("acknowledged", "确认"),
    "removed": Text("removed", "删除"),
    "shelved": Text("shelved", "搁置"),
    "unshelved": Text("unshelved", "取消搁置"),
    "commented": Text("commented", "备注"),
    "out-of-service": Text("taken out of service", "停用"),
    "in-service": Text("returned to service", "恢复使用"),
    "suppressed": Text("suppressed", "抑制"),
    "unsuppressed": Text("no longer suppressed", "解除抑制"),
}
REPLAYED: Final = Text("↻ replayed from a recording", "↻ 录制数据回放")
"""What stands beside everything that comes from a recording, as on the pages."""
_ONE: Final = Text("[{priority}] {name} {transition}: {value}", "[{priority}] {name} {transition}：{value}")
_LIMIT: Final = Text("{value} (limit {limit})", "{value}（限值 {limit}）")
_LIMITED: Final = frozenset({"HH", "H", "L", "LL"})
_MANY: Final = Text("{count} alarms, first [{priority}] {name}", "{count} 条报警，首条 [{priority}] {name}")
_MORE: Final = Text("and {count} more; the page has all of them", "另有 {count} 条，请在页面查看")
_RESPONSE: Final = Text("what to do: {response}", "处置：{response}")
_WHY: Final = Text(
    "You are told because you subscribed to alarms of {plant}. Change it under Notifications.",
    "您订阅了{plant}的报警，可在“通知”中修改。",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """Subject and text of one message."""

    subject: str
    body: str


def letter(rows: Sequence[dict[str, Any]], more: int, language: str, zone: str, plant: str, page_url: str) -> Letter:
    """Write one message about some transitions (rows of the alarm list); `more` are told as a number alone."""
    lines = [_line(row, language, zone) for row in rows[:LINES_MAX]]
    count = len(rows) + more
    # What is not listed may be real.
    recorded = not more and all(row.get("replayed") for row in rows)
    more = count - len(lines)
    first = rows[0]
    words = {
        "priority": _said(_PRIORITIES.get(first["priority"]), language, first["priority"]),
        "name": _named(first, language),
        "transition": _said(_TRANSITIONS.get(first["transition"]), language, first["transition"]),
        "value": _value(first, language),
        "count": count,
    }
    subject = _said(_ONE if count == 1 else _MANY, language).format(**words)
    if recorded:
        subject = f"↻ {subject}"
    if more:
        lines.append(_said(_MORE, language).format(count=more))
    if page_url:
        lines.append(f"{page_url.rstrip('/')}/alarms" + (f"?alarm={first['alarm']}" if count == 1 else ""))
    lines.append(_said(_WHY, language).format(plant=plant))
    # One line, whatever a name holds: a subject must not begin another header.
    return Letter(" ".join(subject.split()), "\n\n".join(lines) + "\n")


def _line(row: dict[str, Any], language: str, zone: str) -> str:
    at = datetime.fromtimestamp(row["time_ms"] / 1000, UTC).astimezone(ZoneInfo(zone))
    words = [
        f"{at:%Y-%m-%d %H:%M:%S %z}",
        f"[{_said(_PRIORITIES.get(row['priority']), language, row['priority'])}]",
        _named(row, language),
        _said(_TRANSITIONS.get(row["transition"]), language, row["transition"]),
        _value(row, language),
    ]
    lines = ["  ".join(word for word in words if word), row["path"]]
    if row.get("replayed"):
        lines.append(_said(REPLAYED, language))
    response = row.get("response")
    if response and row["transition"] == "raised":
        lines.append(_said(_RESPONSE, language).format(response=response.get(language) or response["en"]))
    return "\n".join(lines)


def _value(row: dict[str, Any], language: str) -> str:
    if row.get("value") is None:
        return ""
    value = _measured(row["value"], row)
    if row["condition"] not in _LIMITED or row.get("limit") is None:
        return value
    return _said(_LIMIT, language).format(value=value, limit=_measured(row["limit"], row))


def _measured(number: float, row: dict[str, Any]) -> str:
    return f"{number:.6g} {row['unit']}".strip()


def _named(row: dict[str, Any], language: str) -> str:
    name: dict[str, str] = row["name"]
    return name.get(language) or name["en"]


def _said(text: Text | None, language: str, otherwise: str = "") -> str:
    if text is None:
        return otherwise
    return text.zh if language == "zh" else text.en
