"""Companies that one deals with on this platform: above and below it in the tree, and those of its grants."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.db.models import Q

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.access import granted
from mainspring.records.access.grant import Grant
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.faults import Invalid
from mainspring.records.in_force import for_platform
from mainspring.records.tenant import Tenant, below, now_ms

_NONE: Final = Text("There is no company {key!r}.", "没有企业“{key}”。")
_CIRCLE: Final = Text(
    "{key} lies above {parent}, so it cannot lie below it.", "{key} 是 {parent} 的上级，不能置于其下。"
)


@for_platform()
def dealt_with(tenant: Tenant, key: str) -> Tenant | None:
    """Return a company by its key if this one deals with it; whether there are others is not told."""
    found = Tenant.objects.filter(key=key).first()
    if found is None or found == tenant:
        return found
    now = now_ms()
    given = Grant.objects.of(tenant).filter(Q(until_ms__gt=now), company=key, state="given")
    if given.exists() or granted.in_force(tenant).filter(tenant=found).exists():
        return found
    return found if found in below(tenant) or tenant in below(found) else None


@for_platform()
def put_below(author: Author, key: str, parent: str) -> Tenant:
    """Put a company below another one, or below none; it stands in its own audit. Raises NotFound or Invalid."""
    with transaction.atomic():
        moved, above = _named(key), _named(parent) if parent else None
        if above is not None and (above == moved or above in below(moved)):
            raise Invalid({"parent": _CIRCLE.format(key=key, parent=parent)})
        before = moved.parent.key if moved.parent else ""
        if before != parent:
            moved.parent = above
            moved.version += 1
            moved.save(update_fields=["parent", "version"])
            deed = Deed(Action.CHANGE, "tenant", str(moved.pk), moved.key, {"parent": [before, parent]})
            append(Author(moved, author.pseudonym, author.address), [deed])
    return moved


def _named(key: str) -> Tenant:
    # Held: two moves at once must not make a circle.
    found = Tenant.objects.select_for_update(of=("self",)).select_related("parent").filter(key=key).first()
    if found is None:
        raise NotFound(_NONE, key=key)
    return found
