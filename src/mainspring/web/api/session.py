"""Sign-in, sign-out and what a person sets for themselves."""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from django.contrib.auth import logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.middleware.csrf import get_token
from ninja import Router, Schema, Status
from pydantic import Field, SecretStr

from mainspring.core.errors import NotAllowed
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.access.scope import parts_of
from mainspring.records.audit import HIDDEN, Action, Deed, append
from mainspring.records.faults import Invalid
from mainspring.records.in_force import for_platform
from mainspring.records.people.passwords import check_password
from mainspring.records.people.sign_in import PASSWORD_LENGTH_MAX, USERNAME_LENGTH_MAX, full_name
from mainspring.records.people.user import User
from mainspring.records.rights import Right, Role
from mainspring.web.accounts import steps
from mainspring.web.api.forms import written
from mainspring.web.configure import current
from mainspring.web.faults import SIGN_IN, NotSignedIn
from mainspring.web.security import Actor, Needs, actor_of, renew, require_csrf

router = Router(tags=["session"])
_OLD_WRONG: Final = Text("The present password is wrong.", "当前密码不正确。")
_SAME: Final = Text("The new password is the old one.", "新密码与旧密码相同。")
_TOKEN: Final = Text("A token has no session of its own. Sign in for this.", "令牌没有自己的会话，请登录后操作。")


class PartOut(Schema):
    """A part of the plant in which a person has further rights."""

    path: str = Field(description="of an asset: it and what lies below it; empty: everywhere")
    company: str = Field(description="`operator` or `owner`: only assets of which the company is that; else empty")
    rights: list[Right]


class UserOut(Schema):
    """The person signed in."""

    id: UUID
    tenant: str
    username: str
    display_name: str
    role: Role
    rights: list[Right] = Field(description="in the whole plant")
    parts: list[PartOut] = Field(description="the parts of the plant in which there are further rights")
    language: str
    theme: str
    must_change_password: bool
    must_add_second_factor: bool = Field(description="nothing else is open until one is set up")


class SessionOut(Schema):
    """A session: the person, and the token that changes must carry in the header X-CSRFToken."""

    user: UserOut
    csrf_token: str


class SecondStepOut(Schema):
    """The password was right; a code or a passkey is asked for before there is a session."""

    second_step: list[str] = Field(description="what it is taken with: totp, recovery_codes, webauthn")
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


def shown(request: HttpRequest, user: User) -> dict[str, Any]:
    """Show the session of the person signed in."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    more = {
        "tenant": user.tenant.key,
        "rights": _sorted(actor.rights),
        "parts": [
            {"path": part.path, "company": part.company, "rights": _sorted(rights)}
            for part, rights in parts_of(actor.rights, actor.permits).items()
        ],
        "must_add_second_factor": actor.owes_second_factor,
    }
    return {"user": user.document() | more, "csrf_token": get_token(request)}


def _sorted(rights: frozenset[Right]) -> list[Right]:
    return sorted(rights, key=list(Right).index)


def signed_in(
    request: HttpRequest, user: User, by: str, *, second: str = "", trusted: bool = False
) -> Status[dict[str, Any]]:
    """Sign a person in and show the session; `trusted` where a second factor was asked for elsewhere."""
    steps.finish(request, user, by, second=second, trusted=trusted)
    renew(request)
    return Status(200, shown(request, user))


def next_step(request: HttpRequest, user: User, by: str) -> Status[dict[str, Any]]:
    """Go on after the first step: to the second for those who have a second factor, else into the session."""
    kinds = steps.begin(request, user, by)
    if kinds:
        return Status(202, {"second_step": kinds, "csrf_token": get_token(request)})
    return signed_in(request, user, by)


@router.get("/session", auth=None, response=SessionOut)
def session(request: HttpRequest) -> dict[str, Any]:
    """Tell who is signed in; the answer 401 also sets the CSRF cookie that signing in needs."""
    actor = request.actor  # type: ignore[attr-defined]
    if actor is None or actor.user is None:
        get_token(request)
        raise NotSignedIn(SIGN_IN)
    return shown(request, actor.user)


@router.post("/session", auth=None, response={200: SessionOut, 202: SecondStepOut})
def sign_in(request: HttpRequest, body: SignIn) -> Status[dict[str, Any]]:
    """Sign in; after too many wrong passwords a name is locked for this address.

    The answer 202 asks for a second step: POST /session/second-step.
    """
    require_csrf(request)
    with for_platform():
        user = steps.proven(request, full_name(body.username, current().tenant), body.password)
        return next_step(request, user, steps.PASSWORD)


@router.delete("/session", auth=Needs(Right.SIGN_IN, even_with_due_password=True), response={204: None})
def sign_out(request: HttpRequest) -> Status[None]:
    """Sign out of this session."""
    user = person_of(request)
    with transaction.atomic():
        append(actor_of(request).author, [_deed(Action.SIGN_OUT, user)])
        logout(request)
    return Status(204, None)


@router.patch("/session", auth=Needs(Right.SIGN_IN), response=SessionOut)
def prefer(request: HttpRequest, body: Preferences) -> dict[str, Any]:
    """Change one's own language, theme or display name."""
    with transaction.atomic():
        # Read again and held: two choices made at once must not undo each other.
        user = User.objects.select_related("tenant").select_for_update(of=("self",)).get(pk=person_of(request).pk)
        before = user.document()
        for name, value in written(body).items():
            setattr(user, name, value)
        changes.change(actor_of(request).author, user, before)
    return shown(request, user)


@router.post("/session/password", auth=Needs(Right.SIGN_IN, even_with_due_password=True), response=SessionOut)
def change_password(request: HttpRequest, body: NewPassword) -> dict[str, Any]:
    """Change one's own password; all other sessions of the person end. Wrong present ones are counted as at sign-in."""
    user, new = person_of(request), body.new.get_secret_value()
    if not steps.knows(request, user, body.old):
        raise Invalid({"old": _OLD_WRONG})
    if body.new == body.old:
        raise Invalid({"new": _SAME})
    check_password(new, user, "new")
    before = user.document()
    user.set_password(new)
    user.must_change_password = False
    changes.change(actor_of(request).author, user, before, extra={"password": [HIDDEN, HIDDEN]})
    update_session_auth_hash(request, user)
    return shown(request, user)


def person_of(request: HttpRequest) -> User:
    """Return the person of a session; raises NotAllowed for a token."""
    actor = actor_of(request)
    if actor.user is None or actor.token is not None:
        raise NotAllowed(_TOKEN)
    return actor.user


def _deed(action: Action, user: User) -> Deed:
    return Deed(action, "session", str(user.id))
