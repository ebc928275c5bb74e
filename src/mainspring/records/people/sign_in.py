"""Sign-in with name and password; the name may carry another tenant: `north/li.wei`."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from mainspring.records.people.user import User, normal

USERNAME_LENGTH_MAX = 100
PASSWORD_LENGTH_MAX = 256


class TenantBackend:
    """Finds people by tenant and name, and checks their password."""

    def authenticate(
        self, request: HttpRequest | None, username: str = "", password: str = "", **_: Any
    ) -> User | None:
        """Return the person, or None; the answer takes as long for a name that does not exist."""
        user = find(username)
        if user is None:
            make_password(password)
            return None
        return user if user.check_password(password) and user.enabled and not user.service else None

    def get_user(self, user_id: Any) -> User | None:
        """Return the person of a session, unless disabled meanwhile."""
        from mainspring.records.access.assignment import Assignment
        from mainspring.records.people import second_factor

        # Most people have no assignments: that is asked along with the person, and nothing further then.
        assigned = Exists(Assignment.objects.filter(person=OuterRef("pk")))
        rows = User.objects.select_related("tenant").annotate(
            assigned=assigned, has_second_factor=second_factor.exists()
        )
        return rows.filter(pk=UUID(str(user_id)), enabled=True, service=False).first()


def full_name(username: str, tenant: str) -> str:
    """Return the name under which attempts are counted: always with its tenant."""
    named_tenant, slash, name = username.rpartition("/")
    return f"{normal(named_tenant) if slash else tenant}/{normal(name)}"[:USERNAME_LENGTH_MAX]


def find(username: str) -> User | None:
    """Return the person behind a full name."""
    tenant, _, name = username.rpartition("/")
    return User.objects.named(tenant, name)


def network_of(address: str) -> str:
    """Return for what attempts are counted: an address, or in IPv6 the 64 bits below which one subscriber has all."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))


def counted_for(request: HttpRequest) -> str | None:
    """Return for what the attempt of a request is counted: where it came from, whatever its headers say."""
    return network_of(str(request.META.get("REMOTE_ADDR") or "")) or None


def locked_until(username: str, address: str | None = None) -> datetime | None:
    """Return when the lock-out of a full name ends, from one address or from any; None if it is not locked."""
    from axes.models import AccessAttempt
    from django.db.models import Max, Sum

    begin = datetime.now(UTC) - settings.AXES_COOLOFF_TIME
    attempts = AccessAttempt.objects.filter(username=username, attempt_time__gte=begin)
    if address is not None:
        attempts = attempts.filter(ip_address=network_of(address))
    counted = attempts.values("ip_address").annotate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
    ends = [row["last"] for row in counted if row["failures"] >= settings.AXES_FAILURE_LIMIT]
    return max(ends) + settings.AXES_COOLOFF_TIME if ends else None


def unlock(username: str) -> None:
    """Forget the failed attempts of a full name."""
    from axes.models import AccessAttempt

    AccessAttempt.objects.filter(username=username).delete()
