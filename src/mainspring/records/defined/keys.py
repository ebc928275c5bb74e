"""How records are named in files: by their keys, `P-1/A` for an item and `P-1/A/L-7` for a lot of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations, islice, pairwise
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import QuerySet

from mainspring.core.errors import NotAllowed
from mainspring.records.defined.access import Access
from mainspring.records.defined.kinds import Defined, columns

BATCH: Final = 500
SPLITS_MAX: Final = 50
"""Ways a text with slashes can be the parts of a key; beyond them it is named by its id."""
_PLAIN: Final = ("path", "username", "name", "key")
"""What tells records apart that are no kinds, the first they have."""


@cache
def leaves(target: type[models.Model]) -> tuple[str, ...]:
    """Return the columns whose values make the name of a record in files, across what its key links to."""
    if not issubclass(target, Defined):
        found = (name for name in _PLAIN if _is_text(target, name))
        return tuple(islice(found, 1)) or ("id",)
    made: list[str] = []
    for name in target.shape.key:
        column = target._meta.get_field(name)
        linked = column.related_model if column.is_relation else None
        if isinstance(linked, type) and linked is not target:
            made += [f"{name}__{leaf}" for leaf in leaves(linked)]
        else:
            made.append(name)
    return tuple(made)


@cache
def own_links(kind: type[Defined]) -> frozenset[str]:
    """Return the fields of a kind that link to records of the same kind, as a part to its whole."""
    return frozenset(name for name, column in columns(kind).items() if column.related_model is kind)


def behind(above: Sequence[Sequence[int]]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return places so that each stands behind those `above` it, else in their order, and the pairs that lead back."""
    done: dict[int, None] = {}
    begun: set[int] = set()
    back: list[tuple[int, int]] = []
    for place in range(len(above)):
        way = [place]
        while way:
            at = way[-1]
            if at in begun:
                done[way.pop()] = None
                continue
            begun.add(at)
            waiting = [each for each in above[at] if each not in done]
            back += [(at, each) for each in waiting if each in begun]
            way += [each for each in reversed(waiting) if each not in begun]
    return list(done), back


def names_of(target: type[models.Model], ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return how records are named in files, by their ids."""
    wanted = list(set(ids))
    found: dict[UUID, str] = {}
    for start in range(0, len(wanted), BATCH):
        part = target._default_manager.filter(pk__in=wanted[start : start + BATCH])
        for id, *values in part.values_list("pk", *leaves(target)):
            found[id] = joined(values)
    return found


def ids_of(access: Access, target: type[models.Model], names: Iterable[str]) -> Mapping[str, UUID]:
    """Return the ids of records of one's own company that are named so, or by their ids."""
    wanted = sorted(set(names))
    try:
        rows: QuerySet[Any] = (
            access.rows(target)
            if issubclass(target, Defined)
            else target._default_manager.filter(tenant=access.author.tenant)
        )
    except NotAllowed:
        return {}
    found: dict[str, UUID] = {}
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        ids = {id: name for name in part if (id := _uuid(name)) is not None}
        found |= {ids[id]: id for id in rows.filter(pk__in=list(ids)).values_list("pk", flat=True)} if ids else {}
        known = set(part)
        for id, *values in rows.filter(**_among(target, part)).values_list("pk", *leaves(target)):
            if (name := joined(values)) in known:
                found[name] = id
    return found


def joined(values: Iterable[Any]) -> str:
    """Return the parts of a key as one text."""
    return "/".join("" if value is None else str(value) for value in values)


def _among(target: type[models.Model], names: list[str]) -> dict[str, Any]:
    """Return a condition that all records named so meet, and few others: by the first and the last part."""
    parts = leaves(target)
    first: set[str] = set()
    last: set[str] = set()
    for name in names:
        for split in _splits(name, len(parts)):
            first.add(split[0])
            last.add(split[-1])
    texts = [leaf for leaf in (parts[0], parts[-1]) if _is_text(target, leaf)]
    return {f"{leaf}__in": list(first if leaf == parts[0] else last) for leaf in texts}


def _splits(name: str, count: int) -> Iterable[list[str]]:
    """Yield the ways a name can be cut into the parts of a key, which may hold slashes themselves."""
    pieces = name.split("/")
    for cuts in islice(combinations(range(1, len(pieces)), count - 1), SPLITS_MAX):
        places = (0, *cuts, len(pieces))
        yield ["/".join(pieces[start:end]) for start, end in pairwise(places)]


def _is_text(target: type[models.Model], path: str) -> bool:
    model: Any = target
    *links, name = path.split("__")
    try:
        for link in links:
            model = model._meta.get_field(link).related_model
        return isinstance(model._meta.get_field(name), models.CharField | models.TextField)
    except FieldDoesNotExist:
        return False


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
