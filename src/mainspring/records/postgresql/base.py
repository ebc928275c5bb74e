"""Django's connection to PostgreSQL, which says for whom it works before a statement that needs to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db.backends.postgresql import base

from mainspring.records.in_force import in_force

_OF_TRANSACTIONS: Final = ("ROLLBACK", "SAVEPOINT", "RELEASE")


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection; what it was told last it knows until the server may have forgotten it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._told: str | None = None
        self.execute_wrappers.append(self._tell)

    def init_connection_state(self) -> None:
        """Take a connection from the pool: whoever had it before worked for someone else."""
        self._told = None
        super().init_connection_state()

    def _rollback(self) -> None:
        # What was told within the transaction is undone with it.
        self._told = None
        super()._rollback()  # type: ignore[misc]  # the stubs leave it out

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        self._told = None

    def _tell(self, execute: Callable[..., Any], sql: Any, parameters: Any, many: bool, context: Any) -> Any:
        wanted = in_force()
        # A transaction that failed takes nothing but its end.
        if wanted != self._told and not (isinstance(sql, str) and sql.startswith(_OF_TRANSACTIONS)):
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT set_config('mainspring.tenant', %s, false)", (wanted,))
            self._told = wanted
        return execute(sql, parameters, many, context)
