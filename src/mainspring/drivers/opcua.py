"""OPC UA: subscriptions, reading, writing and browsing, with signed and encrypted channels.

Sources: OPC UA Part 4 (services), Part 6 (encoding and transport). asyncua is imported on first contact, not before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from mainspring.core.drivers import Check, Driver, DriverTag, Node, Settings, Traffic, Value, checked, setting
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, Rejected
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.opcua_columns import Columns, Plan, decode_notifications, quality_of
from mainspring.drivers.opcua_session import Session, item, read_request, status_name
from mainspring.drivers.opcua_wire import Reader, Reading

if TYPE_CHECKING:
    from collections.abc import Awaitable

PUBLISHES: Final = 3
"""Publish requests the server always holds, so that an answer never waits for our next request."""
MALFORMED_MAX: Final = 10
"""Malformed notifications in a row after which the connection is given up."""
NODE_ID: Final = r"^(ns=\d{1,5};)?[isgb]=.{1,4096}$"
_ATTRIBUTES: Final = {"Value": 13, "DisplayName": 4, "Description": 5, "BrowseName": 3, "AccessLevel": 17}
_BAD_CONFIGURATION: Final = 0x80890000

_SUBSCRIBED: Final = Text(
    "{url} is already subscribed to over this connection. End that subscription, or open another connection.",
    "该连接已订阅 {url}。请先结束该订阅，或另开一个连接。",
)
_ENDED: Final = Text(
    "{url} ended the subscription ({reason}). It is set up anew; if it persists, read the server's log.",
    "{url} 结束了订阅（{reason}）。系统会重新建立；若持续出现，请查看服务器日志。",
)
_SILENT: Final = Text(
    "{url} has not sent a sign of life for {seconds} s. The connection is set up anew; check server and network.",
    "{url} 已有 {seconds} 秒没有任何响应。系统会重新连接；请检查服务器和网络。",
)
_GARBLED: Final = Text(
    "{url} sent {count} malformed notifications in a row. The connection is set up anew; update the server's firmware.",
    "{url} 连续发送了 {count} 个格式错误的通知。系统会重新连接；请升级服务器固件。",
)
_ITEM: Final = Text(
    "The server does not deliver {node}: {status}. Correct the address, or grant the right on the server.",
    "服务器不提供 {node}：{status}。请更正地址，或在服务器上授予权限。",
)


class OpcUaConfig(Settings):
    """How to reach a server and who we are to it."""

    url: str = setting(..., "Endpoint URL", "端点地址", pattern=r"^opc\.tcp://[^@/\s]+(/\S*)?$", max_length=1024)
    security_policy: Literal["none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = setting(
        "Basic256Sha256", "Security policy", "安全策略"
    )
    security_mode: Literal["sign", "sign-and-encrypt"] = setting("sign-and-encrypt", "Security mode", "安全模式")
    sign_in: Literal["anonymous", "password", "certificate"] = setting("anonymous", "Sign-in", "登录方式")
    user: str = setting("", "User", "用户名", max_length=256)
    password: str = setting("", "Password", "密码", secret=True, repr=False, max_length=256)
    password_in_clear: bool = setting(False, "Allow the password in clear", "允许明文密码")
    user_certificate: Path | None = setting(None, "User certificate (file)", "用户证书（文件）")
    user_key: Path | None = setting(None, "User's private key (file)", "用户私钥（文件）")
    trusted_fingerprints: tuple[str, ...] = setting(
        (), "Trusted server fingerprints (SHA-256)", "受信任的服务器指纹（SHA-256）", max_length=16
    )
    trusted_certificates: tuple[Path, ...] = setting(
        (), "Trusted server or authority certificates (files)", "受信任的服务器或颁发机构证书（文件）", max_length=16
    )
    client_certificate: Path | None = setting(
        None, "Own certificate (file; made if empty)", "本机证书（文件；留空则自动生成）"
    )
    client_key: Path | None = setting(None, "Own private key (file)", "本机私钥（文件）")
    state_folder: Path = setting(Path(".mainspring/opcua"), "Folder of the own certificate", "本机证书所在文件夹")
    timeout_ms: int = setting(4000, "Time limit of a request", "请求时限", unit="ms", ge=100, le=60_000)
    contact_timeout_ms: int = setting(
        5000, "Silence after which contact is lost", "判定失联的静默时间", unit="ms", ge=500, le=600_000
    )
    publishing_interval_ms: int = setting(500, "Publishing interval", "发布间隔", unit="ms", ge=10, le=60_000)
    queue_size: int = setting(
        10, "Values the server keeps for each node", "服务器为每个节点缓存的值数", ge=1, le=10_000
    )
    batch_items: int = setting(1000, "Nodes in one request", "每个请求的节点数", ge=1, le=10_000)


class OpcUaAddress(Settings):
    """A node of the server, or one element of an array node."""

    node: str = setting(..., "Node id", "节点标识", pattern=NODE_ID)
    attribute: Literal["Value", "DisplayName", "Description", "BrowseName", "AccessLevel"] = setting(
        "Value", "Attribute", "属性"
    )
    index: int | None = setting(None, "Index in the array", "数组下标", ge=0, le=1_000_000)
    sampling_interval_ms: int | None = setting(
        None,
        "Sampling interval (publishing interval if empty)",
        "采样间隔（留空则同发布间隔）",
        unit="ms",
        ge=0,
        le=3_600_000,
    )


class OpcUa(Driver):
    """Speaks OPC UA to one server.

    `faults` says for each tag ordinal why its samples are bad although contact is good; read it, do not write it.
    """

    name: ClassVar[str] = "opcua"
    title: ClassVar[Text] = Text("OPC UA", "OPC UA")
    Config: ClassVar[type[Settings]] = OpcUaConfig
    Address: ClassVar[type[Settings]] = OpcUaAddress

    config: OpcUaConfig

    def __init__(self, config: OpcUaConfig) -> None:
        super().__init__(config)
        self._session: Session | None = None
        self._subscribed = False
        self._types: dict[str, Any] = {}

    async def connect(self) -> None:
        """Find the endpoint, check its certificate, sign in."""
        await self.close()
        session = self._session = Session(self.config, self.traffic)
        try:
            for step in (session.find_endpoint, session.trust, session.sign_in):
                await step()
        except BaseException:
            await self.close()
            raise

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise NotConnected(_SILENT, url=self.config.url, seconds="-")
        return self._session

    def prepare(self, tags: Sequence[DriverTag]) -> Plan:
        """Gather the tags by node; tags on elements of one array share one item."""
        plan = Plan()
        places: dict[tuple[Any, ...], int] = {}
        for tag in tags:
            address: OpcUaAddress = tag.address
            key = (address.node, address.attribute, address.sampling_interval_ms)
            place = places.setdefault(key, len(plan.items))
            if place < len(plan.items):
                plan.tags[place].append(tag)
                continue
            plan.tags.append([tag])
            plan.items.append(item(address.node, _ATTRIBUTES[address.attribute]))
        plan.seal()
        return plan

    async def read(self, prepared: Plan, time_ms: int) -> list[SampleBatch]:
        """Read all items in as few requests as the server allows."""
        session = self._open
        columns = Columns(prepared, time_ms, self.faults, polled=True, keep_blob=self.host.keep_blob)
        step = session.limits[0]
        for start in range(0, len(prepared.items), step):
            wanted = prepared.items[start : start + step]
            reader = await session.ask(read_request(wanted))
            if reader.count() != len(wanted):
                self.traffic.errors += 1
                raise reader.malformed("another number of results")
            columns.take(reader, len(wanted), start)
        batches = columns.batches()
        self.traffic.samples += sum(map(len, batches))
        return batches

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        """Deliver what the server sends, a batch for each column of a notification."""
        if self._subscribed:
            raise Rejected(_SUBSCRIBED, url=self.config.url)
        session, plan = self._open, self.prepare(tags)
        self._subscribed = True
        number = None
        try:
            number, silence_s = await _create_subscription(session)
            await self._monitor(session, plan, number, deliver)
            await self._receive(session, plan, number, silence_s, deliver)
        except NotConnected:
            number = None  # nobody is left to delete it
            raise
        finally:
            self._subscribed = False
            await _delete_subscription(session, number)

    async def _monitor(self, session: Session, plan: Plan, number: int, deliver: Callable[[SampleBatch], None]) -> None:
        """Create the monitored items; those the server refuses come as bad samples with a reason."""
        from asyncua import ua

        step = session.limits[3]
        refused = Columns(plan, time.time_ns() // 1_000_000, self.faults)
        for start in range(0, len(plan.items), step):
            wanted = []
            for handle, node in enumerate(plan.items[start : start + step], start):
                sampling = plan.tags[handle][0].address.sampling_interval_ms
                interval = self.config.publishing_interval_ms if sampling is None else sampling
                asked = ua.MonitoringParameters(handle, float(interval), None, self.config.queue_size, True)
                wanted.append(ua.MonitoredItemCreateRequest(node, ua.MonitoringMode.Reporting, asked))
            request = ua.CreateMonitoredItemsParameters(number, ua.TimestampsToReturn.Both, wanted)
            results = await session.call(session.services.create_monitored_items(request))
            for handle, result in enumerate(results, start):
                if not result.StatusCode.is_good():
                    status = int(result.StatusCode.value)
                    known = quality_of(status) & 0xFC
                    refused.add(handle, Reading(0, None, status if known else _BAD_CONFIGURATION, None))
                    text = _ITEM.format(node=plan.tags[handle][0].address.node, status=status_name(status))
                    self.faults.update((tag.ordinal, text) for tag in plan.tags[handle])
        self._hand_over(refused, deliver)

    def _hand_over(self, columns: Columns, deliver: Callable[[SampleBatch], None]) -> None:
        for batch in columns.batches():
            self.traffic.samples += len(batch)
            deliver(batch)

    async def _receive(
        self, session: Session, plan: Plan, number: int, silence_s: float, deliver: Callable[[SampleBatch], None]
    ) -> None:
        """Hand over notifications in their order; silence is probed and, if it lasts, ends the connection."""
        contact_s = self.config.contact_timeout_ms / 1000
        heard, malformed = time.monotonic(), 0
        asked = session.publishes
        while True:
            while len(asked) < PUBLISHES:
                session.publish([])
            done, _ = await asyncio.wait(asked, timeout=contact_s / 3, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                if time.monotonic() - heard > silence_s:
                    raise NotConnected(_SILENT, url=self.config.url, seconds=round(silence_s, 1))
                await _probe(session, self.config.url, contact_s * 2 / 3)
                continue
            heard = time.monotonic()
            for task in [task for task in asked if task in done]:
                asked.remove(task)
                if task.cancelled():  # by `close`, not by whoever waits for us
                    raise NotConnected(_ENDED, url=self.config.url, reason="closed")
                try:
                    self._notify(session, task.result(), plan, number, deliver)
                    malformed = 0
                except DecodeError as error:
                    malformed += 1
                    self.traffic.errors += 1
                    if malformed >= MALFORMED_MAX:
                        raise NotConnected(_GARBLED, url=self.config.url, count=malformed) from error

    def _notify(
        self, session: Session, reader: Reader, plan: Plan, number: int, deliver: Callable[[SampleBatch], None]
    ) -> None:
        """Acknowledge one notification with the next request, then hand over what it holds."""
        subscription = reader.number("<I")
        reader.take(4 * reader.count())
        reader.take(1)
        sequence = reader.number("<I")
        reader.take(8)
        filled = Reader(reader.body, reader.position).count() > 0
        session.publish([(subscription, sequence)] if filled else [])
        if subscription != number:
            return  # the rest of a subscription that has ended
        columns = Columns(plan, time.time_ns() // 1_000_000, self.faults, keep_blob=self.host.keep_blob)
        ended = decode_notifications(reader, columns)
        self._hand_over(columns, deliver)
        if ended is not None and ended >> 30 > 1:
            raise NotConnected(_ENDED, url=self.config.url, reason=status_name(ended))

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        """Write values in the type of their nodes; an array element is written as a range of one."""
        from mainspring.drivers.opcua_write import write_values

        return await write_values(self._open, items, self._types)

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        """List the objects and variables below a node; None is the Objects folder."""
        from mainspring.drivers.opcua_browse import children

        return await children(self._open, parent, limit)

    async def checks(self) -> AsyncIterator[Check]:
        """Test in the order address, port, endpoint, certificate, sign-in, first value."""
        session = Session(self.config, Traffic())
        steps: list[tuple[Text, Callable[[], Awaitable[Text]]]] = [
            (Text("Address resolves", "地址可解析"), session.resolve),
            (Text("Port is open", "端口已打开"), session.open_port),
            (Text("Endpoint found", "找到端点"), session.find_endpoint),
            (Text("Certificate trusted", "证书受信任"), session.trust),
            (Text("Sign-in accepted", "登录成功"), session.sign_in),
            (Text("First value", "首个值"), session.first_value),
        ]
        try:
            async for check in checked(steps):
                yield check
        finally:
            await session.close()

    async def close(self) -> None:
        """Close session and socket."""
        session, self._session = self._session, None
        self._types = {}
        if session:
            await session.close()


async def _create_subscription(session: Session) -> tuple[int, float]:
    """Create a subscription; returns its number and the silence in seconds that proves it dead."""
    from asyncua import ua

    session.forget_publishes()
    config = session.config
    request = ua.CreateSubscriptionRequest()
    asked = request.Parameters
    asked.RequestedPublishingInterval = float(config.publishing_interval_ms)
    asked.RequestedMaxKeepAliveCount = max(1, config.contact_timeout_ms // 3 // config.publishing_interval_ms)
    asked.RequestedLifetimeCount = max(3 * asked.RequestedMaxKeepAliveCount, 60_000 // config.publishing_interval_ms)
    asked.MaxNotificationsPerPublish = 0
    asked.PublishingEnabled = True
    reader = await session.ask(request)
    number, interval, _, keep_alive = (reader.number(form) for form in ("<I", "<d", "<I", "<I"))
    return number, max(config.contact_timeout_ms, interval * (keep_alive + 1) * 1.5) / 1000


async def _delete_subscription(session: Session, number: int | None) -> None:
    """Delete a subscription, so that another can follow on the same connection."""
    from asyncua import ua

    if number is None:
        return
    request = ua.DeleteSubscriptionsRequest()
    request.Parameters.SubscriptionIds = [number]
    try:
        await session.ask(request, 1)
    except MainspringError:
        return


async def _probe(session: Session, url: str, limit_s: float) -> None:
    """Read the server's state within a limit, or raise NotConnected."""
    try:
        async with asyncio.timeout(limit_s):
            await session.values(["i=2259"])
    except TimeoutError as error:
        seconds = session.config.contact_timeout_ms / 1000
        raise NotConnected(_SILENT, url=url, seconds=seconds) from error
