"""Errors as the API answers them: one form, one place."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import structlog
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from mainspring.core.errors import (
    ConfigurationError,
    Conflict,
    DecodeError,
    Expired,
    LimitExceeded,
    MainspringError,
    NotAllowed,
    NotConnected,
    NotFound,
    Rejected,
    StoreError,
)
from mainspring.core.faults import words
from mainspring.core.text import Text
from mainspring.records.faults import FIELDS_MAX, Invalid
from mainspring.web.parsing import Unreadable

log = structlog.get_logger(__name__)


class NotSignedIn(MainspringError):
    """Nobody is signed in, or the session or token has ended."""

    code = "not-signed-in"


class WrongCredentials(NotSignedIn):
    """Name and password do not belong together; which of them is wrong is not told."""

    code = "credentials"


class Locked(LimitExceeded):
    """Too many wrong passwords; the text says until when."""

    code = "locked"


class Forged(NotAllowed):
    """A change came without the token that only our own pages can read."""

    code = "csrf"


class TooLarge(LimitExceeded):
    """A request is larger than the limit."""

    code = "too-large"


STATUS: Final[dict[type[MainspringError], int]] = {
    NotSignedIn: 401, NotAllowed: 403, NotFound: 404, Conflict: 409, Expired: 410, TooLarge: 413, Invalid: 422,
    Unreadable: 400, ConfigurationError: 422, LimitExceeded: 429, Rejected: 502, DecodeError: 502, NotConnected: 503,
    StoreError: 503,
}  # fmt: skip
SIGN_IN: Final = Text("Sign in first.", "请先登录。")
FORGED: Final = Text(
    "The header X-CSRFToken is missing or old. Reload the page and try again.",
    "缺少或已失效的 X-CSRFToken 请求头，请刷新页面后重试。",
)
TOO_LARGE: Final = Text(
    "The request is larger than {limit} MB, the most one may have. Send less at once.",
    "请求超过单次上限 {limit} MB，请减少单次发送的内容。",
)
_NO_ENDPOINT: Final = Text(
    "There is nothing at {path}. See /api/v1/openapi.json.", "{path} 不存在，参见 /api/v1/openapi.json。"
)
_BAD_REQUEST: Final = Text("The request cannot be read. Check its form.", "无法解析请求，请检查其格式。")
_OURS: Final = Text(
    "Something failed on our side. Try again; if it repeats, give the request id {request_id} to your administrator.",
    "服务端出错，请重试；若仍出现，请将请求编号 {request_id} 告知管理员。",
)
_NO_METHOD: Final = Text(
    "{path} does not take {method}. See /api/v1/openapi.json.", "{path} 不支持 {method}，参见 /api/v1/openapi.json。"
)
_CHARACTERS: Final = Text("This holds the character NUL. Remove it.", "此项含有 NUL 字符，请删除。")
_HELD: Final = Text(
    "Something that is not shown here is linked to this: rows of an app that was taken out. Put it back, or drop its "
    "tables; the start names them.",
    "有未在此显示的内容引用它：属于已移除的应用。请重新安装该应用，或删除启动时列出的数据表。",
)
_BUSY: Final = Text(
    "The records cannot be reached now, or others are writing to them. Nothing was changed; try again in a moment.",
    "记录库暂时无法访问或正被其他写入占用，未作任何更改，请稍后重试。",
)
_OTHER: Final = Text("The request was refused ({reason}).", "请求被拒绝（{reason}）。")


def status_of(error: MainspringError) -> int:
    """Return the status of an error: that of its class, or of the nearest class above."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def answer(request: HttpRequest, error: MainspringError, status: int | None = None) -> HttpResponse:
    """Answer with an error in the form of the API."""
    body = {**error.document(), "request_id": getattr(request, "request_id", "")}
    return JsonResponse(body, status=status or status_of(error))


def invalid(error: ValidationError) -> Invalid:
    """Name each field of a request that does not fit, without the place it came in."""
    fields: dict[str, Text] = {}
    for detail in error.errors[:FIELDS_MAX]:
        place = [str(part) for part in detail["loc"]]
        # ("body", parameter, field ...) but ("query", parameter, field) or ("path", field)
        path = ".".join(place[2:] or place[1:] or place)
        fields[path] = words(detail)
    return Invalid(fields)


