"""What happens to second factors, told to the audit as allauth's signals tell it."""

from __future__ import annotations

from typing import Any

from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.people.second_factor import KIND
from mainspring.records.people.user import User


def listen() -> None:
    """Hear the signals."""
    signals.authenticator_added.connect(_added)
    signals.authenticator_reset.connect(_renewed)
    signals.authenticator_removed.connect(_removed)


def _added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    _tell(Action.CREATE, request, user, [None, str(authenticator.type)])


def _renewed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    _tell(Action.CHANGE, request, user, [str(authenticator.type), str(authenticator.type)])


def _removed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    _tell(Action.DELETE, request, user, [str(authenticator.type), None])


def _tell(action: Action, request: HttpRequest, user: User, kind: list[str | None]) -> None:
    from mainspring.web.security import address_of  # every process with Django listens, only the web role hears

    author = Author(user.tenant, user.pseudonym, address_of(request))
    append(author, [Deed(action, KIND, str(user.id), changes={"kind": kind})])
