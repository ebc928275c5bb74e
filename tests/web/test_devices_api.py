"""The API of devices: secrets are shown once, many at a time as a file, and nobody else's are found."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

from tests.records.plant import tenant

from mainspring.records.people import credential
from mainspring.records.people.credential import CredentialKind
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

URL = "/api/v1/devices"


def post(client: Any, path: str, body: Any) -> Any:
    return client.post(f"{URL}{path}", body, content_type="application/json")


def test_a_secret_is_shown_once(signed_in: Callable[..., Any]) -> None:
    client = signed_in(Role.ENGINEER)
    made = post(client, "", {"name": "pump-7", "publish": ["a/{name}/#"]})
    assert made.status_code == 201
    document = made.json()
    secret = document.pop("secret")
    shown = client.get(f"{URL}/{document['id']}").json()
    assert shown == document
    assert shown["publish"] == ["a/pump-7/#"]
    assert client.get(URL).json() == {"items": [document], "total": 1}
    assert client.get(f"{URL}?search=UMP&gateway=main").json()["total"] == 1
    assert client.get(f"{URL}?gateway=other").json()["total"] == 0
    assert credential.verify(secret, CredentialKind.DEVICE) is not None


def test_rotate_change_and_revoke(signed_in: Callable[..., Any]) -> None:
    client = signed_in(Role.ENGINEER)
    made = post(client, "", {"name": "pump-7"}).json()
    rotated = post(client, f"/{made['id']}/rotate", {})
    assert rotated.status_code == 200
    assert rotated.json()["secret"] != made["secret"]
    assert credential.verify(made["secret"], CredentialKind.DEVICE) is None
    body = {"subscribe": ["b/{name}"], "version": made["version"]}
    changed = client.patch(f"{URL}/{made['id']}", body, content_type="application/json")
    assert changed.json()["subscribe"] == ["b/pump-7"]
    assert client.patch(f"{URL}/{made['id']}", body, content_type="application/json").status_code == 409
    assert client.delete(f"{URL}/{made['id']}").status_code == 204
    assert client.get(f"{URL}/{made['id']}").status_code == 404
    assert credential.verify(rotated.json()["secret"], CredentialKind.DEVICE) is None


def test_many_come_as_a_file_once(signed_in: Callable[..., Any]) -> None:
    client = signed_in(Role.ENGINEER)
    body = {"names": [f"n{number}" for number in range(100)], "publish": ["x/{name}"], "gateway": "hall-2"}
    answer = post(client, "/bulk?format=csv", body)
    assert answer.status_code == 201
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert [row["name"] for row in rows] == body["names"]
    assert rows[7]["publish"] == "x/n7"
    assert all(credential.verify(row["password"], CredentialKind.DEVICE) for row in rows)
    again = post(client, "/bulk", body)
    assert again.status_code == 422
    listed = post(client, "/bulk", {"names": ["m1", "m2"]}).json()["items"]
    assert [item["name"] for item in listed] == ["m1", "m2"]
    assert credential.verify(listed[1]["secret"], CredentialKind.DEVICE) is not None


def test_a_bad_row_of_many_is_named_and_nothing_is_stored(signed_in: Callable[..., Any]) -> None:
    client = signed_in(Role.ENGINEER)
    answer = post(client, "/bulk", {"names": ["good", "not good"]})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["names.1.name"]
    assert post(client, "/bulk", {"names": ["x"] * 5_001}).status_code == 422
    assert post(client, "/bulk", {"names": ["a"], "publish": ["a#"]}).status_code == 422
    assert client.get(URL).json()["total"] == 0


def test_another_company_finds_no_device(signed_in: Callable[..., Any], plant: Tenant) -> None:
    made = post(signed_in(Role.ENGINEER), "", {"name": "pump-7"}).json()
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert stranger.get(URL).json()["total"] == 0
    for attempt in (
        stranger.get(f"{URL}/{made['id']}"),
        post(stranger, f"/{made['id']}/rotate", {}),
        stranger.delete(f"{URL}/{made['id']}"),
        stranger.patch(f"{URL}/{made['id']}", {"version": 1}, content_type="application/json"),
    ):
        assert attempt.status_code == 404
    assert credential.verify(made["secret"], CredentialKind.DEVICE) is not None
