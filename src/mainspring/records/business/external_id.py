"""What other systems call a record here."""

from __future__ import annotations

from uuid import UUID

from mainspring.core.text import Text
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined, meant
from mainspring.records.defined.shape import Group, Shape
from mainspring.records.record import Record
from mainspring.records.tenant import Tenant


class ExternalId(Defined):
    """The name another system has for a record: which system, which of its tables, which row, in which version."""

    system = fields.code(Text("System", "系统"), length=64)
    entity = fields.code(Text("Entity", "实体"), length=64, hint=Text("its table or document type", "其表或单据类型"))
    number = fields.code(Text("Id there", "对方标识"), length=200)
    edition = fields.code(Text("Version there", "对方版本"), length=64, need=False)
    about = fields.anything(Text("Record here", "本平台记录"), need=True)

    kind = "external-id"
    shape = Shape(
        one=Text("External id", "外部标识"),
        many=Text("External ids", "外部标识"),
        group=Group.PLATFORM,
        key=("system", "entity", "number"),
        title="number",
        columns=("system", "entity", "number", "edition", "about"),
        found_by=("system", "entity", "number"),
    )


def known_as(tenant: Tenant, system: str, entity: str, number: str) -> Record | None:
    """Return the record that another system calls so, None if it is not known here."""
    found = ExternalId.objects.of(tenant).filter(system=system, entity=entity, number=number).first()
    return meant(tenant, found.about) if found is not None else None


def ids_of(tenant: Tenant, system: str, entity: str) -> dict[str, UUID]:
    """Return the ids here of all records of one entity of another system, by their ids there."""
    rows = ExternalId.objects.of(tenant).filter(system=system, entity=entity).values_list("number", "about")
    return {number: UUID(about.partition(":")[2]) for number, about in rows}
