"""The five kinds of EPCIS events and the document around them, as forms that say what is wrong with which field.

Source: GS1 EPCIS 2.0, sections 7.4 (events) and 10 (JSON-LD).
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records.events.identifiers import check_uri
from mainspring.records.events.vocabulary import check_word, is_uri

LIST_MAX: Final = 20_000
"""Most entries of one list of an event."""
WORD_MAX: Final = 500
TEXT_MAX: Final = 10_000

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)")
_NO_TIME: Final = Text(
    "{time!r} is no time with its offset. Write 2026-11-21T08:30:00+08:00.",
    "{time!r} 不是带时区偏移的时间，请写成 2026-11-21T08:30:00+08:00。",
)
_NO_WORD: Final = Text("{word!r} is neither a word nor a URI.", "{word!r} 既不是单词，也不是 URI。")
_UNKNOWN: Final = Text(
    "There is no such field. A field of your own has a prefix that @context declares, as in example:colour.",
    "没有此字段；自定义字段须带 @context 中声明的前缀，如 example:colour。",
)
_UNIQUE: Final = Text("{uri} is listed twice.", "{uri} 重复列出。")
_NO_QUANTITY: Final = Text("A unit needs a quantity.", "有单位时必须有数量。")
_WHAT: Final = Text(
    "List at least one identifier in {fields}{or_sensors}.", "{fields} 中至少要列出一个标识{or_sensors}。"
)
_OR_SENSORS: Final = Text(", or a sensorElementList with a readPoint", "，或给出 sensorElementList 与 readPoint")
_NOTHING: Final = Text("", "")
_PARENT: Final = Text("With the action {action} the parent must be named.", "动作为 {action} 时必须注明父对象。")
_ILMD: Final = Text("Master data of instances go with the action ADD alone.", "ilmd 只能用于动作 ADD。")
_SIDES: Final = Text(
    "A transformation names inputs and outputs, or a transformationID and one of them.",
    "转换事件须同时列出投入与产出，或给出 transformationID 及其中之一。",
)


def moment(text: str) -> datetime:
    """Read a time with its offset; digits after the microsecond are dropped."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return datetime.fromisoformat(f"{found[1]}{(found[2] or '')[:7]}{found[3]}")


def milliseconds(text: str) -> int:
    """Return a time with its offset as milliseconds UTC."""
    made = moment(text)
    return int(made.timestamp()) * 1000 + made.microsecond // 1000


def _checked_time(text: str) -> str:
    try:
        moment(text).timestamp()
    except (ValueError, OverflowError):
        raise fault(_NO_TIME.format(time=text[:60])) from None
    return text


def _checked_word(word: str) -> str:
    if not (re.fullmatch(r"\w+", word) or is_uri(word)):
        raise fault(_NO_WORD.format(word=word[:80]))
    return word


def _once(uris: list[str]) -> list[str]:
    if len(set(uris)) < len(uris):
        raise fault(_UNIQUE.format(uri=Counter(uris).most_common(1)[0][0]))
    return uris


Uri = Annotated[str, StringConstraints(max_length=WORD_MAX), AfterValidator(check_uri)]
Uris = Annotated[list[Uri], Field(max_length=LIST_MAX), AfterValidator(_once)]
BizStep = Annotated[str, StringConstraints(max_length=WORD_MAX), AfterValidator(partial(check_word, "bizStep"))]
Disposition = Annotated[str, StringConstraints(max_length=WORD_MAX), AfterValidator(partial(check_word, "disposition"))]
TransactionType = Annotated[
    str, StringConstraints(max_length=WORD_MAX), AfterValidator(partial(check_word, "transaction"))
]
Party = Annotated[str, StringConstraints(max_length=WORD_MAX), AfterValidator(partial(check_word, "party"))]
Reason = Annotated[str, StringConstraints(max_length=WORD_MAX), AfterValidator(partial(check_word, "reason"))]
Time = Annotated[str, StringConstraints(max_length=64), AfterValidator(_checked_time)]
Word = Annotated[str, StringConstraints(max_length=WORD_MAX), AfterValidator(_checked_word)]
Said = Annotated[str, StringConstraints(max_length=TEXT_MAX)]
Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Offset = Annotated[str, StringConstraints(pattern=r"^[+-]((0\d|1[0-3]):[0-5]\d|14:00)$")]
Action = Literal["ADD", "OBSERVE", "DELETE"]


class Form(BaseModel):
    """A part of an event; what it does not name must have a prefix."""

    model_config = ConfigDict(extra="allow", populate_by_name=False)
    closed: ClassVar[bool] = False
    """It takes no fields of other people."""

    @model_validator(mode="after")
    def _only_prefixed(self) -> Form:
        for name in self.__pydantic_extra__ or ():
            if self.closed or ":" not in name or name.startswith("@"):
                raise FieldFault(name, _UNKNOWN)
        return self


