"""Documents: numbered, revised, and bound to a content that is kept by its hash."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db.models import F, Q

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.business.party import Party
from mainspring.records.contents import keep, place_of, type_of
from mainspring.records.defined import fields
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Rule, Shape, States
from mainspring.records.defined.writing import find, rework
from mainspring.records.plant.asset import Asset
from mainspring.records.tenant import Tenant

CONTENT_BYTES_MAX: Final = 256 * 1024 * 1024
ORPHAN_S: Final = 86_400.0
"""Content that no document names goes after this long: until then an upload may still be on its way."""
_NO_CONTENT: Final = Text("This document has no content yet.", "该文件尚无内容。")
_LOST: Final = Text(
    "The content of {number} is not in the folder. Restore it from a backup.",
    "{number} 的内容不在存储目录中，请从备份恢复。",
)


class DocumentKind(Choices):
    """What a document is."""

    DRAWING = "drawing", "Drawing", "图纸"
    INSTRUCTION = "instruction", "Instruction", "作业指导书"
    SPECIFICATION = "specification", "Specification", "规范"
    CERTIFICATE = "certificate", "Certificate", "证书"
    CONTRACT = "contract", "Contract", "合同"
    REPORT = "report", "Report", "报告"
    MANUAL = "manual", "Manual", "手册"
    RECORD = "record", "Record", "记录"
    OTHER = "other", "Other", "其他"


class Document(Defined):
    """A document in one revision; its content lies in a folder under its hash and is never changed."""

    number = fields.code(Text("Number", "文件编号"), series="D")
    revision = fields.code(Text("Revision", "版本"), length=16, default="A")
    title = fields.words(Text("Title", "标题"))
    sort = fields.choice(DocumentKind, Text("Kind", "类别"), default=DocumentKind.OTHER)
    about = fields.anything(Text("About", "关于"), hint=Text("the record it belongs to", "所属记录"))
    asset = fields.link(Asset, Text("Asset", "资产"))
    author = fields.link(Party, Text("Author", "编制"))
    valid_from = fields.day(Text("Valid from", "生效日期"))
    valid_until = fields.day(Text("Valid until", "失效日期"))
    file_name = fields.code(Text("File", "文件名"), length=200, need=False, given=True)
    media_type = fields.code(Text("Media type", "媒体类型"), length=100, need=False, given=True)
    size = fields.whole(Text("Size", "大小"), default=0, given=True, unit="B")
    sha256 = fields.code(Text("SHA-256", "SHA-256"), length=64, need=False, given=True)

    kind = "document"
    shape = Shape(
        one=Text("Document", "文件"),
        many=Text("Documents", "文件"),
        group=Group.ENGINEERING,
        key=("number", "revision"),
        title="number",
        columns=("number", "revision", "title", "sort", "about", "size", "valid_until"),
        found_by=("number", "title", "file_name"),
        place="asset",
        states=States(RELEASED.words, RELEASED.moves, RELEASED.fixed, needs={"released": ("sha256",)}),
        rules=(
            Rule(
                "valid",
                Q(valid_from__isnull=True) | Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                Text("The last day lies before the first.", "失效日期早于生效日期。"),
                "valid_until",
            ),
        ),
    )


def attach(
    access: Access, folder: Path, id: UUID, version: int | None, file_name: str, content: Iterable[bytes]
) -> Document:
    """Keep a content and bind a document to it; raises Invalid, LimitExceeded, StoreError."""
    access.require(Document, Doing.CHANGE)
    find(access, Document, id)
    name = Path(file_name).name
    media_type, _ = type_of(name)
    digest, size = keep(_folder(folder, access.author.tenant), content, name, CONTENT_BYTES_MAX)

    def bind(document: Document) -> None:
        document.file_name, document.media_type = name[-200:], media_type
        document.sha256, document.size = digest, size

    return rework(access, Document, id, version, bind)


def content_file(folder: Path, document: Document) -> Path:
    """Return the file that holds a document's content; raises NotFound."""
    if not document.sha256:
        raise NotFound(_NO_CONTENT)
    file = place_of(_folder(folder, document.tenant), document.sha256)
    if not file.is_file():
        raise NotFound(_LOST, number=document.number)
    return file


def is_whole(folder: Path, document: Document) -> bool:
    """Tell whether the content still has its hash."""
    with content_file(folder, document).open("rb") as opened:
        return str(hashlib.file_digest(opened, "sha256").hexdigest()) == str(document.sha256)


def sweep(folder: Path, tenant: Tenant, now_s: float | None = None) -> int:
    """Remove contents that no document names any more; return how many."""
    named = set(Document.objects.of(tenant).exclude(sha256="").values_list("sha256", flat=True))
    removed = 0
    for file in _folder(folder, tenant).glob("*/*"):
        if file.name not in named and file.stat().st_mtime < (now_s or time.time()) - ORPHAN_S:
            file.unlink()
            removed += 1
    return removed


def _folder(folder: Path, tenant: Tenant) -> Path:
    return folder / "documents" / tenant.key
