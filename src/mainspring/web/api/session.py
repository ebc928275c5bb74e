"""Sign-in, sign-out and what a person sets for themselves."""

from __future__ import annotations

import threading
from typing import Any, Final, Literal, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.middleware.csrf import get_token
from ninja import Router, Schema, Status
from pydantic import Field, SecretStr

from mainspring.core.errors import LimitExceeded, NotAllowed
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import HIDDEN, Action, Author, Deed, append
from mainspring.records.faults import Invalid
from mainspring.records.passwords import check_password
from mainspring.records.rights import Right, Role
from mainspring.records.sign_in import PASSWORD_LENGTH_MAX, USERNAME_LENGTH_MAX, find, full_name, locked_until
from mainspring.records.tenant import Tenant
from mainspring.records.user import User
from mainspring.web.api.forms import written
from mainspring.web.configure import current
from mainspring.web.faults import SIGN_IN, Locked, NotSignedIn, WrongCredentials
from mainspring.web.security import Needs, actor_of, address_of, require_csrf

router = Router(tags=["session"])
CHECKS_MAX: Final = 2
"""Passwords checked at once: each takes a processor for a tenth of a second, by design."""
CHECK_WAIT_S: Final = 5.0
_checking = threading.BoundedSemaphore(CHECKS_MAX)
_WRONG: Final = Text("Name or password is wrong.", "用户名或密码错误。")
_LOCKED: Final = Text(
    "Too many wrong passwords. Sign-in from here is closed until {until} ({zone}); an administrator can open it.",
    "密码错误次数过多，此处登录已锁定至 {until}（{zone}），管理员可提前解锁。",
)
_BUSY: Final = Text(
    "Many people are signing in at this moment. Try again in a few seconds.", "当前登录人数较多，请几秒后重试。"
)
_OLD_WRONG: Final = Text("The present password is wrong.", "当前密码不正确。")
_SAME: Final = Text("The new password is the old one.", "新密码与旧密码相同。")
_TOKEN: Final = Text("A token has no session of its own. Sign in for this.", "令牌没有自己的会话，请登录后操作。")


class UserOut(Schema):
    """The person signed in."""

    id: UUID
    tenant: str
    username: str
    display_name: str
    role: Role
    rights: list[Right]
    language: str
    theme: str
    must_change_password: bool


class SessionOut(Schema):
    """A session: the person, and the token that changes must carry in the header X-CSRFToken."""

    user: UserOut
    csrf_token: str


class SignIn(Schema):
    """Name and password; someone of another company than the platform's writes `company/name`."""

    username: str = Field(max_length=USERNAME_LENGTH_MAX)
    password: SecretStr = Field(max_length=PASSWORD_LENGTH_MAX)


class Preferences(Schema):
    """What a person may change of themselves."""

    model_config = {"extra": "forbid"}
    language: Literal["zh", "en"] = "zh"
    theme: Literal["system", "light", "dark"] = "system"
    display_name: str = Field(default="", max_length=120)


class NewPassword(Schema):
    """The old password and its successor."""

    old: SecretStr = Field(max_length=PASSWORD_LENGTH_MAX)
    new: SecretStr = Field(max_length=PASSWORD_LENGTH_MAX)


def proven(request: HttpRequest, name: str, password: SecretStr) -> User:
    """Return the person of a full name who knows this password; raises WrongCredentials, counted, or Locked."""
    _refuse_locked(request, name)
    if not _checking.acquire(timeout=CHECK_WAIT_S):
        raise LimitExceeded(_BUSY)
    try:
        user = authenticate(request, username=name, password=password.get_secret_value())
    finally:
        _checking.release()
    if not isinstance(user, User):
        _failed(request, name)
    return user


def _session(request: HttpRequest, user: User) -> dict[str, Any]:
    rights = sorted(Role(user.role).rights, key=list(Right).index)
    return {
        "user": user.document() | {"tenant": user.tenant.key, "rights": rights},
        "csrf_token": get_token(request),
    }


@router.get("/session", auth=None, response=SessionOut)
def session(request: HttpRequest) -> dict[str, Any]:
    """Tell who is signed in; the answer 401 also sets the CSRF cookie that signing in needs."""
    actor = request.actor  # type: ignore[attr-defined]
    if actor is None or actor.user is None:
        get_token(request)
        raise NotSignedIn(SIGN_IN)
    return _session(request, actor.user)


@router.post("/session", auth=None, response=SessionOut)
def sign_in(request: HttpRequest, body: SignIn) -> dict[str, Any]:
    """Sign in; after too many wrong passwords a name is locked for this address."""
    require_csrf(request)
    user = proven(request, full_name(body.username, current().tenant), body.password)
    with transaction.atomic():
        login(request, user)
        append(Author(user.tenant, user.pseudonym, address_of(request)), [_deed(Action.SIGN_IN, user)])
    return _session(request, user)


@router.delete("/session", auth=Needs(Right.VIEW, even_with_due_password=True), response={204: None})
def sign_out(request: HttpRequest) -> Status[None]:
    """Sign out of this session."""
    user = _person(request)
    with transaction.atomic():
        append(actor_of(request).author, [_deed(Action.SIGN_OUT, user)])
        logout(request)
    return Status(204, None)


@router.patch("/session", auth=Needs(Right.VIEW), response=SessionOut)
def prefer(request: HttpRequest, body: Preferences) -> dict[str, Any]:
    """Change one's own language, theme or display name."""
    with transaction.atomic():
        # Read again and held: two choices made at once must not undo each other.
        user = User.objects.select_related("tenant").select_for_update(of=("self",)).get(pk=_person(request).pk)
        before = user.document()
        for name, value in written(body).items():
            setattr(user, name, value)
        changes.change(actor_of(request).author, user, before)
    return _session(request, user)


@router.post("/session/password", auth=Needs(Right.VIEW, even_with_due_password=True), response=SessionOut)
def change_password(request: HttpRequest, body: NewPassword) -> dict[str, Any]:
    """Change one's own password; all other sessions of the person end."""
    user, new = _person(request), body.new.get_secret_value()
    if not user.check_password(body.old.get_secret_value()):
        raise Invalid({"old": _OLD_WRONG})
    if body.new == body.old:
        raise Invalid({"new": _SAME})
    check_password(new, user, "new")
    before = user.document()
    user.set_password(new)
    user.must_change_password = False
    changes.change(actor_of(request).author, user, before, extra={"password": [HIDDEN, HIDDEN]})
    update_session_auth_hash(request, user)
    return _session(request, user)


def _person(request: HttpRequest) -> User:
    actor = actor_of(request)
    if actor.user is None or actor.token is not None:
        raise NotAllowed(_TOKEN)
    return actor.user


def _deed(action: Action, user: User) -> Deed:
    return Deed(action, "session", str(user.id))


def _failed(request: HttpRequest, name: str) -> NoReturn:
    user = find(name)
    tenant = user.tenant if user else Tenant.objects.get(key=current().tenant)
    # The name that was typed is not kept: it is often a password in the wrong field.
    author = Author(tenant, user.pseudonym if user else None, address_of(request))
    append(author, [Deed(Action.SIGN_IN_FAILED, "session", str(user.id) if user else "")])
    _refuse_locked(request, name)
    raise WrongCredentials(_WRONG)


def _refuse_locked(request: HttpRequest, name: str) -> None:
    until = locked_until(name, address_of(request) or None)
    if until is not None:
        zone = Tenant.objects.values_list("zone", flat=True).get(key=current().tenant)
        raise Locked(_LOCKED, until=f"{until.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}", zone=zone)
