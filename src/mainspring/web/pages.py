"""The built page: one index for every address that is not the API, its parts from memory."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound

from mainspring.web.configure import current

NONCE: Final = "__CSP_NONCE__"
FILES_BYTES_MAX: Final = 64 * 1024 * 1024
_HASHED: Final = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_TEXT_TYPES: Final = (
    "text/",
    "application/javascript",
    "application/json",
    "image/svg+xml",
    "application/manifest+json",
)
_NOT_BUILT: Final = (
    "<!doctype html><meta charset=utf-8><title>Mainspring</title>"
    "<p>The page is not built yet: run <code>make page</code>, then reload. The API is at /api/v1/.</p>"
    "<p lang=zh>页面尚未构建：请运行 <code>make page</code> 后刷新。API 位于 /api/v1/。</p>"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the built page with its compressed forms, by encoding."""

    content_type: str
    etag: str
    immutable: bool
    forms: dict[str, bytes]


def index(request: HttpRequest, path: str = "") -> HttpResponse:
    """Serve the page; its scripts carry the nonce of this answer."""
    html = _index(current().static_folder)
    if html is None:
        response = HttpResponse(_NOT_BUILT, status=503)
    else:
        nonce: str = request.csp_nonce  # type: ignore[attr-defined]
        response = HttpResponse(html.replace(NONCE, nonce))
    response.headers["Cache-Control"] = "no-store"
    return response


def part(request: HttpRequest, path: str) -> HttpResponse:
    """Serve a file of the built page from memory, in the best encoding the browser takes."""
    found = _parts(current().static_folder).get(path)
    if found is None:
        return HttpResponseNotFound("not found", content_type="text/plain")
    if request.headers.get("If-None-Match") == found.etag:
        response = HttpResponse(status=304)
    else:
        accepted = {name.partition(";")[0].strip() for name in request.headers.get("Accept-Encoding", "").split(",")}
        encoding = next(name for name in ("br", "gzip", "") if name in found.forms and (not name or name in accepted))
        response = HttpResponse(found.forms[encoding], content_type=found.content_type)
        if encoding:
            response.headers["Content-Encoding"] = encoding
    lifetime = "public, max-age=31536000, immutable" if found.immutable else "public, max-age=300"
    response.headers["ETag"] = found.etag
    response.headers["Cache-Control"] = lifetime
    response.headers["Vary"] = "Accept-Encoding"
    return response


def forget() -> None:
    """Read the built page anew at the next request."""
    _index.cache_clear()
    _parts.cache_clear()


@lru_cache(maxsize=1)
def _index(folder: Path) -> str | None:
    file = folder / "index.html"
    return file.read_text(encoding="utf-8") if file.is_file() else None


@lru_cache(maxsize=1)
def _parts(folder: Path) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    total = 0
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not file.is_file() or file.suffix in {".br", ".gz", ".map"} or file == folder / "index.html":
            continue
        total += file.stat().st_size
        if total > FILES_BYTES_MAX:
            message = (
                f"the built page in {folder} is larger than {FILES_BYTES_MAX} bytes; remove what is not part of it"
            )
            raise RuntimeError(message)
        parts[file.relative_to(folder).as_posix()] = _read(file)
    return parts


def _read(file: Path) -> Part:
    content = file.read_bytes()
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    forms = {"": content}
    compressed = {"br": file.with_name(f"{file.name}.br"), "gzip": file.with_name(f"{file.name}.gz")}
    forms.update({name: packed.read_bytes() for name, packed in compressed.items() if packed.is_file()})
    if content_type.startswith(_TEXT_TYPES):
        if "gzip" not in forms and len(content) > 1024:
            forms["gzip"] = gzip.compress(content, 6, mtime=0)
        content_type += "; charset=utf-8"
    etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    return Part(content_type, etag, _HASHED.search(file.name) is not None, forms)
