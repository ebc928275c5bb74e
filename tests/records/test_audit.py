"""The audit: whole, in order, without secrets and without names."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from tests.records.plant import asset, author, opcua, person, tag, tenant

from mainspring.core.errors import ConfigurationError
from mainspring.records.audit import Action, AuditEntry, Author, Deed, append, first_broken, missed, write_heads
from mainspring.records.faults import Invalid
from mainspring.records.heads import Head, HeadFile, PutBack, head_of, note_put_back
from mainspring.records.people import administration as people
from mainspring.records.people import credential
from mainspring.records.people.administration import UserDraft
from mainspring.records.people.credential import CredentialKind
from mainspring.records.plant import asset as assets
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms


def test_every_write_is_one_entry_with_what_changed(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    assets.modify(author(plant), unit.id, {"name": {"en": "Unit 1"}}, 1)
    assets.delete(author(plant), unit.id, None)
    entries = list(AuditEntry.objects.of(plant).order_by("sequence"))
    assert [entry.action for entry in entries] == ["create", "change", "delete"]
    assert entries[1].changes == {"name": [{"en": "unit", "zh": ""}, {"en": "Unit 1", "zh": ""}]}
    assert first_broken(plant) is None


def test_nothing_changed_is_no_entry_and_no_version(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    same = assets.modify(author(plant), unit.id, {"name": {"en": "unit"}}, 1)
    assert same.version == 1
    assert AuditEntry.objects.of(plant).count() == 1


@pytest.mark.parametrize("field", ["action", "object_name", "address", "time_ms", "changes", "pseudonym", "previous"])
def test_an_altered_entry_is_found(plant: Tenant, field: str) -> None:
    for number in range(4):
        asset(plant, f"unit-{number}")
    altered = {"time_ms": 1, "changes": {"x": [1, 2]}, "pseudonym": uuid4()}.get(field, "other")
    AuditEntry.objects.of(plant).filter(sequence=3).update(**{field: altered})
    assert first_broken(plant) == 3


def test_a_removed_entry_is_found(plant: Tenant) -> None:
    for number in range(4):
        asset(plant, f"unit-{number}")
    AuditEntry.objects.of(plant).filter(sequence=2).delete()
    assert first_broken(plant) == 2


def test_entries_cut_off_the_end_are_missed_until_a_restore_is_noted(plant: Tenant, tmp_path: Path) -> None:
    file = HeadFile(tmp_path, "plant")
    began_ms = now_ms() - 1
    for number in range(4):
        asset(plant, f"unit-{number}")
    assert (write_heads(tmp_path), write_heads(tmp_path)) == (set(), set())
    asset(plant, "unit-4")
    assert write_heads(tmp_path) == set()
    heads = file.read().holding
    assert [head.sequence for head in heads] == [4, 5]
    assert missed(plant, heads) == []
    AuditEntry.objects.of(plant).filter(sequence__gt=3).delete()
    # What is left is a whole chain, and so is it with others in place of those that are gone.
    for number in range(5, 8):
        assert first_broken(plant) is None
        assert missed(plant, file.read().holding) == list(heads)
        assert write_heads(tmp_path) == {"plant"}
        asset(plant, f"unit-{number}")
    assert note_put_back(tmp_path, PutBack(noted_ms=now_ms(), to_ms=began_ms)) == ["plant"]
    assert write_heads(tmp_path) == set()
    holding, ((restore, last),) = file.read()
    assert ([head.sequence for head in holding], restore.to_ms, last) == ([6], began_ms, heads[1])


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    file = HeadFile(tmp_path, "plant")
    heads = [Head(sequence=number, digest="a" * 64, time_ms=number) for number in (1, 2)]
    file.write(heads[0])
    with file.file.open("a") as out:
        out.write('{"sequence": 2, "dig')
    assert file.last() == heads[0]
    file.write(heads[1])
    assert (file.last(), file.read().holding) == (heads[1], tuple(heads))
    assert file.file.stat().st_mode & 0o777 == 0o600


def test_a_head_is_read_as_it_was_written_down(plant: Tenant) -> None:
    asset(plant, "unit")
    entry = AuditEntry.objects.of(plant).get()
    assert missed(plant, [head_of(f" 1:{entry.digest[:16].upper()} ")]) == []
    assert missed(plant, [head_of(f"1:{'0' * 16}"), head_of(f"2:{entry.digest}")]) != []
    for wrong in ("", "1", "1:abc", f"0:{entry.digest}", f"x:{entry.digest}", f"1:{entry.digest}0"):
        with pytest.raises(ConfigurationError):
            head_of(wrong)


def test_chains_of_tenants_are_apart(plant: Tenant) -> None:
    asset(plant, "unit")
    asset(tenant("north"), "unit")
    assert [entry.sequence for entry in AuditEntry.objects.all()] == [1, 1]


def test_entries_cannot_be_saved_or_deleted_one_by_one(plant: Tenant) -> None:
    append(author(plant), [Deed(Action.EXPORT, "tag", "1")])
    entry = AuditEntry.objects.of(plant).get()
    for forbidden in (entry.save, entry.delete):
        with pytest.raises(TypeError):
            forbidden()


def test_a_write_that_fails_leaves_neither_record_nor_entry(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    before = AuditEntry.objects.count()
    tag(plant, "TI-1", unit)
    with pytest.raises(Invalid):
        tag(plant, "TI-1", unit)
    assert AuditEntry.objects.count() == before + 1


def test_no_secret_and_no_name_stands_in_the_log(plant: Tenant) -> None:
    boss = person(Role.ADMINISTRATOR, plant)
    opcua(plant, sign_in="password", user="reader", password="pw-of-device", password_in_clear=True)
    draft = UserDraft.model_validate({"username": "li.wei", "display_name": "Li Wei", "password": "correct horse 7"})
    made, _ = people.create(Author(plant, boss.pseudonym), draft)
    people.reset_password(Author(plant, boss.pseudonym), made.id)
    _, token = credential.issue(author(plant), CredentialKind.TOKEN, "reports", user=made)
    log = str(list(AuditEntry.objects.of(plant).values()))
    for secret in ("pw-of-device", "li.wei", "Li Wei", "correct horse 7", token, token.rsplit("_", 1)[1]):
        assert secret not in log


def test_a_token_opens_until_it_is_rotated_revoked_or_late(plant: Tenant) -> None:
    owner = person(Role.ENGINEER, plant)
    made, first = credential.issue(author(plant), CredentialKind.TOKEN, "reports", user=owner)
    assert credential.verify(first) == made
    assert credential.verify(first, CredentialKind.GATEWAY) is None
    assert credential.verify(first[:-1]) is None
    second = credential.rotate(author(plant), made)
    assert credential.verify(first) is None
    assert credential.verify(second) is not None
    owner.enabled = False
    owner.save()
    assert credential.verify(second) is None
    owner.enabled = True
    owner.save()
    credential.revoke(author(plant), made)
    assert credential.verify(second) is None
    _, late = credential.issue(author(plant), CredentialKind.TOKEN, "late", user=owner, expires_ms=now_ms() - 1)
    assert credential.verify(late) is None


def test_a_new_key_under_the_same_name_revokes_the_old_and_no_key_opens_the_api(plant: Tenant) -> None:
    old = credential.register_key(author(plant), CredentialKind.GATEWAY, "gateway-plant-main", "UOLD")
    assert credential.register_key(author(plant), CredentialKind.GATEWAY, "gateway-plant-main", "UOLD").pk == old.pk
    new = credential.register_key(author(plant), CredentialKind.GATEWAY, "gateway-plant-main", "UNEW")
    old.refresh_from_db()
    assert old.revoked_ms is not None
    assert new.revoked_ms is None
    assert credential.verify("ms_UNEW_", CredentialKind.GATEWAY) is None
    assert credential.verify("ms_UNEW_x", CredentialKind.GATEWAY) is None
