"""Second factors: the second step of a sign-in, what people set up for themselves, what administrators ask of them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field, SecretStr, model_validator

from mainspring.core.errors import Conflict, NotAllowed
from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records.audit import Action, Deed, append
from mainspring.records.in_force import for_platform
from mainspring.records.people import second_factor
from mainspring.records.people.sign_in import PASSWORD_LENGTH_MAX
from mainspring.records.rights import Requirement, Right
from mainspring.records.tenant import Tenant
from mainspring.web.accounts import factors, steps
from mainspring.web.api.session import SessionOut, person_of, signed_in
from mainspring.web.security import REQUIRED, Needs, actor_of, require_csrf

router = Router(tags=["second factor"])
OWN: Final = Needs(Right.SIGN_IN, even_without_second_factor=True)
CODE_LENGTH_MAX: Final = 32
_ONE: Final = Text("Send a code or a passkey's answer.", "请提供验证码或通行密钥的应答。")
_SOMETHING: Final = Text("Send the password, a code or a passkey's answer.", "请提供密码、验证码或通行密钥的应答。")
_OWN_FIRST: Final = Text(
    "Set up a second factor for yourself first, or you would be shut out.",
    "请先为自己设置第二因素，否则您将无法继续操作。",
)


class Proof(Schema):
    """A code of an authenticator app, a recovery code, or what the browser answers for a passkey."""

    code: str = Field(default="", max_length=CODE_LENGTH_MAX)
    passkey: dict[str, Any] | None = None


class SecondStep(Proof):
    """Code or passkey."""

    @model_validator(mode="after")
    def _one(self) -> SecondStep:
        if not self.code.strip() and self.passkey is None:
            raise fault(_ONE)
        return self


class Confirmation(Proof):
    """Password, code or passkey."""

    password: SecretStr = Field(default=SecretStr(""), max_length=PASSWORD_LENGTH_MAX)

    @model_validator(mode="after")
    def _one(self) -> Confirmation:
        if not (self.code.strip() or self.passkey is not None or self.password.get_secret_value()):
            raise fault(_SOMETHING)
        return self


class FactorOut(Schema):
    """An authenticator app or a passkey."""

    id: str
    name: str
    created_ms: int
    used_ms: int | None
    alone: bool = Field(description="a passkey that signs in by itself, without name and password")


class FactorsOut(Schema):
    """What the person has set up."""

    totp: FactorOut | None
    passkeys: list[FactorOut]
    recovery_codes_left: int
    required: bool = Field(description="the company or the platform asks for a second factor")


class AppOut(Schema):
    """A secret for an authenticator app: typed, or read as the QR code whose dark squares are an SVG path."""

    secret: str
    url: str
    qr_path: str
    qr_size: int


class Code(Schema):
    """The code that the authenticator app shows."""

    code: str = Field(min_length=1, max_length=CODE_LENGTH_MAX)


class CodesOut(Schema):
    """Recovery codes, shown this once; empty where there were some already."""

    recovery_codes: list[str]


class OptionsOut(Schema):
    """What the browser's `navigator.credentials` needs, as WebAuthn writes it in JSON."""

    options: dict[str, Any]


class ByPasskey(Schema):
    """What the browser answers for a passkey that knows whose it is."""

    passkey: dict[str, Any]


class NewPasskey(Schema):
    """A passkey the browser made."""

    name: str = Field(min_length=1, max_length=80)
    passkey: dict[str, Any]


class RequirementOut(Schema):
    """Of whom the company asks a second factor, and of whom the platform does in any case."""

    required_of: Requirement
    platform: Requirement


class RequirementDraft(Schema):
    """Of whom the company asks a second factor."""

    model_config = {"extra": "forbid"}
    required_of: Requirement


@router.post("/session/second-step", auth=None, response=SessionOut)
def second_step(request: HttpRequest, body: SecondStep) -> Status[dict[str, Any]]:
    """Take the second step of a sign-in; codes are counted like passwords, and too many wrong ones lock."""
    require_csrf(request)
    with for_platform():
        user, by = steps.pending(request)
        kind = factors.passes(request, user, body.code, body.passkey, again=False)
        if not kind:
            steps.second_step_failed(request, user)
        return signed_in(request, user, by, second=kind)


@router.post("/session/passkey", auth=None, response=OptionsOut)
def passkey_options(request: HttpRequest) -> dict[str, Any]:
    """Begin to use a passkey: for the second step, or for someone signed in to confirm that it is them."""
    require_csrf(request)
    actor = request.actor  # type: ignore[attr-defined]
    if actor is not None and actor.user is not None and actor.token is None:
        return {"options": factors.passkey_options(request, actor.user)}
    with for_platform():
        user, _ = steps.pending(request)
        return {"options": factors.passkey_options(request, user)}


@router.post("/session/by-passkey/begin", auth=None, response=OptionsOut)
def begin_by_passkey(request: HttpRequest) -> dict[str, Any]:
    """Begin to sign in with a passkey alone, without a name."""
    require_csrf(request)
    with for_platform():
        steps.refuse_locked(request, steps.ANY_PASSKEY)
        if request.actor is None:  # type: ignore[attr-defined]
            request.session.set_expiry(steps.PENDING_S)
        return {"options": factors.options_for_anyone(request)}


