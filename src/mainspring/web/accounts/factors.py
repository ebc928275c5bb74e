"""Second factors of people, set up, used and removed by the forms and flows of allauth."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import segno
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.core import context
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal import flows as recovery_flows
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import flows as totp_flows
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal import flows as webauthn_flows
from cryptography.exceptions import InvalidSignature
from django import forms
from django.db import transaction
from django.http import HttpRequest
from fido2.webauthn import UserVerificationRequirement

from mainspring.core.errors import Conflict, LimitExceeded, NotFound
from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.people import second_factor
from mainspring.records.people.sign_in import TenantBackend
from mainspring.records.people.user import User
from mainspring.records.record import absent

PASSKEYS_MAX: Final = 10
QUIET_ZONE: Final = 4
"""White modules around a code, as its standard asks."""
_UNREADABLE: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error, InvalidSignature)
"""What the libraries raise for an answer that no authenticator gives."""
_CONFIRM: Final = Text(
    "Confirm that it is you first: POST /api/v1/session/confirm.", "请先确认本人身份：POST /api/v1/session/confirm。"
)
_WRONG_CODE: Final = Text(
    "This code is not right. Check the clock of the device that shows it, and type the next one.",
    "验证码不正确，请检查显示验证码的设备时间，并输入下一个验证码。",
)
_WRONG_PASSKEY: Final = Text("The passkey's answer cannot be used. Begin again.", "通行密钥的应答无效，请重新开始。")
_ALREADY: Final = Text("There is an authenticator app already. Remove it first.", "已设置身份验证器，请先移除。")
_NO_FACTOR: Final = Text(
    "Recovery codes stand beside an authenticator app or a passkey. Set up one of these first.",
    "恢复码配合身份验证器或通行密钥使用，请先设置其中之一。",
)
_NO_PASSKEY: Final = Text("There is no such passkey. Reload the page.", "没有此通行密钥，请刷新页面。")
_MANY: Final = Text("There are {max} passkeys already. Remove one first.", "已有 {max} 个通行密钥，请先移除一个。")


class Unconfirmed(Conflict):
    """The person proved who they are too long ago for this."""

    code = "unconfirmed"


@contextmanager
def asked(request: HttpRequest, user: User) -> Iterator[None]:
    """Let allauth find the request; one person's second factors change one at a time."""
    with context.request_context(request), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        try:
            yield
        except ReauthenticationRequired as error:
            raise Unconfirmed(_CONFIRM) from error


def require_confirmed(request: HttpRequest) -> None:
    """Raise, within `asked`, Unconfirmed unless the person has shown who they are in the last five minutes."""
    raise_if_reauthentication_required(request, app="allauth.mfa")


def state_of(user: User) -> dict[str, Any]:
    """Tell what a person has set up."""
    found = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((each for each in found if each.type == Authenticator.Type.RECOVERY_CODES), None)
    return {
        "totp": next((_shown(each) for each in found if each.type == Authenticator.Type.TOTP), None),
        "passkeys": [_shown(each) for each in found if each.type == Authenticator.Type.WEBAUTHN],
        "recovery_codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
    }


def begin_totp(request: HttpRequest, user: User) -> dict[str, Any]:
    """Make a secret for an authenticator app: in letters, and as the squares of a QR code."""
    with asked(request, user):
        _refuse_second_app(user)
        require_confirmed(request)
        secret = ActivateTOTPForm(user=user).secret
        url = get_adapter().build_totp_url(user, secret)
    rows = list(segno.make(url, error="m", micro=False).matrix_iter(border=QUIET_ZONE))
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"secret": secret, "url": url, "qr_path": path, "qr_size": len(rows)}


def activate_totp(request: HttpRequest, user: User, code: str) -> list[str]:
    """Take an authenticator app that shows the right code; returns recovery codes if they were made with it."""
    with asked(request, user):
        _refuse_second_app(user)
        form = ActivateTOTPForm({"code": _typed(code)}, user=user)
        if not form.is_valid():
            raise Invalid({"code": _WRONG_CODE})
        _, codes = totp_flows.activate_totp(request, form)
        return _unused(codes)


def remove_totp(request: HttpRequest, user: User) -> None:
    """Forget the authenticator app; the last second factor takes its recovery codes along."""
    with asked(request, user):
        found = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
        if found is None:
            raise absent("authenticator app", user.username)
        totp_flows.deactivate_totp(request, found)


