from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.bus.conftest import running_bus
from tests.waiting import PATIENCE_S

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core.errors import NotConnected


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_roles_talk_over_tls_and_refuse_a_server_they_do_not_trust(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "bus")
    other, _ = self_signed(tmp_path, "other")
    async with running_bus(tmp_path, tls_certificate=certificate, tls_key=key) as bus:
        seed = seed_file(tmp_path / "secrets", "web")
        trusted = await Bus.connect(bus.url, seed, "web", tls_ca=certificate, wait_s=PATIENCE_S)
        assert trusted.connected
        await trusted.close()
        with pytest.raises(NotConnected):
            await Bus.connect(bus.url, seed, "web", tls_ca=other, wait_s=2)
