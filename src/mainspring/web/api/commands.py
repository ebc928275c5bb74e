"""Writing to equipment: select, execute, release; or both in one go, for programs. One way through the checks."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from django.db import transaction
from django.http import HttpRequest
from nats.errors import Error as NatsError
from ninja import Query, Router, Schema, Status
from pydantic import Field, SecretStr, ValidationError

from mainspring.core import subjects
from mainspring.core.commands import ITEMS_MAX, OTHER, Command, CommandItem, CommandOutcome, ItemOutcome
from mainspring.core.errors import MainspringError, NotConnected
from mainspring.core.history import Ordinal
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records.access.permits import permits_of, user_of
from mainspring.records.access.scope import scope_of
from mainspring.records.faults import Invalid
from mainspring.records.people.sign_in import PASSWORD_LENGTH_MAX, USERNAME_LENGTH_MAX, full_name
from mainspring.records.people.user import User
from mainspring.records.plant import command as command_records
from mainspring.records.plant import connection as connection_records
from mainspring.records.plant import reservation
from mainspring.records.plant.command import CommandedTag, CommandRecord
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right, Role
from mainspring.records.search_words import below
from mainspring.web import writing
from mainspring.web.accounts.steps import proven
from mainspring.web.alarm_rows import people_of
from mainspring.web.api.forms import Listing, cut
from mainspring.web.faults import WrongCredentials
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of
from mainspring.web.writing import Target

router = Router(tags=["commands"])

COMMAND_MS: Final = 15_000
COMMAND_MAX_MS: Final = 120_000
ANSWER_S: Final = 5.0
"""How much longer than the command lasts its answer is waited for."""
TAGS_SHOWN_MAX: Final = 10_000

_UNHEARD: Final = Text(
    "Not confirmed: the gateway did not answer. The equipment may have acted. Read it.",
    "未确认：网关未应答。设备可能已动作，请查看现状。",
)
_REASON: Final = Text("Give a reason: {tag} requires one.", "请填写原因：{tag} 要求说明原因。")
_PASSWORD: Final = Text("Enter your password: {tag} requires it.", "请输入您的密码：{tag} 要求验证密码。")
_NO_PASSWORD: Final = Text("This token belongs to no person, who could prove it.", "该令牌不属于任何人，无法验证密码。")
_WRONG: Final = Text("The password is wrong.", "密码错误。")
_SECOND: Final = Text("{tag} requires a second person.", "{tag} 需要第二人确认。")
_SECOND_WRONG: Final = Text("Name or password of the second person is wrong.", "第二人的用户名或密码错误。")
_SAME_PERSON: Final = Text("The second person must be someone else.", "第二人须为他人。")
_SECOND_RIGHT: Final = Text(
    "The second person needs the right to write these tags.", "第二人须具有写入这些测点的权限。"
)
_OTHER_TAGS: Final = Text(
    "These are not the tags that were selected. Give a value for each of them.",
    "与所选测点不符，请为每个所选测点给出值。",
)
_TWICE: Final = Text("A tag can have one value only.", "同一测点只能有一个值。")


class SelectionDraft(Schema):
    """Tags to select, by id or ordinal."""

    items: list[UUID | Ordinal] = Field(min_length=1, max_length=ITEMS_MAX)


class SecondPerson(Schema):
    """Someone else with the right, who confirms with their own password."""

    username: str = Field(max_length=USERNAME_LENGTH_MAX)
    password: SecretStr = Field(max_length=PASSWORD_LENGTH_MAX)


class CommandDraft(Schema):
    """Values for tags, of a selection or not, and what their tags require."""

    items: list[CommandItem] = Field(min_length=1, max_length=ITEMS_MAX)
    selection: UUID | None = Field(
        default=None, description="of POST /commands/select; without it both are done in one"
    )
    connection: UUID | None = Field(default=None, description="refuse tags of any other connection")
    reason: str = Field(default="", max_length=400)
    password: SecretStr | None = Field(default=None, max_length=PASSWORD_LENGTH_MAX)
    second: SecondPerson | None = None
    expires_ms: int = Field(
        default=COMMAND_MS,
        ge=100,
        le=COMMAND_MAX_MS,
        description="milliseconds from now after which it is not executed",
    )


class CommandListing(Listing):
    """What the list of commands takes."""

    asset: UUID | None = None
    tag: int | None = Field(default=None, ge=0, lt=2**32)


@router.post("/commands/select", auth=Needs(Right.COMMAND, somewhere=True))
async def select(request: HttpRequest, draft: SelectionDraft) -> dict[str, Any]:
    """Check that tags may be written now and hold them for 30 s, 90 s where two people are needed.

    A refusal names every tag that is not free.
    """
    actor = actor_of(request)
    asked = list(dict.fromkeys(draft.items))
    targets = await writing.examine(actor, asked)
    if any(target.refusal is not None for target in targets):
        raise writing.NotSelectable(targets)
    tags = [target.tag for target in targets if target.tag is not None]
    by_two = any(target.policy.second_person for target in targets)
    lasts_ms = reservation.HELD_BY_TWO_MS if by_two else reservation.HELD_MS
    selection, expires_ms = await in_thread(reservation.selected, actor.author, tags, lasts_ms)
    return {
        "selection": selection, "expires_ms": expires_ms, "now_ms": time.time_ns() // 1_000_000,
        "items": [target.document() for target in targets],
    }  # fmt: skip


@router.delete("/commands/select/{uuid:selection}", auth=Needs(Right.COMMAND, somewhere=True), response={204: None})
def release(request: HttpRequest, selection: UUID) -> Status[None]:
    """Give a selection up before its time."""
    actor = actor_of(request)
    reservation.release(actor.tenant, selection, actor.pseudonym)
    return Status(204, None)


@router.post("/commands", auth=Needs(Right.COMMAND, somewhere=True))
async def send_command(request: HttpRequest, draft: CommandDraft) -> dict[str, Any]:
    """Write values to equipment; the answer tells for each what became of it and what was read back."""
    actor = actor_of(request)
    values = {item.tag: item.value for item in draft.items}
    if len(values) < len(draft.items):
        raise Invalid({"items": _TWICE})
    targets = await writing.examine(actor, list(values), lambda: _check_selection(actor, draft, values.keys()))
    values = {target.ordinal: writing.value_of(target, values[target.ordinal]) for target in targets}
    faults = [writing.fault(target, values[target.ordinal], draft.connection) for target in targets]
    refused = any(faults)
    asks = any(target.policy.reason or target.policy.password or target.policy.second_person for target in targets)
    second = await in_thread(_required, request, actor, draft, targets) if asks and not refused else None
    record = _record(actor, draft, targets, values, second)
    if refused:
        outcome = [_refused(target.ordinal, found or OTHER) for target, found in zip(targets, faults, strict=True)]
        await to_the_end(in_thread(_given, actor, record, targets, None, outcome))
    else:
        outcome = await to_the_end(_carried_out(actor, record, targets, values, draft.selection))
    before = {target.ordinal: target.seen.value for target in targets}
    return {
        "id": record.id, "issued_ms": record.issued_ms, "expires_ms": record.expires_ms,
        "finished_ms": record.finished_ms,
        "items": [item.model_dump(mode="json") | {"before": before[item.tag]} for item in outcome],
    }  # fmt: skip


@router.get("/commands", auth=Needs(Right.VIEW, somewhere=True))
def commands(request: HttpRequest, listing: Query[CommandListing]) -> dict[str, Any]:
    """List commands, of a tag, of an asset and what is below it, or all; newest first, with who gave them."""
    scope = actor_of(request).scope(Right.VIEW)
    found = CommandRecord.objects.of(scope.tenant)
    wanted = CommandedTag.objects.filter(tenant=scope.tenant)
    if not scope.everywhere:
        found = found.filter(pk__in=wanted.filter(ordinal__in=scope.tags().values("ordinal")).values("command"))
    if listing.asset is not None:
        ordinals = scope.tags().filter(below(scope.asset(listing.asset).path)).values("ordinal")
        found = found.filter(pk__in=wanted.filter(ordinal__in=ordinals).values("command"))
    if listing.tag is not None:
        found = found.filter(pk__in=wanted.filter(ordinal=listing.tag).values("command"))
    items = [each.document() for each in cut(found.order_by("-issued_ms"), listing)]
    people = people_of({str(each[name]) for each in items for name in ("by", "second") if each[name]})
    ordinals_shown = list({item["tag"] for each in items for item in each["items"]})[:TAGS_SHOWN_MAX]
    tags = {tag.ordinal: tag for tag in scope.tags().filter(ordinal__in=ordinals_shown)}
    for each in items:
        each["by"] = people.get(str(each["by"]), str(each["by"]))
        each["second"] = people.get(str(each["second"]), str(each["second"])) if each["second"] else None
        seen = [item for item in each["items"] if scope.everywhere or item["tag"] in tags]
        each["items"] = [item | _named(tags.get(item["tag"])) for item in seen]
    return {"items": items, "total": found.count()}


def _named(tag: Tag | None) -> dict[str, Any]:
    """Return how a tag is called and its values are shown."""
    if tag is None:
        return {}
    document = tag.document()
    return {f"tag_{name}": document[name] for name in ("id", "name", "path")} | {
        name: document[name] for name in ("kind", "unit_sign", "decimals", "words")
    }


def _check_selection(actor: Actor, draft: CommandDraft, tags: Any) -> None:
    """Find the connection, and the selection with exactly these tags; raises NotFound, Conflict or Invalid."""
    if draft.connection is not None:
        connection_records.find(actor.tenant, draft.connection)
    if draft.selection is None:
        return
    if reservation.held(actor.tenant, draft.selection, actor.pseudonym) != set(tags):
        raise Invalid({"items": _OTHER_TAGS})


def _required(request: HttpRequest, actor: Actor, draft: CommandDraft, targets: Sequence[Target]) -> UUID | None:
    """Check what the tags require beyond the right; returns the second person. Raises Invalid, or Locked."""

    def first(asks: Callable[[Target], bool]) -> str | None:
        return next((target.tag.name for target in targets if target.tag is not None and asks(target)), None)

    reason = first(lambda target: target.policy.reason)
    if reason and not draft.reason.strip():
        raise Invalid({"reason": _REASON.format(tag=reason)})
    password = first(lambda target: target.policy.password)
    if password:
        if actor.user is None:
            raise Invalid({"password": _NO_PASSWORD})
        if draft.password is None:
            raise Invalid({"password": _PASSWORD.format(tag=password)})
        _proven(request, actor.user.get_username(), draft.password, "password", _WRONG)
    two = first(lambda target: target.policy.second_person)
    if not two:
        return None
    if draft.second is None:
        raise Invalid({"second": _SECOND.format(tag=two)})
    name = full_name(draft.second.username, actor.tenant.key)
    second = _proven(request, name, draft.second.password, "second", _SECOND_WRONG)
    if second.pseudonym == actor.pseudonym:
        raise Invalid({"second": _SAME_PERSON})
    needed = {Right.COMMAND}.union(*(target.policy.role.rights for target in targets))
    may = second.tenant_id == actor.tenant.pk and not second.must_change_password
    if not may or not _reaches(second, needed, {target.ordinal for target in targets}):
        raise Invalid({"second": _SECOND_RIGHT})
    return second.pseudonym


def _reaches(person: User, needed: set[Right], ordinals: set[int]) -> bool:
    """Tell whether someone has all these rights for all these tags, by role or by assignments."""
    permits = permits_of(person.tenant, user_of(person.pk))
    scopes = (scope_of(person.tenant, Role(person.role).rights, permits, right) for right in needed)
    return all(scope.ordinals(ordinals) == ordinals for scope in scopes)


def _proven(request: HttpRequest, name: str, password: SecretStr, field: str, wrong: Text) -> User:
    try:
        return proven(request, name, password)
    except WrongCredentials as error:
        raise Invalid({field: wrong}, wrong) from error


def _record(
    actor: Actor, draft: CommandDraft, targets: Sequence[Target], values: dict[int, Any], second: UUID | None
) -> CommandRecord:
    issued = time.time_ns() // 1_000_000
    connections = {target.tag.connection_id for target in targets if target.tag is not None}
    return CommandRecord(
        id=uuid7(),
        connection=next(iter(connections)) if len(connections) == 1 else None,
        pseudonym=actor.pseudonym,
        second=second,
        authority=f"{Right.COMMAND}: {draft.reason.strip()}",
        items=[
            {
                "tag": target.ordinal,
                "value": writing.recordable(values[target.ordinal]),
                "before": target.seen.value,
            }
            for target in targets
        ],
        issued_ms=issued,
        expires_ms=issued + draft.expires_ms,
    )


def _given(
    actor: Actor, record: CommandRecord, targets: Sequence[Target], selection: UUID | None,
    refused: list[ItemOutcome] | None,
) -> None:  # fmt: skip
    """Record a command, with its outcome if it is refused; else it holds its tags to its end. Raises Conflict."""
    tags = [target.tag for target in targets if target.tag is not None]
    lasts_ms = record.expires_ms - record.issued_ms + int(1000 * ANSWER_S)
    with transaction.atomic():
        if refused is None and selection is not None:
            reservation.use(actor.author, selection, tags, record.id, lasts_ms)
        elif refused is None:
            reservation.reserve(actor.author, tags, record.id, lasts_ms)
        command_records.given(actor.author, record, tags[0].path if len(tags) == 1 else "")
        if refused is not None:
            command_records.finished(record, refused)


async def _carried_out(
    actor: Actor, record: CommandRecord, targets: Sequence[Target], values: dict[int, Any], selection: UUID | None
) -> list[ItemOutcome]:
    """Record a command, send each connection its part, all at once, and record what became of them.

    Done to its end once begun: its tags are held from the first record to the last.
    """
    await in_thread(_given, actor, record, targets, selection, None)
    parts: defaultdict[tuple[UUID, str], list[CommandItem]] = defaultdict(list)
    for target in targets:
        assert target.tag is not None
        assert target.tag.connection is not None
        connection = target.tag.connection
        parts[connection.id, connection.gateway].append(CommandItem(tag=target.ordinal, value=values[target.ordinal]))
    outcomes = await asyncio.gather(*(
        _sent(
            Command(
                id=uuid5(record.id, connection.hex), tenant=actor.tenant.key, connection=connection,
                items=tuple(items), by=str(actor.pseudonym), authority=record.authority,
                issued_ms=record.issued_ms, expires_ms=record.expires_ms,
            ),
            gateway,
        )
        for (connection, gateway), items in parts.items()
    ))  # fmt: skip
    by_tag = {item.tag: item for outcome in outcomes for item in outcome.items}
    found = [by_tag[target.ordinal] for target in targets]
    await in_thread(_finished, actor, record, found)
    return found


def _finished(actor: Actor, record: CommandRecord, outcome: list[ItemOutcome]) -> None:
    with transaction.atomic():
        command_records.finished(record, outcome)
        reservation.release(actor.tenant, record.id, actor.pseudonym)


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
        outcome = CommandOutcome.model_validate_json(answer)
    except (NotConnected, NatsError, ValidationError):
        return _all(command, "not-confirmed", _UNHEARD)
    except MainspringError as error:
        return _all(command, "refused", error.text)
    told = {item.tag for item in outcome.items} == {item.tag for item in command.items}
    return outcome if told else _all(command, "not-confirmed", _UNHEARD)


def _all(command: Command, outcome: Any, text: Text) -> CommandOutcome:
    items = tuple(ItemOutcome(tag=item.tag, outcome=outcome, text=text.document()) for item in command.items)
    return CommandOutcome(id=command.id, items=items, finished_ms=time.time_ns() // 1_000_000)


def _refused(tag: int, text: Text) -> ItemOutcome:
    return ItemOutcome(tag=tag, outcome="refused", text=text.document())