def handle_errors(api: NinjaAPI) -> None:
    """Answer every error of an API in the one form."""

    def ours(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, error)

    def not_valid(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, invalid(error))

    def not_found(request: HttpRequest, _error: Any) -> HttpResponse:
        return answer(request, NotFound(_NO_ENDPOINT, path=request.path))

    def refused(request: HttpRequest, error: Any) -> HttpResponse:
        if isinstance(error.__cause__, Unreadable):
            return answer(request, error.__cause__, error.status_code)
        text = _BAD_REQUEST if error.status_code == 400 else _OTHER.format(reason=str(error))
        return answer(request, MainspringError(text), error.status_code)

    def too_large(request: HttpRequest, _error: Any) -> HttpResponse:
        from django.conf import settings

        return answer(request, TooLarge(TOO_LARGE, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20))

    def unreadable(request: HttpRequest, _error: Any) -> HttpResponse:
        return answer(request, MainspringError(_BAD_REQUEST), 400)

    def refused_by_database(request: HttpRequest, error: Any) -> HttpResponse:
        if "foreign key" not in str(error).lower():
            return failed(request, error)
        log.warning("web.held_by_a_table", path=request.path, reason=str(error))
        return answer(request, Conflict(_HELD))

    def busy(request: HttpRequest, error: Any) -> HttpResponse:
        # SQLite says in the same way that a table is missing.
        if getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_BUSY) & 0xFF != sqlite3.SQLITE_BUSY:
            return failed(request, error)
        log.warning("web.records_unreachable", path=request.path, reason=str(error))
        answered = answer(request, StoreError(_BUSY))
        answered["Retry-After"] = "1"
        return answered

    def failed(request: HttpRequest, error: Any) -> HttpResponse:
        request_id = getattr(request, "request_id", "")
        log.error("web.request_failed", path=request.path, request_id=request_id, exc_info=error)
        return answer(request, MainspringError(_OURS, request_id=request_id), 500)

    api.add_exception_handler(MainspringError, ours)
    api.add_exception_handler(ValidationError, not_valid)
    api.add_exception_handler(Http404, not_found)
    api.add_exception_handler(HttpError, refused)
    api.add_exception_handler(RequestDataTooBig, too_large)
    api.add_exception_handler(SuspiciousOperation, unreadable)
    api.add_exception_handler(BadRequest, unreadable)
    api.add_exception_handler(IntegrityError, refused_by_database)
    api.add_exception_handler(OperationalError, busy)
    api.add_exception_handler(Exception, failed)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a change outside the API that came without its token."""
    return answer(request, Forged(FORGED))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what cannot be read before any endpoint has it, such as ten thousand parameters."""
    return answer(request, MainspringError(_BAD_REQUEST), 400)


def broken(request: HttpRequest) -> HttpResponse:
    """Answer a failure outside the API's own endpoints."""
    request_id = getattr(request, "request_id", "")
    log.error("web.request_failed", path=request.path, request_id=request_id, exc_info=True)
    return answer(request, MainspringError(_OURS, request_id=request_id), 500)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Answer a request whose address holds what nothing here can be called; None for all others."""
    if "\0" in request.path:
        return no_endpoint(request)
    if "%00" not in request.META.get("QUERY_STRING", ""):
        return None
    return answer(request, Invalid({name[:100]: _CHARACTERS for name, values in request.GET.lists()
                                    if any("\0" in text for text in (name, *values))}))  # fmt: skip


def no_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """Answer a method that an endpoint does not have."""
    made = answer(request, MainspringError(_NO_METHOD, path=request.path, method=request.method), 405)
    made.headers["Allow"] = allowed
    return made


def no_endpoint(request: HttpRequest) -> HttpResponse:
    """Answer a path below /api/ that does not exist."""
    return answer(request, NotFound(_NO_ENDPOINT, path=request.path))
