"""What people add to a record of whatever kind without changing it: comments, attachments and labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self
from uuid import UUID

from django.db import models, transaction
from django.db.models import QuerySet
from pydantic import Field

from mainspring.core.errors import LimitExceeded, NotAllowed, NotFound
from mainspring.core.text import Text
from mainspring.records import changes, contents
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.kinds import KIND_MAX, Defined
from mainspring.records.faults import Invalid
from mainspring.records.record import Record, absent, require_version
from mainspring.records.tenant import Tenant

TEXT_MAX: Final = 10_000
NAME_MAX: Final = 200
COMMENTS_MAX: Final = 1000
ATTACHMENTS_MAX: Final = 100
ATTACHMENT_BYTES_MAX: Final = 16 * 1024 * 1024
LABELS_MAX: Final = 50
Labels = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^\w[\w./ -]{0,63}$")],
        Annotated[str, Field(max_length=NAME_MAX, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")],
    ],
    Field(max_length=LABELS_MAX, json_schema_extra={"additionalProperties": False}),
]
"""Labels of a record: names with values."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_TEXT: Final = Text("Write 1 to {limit} characters.", "请输入 1 至 {limit} 个字符。")
_NOT_YOURS: Final = Text("Only who wrote this comment can change it.", "只有评论的作者可以修改。")
_MANY: Final = Text("A record has at most {limit} of these. Remove some first.", "每条记录最多 {limit} 个，请先删除。")
_NO_NAME: Final = Text("A file needs a name of 1 to {limit} characters.", "文件名须为 1 至 {limit} 个字符。")
_LOST: Final = Text(
    "The content of {name} is not in the folder. Restore it from a backup.",
    "{name} 的内容不在存储目录中，请从备份恢复。",
)


class Attached(Record):
    """Something on a record, which is named by its kind and id: it outlives the record's removal and its return."""

    object_kind = models.CharField(max_length=KIND_MAX)
    object_id: models.UUIDField[UUID, UUID] = models.UUIDField()

    class Meta:
        abstract = True

    @classmethod
    def on(cls, record: Defined) -> QuerySet[Self]:
        """Return what is on a record, as it came."""
        rows: QuerySet[Any] = cls._default_manager.filter(
            tenant=record.tenant_id, object_kind=record.kind, object_id=record.pk
        )
        return rows.order_by("created_ms", "id")

    @classmethod
    def one(cls, record: Defined, id: UUID) -> Self:
        """Return one thing on a record; raises NotFound."""
        found = cls.on(record).filter(pk=id).first()
        if found is None:
            raise absent(cls.kind, id)
        return found


class Comment(Attached):
    """What someone says of a record."""

    text = models.TextField()
    pseudonym: models.UUIDField[UUID | None, UUID | None] = models.UUIDField(null=True)
    company = models.CharField(max_length=32, default="")
    """The key of another company, to which a grant showed the record; empty: the record's own."""

    kind = "comment"

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "object_id"], name="comment_object")]

    def __str__(self) -> str:
        return f"comment on {self.object_kind} {self.object_id}"

    def document(self) -> dict[str, Any]:
        """Return the form the API and the audit show."""
        return {
            "id": self.id, "version": self.version, "object": f"{self.object_kind}:{self.object_id}",
            "text": self.text, "by": self.pseudonym, "company": self.company, "created_ms": self.created_ms,
            "changed_ms": self.changed_ms,
        }  # fmt: skip


class Attachment(Attached):
    """A file on a record; its content lies in a folder under its hash, once however often it is attached."""

    name = models.CharField(max_length=NAME_MAX)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    pseudonym: models.UUIDField[UUID | None, UUID | None] = models.UUIDField(null=True)

    kind = "attachment"

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "object_id"], name="attachment_object"),
            models.Index(fields=["tenant", "sha256"], name="attachment_content"),
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.object_kind} {self.object_id}"

    def label(self) -> str:
        """Return its name in the audit."""
        return self.name

    def document(self) -> dict[str, Any]:
        """Return the form the API and the audit show."""
        return {
            "id": self.id, "version": self.version, "object": f"{self.object_kind}:{self.object_id}",
            "name": self.name, "media_type": self.media_type, "size": self.size, "sha256": self.sha256,
            "by": self.pseudonym, "created_ms": self.created_ms,
        }  # fmt: skip


class Label(Attached):
    """A word of a company's own on a record: a name and a value."""

    name = models.CharField(max_length=64)
    value = models.CharField(max_length=NAME_MAX, blank=True, default="")

    kind = "label"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "object_kind", "object_id", "name"], name="label_once")
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "object_kind", "name", "value"], name="label_value")]

    def __str__(self) -> str:
        return f"{self.name}={self.value} on {self.object_kind} {self.object_id}"


def said(access: Access, record: Defined) -> list[Comment]:
    """Return the comments on a record as they came; whom a grant shows it sees those of their own company alone."""
    rows = Comment.on(record)
    company = _company(access, record)
    return list((rows.filter(company=company) if company else rows)[:COMMENTS_MAX])


