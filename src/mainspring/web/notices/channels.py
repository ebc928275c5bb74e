"""How a notice leaves: mail over SMTP, or a signed request to a host that the settings allow."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from mainspring.core.errors import NotAllowed, NotConnected, Rejected, reason_of
from mainspring.core.text import Text
from mainspring.web.configure import Mail, current
from mainspring.web.notices.letter import Letter

TIMEOUT_S: Final = 10.0
SIGNATURE_HEADER: Final = "Mainspring-Signature"
_NO_MAIL: Final = Text(
    "No mail server is set. An administrator names one under [mail] in the settings file.",
    "未设置邮件服务器，请管理员在设置文件的 [mail] 中配置。",
)
_MAIL_FAILED: Final = Text(
    "The mail server {host} did not take the message ({reason}). Check [mail] and the address.",
    "邮件服务器 {host} 未接受该邮件（{reason}），请检查 [mail] 设置与邮箱地址。",
)
_NOT_ALLOWED: Final = Text(
    "Requests to {host} are not allowed. An administrator adds it, as it stands here or without its port, to "
    "[notifications] webhook_hosts.",
    "不允许向 {host} 发送请求，请管理员将其（可省略端口）加入 [notifications] webhook_hosts。",
)
_HOOK_FAILED: Final = Text(
    "{host} did not answer ({reason}). It is tried again; check the address.",
    "{host} 无应答（{reason}），系统将重试，请检查地址。",
)
_HOOK_REFUSED: Final = Text(
    "{host} answered {status}. It is tried again; look at the log of that host.",
    "{host} 返回 {status}，系统将重试，请查看该主机的日志。",
)


def send_mail(target: str, letter: Letter) -> None:
    """Send one mail; raises NotConnected or Rejected. It waits: call it in a thread."""
    mail = current().mail
    if mail is None:
        raise Rejected(_NO_MAIL)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, target, letter.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2] or "mainspring")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body)
    try:
        with _server(mail) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise NotConnected(_MAIL_FAILED, host=mail.host, reason=_said(error)) from error


def _said(error: Exception) -> str | Text:
    """Return what the other side said, as far as it said anything."""
    if isinstance(error, smtplib.SMTPRecipientsRefused) and error.recipients:
        return _answer(*next(iter(error.recipients.values())))
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return reason_of(error)


def _answer(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"


def _server(mail: Mail) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=str(mail.tls_ca) if mail.tls_ca else None)
    server: smtplib.SMTP
    if mail.security == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S)
    try:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.username:
            server.login(mail.username, mail.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def send_webhook(target: str, secret: str, document: dict[str, Any]) -> None:
    """Post a document with a signature over time and body; raises MainspringError. It waits: call it in a thread."""
    check_host(target)
    host = urlsplit(target).hostname
    body = orjson.dumps(document)
    at = int(time.time())
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature(secret, at, body)}
    try:
        status = asyncio.run(_posted(target, body, headers))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise NotConnected(_HOOK_FAILED, host=host, reason=_said(error)) from error
    if not 200 <= status < 300:
        raise NotConnected(_HOOK_REFUSED, host=host, status=status)


async def _posted(target: str, body: bytes, headers: dict[str, str]) -> int:
    # One limit for all of it: a host that answers byte by byte never meets the limits of single reads. What it says
    # beside its status interests nobody, and is not read.
    async with (
        asyncio.timeout(TIMEOUT_S),
        httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client,
        client.stream("POST", target, content=body, headers=headers) as answer,
    ):
        return answer.status_code


def signature(secret: str, at: int, body: bytes) -> str:
    """Return `t=<seconds UTC>,v1=<HMAC-SHA256 of "t.body">`, by which a receiver knows who sent it and when."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def check_host(target: str) -> None:
    """Raise NotAllowed for a host the settings do not name: whoever may subscribe must not reach into the network."""
    try:
        parts = urlsplit(target)
        names = {parts.hostname, f"{parts.hostname}:{parts.port}"}
    except ValueError:
        raise NotAllowed(_NOT_ALLOWED, host=target) from None
    if names.isdisjoint(current().webhook_hosts):
        raise NotAllowed(_NOT_ALLOWED, host=parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}")