@router.post("/session/by-passkey", auth=None, response=SessionOut)
def sign_in_by_passkey(request: HttpRequest, body: ByPasskey) -> Status[dict[str, Any]]:
    """Sign in with a passkey alone: the device has verified the person, which is the second factor."""
    require_csrf(request)
    with for_platform():
        steps.refuse_locked(request, steps.ANY_PASSKEY)
        user = factors.person_of_passkey(request, body.passkey)
        if user is None:
            steps.passkey_failed(request)
        steps.refuse_locked(request, user.get_username())
        return signed_in(request, user, steps.PASSKEY)


@router.post("/session/confirm", auth=OWN, response={204: None})
def confirm(request: HttpRequest, body: Confirmation) -> Status[None]:
    """Confirm that it is still the same person; needed before second factors change, for five minutes."""
    user = person_of(request)
    steps.refuse_locked(request, user.get_username())
    if body.password.get_secret_value():
        steps.proven(request, user.get_username(), body.password)
        factors.confirm_password(request, user)
    elif not factors.passes(request, user, body.code, body.passkey, again=True):
        steps.second_step_failed(request, user)
    return Status(204, None)


@router.get("/session/second-factor", auth=OWN, response=FactorsOut)
def own_factors(request: HttpRequest) -> dict[str, Any]:
    """Show one's own second factors."""
    actor, user = actor_of(request), person_of(request)
    required = Requirement(actor.tenant.second_factor).asks(actor.rights) or REQUIRED.asks(actor.rights)
    return factors.state_of(user) | {"required": required}


@router.post("/session/second-factor/totp/begin", auth=OWN, response=AppOut)
def begin_totp(request: HttpRequest) -> dict[str, Any]:
    """Make a secret for an authenticator app; it counts once a code of it was sent."""
    return factors.begin_totp(request, person_of(request))


@router.post("/session/second-factor/totp", auth=OWN, response=CodesOut)
def add_totp(request: HttpRequest, body: Code) -> dict[str, Any]:
    """Take the authenticator app that shows this code."""
    return {"recovery_codes": factors.activate_totp(request, person_of(request), body.code)}


@router.delete("/session/second-factor/totp", auth=OWN, response={204: None})
def remove_totp(request: HttpRequest) -> Status[None]:
    """Remove the authenticator app."""
    factors.remove_totp(request, person_of(request))
    return Status(204, None)


@router.post("/session/second-factor/recovery-codes", auth=OWN, response=CodesOut)
def renew_recovery_codes(request: HttpRequest) -> dict[str, Any]:
    """Make new recovery codes; the old ones hold no longer."""
    return {"recovery_codes": factors.renew_recovery_codes(request, person_of(request))}


@router.post("/session/second-factor/passkeys/begin", auth=OWN, response=OptionsOut)
def begin_passkey(request: HttpRequest, alone: bool = False) -> dict[str, Any]:
    """Begin to make a passkey; `alone` for one that also signs in by itself, which not every device can."""
    return {"options": factors.begin_passkey(request, person_of(request), alone=alone)}


@router.post("/session/second-factor/passkeys", auth=OWN, response=CodesOut)
def add_passkey(request: HttpRequest, body: NewPasskey) -> dict[str, Any]:
    """Take a passkey the browser made."""
    return {"recovery_codes": factors.add_passkey(request, person_of(request), body.name.strip(), body.passkey)}


@router.delete("/session/second-factor/passkeys/{id}", auth=OWN, response={204: None})
def remove_passkey(request: HttpRequest, id: str) -> Status[None]:
    """Remove a passkey."""
    factors.remove_passkey(request, person_of(request), id)
    return Status(204, None)


@router.post("/users/{uuid:id}/reset-second-factor", auth=Needs(Right.ADMINISTER), response={204: None})
def reset_second_factor(request: HttpRequest, id: UUID) -> Status[None]:
    """Take all second factors from someone who lost them; their sessions end."""
    second_factor.reset(actor_of(request).author, id)
    return Status(204, None)


@router.get("/access/second-factor", auth=Needs(Right.ADMINISTER), response=RequirementOut)
def requirement(request: HttpRequest) -> dict[str, Any]:
    """Tell of whom a second factor is asked."""
    return {"required_of": actor_of(request).tenant.second_factor, "platform": REQUIRED}


@router.put("/access/second-factor", auth=Needs(Right.ADMINISTER), response=RequirementOut)
def require(request: HttpRequest, draft: RequirementDraft) -> dict[str, Any]:
    """Ask a second factor of administrators or of everyone in the company, from their next click on."""
    actor = actor_of(request)
    if actor.user is None or actor.token is not None:
        raise NotAllowed(_OWN_FIRST)
    if draft.required_of is not Requirement.NOBODY and not second_factor.kinds_of(actor.user):
        raise Conflict(_OWN_FIRST)
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=actor.tenant.pk)
        before, tenant.second_factor = tenant.second_factor, draft.required_of
        if before != tenant.second_factor:
            tenant.version += 1
            tenant.save(update_fields=["second_factor", "version"])
            changed = {"second_factor": [str(before), str(tenant.second_factor)]}
            append(actor.author, [Deed(Action.CHANGE, "tenant", str(tenant.pk), tenant.key, changed)])
    return {"required_of": tenant.second_factor, "platform": REQUIRED}
