"""How things are found: by fragments of path and name, and by pinyin initials."""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import connection, models
from django.db.models import Q

FRAGMENTS_MAX: Final = 8
SEARCH_LENGTH_MAX: Final = 800
"""In characters; an index entry of PostgreSQL holds 2,700 bytes, and Chinese takes three a character."""
_CHINESE: Final = re.compile("[\u3400-\u9fff]")


def initials(text: str) -> str:
    """Return the pinyin initials of Chinese text, `fyf` for 反应釜; other characters stay as they are."""
    if not _CHINESE.search(text):
        return ""
    from pypinyin import Style, lazy_pinyin

    return "".join(lazy_pinyin(text, style=Style.FIRST_LETTER)).lower()


def searchable(path: str, *texts: dict[str, str]) -> str:
    """Return the text a thing is found by; it begins with its path, so that results come in the order of the tree."""
    words = [part for text in texts for part in (text.get("en", ""), text.get("zh", ""), initials(text.get("zh", "")))]
    return "\n".join([path, *words]).lower()[:SEARCH_LENGTH_MAX]


def found(text: str) -> Q:
    """Return the condition that every fragment of a search text is contained."""
    condition = Q()
    for fragment in fragments(text):
        condition &= Q(search__contains=fragment)
    return condition


def fragments(text: str) -> list[str]:
    """Cut a search text into the fragments that must all be contained."""
    return re.split(r"[\s/]+", text.lower().strip())[:FRAGMENTS_MAX]


def below(path: str, field: str = "path") -> Q:
    """Return the condition that a path lies below another, in the form the database has an index for."""
    if connection.vendor == "sqlite":
        # LIKE with ESCAPE never uses an index; the character after "/" ends the range.
        return Q(**{f"{field}__gt": f"{path}/", f"{field}__lt": f"{path}0"})
    return Q(**{f"{field}__startswith": f"{path}/"})


def moved(field: str, old: str, new: str) -> models.Expression | Any:
    """Return the expression that replaces the beginning `old` of a text field by `new`."""
    from django.db.models.functions import Concat, Substr

    return Concat(models.Value(new), Substr(field, len(old) + 1), output_field=models.TextField())
