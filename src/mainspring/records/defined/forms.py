"""Forms of business records: what can be written of a kind, read and checked by its declared fields."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Final, Literal

from pydantic import Field, create_model

from mainspring.core.text import Text
from mainspring.records.counter import take
from mainspring.records.defined.fields import kept, shown
from mainspring.records.defined.kinds import Defined, anything_of, columns, meant, told, words_of
from mainspring.records.draft import Draft, check
from mainspring.records.faults import Invalid, plain
from mainspring.records.tenant import Tenant

_NO_LINK: Final = Text("There is no such {kind} here.", "此处没有该{kind}。")
_NOTHING: Final = Text("There is no such record here.", "此处没有该记录。")
_GIVEN: Final = Text("The platform works this out; leave it as it is.", "此项由平台生成，请保持不变。")
_NEEDED: Final = Text("This is required.", "此项必填。")


@cache
def draft_of(kind: type[Defined]) -> type[Draft]:
    """Return the form of a new record of a kind."""
    fields: dict[str, Any] = {}
    for name, column in columns(kind).items():
        about = told(kind, name)
        extra = {
            "x-words": about.words.document(), "x-control": about.control, "x-grade": about.grade.name.lower(),
            "x-hint": about.hint and about.hint.document(), "x-unit": about.unit, "x-unit-in": about.unit_in,
            "x-holds": about.holds, "x-personal": about.personal, "x-series": about.series, "readOnly": about.given,
            "x-choices": {str(value): value.words.document() for value in about.choices or ()},
            "x-kind": column.related_model.kind if about.control == "link" else "",
        }  # fmt: skip
        described = partial(
            Field, title=about.words.en, json_schema_extra={key: each for key, each in extra.items() if each}
        )
        if about.need and not about.given:
            fields[name] = (about.form, described())
        elif column.null:
            fields[name] = (about.form | None, described(default=None))
        else:
            form = about.form | Literal[""] if about.control == "choice" and column.default == "" else about.form
            # The time of a new record is that of its making, not that of this form.
            anew = column.has_default() and callable(column.default)
            default = {"default_factory": column.default} if anew else {"default": column.get_default()}
            fields[name] = (form, described(**default, validate_default=False))
    made: type[Draft] = create_model(f"{kind.__name__}Draft", __base__=Draft, __doc__=kind.__doc__, **fields)
    return made


def written(kind: type[Defined], fields: dict[str, Any], before: Defined | None = None) -> dict[str, Any]:
    """Check fields as someone wrote them; those left out are as before. Raises Invalid with every fault."""
    form = draft_of(kind)
    given, own = _parted(kind)
    changed = {}
    for name in given.keys() & fields.keys():
        now = given[name].get_default() if before is None else getattr(before, given[name].attname)
        if fields[name] != plain(shown(now)):
            changed[name] = _GIVEN
    if changed:
        raise Invalid(changed)
    known = {name: getattr(before, column.attname) for name, column in own.items()} if before is not None else {}
    draft = check(form, known | {name: value for name, value in fields.items() if name not in given})
    values = vars(draft)
    return {name: kept(values[name]) for name in own}


@cache
def _parted(kind: type[Defined]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns that the platform fills, and those that people do."""
    given = {name: column for name, column in columns(kind).items() if told(kind, name).given}
    return given, {name: column for name, column in columns(kind).items() if name not in given}


def fill(record: Defined, values: dict[str, Any], tenant: Tenant) -> None:
    """Write checked values into a record; raises Invalid for links that lead nowhere in this company."""
    faults: dict[str, Text] = {}
    for name, value in values.items():
        column = columns(type(record))[name]
        if value and value != getattr(record, column.attname):
            target = column.related_model if column.is_relation else None
            if target is not None and not target._default_manager.filter(tenant=tenant, pk=value).exists():
                faults[name] = _NO_LINK.format(kind=words_of(target))
                continue
        setattr(record, column.attname, value)
    if faults:
        raise Invalid(faults)


def number(record: Defined) -> None:
    """Give the next number of its series to each field that was left empty for it."""
    kind = type(record)
    for name in columns(kind):
        series = told(kind, name).series
        while series and not getattr(record, name):
            following = f"{series}-{take(f'{kind.kind}.{name}:{record.tenant.number}'):06}"
            # Someone may have written this one by hand.
            if not kind.objects.of(record.tenant).filter(**{name: following}).exists():
                setattr(record, name, following)


def refuse_unmeant(record: Defined) -> None:
    """Refuse a record that means another by `kind:id` which is not there."""
    told_by = {name: getattr(record, name) for name in anything_of(type(record))}
    faults = {name: _NOTHING for name, value in told_by.items() if value and meant(record.tenant, value) is None}
    if faults:
        raise Invalid(faults)


def require(record: Defined, names: tuple[str, ...]) -> None:
    """Refuse a record in which one of these fields is empty."""
    empty = {name: _NEEDED for name in names if getattr(record, columns(type(record))[name].attname) in (None, "", [])}
    if empty:
        raise Invalid(empty)
