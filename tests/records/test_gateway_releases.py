"""Rollouts of releases: who gets one next, and when it goes no further."""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.records.plant import author

from mainspring.core.errors import Conflict, LimitExceeded, NotFound
from mainspring.core.health import ReleaseReport
from mainspring.records.faults import Invalid
from mainspring.records.plant import gateway, gateway_release, gateway_software
from mainspring.records.plant.gateway import Gateway, GatewayDraft
from mainspring.records.plant.gateway_release import GatewayRelease, ReleaseState, RolloutDraft
from mainspring.records.plant.gateway_software import UNDO_MS, Room, Software, here, wheel_file
from mainspring.records.tenant import Tenant

SETTINGS = {"read_timeout_ms": 2000}


def announced(plant: Tenant, *names: str) -> list[Gateway]:
    return [gateway.announce(author(plant), GatewayDraft(name=name))[0] for name in names]


def rolled_out(plant: Tenant, gateways: list[Gateway]) -> None:
    gateway_release.roll_out(author(plant), RolloutDraft(gateways=tuple(g.id for g in gateways), settings=SETTINGS))


def states(plant: Tenant) -> list[tuple[str, int, str]]:
    rows = GatewayRelease.objects.of(plant).select_related("gateway").order_by("gateway__name", "number")
    return [(row.gateway.name, row.number, row.state) for row in rows]


def report(active: int = 0, undone: int = 0) -> ReleaseReport:
    return ReleaseReport(version="1", active=active, trying=0, undone=undone, text=None)


@pytest.mark.parametrize(
    ("said", "first", "others"),
    [
        (report(), ReleaseState.RELEASED, ReleaseState.WAITING),
        (report(active=1), ReleaseState.ACTIVE, ReleaseState.RELEASED),
        (report(undone=1), ReleaseState.UNDONE, ReleaseState.STOPPED),
    ],
)
def test_the_others_follow_the_first(
    plant: Tenant, said: ReleaseReport, first: ReleaseState, others: ReleaseState
) -> None:
    rolled_out(plant, announced(plant, "g1", "g2", "g3"))
    gateway_release.progress(plant, {"g1": said})
    assert states(plant) == [("g1", 1, first), ("g2", 1, others), ("g3", 1, others)]


def test_a_release_that_was_replaced_before_it_did_well_goes_no_further(plant: Tenant) -> None:
    first, other = announced(plant, "g1", "g2")
    rolled_out(plant, [first, other])
    rolled_out(plant, [first])
    gateway_release.progress(plant, {"g1": report(active=2)})
    assert states(plant) == [
        ("g1", 1, ReleaseState.REPLACED),
        ("g1", 2, ReleaseState.ACTIVE),
        ("g2", 1, ReleaseState.STOPPED),
    ]


def wheel(version: str, size: int = 0) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mainspring.dist-info/METADATA", f"Name: mainspring\nVersion: {version}\n")
        archive.writestr("mainspring/padding", bytes(size))
    return packed.getvalue()


def kept(plant: Tenant, folder: Path, version: str) -> Software:
    return gateway_software.add(author(plant), wheel(version), Room(folder, 20, 2**30))


def versions(plant: Tenant) -> set[str]:
    return set(here(plant).values_list("program_version", flat=True))


def test_versions_are_limited_in_number_and_size(plant: Tenant, tmp_path: Path) -> None:
    room = Room(tmp_path, 2, 1024**2)
    first = gateway_software.add(author(plant), wheel("1"), room)
    with pytest.raises(LimitExceeded, match="software_bytes_max"):
        gateway_software.add(author(plant), wheel("2", 1024**2), room)
    gateway_software.add(author(plant), wheel("2"), room)
    with pytest.raises(LimitExceeded, match="software_versions_max"):
        gateway_software.add(author(plant), wheel("3"), room)
    assert gateway_software.add(author(plant), wheel("1"), room) == first, "what is here takes no more room"
    gateway_software.remove(author(plant), first.sha256, {})
    gateway_software.add(author(plant), wheel("3"), room)
    with pytest.raises(LimitExceeded):
        gateway_software.restore(author(plant), first.sha256, room)
    assert versions(plant) == {"2", "3"}
    assert len(list(tmp_path.rglob("*.whl"))) == 3, "the removed one can still be restored"


def released(plant: Tenant, to: Gateway, version: Software) -> None:
    gateway_release.roll_out(author(plant), RolloutDraft(gateways=(to.id,), software=version.id))


def did_well(plant: Tenant, number: int) -> None:
    gateway_release.progress(plant, {"g1": report(active=number)})


@pytest.mark.parametrize(
    ("happened", "runs"),
    [
        ("released", 0),
        ("released, well", 0),
        ("released, well, another", 0),
        ("released, well, another, well", 0),
        ("released, another", 1),
    ],
)
def test_a_version_that_a_gateway_needs_stays(plant: Tenant, tmp_path: Path, happened: str, runs: int) -> None:
    (g1,) = announced(plant, "g1")
    version = kept(plant, tmp_path, "2")
    reports = {"g1": report(active=runs)} if runs else {}
    number = 0
    for step in happened.split(", "):
        if step == "well":
            did_well(plant, number)
            continue
        number += 1
        if step == "released":
            released(plant, g1, version)
        else:
            rolled_out(plant, [g1])
    with pytest.raises(Conflict, match="g1"):
        gateway_software.remove(author(plant), version.sha256, reports)
    gateway.revoke(author(plant), g1.id)
    gateway_software.remove(author(plant), version.sha256, reports)
    assert versions(plant) == set()


def test_a_removed_version_can_be_restored_until_its_file_goes(plant: Tenant, tmp_path: Path) -> None:
    (g1,) = announced(plant, "g1")
    old, new = kept(plant, tmp_path, "1"), kept(plant, tmp_path, "2")
    released(plant, g1, old)
    for number in (1, 2, 3):
        did_well(plant, number)
        released(plant, g1, new)
    gateway_software.remove(author(plant), old.sha256, {"g1": report(active=3)})
    with pytest.raises(Invalid):
        released(plant, g1, old)
    gateway_software.sweep(tmp_path)
    gateway_software.restore(author(plant), old.sha256, Room(tmp_path, 20, 2**30))
    assert versions(plant) == {"1", "2"}
    gateway_software.remove(author(plant), old.sha256, {})
    Software.objects.filter(pk=old.pk).update(removed_ms=1)
    stray = wheel_file(tmp_path, plant, "0" * 64)
    stray.write_bytes(b"left by a crash")
    for file in stray.parent.iterdir():
        os.utime(file, (1, file.stat().st_mtime - UNDO_MS))
    gateway_software.sweep(tmp_path)
    assert [file.stem for file in stray.parent.iterdir()] == [new.sha256]
    with pytest.raises(NotFound):
        gateway_software.restore(author(plant), old.sha256, Room(tmp_path, 20, 2**30))
    with pytest.raises(NotFound):
        gateway_software.remove(author(plant), "0" * 64, {})
    assert GatewayRelease.objects.of(plant).filter(software=old).exists(), "what was released stays told"
