"""Parts with their whole, and contents of documents, over the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mainspring.records.rights import Role

RECORDS = "/api/v1/records"
PDF = b"%PDF-1.7 drawing"


@pytest.fixture
def client(signed_in: Callable[..., Any]) -> Any:
    return signed_in()


def post(client: Any, path: str, body: Any, status: int = 201) -> Any:
    answer = client.post(f"{RECORDS}/{path}", json.dumps(body), "application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_an_order_is_written_with_its_lines(client: Any) -> None:
    item = post(client, "item", {"number": "P-1", "name": {"en": "Bearing"}})
    line = {"position": 1, "item": item["id"], "quantity": 5}
    refused = post(client, "order", {"sort": "purchase", "order-line": [line, {**line, "quantity": 0}]}, 422)
    assert refused["fields"].keys() == {"order-line.1.quantity"}
    order = post(client, "order", {"sort": "purchase", "order-line": [line]})
    assert (order["number"], order["state"]) == ("O-000001", "draft")
    found = client.get(f"{RECORDS}/order-line", {"where": json.dumps([["order", "eq", order["id"]]])}).json()
    assert [(row["quantity"], row["unit"]) for row in found["items"]] == [(5, "{count}")]
    assert found["titles"][item["id"]] == {"en": "P-1 Bearing", "zh": "P-1 Bearing"}
    many: tuple[dict[str, Any], ...] = (
        {"order-line": {}}, {"order-line": ["x"]}, {"order-line": [line] * 1001}, {"bill-line": []},
    )  # fmt: skip
    for wrong in many:
        post(client, "order", {"sort": "purchase", **wrong}, 422)


def test_a_documents_content_is_sent_once_for_a_revision(client: Any, signed_in: Callable[..., Any]) -> None:
    made = post(client, "document", {"title": {"zh": "图纸"}})
    # Its own title, not what the record is called.
    assert made["title"] == client.get(f"/api/v1/records/document/{made['id']}").json()["title"]
    assert made["title"]["zh"] == "图纸"
    content = f"{RECORDS}/document/{made['id']}/content"
    assert client.get(content).status_code == 404
    for name, body, status in (("a.pdf", b"", 422), ("a.pdf", b"<html>", 422), ("a.exe", b"MZ", 422), ("", PDF, 422)):
        assert client.put(f"{content}?name={name}", body, "application/octet-stream").status_code == status
    sent = client.put(f"{content}?name=plan.pdf", PDF, "application/octet-stream").json()
    assert (sent["file_name"], sent["size"], sent["media_type"]) == ("plan.pdf", len(PDF), "application/pdf")
    answer = client.get(content)
    assert answer.content == PDF
    assert answer["Content-Disposition"] == 'attachment; filename="plan.pdf"'
    assert "sandbox" in answer["Content-Security-Policy"]
    post(client, f"document/{made['id']}/moves/release", {"version": sent["version"]}, 200)
    assert client.put(f"{content}?name=b.pdf", PDF, "application/octet-stream").status_code == 409
    viewer = signed_in(Role.VIEWER)
    assert viewer.get(content).content == PDF
    assert viewer.put(f"{content}?name=b.pdf", PDF, "application/octet-stream").status_code == 403
