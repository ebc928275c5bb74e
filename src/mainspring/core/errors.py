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
import ssl
from typing import Any, ClassVar, Final

from mainspring.core.text import Text

_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")


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


def reason_of(error: BaseException) -> str:
    """Return what the system or a library says of a failure, without the objects Python puts beside it."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        # The system's own word: asyncio's holds addresses as Python writes them, of several attempts in one text.
        told = _NUMBER.search(str(error)) if error.errno is None else None
        number = int(told[1]) if told else errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
        if number is not None and number > 0:
            return os.strerror(number)
        return error.strerror or type(error).__name__
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
