"""Tags of nobody are looked up once, and not without end."""

from __future__ import annotations

import numpy as np

from mainspring.bus.strangers import IN_VAIN_MAX, REMEMBERED_S, Strangers


def test_strangers_are_looked_up_once_and_their_number_is_limited() -> None:
    strangers, one, two = Strangers(), np.array([1], np.uint32), np.array([1, 2], np.uint32)
    assert strangers.worth_asking("acme", one, 100.0)
    strangers.found("acme", one)
    assert not strangers.worth_asking("acme", one, 101.0)
    assert strangers.worth_asking("acme", two, 101.0)
    assert strangers.worth_asking("other", one, 101.0)
    for tag in range(IN_VAIN_MAX):
        strangers.found("acme", np.array([tag], np.uint32))
    assert not strangers.worth_asking("acme", np.array([999_999], np.uint32), 102.0)
    assert strangers.worth_asking("acme", one, 100.0 + REMEMBERED_S + 1.0)
