"""Who of us is who at a provider: linked by issuer and subject, never by name or mail address."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import structlog
from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from mainspring.core.errors import Conflict, NotAllowed
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.people import administration as people
from mainspring.records.people.provider import ProviderSection, SamlSection
from mainspring.records.people.user import User, normal
from mainspring.records.record import absent
from mainspring.records.tenant import Tenant
from mainspring.web.configure import current

AnySection = ProviderSection | SamlSection
log = structlog.get_logger(__name__)
KIND: Final = "provider-link"
SUBJECT_LENGTH_MAX: Final = 190
GROUPS_MAX: Final = 1000
_UNKNOWN: Final = Text(
    "{name} knows you, this platform does not yet. Sign in with your password and link both in your account, "
    "or ask your administrator.",
    "{name} 已确认您的身份，但本平台尚无您的账号。请先用密码登录并在“我的账号”中关联，或联系管理员。",
)
_DISABLED: Final = Text(
    "Your account here is disabled. Ask your administrator.", "您在此处的账号已停用，请联系管理员。"
)
_OTHERS: Final = Text(
    "This sign-in at {name} belongs to another account here. Remove it there first.",
    "{name} 的这一身份已关联其他账号，请先在该账号中解除。",
)
_LAST: Final = Text(
    "This is your only way to sign in. Have an administrator give you a password first.",
    "这是您唯一的登录方式，请先由管理员为您设置密码。",
)


def tenant_key(section: AnySection) -> str:
    """Return the company whose people a provider signs in."""
    return section.tenant or current().tenant


def person(section: AnySection, claims: dict[str, Any], address: str) -> User:
    """Return the person here whom a provider's claims tell of, made if that is allowed; raises NotAllowed."""
    with transaction.atomic():
        found = _links(section, str(claims["sub"])).select_for_update(of=("self",)).first()
        if found is None:
            return _created(section, claims, address)
        user: User = found.user
        if not user.enabled:
            raise NotAllowed(_DISABLED)
        found.save()  # notes when it was used last
        return _with_role(section, claims, user, address)


def link(section: AnySection, claims: dict[str, Any], user: User, author: Author) -> None:
    """Let someone signed in here be who the provider says; raises Conflict if that is someone else already."""
    with transaction.atomic():
        subject = str(claims["sub"])
        found = SocialAccount.objects.filter(provider=section.linked_as, uid=subject).first()
        if user.tenant.key != tenant_key(section) or (found is not None and found.user_id != user.pk):
            raise Conflict(_OTHERS, name=section.name)
        if found is None:
            _link(section, subject, user, author)


def links_of(user: User) -> list[dict[str, Any]]:
    """Tell where else a person signs in."""
    return [
        {
            "issuer": each.provider,
            "linked_ms": int(each.date_joined.timestamp() * 1000),
            "used_ms": int(each.last_login.timestamp() * 1000),
        }
        for each in SocialAccount.objects.filter(user=user).order_by("date_joined")
    ]


def unlink(issuer: str, user: User, author: Author) -> None:
    """Forget who someone is at a provider; raises Conflict where it is the only way in."""
    with transaction.atomic():
        own = SocialAccount.objects.filter(user=user)
        if not own.filter(provider=issuer).exists():
            raise absent("link", issuer)
        if not user.has_usable_password() and own.count() == 1:
            raise Conflict(_LAST)
        own.filter(provider=issuer).delete()
        append(author, [Deed(Action.DELETE, KIND, str(user.id), changes={"issuer": [issuer, None]})])


def _links(section: AnySection, subject: str) -> Any:
    rows = SocialAccount.objects.select_related("user__tenant")
    return rows.filter(provider=section.linked_as, uid=subject, user__tenant__key=tenant_key(section))


def _link(section: AnySection, subject: str, user: User, author: Author) -> None:
    if len(subject) > SUBJECT_LENGTH_MAX:
        raise NotAllowed(_UNKNOWN, name=section.name)
    # What the provider told beside the subject is not kept: nothing here needs it.
    SocialAccount.objects.create(user=user, provider=section.linked_as, uid=subject, extra_data={})
    append(author, [Deed(Action.CREATE, KIND, str(user.id), changes={"issuer": [None, section.linked_as]})])


def _created(section: AnySection, claims: dict[str, Any], address: str) -> User:
    subject = str(claims["sub"])
    tenant = Tenant.objects.filter(key=tenant_key(section)).first()
    taken = SocialAccount.objects.filter(provider=section.linked_as, uid=subject).exists()
    if not section.create or tenant is None or taken:
        raise NotAllowed(_UNKNOWN, name=section.name)
    display_name = claims.get("name")
    user = User(
        tenant=tenant, username=_free_name(tenant, claims), role=_role(section, claims),
        display_name=display_name[:120] if isinstance(display_name, str) else "",
    )  # fmt: skip
    user.set_unusable_password()
    author = Author(tenant, user.pseudonym, address)
    changes.create(author, user)
    _link(section, subject, user, author)
    return user


def _free_name(tenant: Tenant, claims: dict[str, Any]) -> str:
    told = claims.get("preferred_username")
    name = "-".join(normal(told).replace("/", "-").split())[:48] if isinstance(told, str) else ""
    mark = hashlib.sha256(str(claims["sub"]).encode()).hexdigest()[:12]
    if not name:
        return f"person-{mark}"
    # Whoever has the name here already is someone else, or has not linked it: a name proves nothing.
    return f"{name}-{mark}" if User.objects.filter(tenant=tenant, username=name).exists() else name


def _with_role(section: AnySection, claims: dict[str, Any], user: User, address: str) -> User:
    role = _role(section, claims)
    if not section.groups or user.role == role:
        return user
    try:
        return people.modify(Author(user.tenant, user.pseudonym, address), user.id, {"role": role}, None)
    except Conflict as error:
        # The last administrator stays one, whatever the provider says.
        log.warning("sign_in.role_kept", user=str(user.id), reason=error.text.en)
        return user


def _role(section: AnySection, claims: dict[str, Any]) -> str:
    told = claims.get(section.groups_claim)
    groups = told[:GROUPS_MAX] if isinstance(told, list) else []
    return str(section.role_of(frozenset(each for each in groups if isinstance(each, str))))
