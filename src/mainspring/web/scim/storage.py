"""People and roles as SCIM's users and groups: the protocol is the package's, the rows are the records'."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from django.db import transaction
from django.db.models import Q, QuerySet
from scim2_models import (
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
    TooManyException,
)
from scim2_server.storage import ScimStorage, SearchPage

from mainspring.records.defined.access import Access
from mainspring.web.scim.groups import Groups
from mainspring.web.scim.people import People

SEARCHED_MAX: Final = 5000
"""Of more than these only such filters are answered as the tables answer: `userName eq "..."` and its like."""
_EQUAL: Final = re.compile(r'^(id|userName|externalId|displayName) eq ("(?:[^"\\]|\\.)*")$', re.IGNORECASE)
_TOO_MANY: Final = "There are more than {limit}. Filter by userName, externalId, displayName or id with eq."


class Rows(Protocol):
    """One type of resource, as rows of the records."""

    def candidates(self, where: Q) -> QuerySet[Any]:
        """Return rows that may match."""

    def equal(self, name: str, value: str) -> Q:
        """Return the condition by which the table finds an attribute's value."""

    def find(self, id: str, *, held: bool = False) -> Any:
        """Return a row, held against others until the operation ends; raises NotFoundException."""

    def version(self, row: Any, /) -> str:
        """Return the entity tag of a row."""

    def resource(self, row: Any, /) -> Resource[Any]:
        """Return a row as SCIM says it."""

    def create(self, resource: Any, /) -> Any:
        """Make a row."""

    def update(self, row: Any, resource: Any, /) -> Any:
        """Put a row into the state that a resource says."""

    def delete(self, row: Any, /) -> None:
        """Remove a row."""


class Records(ScimStorage):
    """The people and roles of the company that an access is for."""

    def __init__(self, access: Access) -> None:
        self._of: dict[str | None, Rows] = {"User": People(access), "Group": Groups(access)}

    def operation(self) -> AbstractContextManager[None]:
        """Do one operation whole or not at all."""
        return transaction.atomic()

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return a person or a role."""
        rows = self._of[resource_type.name]
        return rows.resource(rows.find(resource_id))

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        """Return how many match, and the asked part of them, by index alone."""
        found: list[Resource[Any]] = []
        for each in resource_types:
            rows = self._of[each.name]
            found += map(rows.resource, rows.candidates(_narrowed(rows, search_request))[: SEARCHED_MAX + 1])
            if len(found) > SEARCHED_MAX:
                raise TooManyException(detail=_TOO_MANY.format(limit=SEARCHED_MAX))
        if search_request.filter is not None:
            found = [each for each in found if search_request.filter.match(each)]
        found = search_request.sort(found)
        start = (search_request.start_index or 1) - 1
        end = None if search_request.count is None else start + search_request.count
        return SearchPage(len(found), found[start:end])

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Make a person or a role."""
        rows = self._of[resource_type.name]
        return rows.resource(rows.create(resource))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Put a person or role into the state that the resource says."""
        rows = self._of[resource_type.name]
        row = self._expected(rows, str(resource.id), expected_version)
        return rows.resource(rows.update(row, resource))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Remove a person or a role."""
        rows = self._of[resource_type.name]
        rows.delete(self._expected(rows, resource_id, expected_version))

    @staticmethod
    def _expected(rows: Rows, id: str, version: str | None) -> Any:
        row = rows.find(id, held=True)
        if version is not None and rows.version(row) != version:
            raise PreconditionFailedException
        return row


def _narrowed(rows: Rows, asked: SearchRequest[Any]) -> Q:
    """Return what the tables can answer of a filter; whether a row matches is asked of the package all the same."""
    found = _EQUAL.match(str(asked.filter)) if asked.filter is not None else None
    if found is None or "\\" in found[2]:
        return Q()
    return rows.equal(found[1].lower(), found[2][1:-1])
