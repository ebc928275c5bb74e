"""Rollouts of releases: who gets one next, and when it goes no further."""

from __future__ import annotations

import pytest
from tests.records.plant import author

from mainspring.core.health import ReleaseReport
from mainspring.records import gateway, gateway_release
from mainspring.records.gateway import Gateway, GatewayDraft
from mainspring.records.gateway_release import GatewayRelease, ReleaseState, RolloutDraft
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
