"""Requests made from the served description, sent to a web role that runs; a seed makes them the same every time.

`MAINSPRING_FUZZ_EXAMPLES` says how many of each sort an endpoint gets; `make fuzz` asks for many.
`MAINSPRING_FUZZ_ONLY` is a regular expression for those to be asked, such as `DELETE|GET /[j-z]`.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from tests.fuzz.answers import faults_of
from tests.fuzz.person import Asker
from tests.waiting import PATIENCE_S

from mainspring.web.uploads import UPLOADS

EXAMPLES: Final = int(os.environ.get("MAINSPRING_FUZZ_EXAMPLES", "3"))
ONLY: Final = re.compile(os.environ.get("MAINSPRING_FUZZ_ONLY", ""))
SEED: Final = 20261121
FAULTS_MAX: Final = 60
LEFT_OUT: Final = {
    "DELETE /session": "it would sign the asker out; the tests of sign-in do it",
}
"""Endpoints that are not asked, and why."""
ADDRESS_MAX: Final = 60_000
"""Of longer addresses the server hears no more than 64 KB: it hangs up while they are still being told."""
WITH_SESSION: Final = ("/session", "/tokens", "/subscriptions")
"""They are for people: a token is refused there."""
_ID: Final = re.compile(r"/([a-z/-]+)/\{([a-z0-9_]+)\}")
_OF_KIND: Final = re.compile(r"^/records/([a-z0-9-]+)(/\{id\})?$")
WHOLE_KINDS: Final = frozenset({"item", "order", "grant", "role", "assignment"})
"""Kinds whose every endpoint is asked also when few examples are; of others, one is made and changed."""


class Fuzzing:
    """One round through every endpoint."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.schema = schemathesis.openapi.from_dict(_with_plain_bodies(asker.document()))
        self.schema.config.update(base_url=asker.address)
        # Who asks is said here and not made up.
        self.schema.config.generation.update(with_security_parameters=False)
        self.random = random.Random(SEED)
        self.faults: dict[str, str] = {}
        self.answers: Counter[str] = Counter()

    def run(self) -> list[str]:
        """Ask every endpoint; return what is wrong, a line each."""
        for operation, name in self.operations():
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                self._ask(operation, name, mode)
                if len(self.faults) >= FAULTS_MAX:
                    return list(self.faults.values())
        return list(self.faults.values())

    def operations(self) -> Iterator[tuple[Any, str]]:
        """Yield what is asked, those that make records first."""
        found = []
        results: Any = self.schema.get_all_operations()
        for result in results:
            operation = result.ok()
            path = operation.path.removeprefix("/api/v1")
            name = f"{operation.method.upper()} {path}"
            if name not in LEFT_OUT and ONLY.match(name) and self._is_asked(operation.method, path):
                found.append((operation, name))
        yield from sorted(found, key=lambda each: (_place(each[0].method), each[1]))

    def _is_asked(self, method: str, path: str) -> bool:
        of_kind = _OF_KIND.match(path)
        if of_kind is None or EXAMPLES > 10 or of_kind[1] in WHOLE_KINDS:
            return True
        return method in {"post", "patch"}

    def _ask(self, operation: Any, name: str, mode: GenerationMode) -> None:
        try:
            strategy = operation.as_strategy(generation_mode=mode)
        except (schemathesis.errors.InvalidSchema, hypothesis.errors.Unsatisfiable) as error:
            self._blame(name, f"is described wrongly: {error}", "")
            return

        @hypothesis.seed(SEED)
        @hypothesis.settings(
            max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=strategy)
        def asked(case: Any) -> None:
            self._send(case, name, mode)

        try:
            asked()
        except hypothesis.errors.Unsatisfiable:
            # Whatever an endpoint takes that takes anything, nothing is wrong.
            assert mode is GenerationMode.NEGATIVE, f"{name} can never be asked"

    def _send(self, case: Any, name: str, mode: GenerationMode) -> None:
        if mode is GenerationMode.POSITIVE or self.random.random() < 0.5:
            self._aim(case, mode)
        fits = mode is GenerationMode.POSITIVE and case.meta is not None and case.meta.generation.mode.is_positive
        path = name.partition(" ")[2]
        by_token = not path.startswith(WITH_SESSION) and self.random.random() < 0.25
        headers = self.asker.headers(by_token=by_token)
        upload = UPLOADS.get((case.method.lower(), path))
        if upload is not None:
            headers["Content-Type"] = self.random.choice(upload.media_types).replace("*/*", "image/png")
        try:
            answer = case.call(headers=headers, timeout=PATIENCE_S)
        except Exception as error:
            if len(urlencode(case.query or {}, doseq=True)) > ADDRESS_MAX:
                return
            self._blame(name, f"cannot be asked: {type(error).__name__} {error}", repr(case))
            return
        self.answers[f"{name} {mode.value} {answer.status_code}"] += 1
        for fault in faults_of(case, answer, name, fits=fits):
            self._blame(name, fault, repr(case))
        self._remember(path, answer)

    def _aim(self, case: Any, mode: GenerationMode) -> None:
        """Name things that are there, so that more is tried than how their absence is told."""
        made = case.meta.components.get(ParameterLocation.PATH) if case.meta is not None else None
        if "{id}/stream" in case.path or (made is not None and made.mode.is_negative):
            # What is meant to be wrong stays wrong: put right, the request would be one to be taken.
            return
        for noun, name in _ID.findall(case.path.removeprefix("/api/v1")):
            known = self.asker.ids.get(noun) or next(iter(self.asker.of_kind.get(noun.rpartition("/")[2], [])), None)
            if known is not None and self.random.random() < 0.8:
                case.path_parameters[name] = known
        if "{kind}" in case.path and "id" in case.path_parameters and self.random.random() < 0.8:
            case.path_parameters |= {"kind": "item", "id": self.asker.ids["records/item"]}
        if isinstance(case.body, dict) and mode is GenerationMode.POSITIVE:
            self._link(case)

    def _link(self, case: Any) -> None:
        """Let links lead to records that are there."""
        of_kind = _OF_KIND.match(case.path.removeprefix("/api/v1"))
        schemas = self.schema.raw_schema["components"]["schemas"]
        for body in case.operation.definition.raw.get("requestBody", {}).get("content", {}).values():
            form = schemas.get(body.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
            for name, about in form.get("properties", {}).items():
                known = self.asker.of_kind.get(about.get("x-kind", ""))
                if known and name in case.body and case.body[name] is not None:
                    case.body[name] = self.random.choice(known)
        if of_kind is not None and case.method.lower() == "patch":
            case.body["version"] = 1

    def _remember(self, path: str, answer: Any) -> None:
        of_kind = _OF_KIND.match(path)
        if of_kind is not None and answer.status_code == 201:
            self.asker.of_kind.setdefault(of_kind[1], []).append(answer.json()["id"])

    def _blame(self, name: str, fault: str, asked: str) -> None:
        # One of each sort is enough to act on.
        sort = f"{name} {re.sub(r'[0-9a-f-]{8,}|[0-9]+', '', fault)[:80]}"
        self.faults.setdefault(sort, f"{name} {fault}\n    asked: {asked[:700]}")


def _with_plain_bodies(document: dict[str, Any]) -> dict[str, Any]:
    """Return the description with files as bytes: they are made of whatever, under each type in turn."""
    plain = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    for method, path in UPLOADS:
        document["paths"][f"/api/v1{path}"][method]["requestBody"]["content"] = plain
    return document


def _place(method: str) -> int:
    return ("post", "put", "patch", "get", "delete").index(method.lower())
