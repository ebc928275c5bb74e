"""One platform for all tests of this folder; each company's gateway has sent a reading that raised an alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from tests.e2e.platform import eventually
from tests.isolation.estate import Company, Estate, estate
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as made:
        for company in (made.plant, made.north):
            asyncio.run(_begin(made, company))
        yield made


def _kept(company: Company) -> bool:
    # The engine of a busy machine may begin after the historian.
    alarms = company.person.ask("GET", "/alarms")
    raised = alarms.status == 200 and alarms.json["total"] == 1
    return company.history(company.ordinal) == [company.value] and raised


async def _begin(two: Estate, company: Company) -> None:
    bus = await company.connect(two.bus_url)
    try:
        await company.publish(bus, company.ordinal, company.value)
        await asyncio.to_thread(eventually, partial(_kept, company), PATIENCE_S, f"reading and alarm of {company.key}")
        await company.select(bus)
    finally:
        await bus.close()
