"""An OPC UA server inside the process, over a real socket: for tests, and for the demo plant to replay a recording."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mainspring.core import quality as q
from mainspring.core.errors import NotFound
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS

if TYPE_CHECKING:
    from asyncua import ua

NAMESPACE: Final = "urn:mainspring:simulator"
UNIT_SPACE: Final = "http://unitsofmeasure.org"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Final = {
    SampleKind.FLOAT: "Double", SampleKind.INTEGER: "Int64", SampleKind.BOOLEAN: "Boolean",
    SampleKind.ENUMERATION: "Int32", SampleKind.TEXT: "String",
}  # fmt: skip
_FIRST: Final[dict[SampleKind, Any]] = {SampleKind.FLOAT: 0.0, SampleKind.BOOLEAN: False, SampleKind.TEXT: ""}
# Quality -> status code, the reverse of what a client does.
_STATUS: Final = {
    q.GOOD: 0, q.GOOD_LOCAL_OVERRIDE: 0x00960000, q.UNCERTAIN: 0x40000000, q.UNCERTAIN_LAST_USABLE: 0x40900000,
    q.UNCERTAIN_SENSOR: 0x40930000, q.UNCERTAIN_OUT_OF_RANGE: 0x40940000, q.UNCERTAIN_SUBNORMAL: 0x40950000,
    q.BAD: 0x80000000, q.BAD_CONFIGURATION: 0x80890000, q.BAD_NOT_CONNECTED: 0x808A0000,
    q.BAD_DEVICE_FAILURE: 0x808B0000, q.BAD_SENSOR_FAILURE: 0x808C0000, q.BAD_COMMUNICATION: 0x80310000,
    q.BAD_OUT_OF_SERVICE: 0x808D0000, q.BAD_WAITING: 0x80320000,
}  # fmt: skip
_NO_NODE: Final = Text(
    "The simulator has no node {name}. Declare it when the simulator is made.",
    "模拟器没有节点 {name}。请在创建模拟器时声明。",
)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let nobody look for garbage while hundreds of thousands of objects are made that stay: it takes half the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """One variable of the simulated server; its node id is `ns=2;s=<name>`, `/` in the name makes folders.

    `type` overrides the OPC UA type that belongs to the kind; a list as `value` makes an array.
    """

    name: str
    kind: SampleKind = SampleKind.FLOAT
    unit: str = ""
    low: float | None = None
    high: float | None = None
    writable: bool = False
    value: Any = None
    type: str = ""


@dataclass(slots=True)
class _Users:
    """Knows who may sign in; without any, everyone may."""

    passwords: dict[str, str] = field(default_factory=dict)
    certificates: frozenset[bytes] = frozenset()

    def get_user(self, _server: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        from asyncua.crypto.permission_rules import User, UserRole

        if not self.passwords and not self.certificates:
            return User(role=UserRole.User)
        named = username is not None and self.passwords.get(username) == password
        return User(role=UserRole.User) if named or certificate in self.certificates else None


class OpcUaSimulator:
    """Serves declared nodes; values change by `set`, contact by `cut` and `restore`.

    `secure` offers only the signed and encrypted policies; `passwords` and `user_certificates` (DER) end anonymous
    sign-in. A `port` of 0 takes a free one. The clients' own certificates are not checked.
    """

    def __init__(
        self,
        nodes: Sequence[SimulatedNode],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        secure: bool = False,
        passwords: dict[str, str] | None = None,
        user_certificates: Sequence[bytes] = (),
    ) -> None:
        self.nodes = tuple(nodes)
        self.host = host
        self.port = port
        self.secure = secure
        self.certificate = b""
        self._users = _Users(dict(passwords or {}), frozenset(user_certificates))
        self._server: Any = None
        self._ids: dict[str, ua.NodeId] = {}
        self._types: dict[str, ua.VariantType] = {}

    @property
    def url(self) -> str:
        """Address for clients; final after `start`."""
        return f"opc.tcp://{self.host}:{self.port}"

    def node_id(self, name: str) -> str:
        """Return the node id of a declared name as text."""
        return f"ns=2;s={name}"

    async def start(self) -> None:
        """Build the address space and listen; takes about a second."""
        from asyncua import ua
        from asyncua.server.server import Server

        log = logging.getLogger("asyncua")
        if log.level == logging.NOTSET:
            log.setLevel(logging.CRITICAL)  # it logs each lost client as an error
        users: Any = self._users
        server = self._server = Server(user_manager=users)
        with _uncollected():
            await server.init()
        server.set_endpoint(self.url)
        server.set_server_name("Mainspring simulator")
        await server.set_application_uri(NAMESPACE)
        server.set_identity_tokens(self._tokens(ua))
        server.allow_remote_admin(False)
        if self.secure:
            await self._secure(server)
        else:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await server.register_namespace(f"{NAMESPACE}:nodes")
        await self._declare(server)
        await server.start()
        self.port = self._server.bserver.port

    def _tokens(self, ua: Any) -> list[Any]:
        tokens = [ua.UserNameIdentityToken] if self._users.passwords else []
        tokens += [ua.X509IdentityToken] if self._users.certificates else []
        return tokens or [ua.AnonymousIdentityToken]

    async def _secure(self, server: Any) -> None:
        from asyncua import ua
        from asyncua.crypto import cert_gen
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
        from cryptography.x509 import DNSName, UniformResourceIdentifier
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = cert_gen.generate_private_key()
        certificate = cert_gen.generate_self_signed_app_certificate(
            key, "Mainspring simulator", {}, [UniformResourceIdentifier(NAMESPACE), DNSName("localhost")],
            [ExtendedKeyUsageOID.SERVER_AUTH], 365,
        )  # fmt: skip
        self.certificate = certificate.public_bytes(Encoding.DER)
        await server.load_certificate(self.certificate, "der")
        await server.load_private_key(
            key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), format="der"
        )
        kinds = ua.SecurityPolicyType
        server.set_security_policy([
            kinds.Basic256Sha256_SignAndEncrypt, kinds.Basic256Sha256_Sign,
            kinds.Aes128Sha256RsaOaep_SignAndEncrypt, kinds.Aes128Sha256RsaOaep_Sign,
            kinds.Aes256Sha256RsaPss_SignAndEncrypt, kinds.Aes256Sha256RsaPss_Sign,
        ])  # fmt: skip

    async def _declare(self, server: Any) -> None:
        """Make folders and variables, with range and unit as properties."""
        from asyncua import ua

        folders: dict[str, Any] = {"": server.nodes.objects}
        for node in self.nodes:
            parent = ""
            for part in node.name.split("/")[:-1]:
                path = f"{parent}/{part}" if parent else part
                if path not in folders:
                    folders[path] = await folders[parent].add_folder(self.node_id(path), f"2:{part}")
                parent = path
            kind = ua.VariantType[node.type or _TYPES[node.kind]]
            first = _FIRST.get(node.kind, 0) if node.value is None else node.value
            name = f"2:{node.name.rpartition('/')[2]}"
            declared = ua.NodeId.from_string("i=29") if node.kind is SampleKind.ENUMERATION else None
            variable = await folders[parent].add_variable(self.node_id(node.name), name, first, kind, declared)
            if node.writable:
                await variable.set_writable()
            if node.low is not None and node.high is not None:
                await variable.add_property(2, "EURange", ua.Range(node.low, node.high))
            if node.unit:
                sign = SIGNS.get(node.unit, node.unit)
                unit = ua.EUInformation(UNIT_SPACE, -1, ua.LocalizedText(sign), ua.LocalizedText(node.unit))
                await variable.add_property(2, "EngineeringUnits", unit)
            self._ids[node.name] = variable.nodeid
            self._types[node.name] = kind

    async def set(self, name: str, value: Any, quality: int = q.GOOD, time_ms: int | None = None) -> None:
        """Give a node a value with quality and source time; a time of None is now."""
        from asyncua import ua

        if name not in self._ids:
            raise NotFound(_NO_NODE, name=name)
        moment: Any = datetime.now(UTC) if time_ms is None else _EPOCH + timedelta(milliseconds=time_ms)
        variant = ua.Variant(value, self._types[name])
        status = ua.StatusCode(ua.UInt32(_STATUS[quality & 0xFC]))
        await self._server.write_attribute_value(self._ids[name], ua.DataValue(variant, status, moment, moment))

    async def get(self, name: str) -> Any:
        """Return the value a node has now, for example after a client wrote it."""
        return await self._server.get_node(self._ids[name]).read_value()

    async def cut(self) -> None:
        """Drop all connections and refuse new ones; values can still be set."""
        await self._server.bserver.stop()

    async def restore(self) -> None:
        """Listen again on the same port."""
        await self._server.bserver.start()

    async def stop(self) -> None:
        """Stop listening and free the address space."""
        server, self._server = self._server, None
        if server is not None:
            async with asyncio.timeout(30):
                await server.stop()
