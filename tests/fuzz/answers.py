"""What is looked at in every answer, whatever was asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks

from mainspring.core.faults import _WORDS

CHECKS: Final = [
    checks.status_code_conformance, checks.content_type_conformance, checks.response_headers_conformance,
    checks.response_schema_conformance, checks.negative_data_rejection,
]  # fmt: skip
"""Not asked: whether everything that fits a description is accepted, for what a record links to must be there, units
must be known and names be free; instead a refusal must say more than the description does (`_nonsense`). Whether
endpoints are closed without sign-in the tests of rights ask, for every role."""

ASK_OTHERS: Final = frozenset({
    "POST /connections/test", "POST /connections/browse", "POST /connections/preview", "POST /subscriptions/{id}/try",
})  # fmt: skip
"""They ask a gateway or a mail server, which is not there: 503 or 502 is the right answer."""
AWAY: Final = frozenset({"not-connected", "rejected"})
_BY_FORM: Final = frozenset({
    "int_type", "int_from_float", "float_type", "finite_number", "bool_type", "string_type", "uuid_type", "dict_type",
    "list_type", "greater_than", "greater_than_equal", "less_than", "less_than_equal", "string_too_short",
    "string_too_long", "too_long", "too_short", "enum", "literal_error",
})  # fmt: skip
_SAID_BY_FORM: Final = [re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(_WORDS[kind].en))) for kind in sorted(_BY_FORM)]
"""Sentences that say no more than the description does: what fits it must not get one. Patterns are left out, for what
is a letter or a blank differs between engines."""


def faults_of(case: Any, answer: Response, name: str, *, fits: bool) -> Iterator[str]:
    """Yield what is wrong with an answer; `fits` says whether what was asked is as described."""
    if answer.status_code >= 500 and not (name in ASK_OTHERS and _code(answer) in AWAY):
        yield f"fails with {answer.status_code}: {answer.text[:300]}"
        return
    yield from _described(case, answer)
    if answer.status_code >= 400 and (said := _unlike_a_fault(answer)):
        yield said
    if not answer.headers.get("x-request-id") or answer.headers.get("x-content-type-options") != ["nosniff"]:
        yield "answers without the headers that protect"
    if fits and answer.status_code == 422:
        yield from _nonsense(answer)


def _described(case: Any, answer: Response) -> Iterator[str]:
    try:
        case.validate_response(answer, checks=CHECKS)
    except (AssertionError, BaseExceptionGroup) as error:
        found = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        yield from (f"is not as described: {' '.join(str(each).split())[:400]}" for each in found)


def _code(answer: Response) -> str:
    try:
        return str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        return ""


def _unlike_a_fault(answer: Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return f"refuses in another form than JSON: {answer.status_code} {answer.text[:200]}"
    text = document.get("text") if isinstance(document, dict) else None
    if not (isinstance(text, dict) and text.get("en") and text.get("zh") and document.get("code")):
        return f"refuses without saying why in both languages: {answer.status_code} {answer.text[:200]}"
    for word in ("Traceback", "site-packages", "sqlite", "psycopg", "SELECT "):
        if word in answer.text:
            return f"tells of its inside: {answer.text[:300]}"
    return ""


def _nonsense(answer: Response) -> Iterator[str]:
    """Yield refusals of what is as described, which say what the description should have said."""
    fields: dict[str, Any] = answer.json().get("fields") or {}
    for path, text in fields.items():
        if any(said.fullmatch(text["en"]) for said in _SAID_BY_FORM):
            yield f"refuses what its description takes: {path}: {text['en']}"