def say(access: Access, record: Defined, text: str) -> Comment:
    """Add a comment to a record that may be seen."""
    access.allow(record, Doing.COMMENT)
    _refuse_many(Comment, record, COMMENTS_MAX)
    author, company = _author(access, record), _company(access, record)
    comment = Comment(**_on(record), text=_written(text), pseudonym=author.pseudonym, company=company)
    changes.create(author, comment)
    return comment


def reword(access: Access, record: Defined, id: UUID, text: str, version: int | None) -> Comment:
    """Change one's own comment; raises NotAllowed for another's."""
    with transaction.atomic():
        comment = _mine(access, record, id, version)
        before = comment.document()
        comment.text = _written(text)
        changes.change(_author(access, record), comment, before)
    return comment


def unsay(access: Access, record: Defined, id: UUID) -> None:
    """Remove one's own comment; raises NotAllowed for another's."""
    with transaction.atomic():
        changes.delete(_author(access, record), _mine(access, record, id, None))


def attach(access: Access, folder: Path, record: Defined, name: str, content: Iterable[bytes]) -> Attachment:
    """Keep a file on a record; raises Invalid for a type that is not kept, LimitExceeded, StoreError."""
    access.allow(record, Doing.CHANGE)
    _refuse_many(Attachment, record, ATTACHMENTS_MAX)
    plain = Path(_CONTROL.sub("", name).replace("\\", "/")).name.strip()
    if not 1 <= len(plain) <= NAME_MAX:
        raise Invalid({"name": _NO_NAME.format(limit=NAME_MAX)})
    media_type, _ = contents.type_of(plain)
    sha256, size = contents.keep(folder_of(folder, record.tenant), content, plain, ATTACHMENT_BYTES_MAX)
    attachment = Attachment(
        **_on(record), name=plain, media_type=media_type, size=size, sha256=sha256, pseudonym=access.author.pseudonym
    )
    changes.create(access.author, attachment)
    return attachment


def content_of(folder: Path, attachment: Attachment) -> bytes:
    """Return what an attachment holds; raises NotFound for one that is lost."""
    try:
        return contents.place_of(folder_of(folder, attachment.tenant), attachment.sha256).read_bytes()
    except FileNotFoundError:
        raise NotFound(_LOST, name=attachment.name) from None


def detach(access: Access, folder: Path, record: Defined, id: UUID) -> None:
    """Remove an attachment, and its content once nothing holds it any more."""
    access.allow(record, Doing.CHANGE)
    with transaction.atomic():
        attachment = Attachment.one(record, id)
        changes.delete(access.author, attachment)
        others = Attachment.objects.of(record.tenant).filter(sha256=attachment.sha256).exists()
    if not others:
        contents.place_of(folder_of(folder, record.tenant), attachment.sha256).unlink(missing_ok=True)


def folder_of(folder: Path, tenant: Tenant) -> Path:
    """Return where a company's attachments lie."""
    return folder / "attachments" / tenant.key


def labels_of(record: Defined) -> dict[str, str]:
    """Return the labels of a record."""
    return dict(Label.on(record).order_by("name").values_list("name", "value"))


def label(access: Access, record: Defined, wanted: Labels) -> dict[str, str]:
    """Give a record these labels instead of those it has."""
    access.allow(record, Doing.CHANGE)
    with transaction.atomic():
        before = labels_of(record)
        gone = [name for name, value in before.items() if wanted.get(name) != value]
        Label.on(record).filter(name__in=gone).delete()
        new = {name: value for name, value in wanted.items() if before.get(name) != value}
        Label.objects.bulk_create(Label(**_on(record), name=name, value=value) for name, value in new.items())
        told = {f"label {name}": [before.get(name), wanted.get(name)] for name in sorted({*gone, *new})}
        if told:
            name = changes.name_of(record)
            append(access.author, [Deed(Action.CHANGE, Label.kind, str(record.pk), name, told)])
    return labels_of(record)


def _mine(access: Access, record: Defined, id: UUID, version: int | None) -> Comment:
    access.allow(record, Doing.COMMENT)
    comment = Comment.one(record, id)
    if comment.pseudonym is None or comment.pseudonym != access.author.pseudonym:
        raise NotAllowed(_NOT_YOURS)
    require_version(comment, version)
    return comment


def _company(access: Access, record: Defined) -> str:
    """Return the key of the commenting company where it is not the record's own."""
    tenant = access.author.tenant
    return "" if tenant.pk == record.tenant_id else tenant.key


def _author(access: Access, record: Defined) -> Author:
    """Return who comments: what is said of a record stands in the audit of the company whose record it is."""
    return Author(record.tenant, access.author.pseudonym, access.author.address)


def _refuse_many(of: type[Attached], record: Defined, limit: int) -> None:
    if of.on(record).count() >= limit:
        raise LimitExceeded(_MANY, limit=limit)


def _on(record: Defined) -> dict[str, Any]:
    return {"tenant": record.tenant, "object_kind": record.kind, "object_id": record.pk}


def _written(text: str) -> str:
    plain = text.strip()
    if not 1 <= len(plain) <= TEXT_MAX or _CONTROL.search(plain):
        raise Invalid({"text": _NO_TEXT.format(limit=TEXT_MAX)})
    return plain
