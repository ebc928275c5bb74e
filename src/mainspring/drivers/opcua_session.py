"""One OPC UA session in the steps a connection test shows: endpoint, trust, sign-in; then requests and answers.

asyncua does the channel, its encryption and the encoding of requests; answers that carry values are read by
`opcua_wire`. asyncua is imported by the first step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mainspring.core.drivers import Traffic
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, Rejected, reason_of
from mainspring.core.text import Text
from mainspring.drivers import opcua_certificates as certificates
from mainspring.drivers.opcua_wire import Reader, Reading

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.client.client import Client

    from mainspring.drivers.opcua import OpcUaConfig

VALUE: Final = 13
"""Number of the attribute Value."""
_CHANNEL_MS, _SESSION_MS = 3_600_000, 60_000
_LIMIT_NODES: Final = ("i=11705", "i=11707", "i=11710", "i=11714")  # per read, write, browse, monitored items call

_NO_ANSWER: Final = Text(
    "{url} did not answer {what} within {seconds} s. Check that the server runs and that no firewall is between.",
    "{url} 在 {seconds} 秒内没有应答{what}。请检查服务器是否运行，以及中间有无防火墙。",
)
_NOT_REACHED: Final = Text(
    "{url} cannot be reached ({reason}). Check address and port, and that the OPC UA server runs.",
    "无法连接 {url}（{reason}）。请检查地址和端口，以及 OPC UA 服务器是否运行。",
)
_CLOSED: Final = Text(
    "{url} closed the connection during {what} ({reason}). It is tried again; if it persists, read the server's log.",
    "{url} 在{what}期间关闭了连接（{reason}）。系统会重试；若持续出现，请查看服务器日志。",
)
_REFUSED: Final = Text(
    "{url} refuses {what}: {status}. {doc} Correct the connection or the server, then test again.",
    "{url} 拒绝{what}：{status}。请更正连接设置或服务器后重新测试。",
)
_WRONG_USER: Final = Text(
    "{url} does not accept the sign-in ({status}). Check user and password or user certificate, and that the server "
    "knows them.",
    "{url} 不接受登录（{status}）。请检查用户名和密码或用户证书，并确认服务器已登记。",
)
_OURS_UNTRUSTED: Final = Text(
    "{url} does not trust our certificate ({status}). Add {path}, SHA-256 fingerprint {fingerprint}, to the server's "
    "trusted clients, then test again.",
    "{url} 不信任本机证书（{status}）。"
    "请将 {path}（SHA-256 指纹 {fingerprint}）加入服务器的受信任客户端，然后重新测试。",
)
_NO_ENDPOINT: Final = Text(
    "{url} has no endpoint with security {wanted}; it offers: {offered}. Choose one of these in the connection.",
    "{url} 没有安全策略为 {wanted} 的端点；可用：{offered}。请在连接中选择其一。",
)
_NO_TOKEN: Final = Text(
    "The endpoint of {url} does not take sign-in by {wanted}; it takes: {offered}. Choose one of these.",
    "{url} 的端点不支持以 {wanted} 方式登录；支持：{offered}。请选择其一。",
)
_CLEAR: Final = Text(
    "The password would travel to {url} without protection. Choose a security policy, or allow the password in clear.",
    "密码将以明文发送到 {url}。请选择安全策略，或明确允许明文密码。",
)
_MALFORMED: Final = Text(
    "{url} answered {what} with something malformed ({reason}). It was dropped; check that this is an OPC UA server.",
    "{url} 对{what}的应答格式错误（{reason}），已丢弃；请确认这是 OPC UA 服务器。",
)
_OPEN: Final = Text("the connection", "连接")
_SIGN_IN: Final = Text("the sign-in", "登录")
REQUEST: Final = Text("a request", "请求")

# What a server says when session, channel or server itself has gone: worth another try.
_LOST: Final = frozenset({
    "BadSessionIdInvalid", "BadSessionClosed", "BadSessionNotActivated", "BadSecureChannelIdInvalid",
    "BadSecureChannelClosed", "BadSecureChannelTokenUnknown", "BadConnectionClosed", "BadTimeout", "BadServerHalted",
    "BadShutdown", "BadTooManySessions", "BadSubscriptionIdInvalid", "BadNoSubscription", "BadCommunicationError",
    "BadTcpServerTooBusy", "BadTcpSecureChannelUnknown", "BadTcpInternalError", "BadTcpNotEnoughResources",
    "BadRequestTimeout", "BadServerNotConnected", "BadOutOfMemory", "BadResourceUnavailable", "BadInternalError",
    "BadMaxConnectionsReached", "BadTooManySubscriptions", "BadUnexpectedError", "BadNotConnected",
})  # fmt: skip
_IDENTITY: Final = frozenset({
    "BadUserAccessDenied", "BadIdentityTokenInvalid", "BadIdentityTokenRejected", "BadUserSignatureInvalid",
    "BadIdentityChangeNotSupported", "BadLicenseExpired",
})  # fmt: skip
_TOKEN_TYPES: Final = {"anonymous": 0, "password": 1, "certificate": 2}


def status_name(status: int) -> str:
    """Name a status code, for example BadNodeIdUnknown."""
    from asyncua.ua.status_codes import get_name_and_doc

    return str(get_name_and_doc(status & 0xFFFF0000)[0])


class _Meter:
    """A transport that counts what is written to it."""

    def __init__(self, transport: asyncio.Transport, traffic: Traffic) -> None:
        self._transport = transport
        self._traffic = traffic

    def write(self, message: bytes) -> None:
        self._traffic.bytes_out += len(message)
        self._transport.write(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Session:
    """A channel and a session to one server; made anew for each attempt to connect."""

    def __init__(self, config: OpcUaConfig, traffic: Traffic) -> None:
        self.config = config
        self.traffic = traffic
        self.limits = [config.batch_items] * 4
        self.publishes: deque[asyncio.Task[Reader]] = deque()
        self._endpoint: ua.EndpointDescription | None = None
        self._identity: certificates.Identity | None = None
        self._client: Client | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of the server."""
        parts = urlsplit(self.config.url)
        return parts.hostname or "", parts.port or 4840

    def _new_client(self) -> Client:
        from asyncua.client.client import Client

        log = logging.getLogger("asyncua")
        if log.level == logging.NOTSET:
            log.setLevel(logging.CRITICAL)  # what it would log as traceback we say as error, in words
        host, port = self.place
        url = self.config.url if urlsplit(self.config.url).port else f"opc.tcp://{host}:{port}"
        client = Client(url, timeout=self.config.timeout_ms / 1000)
        client.name = client.description = "Mainspring"
        client.product_uri = "urn:mainspring:gateway"
        client.session_timeout, client.secure_channel_timeout = _SESSION_MS, _CHANNEL_MS
        return client

    async def resolve(self) -> Text:
        """Find the addresses of the host's name."""
        host, port = self.place
        asked = asyncio.get_running_loop().getaddrinfo(host, port)
        found = await self._told(asyncio.wait_for(asked, self.config.timeout_ms / 1000), _OPEN)
        addresses = ", ".join(sorted({str(entry[4][0]) for entry in found}))
        if addresses == host:
            return Text(f"{host} is an address", f"{host} 是地址")
        return Text(f"{host} is {addresses}", f"{host} 的地址是 {addresses}")

    async def open_port(self) -> Text:
        """Open and close a TCP connection."""
        host, port = self.place
        opening = asyncio.wait_for(asyncio.open_connection(host, port), self.config.timeout_ms / 1000)
        _, writer = await self._told(opening, _OPEN)
        writer.close()
        return Text(f"port {port} is open", f"端口 {port} 已打开")

    async def find_endpoint(self) -> Text:
        """Ask for the endpoints and choose the one with our policy, mode and kind of sign-in."""
        await asyncio.to_thread(import_module, "asyncua")  # half a second that other connections need not wait
        from asyncua import ua
        from asyncua.crypto.security_policies import SecurityPolicyNone

        config = self.config
        limit = config.timeout_ms / 1000
        offers = await self._told(asyncio.wait_for(self._new_client().connect_and_get_server_endpoints(), limit), _OPEN)
        policy = SecurityPolicyNone if config.security_policy == "none" else self._policy()
        wanted = (self._mode(), policy.URI)
        for offer in offers or ():
            if offer.TransportProfileUri and not str(offer.TransportProfileUri).endswith("uatcp-uasc-uabinary"):
                continue
            if (offer.SecurityMode, offer.SecurityPolicyUri) == wanted:
                self._endpoint = offer
                break
        else:
            offered = sorted({_words(str(offer.SecurityPolicyUri), offer.SecurityMode) for offer in offers or ()})
            raise Rejected(
                _NO_ENDPOINT, url=config.url, wanted=_words(*wanted[::-1]), offered=", ".join(offered) or "-"
            )
        tokens = {int(token.TokenType) for token in self._endpoint.UserIdentityTokens or ()}
        if tokens and _TOKEN_TYPES[config.sign_in] not in tokens:
            offered = [name for name, number in _TOKEN_TYPES.items() if number in tokens]
            raise Rejected(_NO_TOKEN, url=config.url, wanted=config.sign_in, offered=", ".join(offered) or "-")
        if config.sign_in == "password" and wanted[0] == ua.MessageSecurityMode.None_ and not config.password_in_clear:
            raise Rejected(_CLEAR, url=config.url)
        words = _words(*wanted[::-1])
        return Text(f"the server offers {words}", f"服务器提供 {words}")

    def _policy(self) -> Any:
        from asyncua.crypto import security_policies

        return getattr(security_policies, f"SecurityPolicy{self.config.security_policy}")

    def _mode(self) -> Any:
        from asyncua import ua

        if self.config.security_policy == "none":
            return ua.MessageSecurityMode.None_
        sign = self.config.security_mode == "sign"
        return ua.MessageSecurityMode.Sign if sign else ua.MessageSecurityMode.SignAndEncrypt

    async def trust(self) -> Text:
        """Check the server's certificate against what the operator trusts, and load our own."""
        config = self.config
        if config.security_policy == "none":
            return Text("no security: nothing is signed or encrypted", "无安全策略：通信不签名也不加密")
        assert self._endpoint is not None, "find_endpoint comes first"
        presented = _leaf(bytes(self._endpoint.ServerCertificate or b""))
        why = await asyncio.to_thread(
            certificates.check_trust, presented, config.trusted_fingerprints, config.trusted_certificates
        )
        if config.client_certificate and config.client_key:
            paths = Path(config.client_certificate), Path(config.client_key)
            self._identity = await asyncio.to_thread(certificates.identity, *paths)
        else:
            self._identity = await asyncio.to_thread(certificates.application, Path(config.state_folder))
        return why

    async def sign_in(self) -> Text:
        """Open channel and session, sign in and learn the server's limits."""
        from asyncua.crypto.uacrypto import CertProperties

        client = self._client = self._new_client()
        config, own = self.config, self._identity
        if own and self._endpoint is not None:
            client.application_uri = own.uri
            presented = _leaf(bytes(self._endpoint.ServerCertificate or b""))
            security = client.set_security(
                self._policy(), CertProperties(own.certificate, "der"), CertProperties(own.key, "der"),
                server_certificate=CertProperties(presented, "der"), mode=self._mode(),
            )  # fmt: skip
            await self._told(security, _OPEN)
        if config.sign_in == "certificate":
            await self._load_user(client)
        await self._told(client.connect_socket(), _OPEN)
        self._protocol.transport = _Meter(self._protocol.transport, self.traffic)
        await self._told(client.send_hello(), _OPEN)
        await self._told(_open_channel(client), _OPEN)
        await self._told(client.create_session(), _OPEN)
        user, password = (config.user, config.password) if config.sign_in == "password" else (None, None)
        await self._told(client.activate_session(user, password, client.user_certificate), _SIGN_IN)
        self._renewal = asyncio.create_task(self._renew(client))
        for place, limit in enumerate(await self.values(_LIMIT_NODES)):
            if isinstance(limit.value, int) and limit.value > 0:
                self.limits[place] = min(self.limits[place], limit.value)
        return Text(f"signed in as {user or config.sign_in}", f"已登录：{user or config.sign_in}")

    async def _load_user(self, client: Client) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        paths = Path(self.config.user_certificate or ""), Path(self.config.user_key or "")
        user = await asyncio.to_thread(certificates.identity, *paths)
        client.user_certificate = x509.load_der_x509_certificate(user.certificate)
        client.user_private_key = load_der_private_key(user.key, None)

    async def _renew(self, client: Client) -> None:
        """Renew the channel's keys after three quarters of their life; a failure ends the connection."""
        try:
            while True:
                await asyncio.sleep(client.secure_channel_timeout * 0.75 / 1000)
                await client.open_secure_channel(renew=True)
                client.uaclient.revolve_security_token()
        except Exception:
            self._abort()

    async def _told(self, doing: Awaitable[Any], what: Text) -> Any:
        """Await a step and tell its failure in our words."""
        try:
            return await doing
        except MainspringError:
            raise
        except Exception as error:
            self.traffic.errors += 1
            raise self._failure(error, what) from error

    def _failure(self, error: Exception, what: Text) -> MainspringError:
        """Translate what asyncua or the socket raised."""
        from asyncua.ua.uaerrors import UaStatusCodeError

        url = self.config.url

        def told(kind: type[MainspringError], text: Text, **values: Any) -> MainspringError:
            return kind(text, url=url, what=what, **values)

        if isinstance(error, TimeoutError):
            return told(NotConnected, _NO_ANSWER, seconds=self.config.timeout_ms / 1000)
        if isinstance(error, ConnectionRefusedError) or (isinstance(error, OSError) and what is _OPEN):
            return told(NotConnected, _NOT_REACHED, reason=reason_of(error))
        if isinstance(error, OSError):
            return told(NotConnected, _CLOSED, reason=reason_of(error))
        if not isinstance(error, UaStatusCodeError):
            kind = NotConnected if what in (_OPEN, _SIGN_IN) else DecodeError
            return told(kind, _MALFORMED, reason=f"{type(error).__name__}: {error}"[:200])
        from asyncua.ua.status_codes import get_name_and_doc

        status, doc = get_name_and_doc(error.code)
        if status in _LOST:
            return told(NotConnected, _CLOSED, reason=status)
        if what is _SIGN_IN and status in _IDENTITY:
            return told(Rejected, _WRONG_USER, status=status)
        if self._identity and (status.startswith("BadCertificate") or status == "BadSecurityChecksFailed"):
            mark = certificates.fingerprint(self._identity.certificate)
            return told(Rejected, _OURS_UNTRUSTED, status=status, path=self._identity.path, fingerprint=mark)
        return told(Rejected, _REFUSED, status=status, doc=doc)

    @property
    def _protocol(self) -> Any:
        protocol = self._client.uaclient.protocol if self._client else None
        if protocol is None or protocol.is_closed:
            url = self.config.url
            raise NotConnected(_CLOSED.format(url=url, what="-", reason="closed"))
        return protocol

    async def ask(self, request: Any, timeout_s: float | None = None) -> Reader:
        """Send a request and return its answer, read up to behind the header; 0 waits without limit."""
        limit = self.config.timeout_ms / 1000 if timeout_s is None else timeout_s
        started = time.perf_counter()
        self.traffic.requests += 1
        answer = bytes(await self._told(self._protocol.send_request(request, limit), REQUEST))
        if limit:  # a publish request waits with the server for news; that is no round trip
            self.traffic.round_trip_ms = (time.perf_counter() - started) * 1000
        self.traffic.bytes_in += len(answer)
        reader = Reader(answer)
        if (result := reader.header()) >> 30 > 1:
            raise self.refusal(result)
        return reader

    def refusal(self, status: int) -> MainspringError:
        """Make the error for a status code the server answered with."""
        from asyncua.ua import uaerrors

        self.traffic.errors += 1
        error: Any = uaerrors.UaStatusCodeError
        return self._failure(error(status), REQUEST)

    def publish(self, acknowledge: list[tuple[int, int]]) -> None:
        """Leave a publish request with the server; the answer stays in `publishes` until someone takes it.

        Servers keep such requests beyond the end of a subscription and answer them for the next one.
        """
        from asyncua import ua

        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(ua.UInt32(subscription), ua.UInt32(sequence))
            for subscription, sequence in acknowledge
        ]
        self.publishes.append(asyncio.create_task(self.ask(request, 0)))

    def forget_publishes(self) -> None:
        """Drop the publish answers that came for earlier subscriptions."""
        for task in [task for task in self.publishes if task.done()]:
            task.exception()
            self.publishes.remove(task)

    async def call(self, doing: Awaitable[Any]) -> Any:
        """Await one of asyncua's own services, counted and with its failure in our words."""
        self.traffic.requests += 1
        return await self._told(doing, REQUEST)

    @property
    def services(self) -> Any:
        """asyncua's services of this session."""
        assert self._protocol is not None
        return self._client.uaclient if self._client else None

    async def values(self, nodes: Sequence[str], attribute: int = VALUE) -> list[Reading]:
        """Read one attribute of several nodes."""
        wanted = [item(node, attribute) for node in nodes]
        readings: list[Reading] = []
        for start in range(0, len(wanted), self.limits[0]):
            readings += await self.readings(wanted[start : start + self.limits[0]])
        return readings

    async def first_value(self) -> Text:
        """Read the server's clock and say how far it is from ours."""
        (reading,) = await self.values(["i=2258"])
        if not isinstance(reading.value, str):
            raise DecodeError(_MALFORMED, url=self.config.url, what="ServerStatus.CurrentTime", reason="no time")
        apart = round(datetime.fromisoformat(reading.value).timestamp() - time.time())
        return Text(
            f"the server's clock says {reading.value}, {apart:+d} s from ours",
            f"服务器时钟为 {reading.value}，与本机相差 {apart:+d} 秒",
        )

    async def readings(self, wanted: list[Any]) -> list[Reading]:
        """Read up to one request full of attributes."""
        reader = await self.ask(read_request(wanted))
        if reader.count() != len(wanted):
            raise reader.malformed("another number of results")
        return [reader.reading() for _ in wanted]

    def _abort(self) -> None:
        protocol = self._client.uaclient.protocol if self._client else None
        if protocol is not None and protocol.transport is not None:
            protocol.transport.abort()

    async def close(self) -> None:
        """Say goodbye if the server still listens, and close the socket in any case."""
        for task in (*self.publishes, *([self._renewal] if self._renewal else [])):
            task.cancel()
        await asyncio.gather(*self.publishes, return_exceptions=True)
        self.publishes.clear()
        if client := self._client:
            try:
                async with asyncio.timeout(1):
                    await client.close_session()
                    await client.close_secure_channel()
            except Exception as error:
                logging.getLogger(__name__).debug("closing without goodbye: %s", error)
            self._abort()
            client.disconnect_socket()
        self._client = None


