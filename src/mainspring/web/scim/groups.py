"""Groups of SCIM: the roles that a company defines, and who has them in the whole plant."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q, QuerySet
from scim2_models import Group, InvalidValueException, NotFoundException, UniquenessException

from mainspring.records.access.assignment import Assignment
from mainspring.records.access.role import CompanyRole
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.people.user import User
from mainspring.web.scim.people import id_of, keep, kept_of, memberships, meta

CODE_MAX: Final = 32
MEMBERS_MAX: Final = 5000
REASON: Final = "SCIM"


class Groups:
    """Reads and writes roles as SCIM says them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tenant = access.author.tenant

    def candidates(self, where: Q) -> QuerySet[CompanyRole]:
        """Return roles that may match."""
        rows = CompanyRole.objects.of(self._tenant).filter(where)
        return rows.select_related("tenant", "provisioned").order_by("created_ms", "id")

    def equal(self, name: str, value: str) -> Q:
        """Return the condition by which the table finds an attribute's value."""
        if name == "id":
            return Q(pk=id_of(value))
        return Q(provisioned__external_id=value) if name == "externalid" else Q()

    def find(self, id: str, *, held: bool = False) -> CompanyRole:
        """Return a role, held against others until the operation ends."""
        rows = self.candidates(Q(pk=id_of(id)))
        found = (rows.select_for_update(of=("self",)) if held else rows).first()
        if found is None:
            raise NotFoundException(detail=f"There is no group {id}")
        return found

    def version(self, role: CompanyRole) -> str:
        """Return the entity tag; who is a member is part of it."""
        kept, members = kept_of(role), memberships(Q(role=role)).values_list("pk", flat=True)
        mark = hash(frozenset(members)) & 0xFFFFFFFF
        return f'W/"{role.version}.{kept.version if kept else 0}.{mark:x}"'

    def resource(self, role: CompanyRole) -> Any:
        """Return a role as SCIM says it."""
        kept = kept_of(role)
        told = dict(kept.attributes) if kept else {}
        told["displayName"] = _called(role)
        sent = {each.get("value"): each.get("display") for each in told.get("members", ())}
        rows = memberships(Q(role=role)).select_related("person")
        told["members"] = [
            {"value": str(row.person_id), "$ref": f"Users/{row.person_id}", "type": "User",
             "display": sent.get(str(row.person_id)) or row.person.display_name or row.person.username}
            for row in rows if row.person is not None
        ]  # fmt: skip
        told |= {"id": str(role.pk), "meta": meta("Group", role, kept, self.version(role))}
        return Group.model_validate(told)

    def create(self, group: Any) -> CompanyRole:
        """Make a role; what it may do, an administrator says."""
        name = str(group.display_name or "")
        self._refuse_taken(name, None)
        role = writing.create(self._access, CompanyRole, {"code": self._code(name), "name": {"en": name, "zh": ""}})
        self._assign(role, group)
        keep(self._access, group, role=role)
        return self.find(str(role.pk))

    def update(self, role: CompanyRole, group: Any) -> CompanyRole:
        """Change name and members of a role."""
        name = str(group.display_name or "")
        self._refuse_taken(name, role)
        if name != _called(role):
            words = {**role.name, "en": name} if role.name.get("en") else {**role.name, "zh": name}
            writing.modify(self._access, CompanyRole, role.pk, {"name": words}, None)
        self._assign(role, group)
        keep(self._access, group, role=role)
        return self.find(str(role.pk))

    def delete(self, role: CompanyRole) -> None:
        """Remove a role; one that is also assigned in a part of the plant stays, and the answer says so."""
        for row in memberships(Q(role=role)):
            writing.remove(self._access, Assignment, row.pk, None)
        writing.remove(self._access, CompanyRole, role.pk, None)

    def _refuse_taken(self, name: str, role: CompanyRole | None) -> None:
        if not name:
            raise InvalidValueException(detail="displayName is needed")
        rows = CompanyRole.objects.of(self._tenant).filter(Q(name__en=name) | Q(code=name))
        if (rows.exclude(pk=role.pk) if role is not None else rows).exists():
            raise UniquenessException(detail="This displayName is taken")

    def _code(self, name: str) -> str:
        """Return a short name nobody has."""
        taken = set(CompanyRole.objects.of(self._tenant).values_list("code", flat=True))
        code, number = name.strip()[:CODE_MAX], 1
        while code in taken:
            number += 1
            code = f"{name.strip()[: CODE_MAX - 6]}-{number}"
        return code

    def _assign(self, role: CompanyRole, group: Any) -> None:
        wanted = {id_of(str(member.value or "")) for member in group.members or ()}
        if len(wanted) > MEMBERS_MAX:
            raise InvalidValueException(detail=f"At most {MEMBERS_MAX} members")
        rows = {row.person_id: row for row in memberships(Q(role=role))}
        for gone in rows.keys() - wanted:
            writing.remove(self._access, Assignment, rows[gone].pk, None)
        new = wanted - rows.keys()
        known = set(
            User.objects.filter(
                tenant=self._tenant, service=False, pk__in=[id for id in new if id is not None]
            ).values_list("pk", flat=True)
        )
        if new - known:
            raise InvalidValueException(detail="Members are users of this company, and each exists")
        for id in sorted(known):
            fields = {"person": str(id), "role": str(role.pk), "reason": REASON}
            writing.create(self._access, Assignment, fields)


def _called(role: CompanyRole) -> str:
    return str(role.name.get("en") or role.name.get("zh") or role.code)
