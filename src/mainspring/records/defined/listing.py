"""Lists of business records: filtered, searched, sorted and cut into pages, within limits.

Whether few rows are asked for or many is found out first. Few are looked up and sorted; among many the list walks along
the index of what it is sorted by until the page is full. Neither reads a table of a million rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import DecimalField, F, Func, Lookup, Q, QuerySet
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, In, LessThan, LessThanOrEqual
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mainspring.core.errors import NotAllowed
from mainspring.core.text import Text
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.attached import Label
from mainspring.records.defined.kinds import Defined, columns, meaning, named, title_of, told
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag
from mainspring.records.record import Record
from mainspring.records.search_index import hits, holding, signs
from mainspring.records.search_words import Sought, broad, sought
from mainspring.records.tenant import Tenant

Titles = dict[str, dict[str, str]]
LABEL: Final = "label."
"""What stands before the name of a label in a filter."""
COUNTED_MAX: Final = 10_000
"""Further rows are not counted: people read "10,000 and more"."""
FEW_MAX: Final = 2000
"""So many rows are looked up one by one and sorted."""
LIMIT_MAX: Final = 1000
OFFSET_MAX: Final = 10_000
CONDITIONS_MAX: Final = 20
VALUES_MAX: Final = 200
LOOKED_UP: Final = 50
"""Ids of one look into a table: with a hundred SQLite, which guesses a thousand rows to a company, reads all."""
SAMPLED: Final = 500
"""Of so many found it is counted how many pass filters and rights; for a letter, so many first ones are looked at."""
SOME: Final = 5
"""So many times the rows that are shown are looked up where any will do."""
_MORE: Final = {"id": UUID, "state": str, "created_ms": int, "changed_ms": int, "version": int}
"""What every record can be filtered by beside its fields."""
_NOT: Final = "ne"
_COMPARED: Final[dict[str, type[Lookup[Any]]]] = {
    "eq": Exact, _NOT: Exact, "lt": LessThan, "le": LessThanOrEqual, "gt": GreaterThan, "ge": GreaterThanOrEqual,
    "in": In,
}  # fmt: skip
_NO_FIELD: Final = Text("{kind} has no field {name!r} to {purpose} by.", "{kind}没有可用于{purpose}的字段“{name}”。")
_FILTER: Final = Text("filter", "筛选")
_SORT: Final = Text("sort", "排序")
_FORM: Final = Text(
    'A filter is a list such as [["quantity", "ge", 5]]; comparisons are {known}.',
    '筛选为列表，如 [["quantity", "ge", 5]]；可用的比较有 {known}。',
)
_ASK_SO: Final = _FORM.format(known=", ".join(_COMPARED))
_BEGIN: Final = Text("This is not of this list. Begin with the first page.", "此标记不属于此列表，请从第一页开始。")
_TOO_FAR: Final = Text(
    "Pages end at row {limit}. Filter, or sort and continue with `after`.",
    "最多翻到第 {limit} 行，请筛选，或排序后用 after 继续。",
)


class Question(BaseModel):
    """Which records a list holds, and in what order."""

    where: str = Field(default="", max_length=8000, description='JSON, as [["quantity", "ge", 5]]')
    search: str = Field(default="", max_length=200)
    sort: str = Field(default="", max_length=64, description="a field, `-` before it for the last first")


class Wanted(Question):
    """What is asked of a list."""

    after: str = Field(default="", max_length=2000, description="`next` of the page before")
    offset: int = Field(default=0, ge=0, le=10_000_000)
    limit: int = Field(default=50, ge=1, le=LIMIT_MAX)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, how many there are in all, and where the next page begins."""

    rows: list[Defined]
    total: int
    """As far as they were counted; `more` says that there are further ones."""
    more: bool
    next: str
    titles: Titles
    """Names of the records that rows link to, by id."""


