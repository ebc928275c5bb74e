"""Mails about accounts: one text for each purpose, in the reader's language."""

from __future__ import annotations

from typing import Any, Final

from mainspring.core.errors import MainspringError
from mainspring.core.text import Text
from mainspring.web.configure import current
from mainspring.web.notices.channels import send_mail
from mainspring.web.notices.letter import Letter

INVITED: Final = (
    Text("Invitation to {company} on Mainspring", "邀请您加入 {company}"),
    Text(
        "You are invited to {company}. Open this address to choose your name and password:\n\n{link}\n\n"
        "It works once, until {until}. If you did not expect it, do nothing.",
        "您受邀加入 {company}。请打开以下地址设置用户名与密码：\n\n{link}\n\n"
        "该地址仅可使用一次，有效期至 {until}。若您未曾预期此邀请，请忽略。",
    ),
)
# What strangers wrote is not sent to strangers: the name of the company is left out.
CONFIRM: Final = (
    Text("Confirm your request", "请确认您的申请"),
    Text(
        "Someone asked for an account on Mainspring with this mail address. Open this address to confirm it:\n\n"
        "{link}\n\nIf it was not you, do nothing.",
        "有人以此邮箱申请开通 Mainspring 账号。请打开以下地址确认：\n\n{link}\n\n若非您本人操作，请忽略。",
    ),
)
REFUSED: Final = (
    Text("Your request for {company}", "关于 {company} 的申请"),
    Text(
        "Your request for an account for {company} was not accepted. Reason:\n\n{reason}",
        "您为 {company} 提交的开通申请未获通过，原因：\n\n{reason}",
    ),
)


def send(target: str, texts: tuple[Text, Text], language: str, **words: Any) -> Text | None:
    """Send a mail, in both languages where the reader's is not known; returns why it did not leave."""
    languages = [language] if language in {"en", "zh"} else ["en", "zh"]
    subject, body = ([getattr(text, each).format(**words) for each in languages] for text in texts)
    try:
        # One line, whatever a name holds: a subject must not begin another header.
        send_mail(target, Letter(" ".join(" / ".join(subject).split()), "\n\n---\n\n".join(body) + "\n"))
    except MainspringError as error:
        return error.text
    return None


def can_send() -> bool:
    """Tell whether a mail server is set."""
    return current().mail is not None