def renew_recovery_codes(request: HttpRequest, user: User) -> list[str]:
    """Make new recovery codes in place of the old ones."""
    with asked(request, user):
        if not second_factor.kinds_of(user):
            raise Conflict(_NO_FACTOR)
        return _unused(recovery_flows.generate_recovery_codes(request))


def begin_passkey(request: HttpRequest, user: User, *, alone: bool) -> dict[str, Any]:
    """Return what the browser needs to make a passkey, one that also signs in `alone` if asked for."""
    with asked(request, user):
        if Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).count() >= PASSKEYS_MAX:
            raise LimitExceeded(_MANY, max=PASSKEYS_MAX)
        options: dict[str, Any] = webauthn_flows.begin_registration(request, user, passwordless=alone)
        return options


def add_passkey(request: HttpRequest, user: User, name: str, credential: dict[str, Any]) -> list[str]:
    """Take a passkey the browser made; returns recovery codes if they were made with it."""
    with asked(request, user):
        form = AddWebAuthnForm({"name": name, "credential": credential}, user=user)
        if not _fits(form):
            raise Invalid({"credential": _WRONG_PASSKEY})
        _, codes = webauthn_flows.add_authenticator(request, name, credential)
        return _unused(codes)


def remove_passkey(request: HttpRequest, user: User, id: str) -> None:
    """Forget a passkey."""
    with asked(request, user):
        own = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
        found = own.filter(pk=int(id)).first() if id.isdecimal() and len(id) < 19 else None
        if found is None:
            raise NotFound(_NO_PASSKEY)
        webauthn_flows.remove_authenticator(request, found)


def passkey_options(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return what the browser needs to use a passkey of this person."""
    with asked(request, user):
        options: dict[str, Any] = webauthn.begin_authentication(user)
        return options


def options_for_anyone(request: HttpRequest) -> dict[str, Any]:
    """Return what the browser needs to use a passkey that knows whose it is."""
    with context.request_context(request):
        options: dict[str, Any] = webauthn.begin_authentication(None)
        return options


def person_of_passkey(request: HttpRequest, credential: dict[str, Any]) -> User | None:
    """Return whose passkey answered, once the device verified that it is them; None if the answer is wrong."""
    with context.request_context(request), transaction.atomic():
        form = LoginWebAuthnForm({"credential": credential})
        # Where a second step was begun, the device was not asked to verify anyone.
        begun = webauthn.get_state() or {}
        if begun.get("user_verification") != UserVerificationRequirement.REQUIRED or not _fits(form):
            return None
        user = TenantBackend().get_user(form.cleaned_data["credential"].user_id)
        if user is not None:
            form.save()
        return user


def passes(request: HttpRequest, user: User, code: str, credential: dict[str, Any] | None, *, again: bool) -> str:
    """Check a code or a passkey's answer; returns the kind it was, nothing if it is wrong.

    `again` for someone signed in, who shows that it is still them.
    """
    by_passkey, by_code = (
        (ReauthenticateWebAuthnForm, ReauthenticateForm) if again else (AuthenticateWebAuthnForm, AuthenticateForm)
    )
    with asked(request, user):
        if credential is not None:
            form = by_passkey({"credential": credential}, user=user)
        else:
            form = by_code({"code": _typed(code)}, user=user)
        if not _fits(form):
            return ""
        form.save()
        used = form.cleaned_data["credential"] if credential is not None else form.authenticator
        return str(used.type)


def confirm_password(request: HttpRequest, user: User) -> None:
    """Note that the person has just shown the password again."""
    record_authentication(request, user, method="password", reauthenticated=True)


def _fits(form: forms.Form) -> bool:
    try:
        return form.is_valid()
    except _UNREADABLE:
        return False


def _refuse_second_app(user: User) -> None:
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
        raise Conflict(_ALREADY)


def _typed(code: str) -> str:
    return "".join(code.split())


def _unused(codes: Authenticator | None) -> list[str]:
    return list(codes.wrap().get_unused_codes()) if codes is not None else []


def _shown(each: Authenticator) -> dict[str, Any]:
    used = each.last_used_at
    return {
        "id": str(each.pk),
        "name": each.data.get("name", ""),
        "alone": each.type == Authenticator.Type.WEBAUTHN and bool(each.wrap().is_passwordless),
        "created_ms": int(each.created_at.timestamp() * 1000),
        "used_ms": int(used.timestamp() * 1000) if used else None,
    }