def page(access: Access, kind: type[Defined], wanted: Wanted) -> Page:
    """Return a page of the records that may be seen; raises NotAllowed, and Invalid for what cannot be asked."""
    rows, hidden = access.rows(kind), access.hidden(kind)
    name, last_first = sorting(kind, wanted.sort, hidden)
    stretches = _behind(kind, name, last_first, wanted.after) if wanted.after else [Q()]
    begin = 0 if wanted.after else wanted.offset
    if begin > OFFSET_MAX:
        raise Invalid({"offset": _TOO_FAR.format(limit=OFFSET_MAX)})
    narrow, total, more = _narrowed(kind, rows, wanted, access.tenant, hidden)
    found: list[Defined] = []
    for stretch in stretches:
        if len(found) <= wanted.limit:
            found += _ordered(narrow.filter(stretch), name, last_first)[begin : begin + wanted.limit + 1 - len(found)]
    shown = found[: wanted.limit]
    following = ""
    if len(found) > wanted.limit:
        last = shown[-1]
        following = json.dumps([getattr(last, name), str(last.id)], default=str)
    elif more and not wanted.after and wanted.search.strip():
        # It went through all of them.
        total, more = begin + len(shown) if shown or not begin else total, False
    return Page(shown, max(total, len(shown)), more, following, titles(access, kind, shown))


def chosen(access: Access, kind: type[Defined], wanted: Question, doing: Doing = Doing.VIEW) -> QuerySet[Any]:
    """Return all records that a list asks for, in its order; raises NotAllowed and Invalid."""
    hidden = access.hidden(kind)
    rows = access.rows(kind, doing).filter(conditions(kind, wanted.where, hidden))
    if wanted.search.strip():
        rows = rows.filter(holding(sought(wanted.search), signs(kind, hidden)))
    return _ordered(rows, *sorting(kind, wanted.sort, hidden))


def first(access: Access, kind: type[Defined], asked: Sought, most: int) -> list[Defined]:
    """Return some of the records that someone may see and that hold what is sought; raises NotAllowed."""
    hidden = access.hidden(kind)
    known, tenant = signs(kind, hidden), access.tenant.pk
    if broad(asked):
        shown, whole = _of_the_first(access, kind, holding(asked, known), most)
        if whole or len(shown) == most:
            return shown
    found = hits(kind, tenant, asked, known, SOME * most)
    if not found:
        return []
    rows = access.rows(kind)
    seen = _seen(rows, found)
    if len(seen) < most and len(found) == SOME * most:
        # Most of them lie where one sees nothing.
        seen = _seen(rows, hits(kind, tenant, asked, known, FEW_MAX))
    return list(_ordered(_among(kind, seen[: SOME * most]), *sorting(kind, "", hidden))[:most]) if seen else []


def _of_the_first(access: Access, kind: type[Defined], condition: Q, most: int) -> tuple[list[Defined], bool]:
    """Return those of the first records that fit and may be seen, and whether there are no others.

    An inverted index gathers all rows before it gives one: a fifth of a second for a million that begin with a letter.
    """
    rows, order = access.rows(kind), sorting(kind, "", access.hidden(kind))
    beginning = _ordered(kind._default_manager.filter(tenant=access.tenant), *order).values_list("pk")[:SAMPLED]
    many = len(beginning)
    found = list(_ordered(rows.filter(condition, pk__in=beginning.all()), *order)[:most]) if many else []
    return found, many < SAMPLED


def _narrowed(
    kind: type[Defined], rows: QuerySet[Any], wanted: Wanted, tenant: Tenant, hidden: frozenset[str]
) -> tuple[QuerySet[Any], int, bool]:
    """Return the rows that are asked for in a form that is quick to sort, their number, and whether there are more."""
    filtered = rows.filter(conditions(kind, wanted.where, hidden))
    walked = rows.filter(conditions(kind, wanted.where, hidden, walking=True))
    if not wanted.search.strip():
        total = _count(filtered, COUNTED_MAX)
        if wanted.where and total <= FEW_MAX:
            return _among(kind, filtered.order_by().values_list("pk", flat=True)[:FEW_MAX]), total, False
        return walked, min(total, COUNTED_MAX), total > COUNTED_MAX
    asked, known = sought(wanted.search), signs(kind, hidden)
    if wanted.where and _count(filtered, FEW_MAX) <= FEW_MAX:
        few = _among(kind, filtered.order_by().values_list("pk", flat=True)[:FEW_MAX]).filter(holding(asked, known))
        return few, few.count(), False
    found = hits(kind, tenant.pk, asked, known, FEW_MAX + 1)
    # A query with one condition says whose the rows are and nothing else.
    whole = len(rows.query.where) == 1 and not wanted.where
    if len(found) <= FEW_MAX:
        seen = found if whole else _seen(walked, found)
        return _among(kind, seen), len(seen), False
    least = FEW_MAX if whole else len(_seen(walked, found[:SAMPLED]))
    return walked.filter(holding(asked, known)), least, True


