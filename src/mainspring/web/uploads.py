"""Every endpoint that takes a file as its body: how large, of which types, and what becomes of it.

One table for the API's description, for the page on bad input, and for the tests, which fail when one is missing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MB: Final = 1024 * 1024
REQUEST_BYTES: Final = 16 * MB
"""What one request may have unless `[web] request_bytes_max` says otherwise; the server refuses more unread."""
Kept = Literal["by hash", "for a while", "as records", "no"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that an endpoint takes."""

    bytes_max: int
    """Of one request."""
    media_types: tuple[str, ...]
    """How its content may be called in the header Content-Type; what counts is what is found in it."""
    takes: str
    """What is taken, by content; all else is refused."""
    kept: Kept


SHEETS: Final = (
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/json",
)
ANY: Final = ("application/octet-stream",)
UPLOADS: Final[dict[tuple[str, str], Upload]] = {
    ("post", "/imports"): Upload(REQUEST_BYTES, SHEETS, "XLSX, CSV, TSV, JSON", "for a while"),
    ("post", "/imports/read"): Upload(REQUEST_BYTES, SHEETS, "XLSX, CSV, TSV, JSON", "no"),
    ("put", "/history/imports/{id}/content"): Upload(
        REQUEST_BYTES, ANY, "parts of a CSV, XLSX, Parquet or line protocol file of at most 64 GB", "for a while"
    ),
    ("post", "/samples/csv"): Upload(REQUEST_BYTES, ("text/csv",), "CSV of 10,000 rows", "as records"),
    ("post", "/history/prometheus/write"): Upload(
        REQUEST_BYTES, ("application/x-protobuf",), "Prometheus remote write 1.0", "as records"
    ),
    ("post", "/epcis/capture"): Upload(
        REQUEST_BYTES,
        ("application/ld+json", "application/xml"),
        "EPCIS as JSON-LD or XML, 20,000 events",
        "as records",
    ),
    ("post", "/epcis/events"): Upload(
        REQUEST_BYTES, ("application/ld+json", "application/xml"), "one EPCIS event", "as records"
    ),
    ("post", "/session/providers/{provider}/response"): Upload(
        MB, ("application/x-www-form-urlencoded",), "the form of a SAML provider, with its response", "no"
    ),
    ("post", "/templates"): Upload(MB, ("application/toml",), "a device template in TOML", "as records"),
    ("post", "/blobs"): Upload(REQUEST_BYTES, ("*/*",), "whatever a sample may refer to", "by hash"),
    ("post", "/records/{kind}/{id}/attachments"): Upload(
        REQUEST_BYTES, ANY, "the types listed in records/contents.py, by ending and beginning", "by hash"
    ),
    ("put", "/records/document/{id}/content"): Upload(
        REQUEST_BYTES, ANY, "the types listed in records/contents.py, by ending and beginning", "by hash"
    ),
    ("post", "/gateways/software"): Upload(
        REQUEST_BYTES, ("application/zip",), "a wheel of the gateway's program", "by hash"
    ),
}
"""By method and path. A wheel is the one file that is run, and not here: by gateways it was released to, of their own
company."""
