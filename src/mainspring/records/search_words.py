"""How things are found: by fragments of path and name, by words and their beginnings, and by pinyin initials."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

FRAGMENTS_MAX: Final = 8
SEARCH_LENGTH_MAX: Final = 800
"""In characters; an index entry of PostgreSQL holds 2,700 bytes, and Chinese takes three a character."""
WORD_MAX: Final = 32
"""Characters of a word that count."""
BROAD_BYTES: Final = 3
"""Of words that many others begin with: three letters, or one sign of Chinese."""
STARTS_MAX: Final = 8
"""Parts of one word from which on it is found."""
_CHINESE: Final = re.compile("[\u3400-\u9fff]")
_RUNS: Final = re.compile("([\u3400-\u9fff]+)|([^\u3400-\u9fff]+)")
_PARTS: Final = re.compile(r"\d+|[^\W\d_]+")

Sought = tuple[tuple[tuple[str, ...], ...], ...]
"""What a search text asks for: of each of its parts one of some ways, of which each word begins one that is there."""


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
        condition &= holds(fragment)
    return condition


def holds(text: str) -> Q:
    """Return the condition that what a thing is found by holds a text.

    Not by a pattern: PostgreSQL takes each for a rare one and sorts all instead of walking, SQLite needs five times as
    long.
    """
    return Q(GreaterThan(StrIndex("search", models.Value(text)), 0))


def fragments(text: str) -> list[str]:
    """Cut a search text into the fragments that must all be contained."""
    return re.split(r"[\s/]+", text.lower().strip())[:FRAGMENTS_MAX]


def words(text: str) -> list[str]:
    """Return the words a text is found by, small, without signs and accents.

    `P-100/A` is found as p100a, 100a and a; Chinese text from each of its words on, and as the initials of that.
    """
    found: list[str] = []
    for word in _folded(text).split():
        if word.isascii() and word.isalpha() and len(word) <= WORD_MAX:
            found.append(word)
        else:
            found += _parts(word)
    return found


def sought(text: str) -> Sought:
    """Read a search text; it asks for nothing that could be found if it has neither letters nor digits."""
    asked: list[tuple[tuple[str, ...], ...]] = []
    for word in _folded(text).split()[:FRAGMENTS_MAX]:
        for chinese, other in _RUNS.findall(word)[:FRAGMENTS_MAX]:
            if chinese:
                run = chinese[:WORD_MAX]
                single = tuple(_cut(run))
                asked.append(((run,),) if len(single) == 1 else ((run,), single))
            elif parts := _PARTS.findall(other):
                asked.append((("".join(parts)[:WORD_MAX],),))
    return tuple(asked)


def broad(asked: Sought) -> bool:
    """Tell whether what is sought is so short that a great part of all there is may begin with it."""
    return bool(asked) and all(len(word.encode()) <= BROAD_BYTES for ways in asked for each in ways for word in each)


def _cut(text: str) -> list[str]:
    """Cut Chinese text into words."""
    import rjieba

    found: list[str] = rjieba.cut(text)
    return found


@lru_cache(maxsize=20_000)
def _parts(word: str) -> tuple[str, ...]:
    """Return the ends of a word that begin with one of its parts."""
    found: list[str] = []
    for chinese, other in _RUNS.findall(word):
        if chinese:
            found += _chinese_words(chinese)
        else:
            parts = _PARTS.findall(other)
            found += ("".join(parts[start:])[:WORD_MAX] for start in range(min(len(parts), STARTS_MAX)))
    return tuple(found)


def _chinese_words(run: str) -> tuple[str, ...]:
    """Return the ends of a Chinese text that begin with a word, each also as pinyin initials."""
    import rjieba
    from pypinyin import Style, lazy_pinyin

    starts = sorted({start for _, start, _ in rjieba.tokenize(run, "search")})[:STARTS_MAX]
    letters = lazy_pinyin(run, style=Style.FIRST_LETTER)
    if len(letters) != len(run):
        # What it does not know it leaves in one piece.
        letters = lazy_pinyin(list(run), style=Style.FIRST_LETTER)
    first = "".join(each[:1] or "?" for each in letters).lower()
    ends = [(run[start : start + WORD_MAX], first[start : start + WORD_MAX]) for start in starts]
    return tuple(word for pair in ends for word in pair)


def _folded(text: str) -> str:
    """Return a text small, in plain width and without accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(each for each in plain if not unicodedata.combining(each))).lower()


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
