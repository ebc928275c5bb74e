"""The steps of a sign-in: what was proven so far is kept in a session that is nobody's yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth import authenticate, login
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from pydantic import SecretStr

from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.people import second_factor
from mainspring.records.people.sign_in import TenantBackend, find, locked_until
from mainspring.records.people.user import User
from mainspring.records.tenant import Tenant
from mainspring.web.configure import current
from mainspring.web.faults import Locked, NotSignedIn, WrongCredentials
from mainspring.web.security import ELSEWHERE, address_of

CHECKS_MAX: Final = 2
"""Passwords checked at once: each takes a processor for a tenth of a second, by design."""
CHECK_WAIT_S: Final = 5.0
PENDING_S: Final = 300
"""So long the second step may take."""
PASSWORD: Final = "password"  # noqa: S105 - the way, not the word
PASSKEY: Final = "passkey"
ANY_PASSKEY: Final = "/passkey"
"""Whose failures count where nobody is named: no full name is like this."""
_PENDING: Final = "sign_in_pending"
_BACKEND: Final = f"{TenantBackend.__module__}.{TenantBackend.__qualname__}"
_checking = threading.BoundedSemaphore(CHECKS_MAX)
_WRONG: Final = Text("Name or password is wrong.", "用户名或密码错误。")
_WRONG_CODE: Final = Text(
    "This code or passkey is not right, or was used already. Try the next code.",
    "验证码或通行密钥不正确，或已使用过，请用下一个验证码重试。",
)
_WRONG_PASSKEY: Final = Text(
    "This passkey opens nothing here. It may have been removed: sign in with your password.",
    "此通行密钥在此无效，可能已被移除，请使用密码登录。",
)
_LOCKED: Final = Text(
    "Too many failed attempts. Sign-in from here is closed until {until} ({zone}); an administrator can open it.",
    "失败次数过多，此处登录已锁定至 {until}（{zone}），管理员可提前解锁。",
)
_BUSY: Final = Text(
    "Many people are signing in at this moment. Try again in a few seconds.", "当前登录人数较多，请几秒后重试。"
)
_FIRST: Final = Text(
    "Begin with name and password again: this sign-in took too long.", "登录超时，请重新输入用户名和密码。"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """Someone whose first step is done."""

    user: str
    bound: str
    """What ends sessions ends this, too."""
    by: str
    at: float


def proven(request: HttpRequest, name: str, password: SecretStr) -> User:
    """Return the person of a full name who knows this password; raises WrongCredentials, counted, or Locked."""
    refuse_locked(request, name)
    with _turn():
        user = authenticate(request, username=name, password=password.get_secret_value())
    if not isinstance(user, User):
        _failed(request, name)
    return user


def knows(request: HttpRequest, user: User, password: SecretStr) -> bool:
    """Tell whether someone who is signed in knows the password; wrong ones are counted, and raise Locked after some."""
    name = user.get_username()
    refuse_locked(request, name)
    with _turn():
        right = user.check_password(password.get_secret_value())
    if not right:
        user_login_failed.send(sender=__name__, credentials={"username": name}, request=request)
        author = Author(user.tenant, user.pseudonym, address_of(request))
        append(author, [Deed(Action.SIGN_IN_FAILED, "session", str(user.id))])
        refuse_locked(request, name)
    return right


@contextmanager
def _turn() -> Iterator[None]:
    if not _checking.acquire(timeout=CHECK_WAIT_S):
        raise LimitExceeded(_BUSY)
    try:
        yield
    finally:
        _checking.release()


def begin(request: HttpRequest, user: User, by: str) -> list[str]:
    """Note that the first step is done; returns what the second is taken with, nothing where none is needed."""
    kinds = second_factor.kinds_of(user)
    if kinds:
        pending = Pending(str(user.pk), user.get_session_auth_hash(), by, time.time())
        request.session[_PENDING] = asdict(pending)
        request.session.set_expiry(PENDING_S)
    return kinds


def pending(request: HttpRequest) -> tuple[User, str]:
    """Return who must take the second step, and what the first was; raises NotSignedIn or Locked."""
    kept = request.session.get(_PENDING)
    found = Pending(**kept) if kept else None
    user = TenantBackend().get_user(found.user) if found and time.time() - found.at < PENDING_S else None
    if found is None or user is None or user.get_session_auth_hash() != found.bound:
        request.session.pop(_PENDING, None)
        raise NotSignedIn(_FIRST)
    refuse_locked(request, user.get_username())
    return user, found.by


def finish(request: HttpRequest, user: User, by: str, *, second: str = "", trusted: bool = False) -> None:
    """Sign a person in: the session is theirs from now on."""
    with transaction.atomic():
        request.session.pop(_PENDING, None)
        # Whoever comes back from a provider has a session that was opened anew in between.
        request.session.comes_from(address_of(request), request.headers.get("User-Agent", ""))  # type: ignore[attr-defined]
        login(request, user, backend=_BACKEND)
        request.session.set_expiry(None)
        if trusted:
            request.session[ELSEWHERE] = True
        told: dict[str, list[Any]] = {}
        if by == PASSKEY:
            told["way"] = [None, by]
        else:
            method = PASSWORD if by == PASSWORD else "socialaccount"
            record_authentication(request, user, method=method, reauthenticated=True)
            if by != PASSWORD:
                told["provider"] = [None, by]
        if second:
            told["second_step"] = [None, second]
        author = Author(user.tenant, user.pseudonym, address_of(request))
        append(author, [Deed(Action.SIGN_IN, "session", str(user.id), changes=told)])


def second_step_failed(request: HttpRequest, user: User) -> NoReturn:
    """Count and tell a second step that failed; raises WrongCredentials, or Locked after too many."""
    name = user.get_username()
    user_login_failed.send(sender=__name__, credentials={"username": name}, request=request)
    author = Author(user.tenant, user.pseudonym, address_of(request))
    append(author, [Deed(Action.SIGN_IN_FAILED, second_factor.KIND, str(user.id))])
    refuse_locked(request, name)
    raise WrongCredentials(_WRONG_CODE)


def passkey_failed(request: HttpRequest) -> NoReturn:
    """Count and tell a passkey that opens nothing; raises WrongCredentials, or Locked after too many.

    Whose it claims to be is not counted: anyone could shut out anyone.
    """
    user_login_failed.send(sender=__name__, credentials={"username": ANY_PASSKEY}, request=request)
    author = Author(Tenant.objects.get(key=current().tenant), None, address_of(request))
    append(author, [Deed(Action.SIGN_IN_FAILED, second_factor.KIND, "")])
    refuse_locked(request, ANY_PASSKEY)
    raise WrongCredentials(_WRONG_PASSKEY)


def refuse_locked(request: HttpRequest, name: str) -> None:
    """Raise Locked while a full name is closed for this address."""
    until = locked_until(name, address_of(request) or None)
    if until is not None:
        zone = Tenant.objects.values_list("zone", flat=True).get(key=current().tenant)
        raise Locked(_LOCKED, until=f"{until.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}", zone=zone)


def _failed(request: HttpRequest, name: str) -> NoReturn:
    user = find(name)
    tenant = user.tenant if user else Tenant.objects.get(key=current().tenant)
    # The name that was typed is not kept: it is often a password in the wrong field.
    author = Author(tenant, user.pseudonym if user else None, address_of(request))
    append(author, [Deed(Action.SIGN_IN_FAILED, "session", str(user.id) if user else "")])
    refuse_locked(request, name)
    raise WrongCredentials(_WRONG)
