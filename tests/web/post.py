"""A mail server for tests: what leaves is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from tests.records import ground


class PostOffice:
    """Takes mails, or refuses them."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuses:
            return "451 not now"
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 kept"


@contextmanager
def open_office() -> Iterator[PostOffice]:
    """Run the server that the settings of tests send mails to."""
    office = PostOffice()
    controller = Controller(office, hostname="127.0.0.1", port=ground.MAIL_PORT)
    controller.start()
    yield office
    controller.stop(no_assert=True)
