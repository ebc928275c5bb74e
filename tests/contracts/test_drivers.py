"""What every driver must do, held over each of them against its own device on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.contracts.driver_cases import DriverCase, cases
from tests.waiting import PATIENCE_S

from mainspring.core import quality as q
from mainspring.core.drivers import Driver, DriverTag, Settings, Value, Writes, registered
from mainspring.core.errors import NotConnected
from mainspring.core.kinds import BATCH_BYTES_MAX, Column, Origin
from mainspring.core.samples import SampleBatch, decode

NOW_MS = 1_790_000_000_000
CASES = cases()


@pytest.fixture(params=sorted(CASES))
def unstarted(request: pytest.FixtureRequest) -> DriverCase:
    """A case whose device does not run; some take a second to start."""
    return CASES[request.param]()


@pytest.fixture
async def case(unstarted: DriverCase) -> AsyncIterator[DriverCase]:
    await unstarted.start()
    yield unstarted
    await unstarted.stop()


@pytest.fixture
async def driver(case: DriverCase) -> AsyncIterator[Driver]:
    instance = case.driver(case.config())
    yield instance
    await instance.close()


def values(batches: Iterable[SampleBatch]) -> dict[int, tuple[Any, int]]:
    """Return value and quality by ordinal."""
    return {
        int(tag): (value, int(quality))
        for batch in batches
        for tag, value, quality in zip(batch.tag, batch.value.tolist(), batch.quality, strict=True)
    }


def tags(case: DriverCase) -> list[DriverTag]:
    return [tag for tag, _ in case.good().values()]


async def test_reads_what_the_device_holds(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    prepared = driver.prepare(tags(case))
    for time_ms in (NOW_MS, NOW_MS + 1000):
        batches = await driver.read(prepared, time_ms)
        found = values(batches)
        assert {ordinal: value for ordinal, (value, _) in found.items()} == {
            ordinal: value for ordinal, (_, value) in case.good().items()
        }
        assert all(q.is_good(quality) for _, quality in found.values())
        for batch in batches:
            assert set(batch.origin) == {Origin.MACHINE}
            assert (batch.time == time_ms).all()
            assert batch.value.dtype == {"float64": np.float64, "int64": np.int64, "text": object}[batch.column]
    assert driver.traffic.requests > 0
    assert driver.traffic.bytes_in > 0
    assert driver.traffic.samples >= 2 * len(case.good())
    assert not driver.faults


def test_a_case_covers_every_column(unstarted: DriverCase) -> None:
    assert {tag.kind.column for tag in tags(unstarted)} == set(Column)


async def test_batches_travel_on_the_bus(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    batches = await driver.read(driver.prepare(tags(case)), NOW_MS)
    for batch in batches:
        message = batch.encode()
        assert len(message) < BATCH_BYTES_MAX
        assert values([decode(message)]) == values([batch])


async def test_a_batch_is_not_changed_by_the_next_reading(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    written = [item for item in case.writable() if item[0].kind.column is not Column.TEXT]
    if not written or not isinstance(driver, Writes):
        return
    prepared = driver.prepare([tag for tag, _ in written])
    first = await driver.read(prepared, NOW_MS)
    before = values(first)
    assert await driver.write(written) == [None] * len(written)
    assert values(await driver.read(prepared, NOW_MS + 1)) != before
    assert values(first) == before


async def test_an_absent_address_is_bad_alone(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    await driver.read(driver.prepare(tags(case)), NOW_MS)
    case.give_up(driver)
    absent = case.absent()
    prepared = driver.prepare([*tags(case), absent])
    for _ in range(2):
        found = values(await driver.read(prepared, NOW_MS))
        value, quality = found.pop(absent.ordinal)
        assert quality & q.MASK == q.BAD
        assert value in (0, "") or np.isnan(value)
        assert all(q.is_good(good) for _, good in found.values())
        assert len(found) == len(case.good())
        assert set(driver.faults) <= {absent.ordinal}
        assert all(text.en and text.zh for text in driver.faults.values())


async def test_closes_twice_and_connects_again(case: DriverCase, driver: Driver) -> None:
    await driver.close()
    for _ in range(2):
        await driver.connect()
        assert values(await driver.read(driver.prepare(tags(case)), NOW_MS))
        await driver.close()
        await driver.close()
    with pytest.raises(NotConnected):
        await driver.read(driver.prepare(tags(case)), NOW_MS)


async def test_lost_contact_is_told_in_time_and_comes_back(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    prepared = driver.prepare(tags(case))
    await driver.read(prepared, NOW_MS)
    await case.cut()
    with pytest.raises(NotConnected) as lost:
        async with asyncio.timeout(PATIENCE_S):
            await driver.read(prepared, NOW_MS)
    assert lost.value.text.en.endswith(".")
    assert lost.value.text.zh.endswith("。")
    await driver.close()
    with pytest.raises(NotConnected):
        await driver.connect()
    await driver.close()
    await case.restore()
    await driver.connect()
    found = values(await driver.read(driver.prepare(tags(case)), NOW_MS))
    assert all(q.is_good(quality) for _, quality in found.values())


async def test_nobody_there_is_not_connected(unstarted: DriverCase) -> None:
    driver = unstarted.driver(unstarted.nobody_there())
    with pytest.raises(NotConnected):
        await driver.connect()
    await driver.close()


async def test_the_constructor_does_no_io(unstarted: DriverCase, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a constructor opened a socket or a file")

    config = unstarted.nobody_there()
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "__init__", refuse)
        patch.setattr("builtins.open", refuse)
        patch.setattr("pathlib.Path.open", refuse)
        driver = unstarted.driver(config)
        driver.prepare(tags(unstarted))
    await driver.close()


async def test_writes_and_reads_back(case: DriverCase, driver: Driver) -> None:
    items = case.writable()
    if not items:
        assert not isinstance(driver, Writes)
        return
    assert isinstance(driver, Writes)
    await driver.connect()
    prepared = driver.prepare([tag for tag, _ in items])
    expected = {tag.ordinal: value for tag, value in items}
    before = values(await driver.read(prepared, NOW_MS))
    assert all(before[ordinal][0] != value for ordinal, value in expected.items())
    assert await driver.write(items) == [None] * len(items)
    after = values(await driver.read(prepared, NOW_MS))
    assert {ordinal: value for ordinal, (value, _) in after.items()} == expected


async def test_a_refused_write_does_not_fail_the_others(case: DriverCase, driver: Driver) -> None:
    refused = case.read_only()
    if refused is None:
        assert not isinstance(driver, Writes)
        return
    assert isinstance(driver, Writes)
    await driver.connect()
    good = case.writable()[0]
    items: list[tuple[DriverTag, Value]] = [(refused, 1), good]
    first, second = await driver.write(items)
    assert first is not None
    assert first.code == "rejected"
    assert first.text.en
    assert first.text.zh
    assert second is None


async def test_checks_pass_in_order(case: DriverCase, driver: Driver) -> None:
    driver.prepare(tags(case))
    checks = [check async for check in driver.checks()]
    assert len(checks) >= 3
    assert all(check.ok for check in checks), [check.detail.en for check in checks]
    for check in checks:
        assert check.name.en and check.name.zh and check.detail.en and check.detail.zh
        assert check.elapsed_ms >= 0
    assert set(checks[0].document()) == {"name", "ok", "detail", "elapsed_ms"}


async def test_checks_end_at_the_first_failure_with_its_cure(unstarted: DriverCase) -> None:
    driver = unstarted.driver(unstarted.nobody_there())
    checks = [check async for check in driver.checks()]
    await driver.close()
    assert [check.ok for check in checks] == [True] * (len(checks) - 1) + [False]
    assert len(checks[-1].detail.en) > 30
    assert checks[-1].detail.zh


async def test_checks_without_tags_pass(case: DriverCase, driver: Driver) -> None:
    checks = [check async for check in driver.checks()]
    assert all(check.ok for check in checks), [check.detail.en for check in checks]


async def test_nothing_to_read_is_no_batch(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    assert values(await driver.read(driver.prepare([]), NOW_MS)) == {}


async def test_a_cancelled_reading_does_no_harm(case: DriverCase, driver: Driver) -> None:
    await driver.connect()
    prepared = driver.prepare(tags(case))
    reading = asyncio.create_task(driver.read(prepared, NOW_MS))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert len(values(await driver.read(prepared, NOW_MS))) == len(case.good())


@pytest.mark.parametrize("name", sorted(CASES))
def test_is_registered_under_its_name(name: str) -> None:
    driver = CASES[name].driver
    assert registered()[driver.name].load() is driver
    assert driver.title.en
    assert driver.title.zh


@pytest.mark.parametrize("form", ["Config", "Address"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_settings_are_declared_in_both_languages(name: str, form: str) -> None:
    declared: type[Settings] = getattr(CASES[name].driver, form)
    schema = declared.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"]
    for setting, words in schema["properties"].items():
        assert words["title"], setting
        assert any("\u4e00" <= character <= "\u9fff" for character in words["title_zh"]), setting
        assert max(words["title"]) < "\u4e00", setting


@pytest.mark.parametrize("form", ["Config", "Address"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_unknown_settings_are_refused(name: str, form: str) -> None:
    declared: type[Settings] = getattr(CASES[name].driver, form)
    with pytest.raises(ValidationError) as refused:
        declared.model_validate({"nonsense": 1})
    assert ("nonsense",) in {error["loc"] for error in refused.value.errors()}
