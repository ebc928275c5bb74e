"""What is said about where cold history lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

S3_URL: Final = r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*)/?"
"""A bucket and a prefix in it, as a regular expression with both as groups."""


@dataclass(frozen=True, slots=True)
class ColdSettings:
    """Where cold history goes and when; what is shown of it has no secret."""

    place: str
    after_days: int = 90
    endpoint: str = ""
    region: str = "us-east-1"
    key: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return f"ColdSettings({self.place!r})"