def _among(kind: type[Defined], ids: Iterable[UUID]) -> QuerySet[Any]:
    """Return the rows with these ids, which were found to be among those asked for."""
    return kind._default_manager.filter(pk__in=list(ids))


def _seen(rows: QuerySet[Any], ids: list[UUID]) -> list[UUID]:
    """Return which of these ids are among the rows of a query; for many at once SQLite would read the whole table."""
    parts = (ids[start : start + LOOKED_UP] for start in range(0, len(ids), LOOKED_UP))
    return [id for part in parts for id in rows.filter(pk__in=part).order_by().values_list("pk", flat=True)]


def _count(rows: QuerySet[Any], most: int) -> int:
    return rows.order_by()[: most + 1].count()


def _ordered(rows: QuerySet[Any], name: str, last_first: bool) -> QuerySet[Any]:
    """Return the rows of a query as they are sorted; equal ones by their id."""
    return rows.order_by(f"{'-' if last_first else ''}{name}", "-id" if last_first else "id")


def conditions(kind: type[Defined], where: str, hidden: Collection[str] = (), *, walking: bool = False) -> Q:
    """Read a filter; what is not shown cannot be asked for, since answers would tell it.

    `walking`: its conditions are looked at row by row, along the index the rows are sorted by.
    """
    if not where:
        return Q()
    try:
        asked = TypeAdapter(list[tuple[str, str, Any]]).validate_json(where)
    except ValidationError as error:
        raise Invalid({"where": _ASK_SO}) from error
    if len(asked) > CONDITIONS_MAX or any(comparison not in _COMPARED for _, comparison, _ in asked):
        raise Invalid({"where": _ASK_SO})
    condition = Q()
    for name, comparison, value in asked:
        if name in hidden:
            raise Invalid({"where": _NO_FIELD.format(kind=kind.shape.one, name=name, purpose=_FILTER)})
        condition &= _condition(kind, name, comparison, value, walking=walking and connection.vendor == "sqlite")
    return condition


def sorting(kind: type[Defined], sort: str, hidden: Collection[str] = ()) -> tuple[str, bool]:
    """Return the column to sort by and whether the last come first; what is not shown gives no order."""
    usual = kind.shape.order or kind.shape.key[0]
    asked = sort or ("created_ms" if usual.removeprefix("-") in hidden else usual)
    name, last_first = asked.removeprefix("-"), asked.startswith("-")
    column = columns(kind).get(name)
    if name in hidden or (column is None and name not in _MORE):
        raise Invalid({"sort": _NO_FIELD.format(kind=kind.shape.one, name=name, purpose=_SORT)})
    return (column.attname if column is not None else name), last_first


def titles(access: Access, kind: type[Defined], rows: list[Defined]) -> Titles:
    """Return the names of the records that these link to, in both languages: few queries for each kind they lead to.

    Beside its key a record is called by its words to those who may see it.
    """
    hidden = access.hidden(kind)
    wanted: dict[Any, set[Any]] = {}
    for name, column in columns(kind).items():
        any_kind = told(kind, name).control == "any"
        if name in hidden or not (column.is_relation or any_kind):
            continue
        values = {getattr(row, column.attname) for row in rows} - {None, ""}
        if column.is_relation:
            wanted.setdefault(column.related_model, set()).update(values)
        else:
            for value in values:
                target, _, id = value.partition(":")
                wanted.setdefault(meaning(target), set()).add(id)
    found: Titles = {}
    for target, ids in wanted.items():
        if target is not None and ids:
            found |= _names(target, ids, access)
    return found


def _names(target: type[Record], ids: set[Any], access: Access) -> Titles:
    """Return the names of records by id: an asset's with the one it is in, others' with their words behind."""
    records: Any = target._default_manager.filter(pk__in=ids)
    if issubclass(target, Asset):
        return {str(each.pk): placed(each) for each in records.select_related("parent")}
    if issubclass(target, Tag):
        return {str(each.pk): joined(" ", each.name, each.description) for each in records}
    if not issubclass(target, Defined) or not (words := _words_of(target)):
        return {str(each.pk): joined("", named(each)) for each in records}
    seen, key = _seen_by(access, target, ids, words), words != title_of(target)
    return {
        str(each.pk): joined(" ", named(each) if key else "", getattr(each, words))
        if each.pk in seen
        else joined("", named(each))
        for each in records
    }


def _words_of(kind: type[Defined]) -> str:
    """Return the field that says in both languages what a record is, empty if none does."""
    return next(
        (name for name in kind.shape.columns if name in columns(kind) and told(kind, name).control == "words"), ""
    )


