"""Devices: issued one by one and by the thousand, changed, rotated, revoked, and published for their gateways."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.bus.conftest import running_bus
from tests.records.plant import author, tenant
from tests.records.test_publication import in_thread, publishing
from tests.waiting import until

from mainspring.core import definitions
from mainspring.core.definitions import DeviceDefinition
from mainspring.core.errors import LimitExceeded, NotFound
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.draft import check
from mainspring.records.faults import Changed, Invalid
from mainspring.records.people import credential
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.plant import device
from mainspring.records.plant.device import Device, DeviceDraft
from mainspring.records.publication import Publication, documents
from mainspring.records.tenant import Tenant, now_ms


def draft(name: str = "pump-7", **fields: Any) -> DeviceDraft:
    return check(DeviceDraft, {"name": name, "publish": ["plant/{name}/#"], **fields})


def one(of: Tenant, name: str = "pump-7", **fields: Any) -> tuple[Device, str]:
    return device.issue(author(of), [draft(name, **fields)])[0]


def digest(password: str) -> str:
    return hashlib.sha256(password.split("_", 2)[2].encode()).hexdigest()


def shown(of: Tenant, made: Device) -> DeviceDefinition | None:
    key = definitions.device_key(of.key, made.id)
    found = documents([key])[key]
    assert found is None or isinstance(found, DeviceDefinition)
    return found


def test_an_issued_device_is_published_with_the_hash_of_its_password(plant: Tenant) -> None:
    made, password = one(plant, subscribe=["cmd/{name}/+"], gateway="hall-2")
    found = shown(plant, made)
    assert found is not None
    assert (found.name, found.gateway, found.digest) == ("pump-7", "hall-2", digest(password))
    assert (found.publish, found.subscribe) == (("plant/pump-7/#",), ("cmd/pump-7/+",))
    assert password.startswith("ms_")
    kept = credential.verify(password, CredentialKind.DEVICE)
    assert kept == made.credential
    assert credential.verify(password, CredentialKind.TOKEN) is None, "a device's password opens no API"


def test_when_a_device_was_heard_is_noted_once_a_minute_and_by_its_own_company_alone(plant: Tenant) -> None:
    made, _ = one(plant)
    stranger, _ = one(tenant("other"), "pump-8")
    at_ms = now_ms() - 600_000

    def seen(of: Device = made) -> Any:
        return Device.objects.get(pk=of.pk).document()["last_seen_ms"]

    assert seen() is None
    device.note_seen(plant.key, {made.id: at_ms, stranger.id: at_ms})
    assert (seen(), seen(stranger)) == (at_ms, None)
    for later_ms, noted_ms in ((59_000, 0), (60_000, 60_000), (30_000, 60_000)):
        device.note_seen(plant.key, {made.id: at_ms + later_ms})
        assert seen() == at_ms + noted_ms
    before_ms = now_ms()
    device.note_seen(plant.key, {made.id: at_ms + 10**9})
    assert before_ms <= seen() <= now_ms(), "a clock that is ahead tells no future"
    assert first_broken(plant) is None


def test_rotation_ends_the_old_password_and_revocation_both(plant: Tenant) -> None:
    made, first = one(plant)
    _, second = device.rotate(author(plant), made.id)
    found = shown(plant, made)
    assert found is not None
    assert found.digest == digest(second) != digest(first)
    assert credential.verify(first, CredentialKind.DEVICE) is None
    device.revoke(author(plant), made.id)
    assert shown(plant, made) is None
    assert credential.verify(second, CredentialKind.DEVICE) is None
    assert Credential.objects.of(plant).get(name="pump-7").revoked_ms is not None
    one(plant)


def test_what_is_done_to_a_device_is_told_without_its_secret(plant: Tenant) -> None:
    made, first = one(plant)
    device.modify(author(plant), made.id, {"subscribe": ["a/+"]}, 1)
    _, second = device.rotate(author(plant), made.id)
    device.revoke(author(plant), made.id)
    entries = list(AuditEntry.objects.of(plant).order_by("sequence"))
    assert [(entry.action, entry.object_kind) for entry in entries] == [
        ("create", "device"), ("change", "device"), ("change", "credential"), ("change", "credential"),
        ("delete", "device"),
    ]  # fmt: skip
    assert {entry.object_name for entry in entries} == {"pump-7"}
    told = str([entry.changes for entry in entries])
    assert not any(
        part in told for password in (first, second) for part in (password.split("_", 2)[2], digest(password))
    )
    assert first_broken(plant) is None


def test_a_device_may_show_a_certificate_alone(plant: Tenant) -> None:
    with pytest.raises(Invalid):
        draft(password=False)
    made, password = one(plant, password=False, certificate="ab" * 32)
    found = shown(plant, made)
    assert found is not None
    assert (password, found.digest, found.certificate) == ("", "", "ab" * 32)
    with pytest.raises(Invalid) as refused:
        device.modify(author(plant), made.id, {"certificate": ""}, 1)
    assert "certificate" in refused.value.fields


def test_an_expired_device_is_withdrawn(plant: Tenant) -> None:
    made, _ = one(plant, expires_ms=now_ms() + 60_000)
    assert shown(plant, made) is not None
    Credential.objects.filter(pk=made.credential_id).update(expires_ms=now_ms())
    assert shown(plant, made) is None
    with pytest.raises(Invalid) as refused:
        one(plant, "late", expires_ms=now_ms() - 1)
    assert "expires_ms" in refused.value.fields
    device.modify(author(plant), made.id, {"gateway": "hall-3"}, 1)


@pytest.mark.parametrize("wrong", ["", "a+/b", "a/#/b", "a/b#", "#a", "+a", "$SYS/#", "a\x00b", "x" * 257, "漏" * 100])
def test_a_wrong_topic_filter_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        draft(publish=[wrong])
    assert list(refused.value.fields) == ["publish.0"]


@pytest.mark.parametrize("right", ["#", "+", "a", "/", "/a", "a/+/#", "+/+", "spBv1.0/+/NDATA/{name}", "车间/温度"])
def test_a_right_topic_filter_is_taken(right: str) -> None:
    assert draft(subscribe=[right]).subscribe == (right,)


@pytest.mark.parametrize("wrong", ["", "a b", "a/b", "a+", "#", "=1+1", "a\nb", "n" * 121])
def test_a_name_is_one_level_of_a_topic(wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        draft(wrong)
    assert list(refused.value.fields) == ["name"]


def test_too_many_filters_are_refused() -> None:
    with pytest.raises(Invalid):
        draft(publish=["a"] * 21)


def test_names_are_unique_in_a_company_and_free_in_another(plant: Tenant) -> None:
    one(plant)
    with pytest.raises(Invalid) as refused:
        one(plant)
    assert "pump-7" in refused.value.fields["name"].en
    with pytest.raises(Invalid):
        device.issue(author(plant), [draft("twice"), draft("twice")])
    one(tenant("north"))


def test_another_company_finds_no_device(plant: Tenant) -> None:
    made, _ = one(plant)
    stranger = author(tenant("north"))
    for attempt in (device.rotate, device.revoke):
        with pytest.raises(NotFound):
            attempt(stranger, made.id)
    with pytest.raises(NotFound):
        device.modify(stranger, made.id, {"publish": ["#"]}, 1)
    key = definitions.device_key("north", made.id)
    assert documents([key]) == {key: None}


def test_a_change_against_an_old_version_is_refused(plant: Tenant) -> None:
    made, _ = one(plant)
    device.modify(author(plant), made.id, {"publish": ["a/{name}"]}, 1)
    assert Device.objects.get(pk=made.pk).publish == ["a/pump-7"]
    with pytest.raises(Changed):
        device.modify(author(plant), made.id, {"publish": ["b"]}, 1)


def test_thousands_are_issued_at_once_or_not_at_all(plant: Tenant) -> None:
    drafts = [draft(f"node-{number}") for number in range(5_000)]
    made = device.issue(author(plant), drafts)
    assert len({password for _, password in made}) == 5_000
    found = documents([definitions.device_key("plant", row.id) for row, _ in made])
    assert {document.digest for document in found.values() if isinstance(document, DeviceDefinition)} == {
        digest(password) for _, password in made
    }
    assert first_broken(plant) is None
    with pytest.raises(Invalid):
        device.issue(author(plant), [draft("new"), draft("node-77")])
    assert not Device.objects.filter(name="new").exists()


def test_a_company_has_a_limited_number(plant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DEVICES_MAX", 1)
    one(plant)
    with pytest.raises(LimitExceeded):
        one(plant, "second")


async def test_devices_are_published_withdrawn_and_repaired(plant: Tenant, tmp_path: Path) -> None:
    async with running_bus(tmp_path) as bus:
        client = await bus.connect("web")
        kept, _ = await in_thread(one, plant, "kept")
        gone, _ = await in_thread(one, plant, "gone")
        keys = {name: definitions.device_key("plant", row.id) for name, row in (("kept", kept), ("gone", gone))}

        async def lying() -> set[str]:
            return {key for key in await client.definitions() if ".devices." in key}

        async def both() -> bool:
            return await lying() == set(keys.values())

        async def only_kept() -> bool:
            return await lying() == {keys["kept"]}

        async with publishing(Publication(client)):
            await until(both)
            await in_thread(device.revoke, author(plant), gone.id)
            await until(only_kept)
        await client.delete_definition(keys["kept"])
        await Publication(client).compare()
        assert await only_kept()
        await client.close()
