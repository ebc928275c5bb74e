"""Certificates of OPC UA: our own, made once and kept, and the server's, trusted only by decision.

`cryptography` is imported where it is used, so that looking at the driver stays cheap.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mainspring.core.errors import Rejected, reason_of
from mainspring.core.text import Text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

VALID: Final = timedelta(days=3650)
"""Life of a certificate made here; plants seldom renew theirs."""
_BUNDLE, _PUBLIC = "application.pem", "application.der"

_UNREADABLE: Final = Text(
    "{path} holds no usable certificate or key ({reason}). Correct the path in the connection, or put a PEM or DER "
    "file there.",
    "{path} 中没有可用的证书或密钥（{reason}）。请更正连接中的路径，或在该处放置 PEM 或 DER 文件。",
)
_UNTRUSTED: Final = Text(
    "The server's certificate is not trusted: {subject}, valid until {until}, SHA-256 fingerprint {fingerprint}. "
    "Compare the fingerprint with the one shown on the server; if they are equal, add it to the trusted fingerprints.",
    "服务器证书不受信任：{subject}，有效期至 {until}，SHA-256 指纹 {fingerprint}。"
    "请与服务器上显示的指纹核对；一致时将其加入受信任指纹。",
)
_EXPIRED: Final = Text(
    "The server's certificate {fingerprint} is outside its validity ({since} to {until}). Renew it on the server, "
    "check this machine's clock, or trust the certificate itself by its fingerprint.",
    "服务器证书 {fingerprint} 不在有效期内（{since} 至 {until}）。"
    "请在服务器上更新证书、检查本机时钟，或按指纹信任该证书。",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Our certificate with its key, as OPC UA and an operator need them."""

    certificate: bytes
    key: bytes
    uri: str
    path: Path


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 fingerprint of a DER certificate: 64 hexadecimal digits in groups of two."""
    import hashlib

    return hashlib.sha256(certificate).digest().hex(":").upper()


def plain(text: str) -> str:
    """Return a fingerprint's digits alone, however they were grouped."""
    return "".join(letter for letter in text.lower() if letter.isalnum())


def application(folder: Path) -> Identity:
    """Return the application certificate of a state folder, made on first use (RSA 2048, key readable by us alone)."""
    bundle = folder / _BUNDLE
    try:
        if not bundle.exists():
            _make(folder, bundle)
        return identity(bundle, bundle, folder / _PUBLIC)
    except OSError as error:
        raise Rejected(_UNREADABLE, path=bundle, reason=reason_of(error)) from error


def identity(certificate_path: Path, key_path: Path, public: Path | None = None) -> Identity:
    """Read a certificate and its key from PEM or DER files; raises Rejected where that is not possible."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    certificate = read_certificate(certificate_path)
    try:
        raw = key_path.read_bytes()
        load = form.load_pem_private_key if b"-----BEGIN" in raw else form.load_der_private_key
        key = load(raw, None).private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())
    except (OSError, ValueError, TypeError) as error:
        raise Rejected(_UNREADABLE, path=key_path, reason=type(error).__name__) from error
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    uri = uris[0] if uris else "urn:mainspring:gateway"
    return Identity(certificate.public_bytes(form.Encoding.DER), key, uri, public or certificate_path)


def read_certificate(path: Path) -> Certificate:
    """Read one certificate from a PEM or DER file; raises Rejected with the path."""
    from cryptography import x509

    try:
        raw = path.read_bytes()
        return x509.load_pem_x509_certificate(raw) if b"-----BEGIN" in raw else x509.load_der_x509_certificate(raw)
    except (OSError, ValueError) as error:
        raise Rejected(_UNREADABLE, path=path, reason=type(error).__name__) from error


def self_signed(name: str, uri: str, host: str, *, server: bool = False) -> tuple[Certificate, RSAPrivateKey]:
    """Make a self-signed application instance certificate as OPC UA Part 6, section 6.2.2 asks for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
        key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of plants differ
        .not_valid_after(now + VALID)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(host)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _make(folder: Path, bundle: Path) -> None:
    """Write key and certificate as one file, complete or not at all; if another process was faster, its file stays."""
    from cryptography.hazmat.primitives import serialization as form

    host = socket.gethostname()
    certificate, key = self_signed(f"Mainspring gateway on {host}"[:64], f"urn:{host}:mainspring:gateway", host)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as draft:  # readable by the owner alone
        draft.write(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
        draft.write(certificate.public_bytes(form.Encoding.PEM))
        draft.flush()
        os.fsync(draft.fileno())
    try:
        Path(bundle).hardlink_to(draft.name)
        (folder / _PUBLIC).write_bytes(certificate.public_bytes(form.Encoding.DER))
    except FileExistsError:
        pass
    finally:
        Path(draft.name).unlink()


def check_trust(presented: bytes, fingerprints: Sequence[str], paths: Sequence[Path]) -> Text:
    """Return why a server's certificate is trusted, or raise Rejected with its fingerprint and the next step.

    Trusted is a certificate whose fingerprint is listed, which is in a listed file, or which an authority in a listed
    file issued.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        certificate = x509.load_der_x509_certificate(presented)
    except ValueError as error:
        raise Rejected(_UNREADABLE, path="the server's answer", reason=type(error).__name__) from error
    print_ = fingerprint(presented)
    if plain(print_) in {plain(text) for text in fingerprints}:
        return Text("trusted by its fingerprint", "按指纹信任")
    for path in paths:
        trusted = read_certificate(path)
        if trusted == certificate:
            return Text(f"trusted: it is {path.name}", f"受信任：即 {path.name}")
        try:
            certificate.verify_directly_issued_by(trusted)
            if not trusted.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                continue  # a trusted server must not be able to vouch for others
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not since <= datetime.now(UTC) <= until:
            raise Rejected(_EXPIRED, fingerprint=print_, since=since.date(), until=until.date())
        return Text(f"trusted: issued by {path.name}", f"受信任：由 {path.name} 签发")
    last_day = certificate.not_valid_after_utc.date()
    raise Rejected(_UNTRUSTED, subject=certificate.subject.rfc4514_string(), until=last_day, fingerprint=print_)
