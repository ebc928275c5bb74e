"""Every endpoint that takes a file stands in one table, and keeps to what the table says."""

from __future__ import annotations

import ast
import os
import re
import stat
from pathlib import Path
from typing import Final

import pytest
from tests.records import ground
from tests.web.asking import ITEMS, PNG, Keeper

import mainspring.web.api
from mainspring.records.contents import TYPES
from mainspring.web.api import api
from mainspring.web.described import described
from mainspring.web.uploads import REQUEST_BYTES, UPLOADS

CHANGES: Final = frozenset({"post", "put", "patch"})
API: Final = Path(mainspring.web.api.__file__).parent
PAGE: Final = Path(__file__).parents[2] / "docs" / "bad-input.md"


def bodies_read() -> set[tuple[str, str]]:
    """Return the endpoints whose functions read the body themselves, straight or by a function beside them."""
    found = set()
    for _, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                if _reads_body(operation.view_func.__module__, operation.view_func.__name__):
                    plain = re.sub(r"{\w+:", "{", path)
                    found |= {(method.lower(), plain) for method in operation.methods}
    return found


def _reads_body(module: str, function: str) -> bool:
    file = API / f"{module.rpartition('.')[2]}.py"
    if not file.exists():
        return False
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    waiting, seen = [function], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Attribute) and node.attr == "body" and getattr(node.value, "id", "") == "request":
                return True
            if isinstance(node, ast.Name):
                waiting.append(node.id)
    return False


def test_every_endpoint_that_takes_a_file_stands_in_the_table() -> None:
    assert bodies_read() == set(UPLOADS)


def test_the_page_and_the_description_say_what_the_table_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    paths = described()["paths"]
    for (method, path), upload in UPLOADS.items():
        assert f"`{method.upper()} {path}`" in page, path
        body = paths[f"/api/v1{path}"][method]["requestBody"]
        assert set(body["content"]) == set(upload.media_types)
        assert f"{upload.bytes_max // 2**20} MB" in body["description"]
        assert upload.bytes_max <= REQUEST_BYTES


def test_no_endpoint_takes_forms_or_files_in_another_way() -> None:
    for path, operations in described()["paths"].items():
        for method, operation in operations.items():
            kinds = set(operation.get("requestBody", {}).get("content", {}))
            assert kinds <= {"application/json"} or (method, path.removeprefix("/api/v1")) in UPLOADS, (method, path)


@pytest.mark.parametrize("ending", ["exe", "html", "svg", "js", "sh", "py", "bat", "jar", "msi", "php", "xhtml", "so"])
def test_types_that_something_would_run_are_not_kept(ending: str) -> None:
    assert ending not in TYPES


def test_what_is_kept_lies_under_its_hash_for_its_owner_alone_and_is_not_run(asking: Keeper) -> None:
    made = asking.item()
    told = asking.sent(f"{ITEMS}/{made['id']}/attachments?name=../a.png", PNG)
    drawing = asking("post", "/records/document", {"number": "D-1", "title": {"en": "D", "zh": ""}}, 201)
    answer = asking.client.put(f"/api/v1/records/document/{drawing['id']}/content?name=/etc/a.png", PNG, "image/png")
    assert answer.status_code == 200, answer.content
    kept = [file for file in ground.FOLDER.rglob(told["sha256"]) if file.is_file()]
    assert len(kept) == 2
    for file in kept:
        mode = stat.S_IMODE(file.stat().st_mode)
        assert mode & 0o177 == 0, oct(mode)
        assert not os.access(file, os.X_OK)
        assert file.parent.name == told["sha256"][:2]
        file.unlink()


@pytest.mark.parametrize("path", ["/imports/read?name=a.csv", "/templates", "/samples/csv", "/epcis/capture"])
def test_nothing_larger_than_a_request_is_read(asking: Keeper, path: str) -> None:
    answer = asking.client.post(f"/api/v1{path}", b"x" * (REQUEST_BYTES + 1), "application/octet-stream")
    assert answer.status_code == 413, answer.content[:200]
    assert answer.json()["code"] == "too-large"