class FieldFault(ValueError):
    """One field of a form is to blame for what is found wrong with the whole."""

    def __init__(self, field: str, text: Text) -> None:
        self.field, self.text = field, text
        super().__init__(text.en)


class Quantity(Form):
    """So much of a class of things."""

    closed = True
    epc_class: Uri = Field(alias="epcClass")
    quantity: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] | None = None
    uom: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,3}$")] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Quantity:
        if self.uom is not None and self.quantity is None:
            raise FieldFault("quantity", _NO_QUANTITY)
        return self


Quantities = Annotated[list[Quantity], Field(max_length=LIST_MAX)]


class Transaction(Form):
    """A document that the event belongs to."""

    closed = True
    type: TransactionType | None = None
    biz_transaction: Uri = Field(alias="bizTransaction")


class Source(Form):
    """Where things come from, or whose they were."""

    closed = True
    type: Party
    source: Uri


class Destination(Form):
    """Where things go to, or whose they become."""

    closed = True
    type: Party
    destination: Uri


class Place(Form):
    """A read point or a location."""

    id: Uri


class Persistent(Form):
    """Dispositions that stay until they are unset."""

    closed = True
    set: list[Disposition] = Field(default_factory=list, max_length=100)
    unset: list[Disposition] = Field(default_factory=list, max_length=100)


class Declaration(Form):
    """It says that an earlier event is wrong, and which ones stand for it."""

    declaration_time: Time = Field(alias="declarationTime")
    reason: Reason | None = None
    corrective_event_ids: list[Uri] = Field(default_factory=list, alias="correctiveEventIDs", max_length=LIST_MAX)


class SensorMetadata(Form):
    """What reports of one sensor share."""

    time: Time | None = None
    start_time: Time | None = Field(None, alias="startTime")
    end_time: Time | None = Field(None, alias="endTime")
    device_id: Uri | None = Field(None, alias="deviceID")
    device_metadata: Uri | None = Field(None, alias="deviceMetadata")
    raw: Uri | None = Field(None, alias="rawData")
    processing: Uri | None = Field(None, alias="dataProcessingMethod")
    rules: Uri | None = Field(None, alias="bizRules")


class SensorReport(Form):
    """One quantity that a sensor tells."""

    type: Word | None = None
    exception: Word | None = None
    device_id: Uri | None = Field(None, alias="deviceID")
    device_metadata: Uri | None = Field(None, alias="deviceMetadata")
    raw: Uri | None = Field(None, alias="rawData")
    processing: Uri | None = Field(None, alias="dataProcessingMethod")
    rules: Uri | None = Field(None, alias="bizRules")
    time: Time | None = None
    microorganism: Uri | None = None
    substance: Uri | None = Field(None, alias="chemicalSubstance")
    component: Word | None = None
    reference_system: Uri | None = Field(None, alias="coordinateReferenceSystem")
    value: Number | None = None
    text: Said | None = Field(None, alias="stringValue")
    yes: Annotated[bool, Field(strict=True)] | None = Field(None, alias="booleanValue")
    hexadecimal: Annotated[str, StringConstraints(pattern=r"^[A-Fa-f0-9]+$", max_length=TEXT_MAX)] | None = Field(
        None, alias="hexBinaryValue"
    )
    uri: Uri | None = Field(None, alias="uriValue")
    least: Number | None = Field(None, alias="minValue")
    most: Number | None = Field(None, alias="maxValue")
    mean: Number | None = Field(None, alias="meanValue")
    deviation: Number | None = Field(None, alias="sDev")
    rank: Number | None = Field(None, alias="percRank")
    percentile: Number | None = Field(None, alias="percValue")
    uom: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,4}$")] | None = None

    @model_validator(mode="after")
    def _something(self) -> SensorReport:
        if self.type is None and self.exception is None:
            raise FieldFault("type", Text("This is required.", "此项必填。"))
        return self


class SensorElement(Form):
    """Reports of sensors that share what describes them."""

    metadata: SensorMetadata | None = Field(None, alias="sensorMetadata")
    reports: list[SensorReport] = Field(alias="sensorReport", min_length=1, max_length=LIST_MAX)


class Masters(Form):
    """Master data of instances and lots (ilmd): fields with a prefix alone."""


