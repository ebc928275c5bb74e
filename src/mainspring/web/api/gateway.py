"""Questions to gateways: test and browse a connection before it is saved; commands to equipment."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpRequest
from nats.errors import Error as NatsError
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.core import subjects
from mainspring.core.commands import ITEMS_MAX, Command, CommandItem, CommandOutcome, ItemOutcome
from mainspring.core.errors import MainspringError, NotConnected
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records import command as command_record
from mainspring.records.command import CommandRecord
from mainspring.records.connection import GATEWAY_DEFAULT, Connection, complete_settings
from mainspring.records.connection import find as find_connection
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.alarm_rows import people_of
from mainspring.web.api.forms import Listing, cut
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.runtime import REPORT_AGE_MAX_MS, runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["gateways"])

TEST_TIMEOUT_S: Final = 40.0
PREVIEW_TAGS_MAX: Final = 1000
COMMAND_MS: Final = 15_000
COMMAND_MAX_MS: Final = 120_000
ANSWER_S: Final = 5.0
"""How much longer than the command lasts its answer is waited for."""
_UNHEARD: Final = Text(
    "The gateway did not answer. The equipment may have acted: read the value before trying again.",
    "网关未应答，设备可能已动作，请先查看当前值再重试。",
)


class Question(Schema):
    """A connection as it stands in the form; `id` of a stored one lends its secrets."""

    driver: str = Field(max_length=64)
    settings: dict[str, Any] = Field(default_factory=dict)
    gateway: str = Field(default=GATEWAY_DEFAULT, pattern=r"^[a-z][a-z0-9-]{0,31}$")
    id: UUID | None = None


class BrowseQuestion(Question):
    """Which node to open; none is the root."""

    parent: str | None = Field(default=None, max_length=2000)
    limit: int = Field(default=500, ge=1, le=5000)


class PreviewTag(Schema):
    """A value that may become a tag."""

    address: dict[str, Any]
    kind: SampleKind = SampleKind.FLOAT


class PreviewQuestion(Question):
    """Which values to read before they are stored."""

    tags: list[PreviewTag] = Field(max_length=PREVIEW_TAGS_MAX)


class CommandDraft(Schema):
    """Values for tags of one connection, and why."""

    connection: UUID
    items: list[CommandItem] = Field(min_length=1, max_length=ITEMS_MAX)
    reason: str = Field(default="", max_length=400)
    expires_ms: int = Field(
        default=COMMAND_MS,
        ge=100,
        le=COMMAND_MAX_MS,
        description="milliseconds from now after which it is not executed",
    )


async def _ask(tenant: Tenant, question: Question, verb: str, **more: Any) -> Any:
    settings = await sync_to_async(complete_settings)(tenant, question.driver, question.settings, question.id)
    payload = json.dumps({"driver": question.driver, "settings": settings, **more}, default=str).encode()
    subject = subjects.gateway(tenant.key, question.gateway, verb)
    return json.loads(await runtime.require_bus().ask(subject, payload, timeout_s=TEST_TIMEOUT_S))


@router.post("/connections/test", auth=Needs(Right.CONFIGURE))
async def test(request: HttpRequest, question: Question) -> Any:
    """Test a connection in ordered steps; the first that fails carries its cure."""
    return await _ask(actor_of(request).tenant, question, "test")


@router.post("/connections/browse", auth=Needs(Right.CONFIGURE))
async def browse(request: HttpRequest, question: BrowseQuestion) -> Any:
    """List what lies below a node of a device."""
    return await _ask(actor_of(request).tenant, question, "browse", parent=question.parent, limit=question.limit)


@router.post("/connections/preview", auth=Needs(Right.CONFIGURE))
async def preview(request: HttpRequest, question: PreviewQuestion) -> Any:
    """Read values of a connection that is not stored yet, as the device gives them: raw, with quality."""
    tags = [tag.model_dump(mode="json") for tag in question.tags]
    return await _ask(actor_of(request).tenant, question, "preview", tags=tags)


@router.get("/gateways", auth=Needs(Right.VIEW))
async def gateways(request: HttpRequest) -> list[dict[str, Any]]:
    """List the gateways that connections name or that report, and whether they are alive."""
    tenant = actor_of(request).tenant
    now_ms = time.time_ns() // 1_000_000
    alive = {
        name
        for (key, name), report in runtime.gateways.items()
        if key == tenant.key and now_ms - report.time_ms < REPORT_AGE_MAX_MS
    }
    named = await sync_to_async(
        lambda: set(Connection.objects.of(tenant).values_list("gateway", flat=True).distinct())
    )()
    names = sorted(named | alive | {GATEWAY_DEFAULT})
    return [{"name": name, "tenant": tenant.key, "alive": name in alive} for name in names]


@router.post("/commands", auth=Needs(Right.COMMAND))
async def send_command(request: HttpRequest, draft: CommandDraft) -> Any:
    """Write values to equipment; the answer tells for each what became of it and what was read back."""
    actor = actor_of(request)
    connection = await sync_to_async(find_connection)(actor.tenant, draft.connection)
    issued = time.time_ns() // 1_000_000
    command = Command(
        id=uuid7(), tenant=actor.tenant.key, connection=connection.id, items=tuple(draft.items),
        by=str(actor.pseudonym), authority=f"{Right.COMMAND}: {draft.reason}", issued_ms=issued,
        expires_ms=issued + draft.expires_ms,
    )  # fmt: skip

    def record() -> CommandRecord:
        with transaction.atomic():
            return command_record.given(actor.author, command)

    recorded = await sync_to_async(record)()

    async def carried_out() -> CommandOutcome:
        outcome = await _sent(command, connection.gateway)
        await in_thread(command_record.finished, recorded, outcome)
        return outcome

    return (await to_the_end(carried_out())).model_dump(mode="json")


async def _sent(command: Command, gateway: str) -> CommandOutcome:
    """Send a command and return its outcome, which is unknown if no answer comes."""
    subject = subjects.gateway(command.tenant, gateway, "command")
    lasts_s = (command.expires_ms - command.issued_ms) / 1000
    try:
        bus = runtime.require_bus()
    except NotConnected as error:
        return _all(command, "refused", error.text)
    try:
        answer = await bus.ask(subject, command.model_dump_json().encode(), timeout_s=lasts_s + ANSWER_S)
        return CommandOutcome.model_validate_json(answer)
    except (NotConnected, NatsError):
        return _all(command, "not-confirmed", _UNHEARD)
    except MainspringError as error:
        return _all(command, "refused", error.text)


def _all(command: Command, outcome: Any, text: Text) -> CommandOutcome:
    items = tuple(ItemOutcome(tag=item.tag, outcome=outcome, text=text.document()) for item in command.items)
    return CommandOutcome(id=command.id, items=items, finished_ms=time.time_ns() // 1_000_000)


@router.get("/commands", auth=Needs(Right.VIEW))
def commands(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List commands, newest first, with the names of those who gave them."""
    found = CommandRecord.objects.of(actor_of(request).tenant).order_by("-issued_ms")
    items = [each.document() for each in cut(found, listing)]
    people = people_of({str(each["by"]) for each in items})
    return {
        "items": [each | {"by": people.get(str(each["by"]), str(each["by"]))} for each in items],
        "total": found.count(),
    }
