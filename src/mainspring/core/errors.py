"""The one tree of errors; the name of a class says what happens next.

MainspringError
|-- ConfigurationError   the start stops; the path of the setting is in the text
|-- NotConnected         contact is lost; tried again with back-off
|-- Rejected             the other side refuses; not tried again until something changes
|-- DecodeError          bytes are not what the protocol says; that message is dropped and counted
|-- NotFound             no such thing, or not yours
|-- NotAllowed           the right is missing; the text names it
|-- LimitExceeded        a declared limit was reached; the text names it
|-- Expired              a command's time has passed; it was not executed
|-- Conflict             someone changed the thing first
`-- StoreError           a disk or database fails; nothing acknowledged is lost
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from typing import Any, ClassVar, Final

from mainspring.core.text import Text

_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")
_SYSTEM: Final = {
    errno.ECONNREFUSED: "连接被拒绝", errno.ECONNRESET: "连接被对方重置", errno.ECONNABORTED: "连接已中止",
    errno.ETIMEDOUT: "连接超时", errno.EHOSTUNREACH: "主机不可达", errno.ENETUNREACH: "网络不可达",
    errno.EHOSTDOWN: "主机已关闭", errno.ENETDOWN: "网络已断开", errno.EPIPE: "连接已断开", errno.ENOTCONN: "未连接",
    errno.EADDRINUSE: "地址已被占用", errno.EADDRNOTAVAIL: "本机没有该地址", errno.EACCES: "权限不足",
    errno.EPERM: "不允许此操作", errno.ENOENT: "文件或目录不存在", errno.ENOTDIR: "不是目录", errno.EISDIR: "是目录",
    errno.EEXIST: "文件已存在", errno.ENOSPC: "磁盘空间不足", errno.EDQUOT: "超出磁盘配额", errno.EROFS: "文件系统只读",
    errno.EIO: "输入/输出错误", errno.EMFILE: "打开的文件过多", errno.ENFILE: "系统打开的文件过多",
    errno.ENOMEM: "内存不足",
}  # fmt: skip
"""What the system says of its errors, in Chinese; it says the English itself."""
_NAMES: Final = {
    socket.EAI_NONAME: "名称未知", socket.EAI_AGAIN: "域名解析暂时失败", socket.EAI_FAIL: "域名解析失败",
    socket.EAI_NODATA: "该名称没有地址",
}  # fmt: skip
"""The same of names that cannot be resolved."""


class MainspringError(Exception):
    """A failure in one sentence: what happened, where, next step; in both languages."""

    code: ClassVar[str] = "error"

    def __init__(self, text: Text, **values: Any) -> None:
        self.text = text.format(**values) if values else text
        super().__init__(self.text.en)

    def document(self) -> dict[str, Any]:
        """Return the form that travels in JSON: `{"code": ..., "text": {"en": ..., "zh": ...}}`."""
        return {"code": self.code, "text": self.text.document()}


class ConfigurationError(MainspringError):
    """A setting is unknown or wrong; the start stops."""

    code = "configuration"


class NotConnected(MainspringError):
    """Contact is lost or never came about; the caller tries again with back-off."""

    code = "not-connected"


class Rejected(MainspringError):
    """The other side refuses; trying again does not help until someone changes something."""

    code = "rejected"


class DecodeError(MainspringError):
    """Bytes are not what the protocol promises; this message is dropped and counted."""

    code = "decode"


class NotFound(MainspringError):
    """There is no such thing, or it belongs to another tenant, which is the same answer."""

    code = "not-found"


class NotAllowed(MainspringError):
    """The person or role lacks a right; the text names it."""

    code = "not-allowed"


class LimitExceeded(MainspringError):
    """A declared limit was reached; the text names it."""

    code = "limit"


class Expired(MainspringError):
    """A command's time has passed; it was not executed."""

    code = "expired"


class Conflict(MainspringError):
    """Someone changed or holds the thing; look again."""

    code = "conflict"


class StoreError(MainspringError):
    """A disk or database fails; what was acknowledged is kept."""

    code = "store"


ERRORS: dict[str, type[MainspringError]] = {
    kind.code: kind
    for kind in (
        ConfigurationError, NotConnected, Rejected, DecodeError, NotFound,
        NotAllowed, LimitExceeded, Expired, Conflict, StoreError,
    )
}  # fmt: skip


def error_of(document: dict[str, Any]) -> MainspringError:
    """Rebuild an error that travelled as JSON."""
    return ERRORS.get(document["code"], MainspringError)(Text.of(document["text"]))


def reason_of(error: BaseException) -> Text:
    """Return what the system or a library says of a failure, without the objects Python puts beside it.

    In Chinese where it is a frequent one.
    """
    if isinstance(error, socket.gaierror):
        english = error.strerror or type(error).__name__
        return Text(english, _NAMES.get(error.errno or 0, english))
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        # The system's own word: asyncio's holds addresses as Python writes them, of several attempts in one text.
        told = _NUMBER.search(str(error)) if error.errno is None else None
        number = int(told[1]) if told else errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
        if number is not None and number > 0:
            english = os.strerror(number)
            return Text(english, _SYSTEM.get(number, english))
    said = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return Text(said, said)