def _seen_by(access: Access, kind: type[Defined], ids: set[Any], field: str) -> Collection[Any]:
    if field in access.hidden(kind):
        return ()
    try:
        return set(access.rows(kind).filter(pk__in=ids).values_list("pk", flat=True))
    except NotAllowed:
        return ()


def placed(asset: Asset) -> dict[str, str]:
    """Return the name of an asset with that of the one it is in."""
    return joined(" / ", asset.parent.name if asset.parent else "", asset.name)


def joined(between: str, *parts: str | dict[str, str]) -> dict[str, str]:
    """Put parts together, each in the language or, where it has none of it, in the other."""
    made = {}
    for language, other in (("en", "zh"), ("zh", "en")):
        said = [part if isinstance(part, str) else part.get(language) or part.get(other, "") for part in parts]
        made[language] = between.join(part for part in said if part)
    return made


class _Apart(Func):
    """A column as SQLite looks at it without thinking of its index, which it prefers to any order."""

    template = "+%(expressions)s"


def _condition(kind: type[Defined], name: str, comparison: str, value: Any, *, walking: bool) -> Q:
    if name.startswith(LABEL):
        return _labelled(kind, name.removeprefix(LABEL), comparison, value)
    column = columns(kind).get(name)
    form: Any = _MORE.get(name) if column is None else told(kind, name).form
    if form is None or (column is not None and column.get_internal_type() == "JSONField"):
        raise Invalid({"where": _NO_FIELD.format(kind=kind.shape.one, name=name, purpose=_FILTER)})
    if comparison == "in":
        form = Annotated[list[form], Field(max_length=VALUES_MAX)]
    try:
        read = None if value is None else TypeAdapter(form).validate_python(value)
    except ValidationError as error:
        raise Invalid({"where": _ASK_SO}) from error
    place = column.attname if column is not None else name
    if read is None:
        empty = Q(**{f"{place}__isnull": True})
        return ~empty if comparison == _NOT else empty
    lookup = _COMPARED[comparison]
    # A number with decimals is compared as its column says, so that stays one.
    if walking and comparison != _NOT and not isinstance(column, DecimalField):
        return Q(lookup(_Apart(F(place)), read))
    condition = Q(**{f"{place}__{lookup.lookup_name}": read})
    return ~condition if comparison == _NOT else condition


def _labelled(kind: type[Defined], name: str, comparison: str, value: Any) -> Q:
    """Return the condition that a record has a label of this value, or with null none of this name."""
    if comparison not in {"eq", _NOT} or not isinstance(value, str | None):
        raise Invalid({"where": _FORM.format(known="eq, ne")})
    rows = Label.objects.filter(object_kind=kind.kind, name=name)
    found = Q(pk__in=(rows if value is None else rows.filter(value=value)).values("object_id"))
    return ~found if (comparison == _NOT) is (value is not None) else found


def _sorted_as(kind: type[Defined], name: str) -> Any:
    """Return the type of what a page begins behind."""
    about = next((told(kind, each) for each, column in columns(kind).items() if column.attname == name), None)
    if about is None:
        return _MORE[name]
    if about.control in {"exact", "whole", "day", "moment", "link", "yes"}:
        return about.form
    return dict[str, str] if about.control == "words" else str


def _behind(kind: type[Defined], name: str, last_first: bool, after: str) -> list[Q]:
    """Return which rows come behind the last one of the page before: stretches of an index, one after the other."""
    try:
        form: Any = tuple[_sorted_as(kind, name) | None, UUID]  # type: ignore[misc]
        value, id = TypeAdapter[tuple[Any, UUID]](form).validate_json(after)
    except ValidationError as error:
        raise Invalid({"after": _BEGIN}) from error
    sign = "lt" if last_first else "gt"
    # To SQLite what is empty is less than anything else, to PostgreSQL it is more.
    empty_last = last_first is (connection.vendor == "sqlite")
    empty, other = Q(**{f"{name}__isnull": True}), Q(**{f"{name}__isnull": False})
    if value is None:
        same = empty & Q(**{f"id__{sign}": id})
        return [same] if empty_last else [same, other]
    # The first says where an index begins.
    beyond = Q(**{f"{name}__{sign}e": value}) & (Q(**{f"{name}__{sign}": value}) | Q(**{f"id__{sign}": id}))
    return [beyond, empty] if empty_last and kind._meta.get_field(name).null else [beyond]
