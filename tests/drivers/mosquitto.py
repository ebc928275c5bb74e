"""Mosquitto as an independent broker, and certificates for it and for the listener."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.ports import free_port
from tests.waiting import PATIENCE_S

PASSWORD = "mosquitto-secret"


class Authority:
    """An authority and the certificates it issues, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plant authority")])
        self.file = self._write("ca", self._certificate(self._name, self._key, ca=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._write(name, self._certificate(subject, key, ca=False))
        key_file = self.folder / f"{name}.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, key_file

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            made = made.add_extension(names, critical=False)
        return made.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        file = self.folder / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return file


def fingerprint(file: Path) -> str:
    return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256()).hex()


@dataclass(slots=True)
class Mosquitto:
    """A running broker; `stop` and `start` keep what it stores."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        assert program, "install it: apt-get install mosquitto"
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                program, "-c", str(self.folder / "mosquitto.conf"), stdout=log, stderr=log
            )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()


@asynccontextmanager
async def running_mosquitto(folder: Path, tls: tuple[Path, Path, Path] | None = None) -> AsyncIterator[Mosquitto]:
    """Run a broker with a user `plant`; `tls` is authority, certificate and key, and asks for client certificates."""
    made = Mosquitto(folder, free_port())
    folder.chmod(0o755)
    passwords = folder / "passwords"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "plant", PASSWORD], check=True, capture_output=True)
    lines = [
        f"listener {made.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/", "user root",
        "max_queued_messages 100000",
    ]  # fmt: skip
    if tls is None:
        lines += ["allow_anonymous false", f"password_file {passwords}"]
    else:
        lines += [f"cafile {tls[0]}", f"certfile {tls[1]}", f"keyfile {tls[2]}"]
        lines += ["require_certificate true", "use_identity_as_username true", "allow_anonymous true"]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
