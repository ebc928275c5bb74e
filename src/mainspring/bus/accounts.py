"""The accounts of the bus: one for the platform's roles with the streams, and one for each tenant's gateways.

What a gateway needs crosses by name: its account imports each service bound to its own tenant, and an account's name is
the tenant's key, which the server checks against the subject. Nothing else of one account exists for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mainspring.bus.connect import inbox_prefix
from mainspring.bus.credentials import RoleUser
from mainspring.core import subjects

PLATFORM: Final = "MAINSPRING"
SYSTEM: Final = "SYS"
SERVICES: Final = (
    subjects.readings("*", "*"),
    subjects.readings("*", "*", late=True),
    f"$JS.API.DIRECT.GET.{subjects.LIVE}.{subjects.readings('*', '*')}",
    f"$JS.API.DIRECT.GET.{subjects.LATE}.{subjects.readings('*', '*', late=True)}",
    subjects.definitions("*"),
    subjects.clock("*"),
    subjects.blob("*", "*"),
    subjects.connections("*", "*"),
    subjects.health("gateway", "*", "*"),
)
"""What a tenant's account may ask the platform; the first `*` of each is the tenant."""
NOTICES: Final = subjects.defined("*")
POSITIONS: Final = subjects.position("*")
QUESTIONS: Final = subjects.gateway("*", "*", "*")
"""What the platform asks a tenant's gateways."""
CONNECTIONS_MAX: Final = 2048
"""Most connections of one tenant's account."""


def accounts(users: Sequence[RoleUser]) -> str:
    """Return the accounts as the server's configuration has them: the platform's, and one for each tenant of users."""
    names = sorted({user.tenant for user in users if user.tenant})
    exports = [_export("service", subject) for subject in SERVICES]
    exports += [_export("stream", NOTICES), f'{{ stream: "{POSITIONS}" }}']
    imports = [f'{{ service: {{ account: "{name}", subject: "{_of(name, QUESTIONS)}" }} }}' for name in names]
    platform = [user for user in users if not user.tenant]
    written = [
        f"{PLATFORM} {{\n  jetstream: enabled\n  users: {_listed(map(permissions, platform))}\n"
        f"  exports: {_listed(exports)}\n  imports: {_listed(imports)}\n}}"
    ]
    written += [_tenant(name, [user for user in users if user.tenant == name]) for name in names]
    written.append(f"{SYSTEM} {{ users: [] }}")
    return "\n".join(written)


def permissions(user: RoleUser) -> str:
    """Return a user's entry in the server's configuration."""

    def quoted(subjects_: tuple[str, ...]) -> str:
        return "[" + ", ".join(f'"{subject}"' for subject in subjects_) + "]"

    own = f"{inbox_prefix(user.name)}.>"
    # An empty list would allow everything.
    publish = quoted(user.rights.publish) if user.rights.publish else '{ deny: ">" }'
    return (
        f"{{ nkey: {user.public_key}, permissions: {{ publish: {publish}, "
        f"subscribe: {quoted((*user.rights.subscribe, own))}, "
        'allow_responses: { max: 100000, expires: "5m" } } }'
    )


def _tenant(name: str, users: Sequence[RoleUser]) -> str:
    imports = [_import("service", _of(name, subject)) for subject in SERVICES]
    imports += [_import("stream", _of(name, NOTICES)), _import("stream", POSITIONS)]
    # A command may take its two minutes, and its answer come in parts.
    questions = (
        f'{{ service: "{_of(name, QUESTIONS)}", accounts: [{PLATFORM}], '
        'response_type: stream, response_threshold: "5m" }'
    )
    return (
        f'"{name}" {{\n  limits: {{ max_connections: {CONNECTIONS_MAX} }}\n'
        f"  users: {_listed(map(permissions, users))}\n  exports: [{questions}]\n"
        f"  imports: {_listed(imports)}\n}}"
    )


def _of(tenant: str, subject: str) -> str:
    return subject.replace("*", tenant, 1)


def _export(kind: str, subject: str) -> str:
    place = subject.split(".").index("*") + 1
    answers = ", response_type: stream" if subject == subjects.definitions("*") else ""
    return f'{{ {kind}: "{subject}", account_token_position: {place}{answers} }}'


def _import(kind: str, subject: str) -> str:
    return f'{{ {kind}: {{ account: {PLATFORM}, subject: "{subject}" }} }}'


def _listed(entries: Iterable[str]) -> str:
    return "[\n    " + "\n    ".join(entries) + "\n  ]"
