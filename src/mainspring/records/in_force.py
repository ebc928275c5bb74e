"""For whom this thread or task works: one company, or the platform itself; said by nobody, it works for no one.

PostgreSQL is told before every statement that needs it (`records.postgresql`), and its policies show and take rows of
that company alone: the second wall, behind the data layer that asks for them only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    # The connection imports this, and tables need the connection.
    from mainspring.records.tenant import Tenant

P = ParamSpec("P")
R = TypeVar("R")
PLATFORM: Final = "*"
NOBODY: Final = ""
_in_force: Final[ContextVar[str]] = ContextVar("mainspring_tenant", default=NOBODY)


def in_force() -> str:
    """Return the ids of the companies worked for, `PLATFORM` or `NOBODY`."""
    return _in_force.get()


def enter(*tenants: Tenant) -> None:
    """Work for a company from now on, in this context: a request, a task, a process.

    A second one is that whose records a grant shows to the first.
    """
    _in_force.set(",".join(str(tenant.pk) for tenant in tenants))


def enter_platform() -> None:
    """Work for the platform from now on, in this context: what runs for all companies alike."""
    _in_force.set(PLATFORM)


@contextmanager
def for_tenant(tenant: Tenant) -> Iterator[None]:
    """Work for a company within; also a decorator."""
    token = _in_force.set(str(tenant.pk))
    try:
        yield
    finally:
        _in_force.reset(token)


@contextmanager
def for_platform() -> Iterator[None]:
    """Work for the platform within: looking up who signs in, publication, migrations; also a decorator."""
    token = _in_force.set(PLATFORM)
    try:
        yield
    finally:
        _in_force.reset(token)


@contextmanager
def unchanged() -> Iterator[None]:
    """Forget at the end for whom the work within was."""
    token = _in_force.set(_in_force.get())
    try:
        yield
    finally:
        _in_force.reset(token)


def carried(work: Callable[P, R]) -> Callable[P, R]:
    """Return work that another thread does for whom this one works now."""
    context = copy_context()
    return lambda *arguments, **named: context.run(work, *arguments, **named)
