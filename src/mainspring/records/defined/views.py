"""Saved views: lists as people filtered and sorted them, by a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction

from mainspring.core.errors import LimitExceeded, NotAllowed
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.defined import listing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.attached import NAME_MAX
from mainspring.records.defined.kinds import KIND_MAX, Defined
from mainspring.records.faults import Invalid
from mainspring.records.record import Record, absent, require_version
from mainspring.records.rights import Right

VIEWS_MAX: Final = 100
_NOT_YOURS: Final = Text("Only who saved this view can change it.", "只有保存者可以修改此视图。")
_MANY: Final = Text("You have {limit} views of this list. Remove some first.", "您已保存 {limit} 个视图，请先删除。")
_SHARE: Final = Text(
    "Views for everyone are saved by who may configure. Save it for yourself.",
    "共享视图须有配置权限，可保存为个人视图。",
)
_TAKEN: Final = Text("You have a view of this name.", "已有同名视图。")


class SavedView(Record):
    """A list as someone filtered and sorted it, by a name; for oneself, or for everyone who may see the kind."""

    object_kind = models.CharField(max_length=KIND_MAX)
    name = models.CharField(max_length=NAME_MAX)
    query: models.JSONField[Any, Any] = models.JSONField(default=dict)
    shared = models.BooleanField(default=False)
    pseudonym: models.UUIDField[UUID | None, UUID | None] = models.UUIDField(null=True)

    kind = "view"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "object_kind", "pseudonym", "name"], name="view_name")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.object_kind}"

    def label(self) -> str:
        """Return its name in the audit."""
        return self.name

    def document(self) -> dict[str, Any]:
        """Return the form the API and the audit show."""
        return {
            "id": self.id, "version": self.version, "kind": self.object_kind, "name": self.name, "query": self.query,
            "shared": self.shared, "by": self.pseudonym, "created_ms": self.created_ms, "changed_ms": self.changed_ms,
        }  # fmt: skip


def views_of(access: Access, kind: type[Defined]) -> list[SavedView]:
    """Return the saved views of a kind: one's own and those for everyone."""
    access.require(kind, Doing.VIEW)
    rows = SavedView.objects.of(access.author.tenant).filter(object_kind=kind.kind)
    mine = models.Q(shared=True) | models.Q(pseudonym=access.author.pseudonym)
    return list(rows.filter(mine).order_by("name", "id")[: 10 * VIEWS_MAX])


def save_view(access: Access, kind: type[Defined], fields: Mapping[str, Any]) -> SavedView:
    """Keep a list as it is asked for; raises Invalid for one that cannot be asked."""
    access.require(kind, Doing.VIEW)
    author = access.author
    mine = SavedView.objects.of(author.tenant).filter(object_kind=kind.kind, pseudonym=author.pseudonym)
    if mine.count() >= VIEWS_MAX:
        raise LimitExceeded(_MANY, limit=VIEWS_MAX)
    view = SavedView(tenant=author.tenant, object_kind=kind.kind, pseudonym=author.pseudonym)
    _fill_view(access, kind, view, fields)
    changes.create(author, view)
    return view


def change_view(
    access: Access, kind: type[Defined], id: UUID, fields: Mapping[str, Any], version: int | None
) -> SavedView:
    """Change one's own view; raises NotAllowed for another's."""
    with transaction.atomic():
        view = _my_view(access, kind, id)
        require_version(view, version)
        before = view.document()
        _fill_view(access, kind, view, fields)
        changes.change(access.author, view, before)
    return view


def forget_view(access: Access, kind: type[Defined], id: UUID) -> None:
    """Remove one's own view."""
    with transaction.atomic():
        changes.delete(access.author, _my_view(access, kind, id))


def _fill_view(access: Access, kind: type[Defined], view: SavedView, fields: Mapping[str, Any]) -> None:
    if fields.get("shared") and not view.shared and Right.CONFIGURE not in access.rights:
        raise NotAllowed(_SHARE)
    for name, value in fields.items():
        setattr(view, name, value)
    listing.chosen(access, kind, listing.Question.model_validate(view.query))
    same = SavedView.objects.of(view.tenant).filter(object_kind=kind.kind, pseudonym=view.pseudonym, name=view.name)
    if same.exclude(pk=view.pk).exists():
        raise Invalid({"name": _TAKEN})


def _my_view(access: Access, kind: type[Defined], id: UUID) -> SavedView:
    view = next((each for each in views_of(access, kind) if each.pk == id), None)
    if view is None:
        raise absent(SavedView.kind, id)
    if view.pseudonym != access.author.pseudonym:
        raise NotAllowed(_NOT_YOURS)
    return view