async def _open_channel(client: Client) -> None:
    """Open the secure channel; a refusal whose status asyncua loses on the way is named as what it means."""
    from asyncua.ua import uaerrors

    try:
        await client.open_secure_channel()
    except (AssertionError, AttributeError) as error:
        raise uaerrors.BadSecurityChecksFailed from error


def node_id(text: str) -> Any:
    """Parse a node id; what is none becomes the null id, which every server refuses by name."""
    from asyncua import ua
    from asyncua.ua.uaerrors import UaError

    try:
        return ua.NodeId.from_string(text)
    except (UaError, ValueError):
        return ua.NodeId()


def item(node: str, attribute: int = VALUE) -> Any:
    """Name one attribute of a node in a request."""
    from asyncua import ua
    from asyncua.ua.attribute_ids import AttributeIds

    return ua.ReadValueId(node_id(node), AttributeIds(attribute))


def read_request(wanted: list[Any]) -> Any:
    """Make a Read request that asks the device itself, without time stamps: what is polled carries its tick."""
    from asyncua import ua

    request = ua.ReadRequest()
    request.Parameters.NodesToRead = wanted
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
    return request


def _words(policy: str, mode: Any) -> str:
    name = policy.rpartition("#")[2]
    return name if int(mode) == 1 else f"{name} ({'sign' if int(mode) == 2 else 'sign-and-encrypt'})"


def _leaf(chain: bytes) -> bytes:
    """Return the first certificate of a DER chain."""
    size = int.from_bytes(chain[2:4], "big") + 4 if chain[:2] == b"\x30\x82" else len(chain)
    return chain[:size]