class EventForm(Form):
    """What all events have: when, where, why and how."""

    type: str
    time: Time = Field(alias="eventTime")
    offset: Offset = Field(alias="eventTimeZoneOffset")
    recorded: Time | None = Field(None, alias="recordTime")
    event_id: Uri | None = Field(None, alias="eventID")
    declaration: Declaration | None = Field(None, alias="errorDeclaration")
    certification: Uri | Uris | None = Field(None, alias="certificationInfo")
    biz_step: BizStep | None = Field(None, alias="bizStep")
    disposition: Disposition | None = None
    persistent: Persistent | None = Field(None, alias="persistentDisposition")
    read_point: Place | None = Field(None, alias="readPoint")
    biz_location: Place | None = Field(None, alias="bizLocation")
    transactions: list[Transaction] = Field(default_factory=list, alias="bizTransactionList", max_length=1000)
    sources: list[Source] = Field(default_factory=list, alias="sourceList", max_length=1000)
    destinations: list[Destination] = Field(default_factory=list, alias="destinationList", max_length=1000)
    sensors: list[SensorElement] = Field(default_factory=list, alias="sensorElementList", max_length=1000)

    def _sensed(self) -> bool:
        return bool(self.sensors) and self.read_point is not None


class ObjectEvent(EventForm):
    """Things were seen, came into being or ceased to be."""

    action: Action
    epcs: Uris = Field(default_factory=list, alias="epcList")
    quantities: Quantities = Field(default_factory=list, alias="quantityList")
    ilmd: Masters | None = None

    @model_validator(mode="after")
    def _agreed(self) -> ObjectEvent:
        if not (self.epcs or self.quantities or self._sensed()):
            raise FieldFault("epcList", _WHAT.format(fields="epcList, quantityList", or_sensors=_OR_SENSORS))
        if self.ilmd is not None and self.action != "ADD":
            raise FieldFault("ilmd", _ILMD)
        return self


class AggregationEvent(EventForm):
    """Things were put into or taken out of another."""

    action: Action
    parent: Uri | None = Field(None, alias="parentID")
    epcs: Uris = Field(default_factory=list, alias="childEPCs")
    quantities: Quantities = Field(default_factory=list, alias="childQuantityList")

    @model_validator(mode="after")
    def _agreed(self) -> AggregationEvent:
        if self.parent is None and self.action != "OBSERVE":
            raise FieldFault("parentID", _PARENT.format(action=self.action))
        if not (self.epcs or self.quantities or self.action == "DELETE" or (self.parent and self._sensed())):
            raise FieldFault("childEPCs", _WHAT.format(fields="childEPCs, childQuantityList", or_sensors=_NOTHING))
        return self


class AssociationEvent(AggregationEvent):
    """Things were fitted to another, as parts and sensors are to equipment."""

    parent: Uri = Field(alias="parentID")


class TransactionEvent(EventForm):
    """Things were tied to business documents."""

    action: Action
    transactions: list[Transaction] = Field(alias="bizTransactionList", min_length=1, max_length=1000)
    parent: Uri | None = Field(None, alias="parentID")
    epcs: Uris = Field(default_factory=list, alias="epcList")
    quantities: Quantities = Field(default_factory=list, alias="quantityList")

    @model_validator(mode="after")
    def _agreed(self) -> TransactionEvent:
        if not (self.epcs or self.quantities or self.parent or self.action == "DELETE"):
            raise FieldFault("epcList", _WHAT.format(fields="epcList, quantityList", or_sensors=_NOTHING))
        return self


class TransformationEvent(EventForm):
    """Inputs were used up to make outputs."""

    transformation: Uri | None = Field(None, alias="transformationID")
    input_epcs: Uris = Field(default_factory=list, alias="inputEPCList")
    input_quantities: Quantities = Field(default_factory=list, alias="inputQuantityList")
    output_epcs: Uris = Field(default_factory=list, alias="outputEPCList")
    output_quantities: Quantities = Field(default_factory=list, alias="outputQuantityList")
    ilmd: Masters | None = None

    @model_validator(mode="after")
    def _agreed(self) -> TransformationEvent:
        used, made = self.input_epcs or self.input_quantities, self.output_epcs or self.output_quantities
        if not ((used and made) or (self.transformation and (used or made))):
            raise FieldFault("outputEPCList" if used else "inputEPCList", _SIDES)
        return self


EVENTS: Final[dict[str, type[EventForm]]] = {
    form.__name__: form
    for form in (ObjectEvent, AggregationEvent, AssociationEvent, TransactionEvent, TransformationEvent)
}


class Document(Form):
    """An EPCIS document: events with who sends them."""

    type: Literal["EPCISDocument", "EPCISQueryDocument"]
    context: Any = Field(alias="@context")
    version: Annotated[str, StringConstraints(pattern=r"^2(\.\d+)*$")] = Field(alias="schemaVersion")
    created: Time = Field(alias="creationDate")
    id: Uri | None = None
    sender: Uri | None = None
    receiver: Uri | None = None
    instance: Said | None = Field(None, alias="instanceIdentifier")
    header: dict[str, Any] | None = Field(None, alias="epcisHeader")
    body: dict[str, Any] = Field(alias="epcisBody")
