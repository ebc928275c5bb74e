"""Users of SCIM: the people of a company, without its service accounts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from scim2_models import (
    EnterpriseUser,
    InvalidValueException,
    NotFoundException,
    UniquenessException,
)
from scim2_models import User as Account

from mainspring.records import changes
from mainspring.records.access.assignment import Assignment
from mainspring.records.audit import HIDDEN
from mainspring.records.defined.access import Access
from mainspring.records.draft import check
from mainspring.records.people import administration as people
from mainspring.records.people.administration import UserFields
from mainspring.records.people.passwords import check_password
from mainspring.records.people.provisioned import Provisioned
from mainspring.records.people.user import User, normal
from mainspring.records.rights import Role

Person = Account[EnterpriseUser]
ATTRIBUTES_BYTES_MAX: Final = 2**20
_OURS: Final = frozenset({"id", "meta", "groups", "password"})
"""What is not kept of what is sent: it is told of the tables, or never."""


class People:
    """Reads and writes people as SCIM says them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tenant = access.author.tenant

    def candidates(self, where: Q) -> QuerySet[User]:
        """Return people that may match."""
        rows = User.objects.filter(where, tenant=self._tenant, service=False)
        return rows.select_related("tenant", "provisioned").order_by("created_ms", "id")

    def equal(self, name: str, value: str) -> Q:
        """Return the condition by which the table finds an attribute's value."""
        if name == "id":
            return Q(pk=id_of(value))
        if name == "username":
            return Q(username=normal(value))
        return Q(provisioned__external_id=value) if name == "externalid" else Q()

    def find(self, id: str, *, held: bool = False) -> User:
        """Return a person, held against others until the operation ends."""
        rows = self.candidates(Q(pk=id_of(id)))
        found = (rows.select_for_update(of=("self",)) if held else rows).first()
        if found is None:
            raise NotFoundException(detail=f"There is no user {id}")
        return found

    def version(self, user: User) -> str:
        """Return the entity tag."""
        kept = kept_of(user)
        return f'W/"{user.version}.{kept.version if kept else 0}"'

    def resource(self, user: User) -> Any:
        """Return a person as SCIM says it."""
        kept = kept_of(user)
        told = dict(kept.attributes) if kept else {}
        if normal(told.get("userName", "")) != user.username:
            told["userName"] = user.username
        if kept is None or "active" in told or not user.enabled:
            told["active"] = user.enabled
        if _called(told) != user.display_name:
            told["displayName"] = user.display_name
        groups = memberships(Q(person=user, role__isnull=False)).select_related("role")
        told["groups"] = [
            {"value": str(row.role_id), "$ref": f"Groups/{row.role_id}", "display": row.role.code, "type": "direct"}
            for row in groups if row.role is not None
        ]  # fmt: skip
        told |= {"id": str(user.pk), "meta": meta("User", user, kept, self.version(user))}
        return Person.model_validate(told)

    def create(self, account: Any) -> User:
        """Make a person, who may sign in without any right until a role is assigned."""
        self._refuse_taken(account, None)
        user = User(tenant=self._tenant, must_change_password=False)
        fields = {"role": Role.GUEST, "enabled": account.active is not False, **_fields(account)}
        people.fill(user, check(UserFields, fields))
        user.set_unusable_password()
        self._choose_password(user, account)
        changes.create(self._access.author, user)
        self._keep(user, account)
        return self.find(str(user.pk))

    def update(self, user: User, account: Any) -> User:
        """Change a person; who is not active any more is signed out everywhere, and their tokens rest."""
        self._refuse_taken(account, user)
        author, before = self._access.author, user.password
        self._choose_password(user, account)
        if user.password != before:
            changes.change(author, user, user.document(), extra={"password": [HIDDEN, HIDDEN]})
        enabled = account.active is not False
        people.modify(author, user.pk, {"enabled": enabled, **_fields(account)}, None)
        if not enabled:
            user.sessions.all().delete()
        self._keep(user, account)
        return self.find(str(user.pk))

    def delete(self, user: User) -> None:
        """Forget a person."""
        people.delete(self._access.author, user.pk, None)

    def _refuse_taken(self, account: Any, user: User | None) -> None:
        rows = User.objects.filter(tenant=self._tenant, username=normal(account.user_name or ""))
        if (rows.exclude(pk=user.pk) if user is not None else rows).exists():
            raise UniquenessException(detail="This userName is taken")

    def _choose_password(self, user: User, account: Any) -> None:
        if account.password:
            # Likeness to the name is not asked of what a machine made up.
            check_password(account.password, User(), "password")
            user.set_password(account.password)

    def _keep(self, user: User, account: Any) -> None:
        keep(self._access, account, user=user)


def _fields(account: Any) -> dict[str, Any]:
    told = dumped(account)
    language = (account.preferred_language or "")[:2].lower()
    return {
        "username": account.user_name or "", "display_name": _called(told),
        "language": language if language in {"zh", "en"} else "",
    }  # fmt: skip


def _called(told: dict[str, Any]) -> str:
    """Return the name that is shown of a person."""
    name = told.get("name") or {}
    parts = " ".join(filter(None, (name.get("givenName"), name.get("familyName"))))
    return str(told.get("displayName") or name.get("formatted") or parts)[:120]


def dumped(resource: Any) -> dict[str, Any]:
    """Return a resource as it was sent, without what is told of the tables."""
    sent = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: value for name, value in sent.items() if name not in _OURS}


def keep(access: Access, resource: Any, **whose: Any) -> None:
    """Keep what was sent beyond what the tables hold."""
    attributes = dumped(resource)
    if len(json.dumps(attributes)) > ATTRIBUTES_BYTES_MAX:
        raise InvalidValueException(detail=f"The attributes are larger than {ATTRIBUTES_BYTES_MAX} bytes")
    external = str(resource.external_id or "")[:250]
    kept = Provisioned.objects.of(access.author.tenant).filter(**whose).first()
    if kept is None:
        made = Provisioned(tenant=access.author.tenant, external_id=external, attributes=attributes, **whose)
        changes.create(access.author, made)
    elif (kept.external_id, kept.attributes) != (external, attributes):
        kept.external_id, kept.attributes = external, attributes
        changes.change(access.author, kept, kept.document(), extra={"attributes": [HIDDEN, HIDDEN]})


def kept_of(record: Any) -> Provisioned | None:
    """Return what is kept of a person or role beside its own row."""
    return getattr(record, "provisioned", None)


def memberships(where: Q) -> QuerySet[Assignment]:
    """Return the assignments that SCIM sees: of a role, in the whole plant and without conditions."""
    plain = Q(place=None, calendar=None, company="", from_ms=None, until_ms=None)
    return Assignment.objects.filter(where, plain, person__isnull=False).order_by("number")


def id_of(text: str) -> UUID | None:
    """Return an id, None for what cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def meta(sort: str, record: Any, kept: Provisioned | None, version: str) -> dict[str, Any]:
    """Return what SCIM tells of a record itself."""
    changed_ms = max(record.changed_ms, kept.changed_ms if kept else 0)
    return {
        "resourceType": sort, "version": version,
        "created": datetime.fromtimestamp(record.created_ms / 1000, UTC).isoformat(),
        "lastModified": datetime.fromtimestamp(changed_ms / 1000, UTC).isoformat(),
    }  # fmt: skip
