"""Secrets of connections at rest: sealed with a key made from the platform's own."""

from __future__ import annotations

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from mainspring.core.errors import StoreError
from mainspring.core.text import Text

_PREFIX: Final = "sealed:"
_OTHER_KEY: Final = Text(
    "A stored secret cannot be opened with this key. Restore the key file of the data folder, or enter it again.",
    "无法用当前密钥打开已存的机密，请恢复此数据目录的密钥文件，或重新输入该机密。",
)


def seal(secret: str) -> str:
    """Return the form in which a secret is stored; empty stays empty."""
    return _PREFIX + _keys().encrypt(secret.encode()).decode() if secret else ""


def unseal(stored: str) -> str:
    """Return a stored secret in clear."""
    if not stored:
        return ""
    try:
        return _keys().decrypt(stored.removeprefix(_PREFIX).encode()).decode()
    except InvalidToken as error:
        raise StoreError(_OTHER_KEY) from error


def _keys() -> MultiFernet:
    return MultiFernet([_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"mainspring.records.sealed").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
