"""The audit from the command line: verified against itself and against what was written down of it, exported."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from mainspring.configuration import Configuration
from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.first_start import open_records
from mainspring.records.heads import HeadFile, PutBack, head_of, note_put_back, time_of

if TYPE_CHECKING:
    from mainspring.records.tenant import Tenant

Say = Callable[[Text], None]
_NO_COMPANY: Final = Text(
    "There is no company {tenant}; `mainspring tenant list` shows them.",
    "没有企业 {tenant}，可用 `mainspring tenant list` 查看。",
)
_WHOLE: Final = Text(
    "{tenant}: {count:,} entries, the chain is whole. Its head is {head}.",
    "{tenant}：共 {count:,} 条，链条完整，末条标记 {head}。",
)
_KEPT: Final = Text(
    "{tenant}: all {count:,} heads written down beside the database since {since} are in it.",
    "{tenant}：自 {since} 起在数据库之外记下的 {count:,} 个末条标记均在链条中。",
)
_NEVER: Final = Text(
    "{tenant}: no head is written down beside the database yet; the platform does so every minute while it runs.",
    "{tenant}：尚未在数据库之外记下末条标记，平台运行时每分钟记录一次。",
)
_BROKEN: Final = Text(
    "The audit of {tenant} is broken at entry {number}: it was altered or removed. Compare with a backup.",
    "{tenant} 的审计在第 {number} 条处中断：记录被更改或删除，请与备份比对。",
)
_CUT: Final = Text(
    "The audit of {tenant} had the entry {head} at {time} and has it no more: its last entries were removed. Compare "
    "with a backup. If the records were put back to an earlier state, note it: `mainspring audit restored TIME`.",
    "{tenant} 的审计在 {time} 有记录 {head}，现已不存在：末尾记录被删除，请与备份比对。"
    "若记录曾恢复到较早状态，请用 `mainspring audit restored 时间` 注明。",
)
_UNEXPECTED: Final = Text(
    "The audit of {tenant} does not have the entry {head}: it was altered or removed after that was written down, or "
    "this is another company's. Compare with a backup.",
    "{tenant} 的审计中没有记录 {head}：记下之后该记录被更改或删除，或该标记属于其他企业，请与备份比对。",
)
_EXPECTED: Final = Text("{tenant}: the entry {head} is in it.", "{tenant}：记录 {head} 在链条中。")
_GIVEN_UP: Final = Text(
    "{tenant}: on {noted} the records were put back to those of {time}; entries after it, up to number {number:,}, are "
    "not in the chain.",
    "{tenant}：{noted} 注明记录已恢复到 {time} 的状态，其后至第 {number:,} 条的原记录不在链条中。",
)
_NOTED: Final = Text(
    "Noted for {tenants}: the records are those of {time}. Entries after it are not missed any more.",
    "已为 {tenants} 注明：记录为 {time} 的状态，其后的记录不再视为缺失。",
)
_NOTHING: Final = Text(
    "Nothing is written down in {folder} yet, so nothing is missed either.",
    "{folder} 中尚无末条标记，因此也没有缺失。",
)


def verify_audit(configuration: Configuration, say: Say, key: str = "", expected: str = "") -> bool:
    """Check the chain of one company, or of all, and say how each is; tells whether nothing is altered or missing.

    `expected` is a head that somebody wrote down before; without `key` it is that of the settings' company.
    """
    head = head_of(expected) if expected else None
    open_records(configuration)
    from mainspring.records.audit import missed
    from mainspring.records.tenant import Tenant

    one = key or (configuration.plant.tenant if head else "")
    tenants = [_company(one)] if one else list(Tenant.objects.order_by("key"))
    whole = True
    for tenant in tenants:
        whole &= _verified(configuration, tenant, say)
    if head is not None:
        lost = bool(missed(tenants[0], [head]))
        say((_UNEXPECTED if lost else _EXPECTED).format(tenant=tenants[0].key, head=head))
        whole &= not lost
    return whole


def _verified(configuration: Configuration, tenant: Tenant, say: Say) -> bool:
    from mainspring.records.audit import check_part, missed

    # Read first: the chain may only have grown since.
    holding, given_up = HeadFile(configuration.data_folder, tenant.key).read()
    checked = check_part(tenant)
    if checked.broken is not None:
        say(_BROKEN.format(tenant=tenant.key, number=checked.broken))
    else:
        head = f"{checked.whole_to}:{checked.digest}"
        say(_WHOLE.format(tenant=tenant.key, count=checked.whole_to, head=head))
    lost = missed(tenant, holding)
    if lost:
        say(_CUT.format(tenant=tenant.key, head=lost[0], time=_told(lost[0].time_ms)))
    elif holding:
        say(_KEPT.format(tenant=tenant.key, count=len(holding), since=_told(holding[0].time_ms)))
    elif not given_up:
        say(_NEVER.format(tenant=tenant.key))
    for restore, last in given_up:
        if missed(tenant, [last]):
            told = {"noted": _told(restore.noted_ms), "time": _told(restore.to_ms), "number": last.sequence}
            say(_GIVEN_UP.format(tenant=tenant.key, **told))
    return checked.broken is None and not lost


def note_restored(configuration: Configuration, written: str, say: Say) -> None:
    """Note that the records were put back to what they were at a time, so that later entries are not missed."""
    to_ms = time_of(written)
    tenants = note_put_back(configuration.data_folder, PutBack(noted_ms=time.time_ns() // 1_000_000, to_ms=to_ms))
    if tenants:
        say(_NOTED.format(tenants=", ".join(tenants), time=_told(to_ms)))
    else:
        say(_NOTHING.format(folder=configuration.data_folder.resolve()))


def export_audit(configuration: Configuration, key: str, write: Callable[[str], object]) -> None:
    """Write a company's audit as lines of JSON; raises NotFound."""
    open_records(configuration)
    from mainspring.records.audit import lines

    for part in lines(_company(key or configuration.plant.tenant)):
        write(part)


def _company(key: str) -> Tenant:
    from mainspring.records.tenant import Tenant

    found = Tenant.objects.filter(key=key).first()
    if found is None:
        raise NotFound(_NO_COMPANY, tenant=key)
    return found


def _told(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000).astimezone().isoformat(" ", "seconds")
