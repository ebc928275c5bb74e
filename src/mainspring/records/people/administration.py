"""What administrators do with people: add, change, forget, reset, sign out."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.db import transaction
from pydantic import AfterValidator, Field, SecretStr

from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import HIDDEN, Action, Author, Deed, append
from mainspring.records.draft import Draft, merged
from mainspring.records.faults import Invalid
from mainspring.records.first_start import random_password
from mainspring.records.people.passwords import check_password
from mainspring.records.people.sign_in import PASSWORD_LENGTH_MAX, unlock
from mainspring.records.people.user import User, normal
from mainspring.records.record import absent, require_version
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

_TAKEN: Final = Text("There is already a user {name}.", "已有用户 {name}。")
_NO_PASSWORD: Final = Text(
    "A service account has no password and cannot sign in; its tokens are all there is.",
    "服务账号没有密码且不能登录，仅可使用令牌。",
)
_LAST: Final = Text(
    "This is the last administrator who can sign in. Make another one first.",
    "这是最后一位可登录的管理员，请先另设一位。",
)


class UserFields(Draft):
    """What administrators may change of a person."""

    username: Annotated[str, AfterValidator(normal)] = Field(min_length=1, max_length=64, pattern=r"^[^\s/]+$")
    display_name: str = Field(default="", max_length=120)
    role: Role = Role.VIEWER
    enabled: bool = True
    language: Literal["", "zh", "en"] = ""


class UserDraft(UserFields):
    """A new person; without a password one is made. A service account has none."""

    service: bool = False
    password: SecretStr | None = Field(default=None, max_length=PASSWORD_LENGTH_MAX)


def find(tenant: Tenant, id: UUID) -> User:
    """Return a person of the tenant; raises NotFound."""
    user = User.objects.select_related("tenant").filter(tenant=tenant, pk=id).first()
    if user is None:
        raise absent("user", id)
    return user


def create(author: Author, draft: UserDraft) -> tuple[User, str | None]:
    """Store a new person; returns the password if it was made here."""
    if draft.service and draft.password is not None:
        raise Invalid({"password": _NO_PASSWORD})
    with transaction.atomic():
        user = User(tenant=author.tenant, must_change_password=not draft.service, service=draft.service)
        fill(user, draft)
        if draft.service:
            user.set_unusable_password()
            changes.create(author, user)
            return user, None
        chosen = draft.password.get_secret_value() if draft.password else None
        password = chosen or random_password()
        check_password(password, user, "password")
        user.set_password(password)
        changes.create(author, user)
    return user, None if chosen else password


def enter(author: Author, fields: UserFields, password: str, user: User | None = None) -> User:
    """Store a person who chose name and password themselves; raises Invalid."""
    with transaction.atomic():
        made = user or User(tenant=author.tenant)
        fill(made, fields)
        check_password(password, made, "password")
        made.set_password(password)
        changes.create(author, made)
    return made


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> User:
    """Change a person."""
    with transaction.atomic():
        user = find(author.tenant, id)
        require_version(user, version)
        before = user.document()
        fill(user, merged(UserFields, before, patch))
        was = before["role"] == Role.ADMINISTRATOR and not user.service
        if was and (user.role != Role.ADMINISTRATOR or not user.enabled):
            _keep_one_administrator(user)
        changes.change(author, user, before)
    return user


def delete(author: Author, id: UUID, version: int | None) -> None:
    """Forget a person: name and pseudonym go, tokens end."""
    with transaction.atomic():
        user = find(author.tenant, id)
        require_version(user, version)
        if not user.service:
            _keep_one_administrator(user)
        changes.delete(author, user)


def reset_password(author: Author, id: UUID) -> str:
    """Make a new password that must be changed at the next sign-in; ends sessions and a lock-out."""
    with transaction.atomic():
        user = find(author.tenant, id)
        if user.service:
            raise Conflict(_NO_PASSWORD)
        before, password = user.document(), random_password()
        user.set_password(password)
        user.must_change_password = True
        changes.change(author, user, before, extra={"password": [HIDDEN, HIDDEN]})
        unlock(user.get_username())
    return password


def sign_out(author: Author, id: UUID) -> None:
    """End all sessions of a person."""
    with transaction.atomic():
        user = find(author.tenant, id)
        user.sign_outs += 1
        user.save(update_fields=["sign_outs"])
        user.sessions.all().delete()
        append(author, [Deed(Action.SIGN_OUT, "user", str(user.id))])


def fill(user: User, draft: UserFields) -> None:
    """Take over what a form says; raises Invalid for a name that is taken."""
    if User.objects.filter(tenant=user.tenant, username=draft.username).exclude(pk=user.pk).exists():
        raise Invalid({"username": _TAKEN.format(name=draft.username)})
    user.username, user.display_name, user.language = draft.username, draft.display_name, draft.language
    user.role, user.enabled = str(draft.role), draft.enabled


def _keep_one_administrator(user: User) -> None:
    administrators = User.objects.filter(tenant=user.tenant, role=Role.ADMINISTRATOR, enabled=True, service=False)
    others = administrators.exclude(pk=user.pk)
    # The row lock of the tenant keeps two administrators from removing each other at once.
    Tenant.objects.select_for_update().get(pk=user.tenant_id)
    if not others.exists():
        raise Conflict(_LAST)
