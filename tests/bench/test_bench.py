"""What the benchmarks are made of: values like a plant's, requests as peers take them, plots and the page."""

from __future__ import annotations

import asyncio
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from benchmarks import __main__ as bench
from benchmarks import peer_victoria, plots
from benchmarks.asked import questions
from benchmarks.figures import percentile
from benchmarks.page import OpenPage
from benchmarks.peers import Peer
from benchmarks.values import BLOCK, Mix, ordinals
from tests.waiting import PATIENCE_S


def test_the_mix_walks_counts_and_holds_states() -> None:
    mix = Mix(2000)
    seconds = [mix.second() for _ in range(200)]
    decimals = np.stack([second[0] for second in seconds])
    whole = np.stack([second[1] for second in seconds])
    assert decimals.shape == (200, 1400)
    assert whole.shape == (200, 600)
    assert np.array_equal(decimals, decimals.round(2))
    steps = np.diff(decimals, axis=0)
    assert (steps[:, :1000] != 0).mean() > 0.8
    assert np.abs(steps[:, :1000]).max() < 1
    assert not steps[:, 1000:].any()
    assert (np.diff(whole[:, :200], axis=0) >= 0).all()
    assert set(np.unique(whole[:, 200:])) == set(range(5))
    assert 0 < (np.diff(whole[:, 200:], axis=0) != 0).mean() < 2 / 60


def test_slow_values_change_now_and_then() -> None:
    mix = Mix(2000, slow=1 / 30)
    seconds = np.stack([mix.second()[0] for _ in range(100)])
    assert 0 < (np.diff(seconds[:, :1000], axis=0) != 0).mean() < 2 / 30


def test_a_ring_goes_there_and_back_without_a_jump() -> None:
    ring = [values[0] for values in Mix(2000).ring(6)]
    assert len(ring) == 10
    assert max(np.abs(now - then).max() for then, now in zip(ring, ring[1:] + ring[:1], strict=True)) < 1


def test_a_plant_that_grows_keeps_the_kinds_of_its_tags() -> None:
    few, many = ordinals(100, BLOCK), ordinals(100, 3 * BLOCK)
    for small, large in zip(few, many, strict=True):
        assert set(small) <= set(large)
    assert len(many[0]) == Mix(3 * BLOCK).floats
    assert sorted([*many[0], *many[1]]) == list(range(100, 100 + 3 * BLOCK))


@pytest.mark.parametrize("together", [1, 10])
def test_a_remote_write_is_the_protocol_buffer_that_prometheus_declares(together: int) -> None:
    values = [np.array([1.25, -3.5]) + turn for turn in range(together)]
    times = [1_795_000_000_000 + 1000 * turn for turn in range(together)]
    series = dict(_series(peer_victoria.remote_write(41, times, values)))
    assert series == {
        "T0000041": [(time, 1.25 + turn) for turn, time in enumerate(times)],
        "T0000042": [(time, -3.5 + turn) for turn, time in enumerate(times)],
    }


def _fields(message: bytes) -> list[tuple[int, bytes | int]]:
    """Read the fields of a message: those of length, varint and double."""
    found: list[tuple[int, bytes | int]] = []
    place = 0

    def varint() -> int:
        nonlocal place
        number = shift = 0
        while True:
            byte = message[place]
            place += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    while place < len(message):
        key = varint()
        if key & 7 == 2:
            size = varint()
            found.append((key >> 3, message[place : place + size]))
            place += size
        elif key & 7 == 1:
            found.append((key >> 3, message[place : place + 8]))
            place += 8
        else:
            found.append((key >> 3, varint()))
    return found


def _series(message: bytes) -> list[tuple[str, list[tuple[int, float]]]]:
    found = []
    for _, series in _fields(message):
        assert isinstance(series, bytes)
        parts = _fields(series)
        [label] = [_fields(part) for number, part in parts if number == 1 and isinstance(part, bytes)]
        assert label[0] == (1, b"__name__")
        assert isinstance(label[1][1], bytes)
        samples = []
        for number, part in parts:
            if number == 2:
                assert isinstance(part, bytes)
                sample = dict(_fields(part))
                assert isinstance(sample[1], bytes)
                assert isinstance(sample[2], int)
                samples.append((sample[2], struct.unpack("<d", sample[1])[0]))
        found.append((label[1][1].decode(), samples))
    return found


def test_influx_lines_hold_twenty_fields() -> None:
    lines = peer_victoria.influx(0, 1_795_000_000_000, np.arange(40) / 4).decode().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("d20 f0=5,f1=5.25,")
    assert lines[1].endswith(",f19=9.75 1795000000000")


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(0, [0, 1]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (7, [0, 2, 4, 6, 8]), (500_000, [0, 1e5, 2e5, 3e5, 4e5, 5e5])],
)
def test_axes_have_round_numbers(highest: float, expected: list[float]) -> None:
    assert plots.ticks(highest) == pytest.approx(expected)


def test_plots_are_pictures_that_name_what_they_show() -> None:
    lines = {
        "title": "A & B",
        "axes": ["minutes", "MB"],
        "lines": {"bus": [[0, 1], [1, 2]], "engine": [[0, 3], [1, 3]]},
    }
    bars = {"title": "Rates", "axes": ["", "values/s"], "bars": {"Mainspring": 3e6, "VictoriaMetrics, x": 1e6}}
    for figure, words in ((lines, {"A & B", "bus", "engine", "minutes"}), (bars, {"Rates", "Mainspring"})):
        drawn = ET.fromstring(plots.svg(figure))
        assert words <= {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    widths = [float(bar.get("width", 0)) for bar in ET.fromstring(plots.svg(bars)).iter() if bar.get("rx")]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)


def test_the_page_shows_figures_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "IMAGES", tmp_path)
    kept: dict[str, list[bench.Figure]] = {
        "flood": [
            {
                "scenario": "flood",
                "figure": "values per second",
                "value": 499_997.2,
                "unit": "values/s",
                "wanted": "500,000",
            },
            {"scenario": "flood", "figure": "beside VictoriaMetrics", "value": "not measured: install it", "unit": ""},
            {"plot": "memory", "title": "Memory", "axes": ["min", "MB"], "lines": {"bus": [[0, 1], [1, 2]]}},
        ]
    }
    bench.draw(kept)
    text = bench.page(kept)
    assert "| values per second | 499,997 values/s |  | 500,000 |" in text
    assert "| beside VictoriaMetrics | not measured: install it  |  |" in text
    assert "![Memory](images/benchmarks/flood-memory.svg)" in text
    assert (tmp_path / "flood-memory.svg").exists()


def test_a_peer_that_is_missing_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert not Peer("Mosquitto", "`apt-get install mosquitto`", None).found("flood")
    assert "not measured: it is not installed. Install it with `apt-get install mosquitto`" in capsys.readouterr().out


def test_questions_stay_within_what_there_is() -> None:
    midnight = 1_795_219_200_000
    every = questions(midnight, 10_000, 500, 365)
    assert len(every) == 5
    assert len(questions(midnight, 10_000, 500, 31)) == 4
    for question in every[1:]:
        for turn in (-1, 0, 99):
            _, body = question.asked(turn)
            assert body["start_ms"] < body["end_ms"] <= midnight


async def test_a_page_opens_its_stream_again_when_it_ends() -> None:
    opened = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        asked = await reader.readline()
        while (await reader.readline()).strip():
            pass
        if asked.startswith(b"POST"):
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"id": "s"}')
        else:
            opened += 1
            told = f'event: beat\ndata: {{"number": {opened}}}\n\n'.encode()
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            writer.write(head + f"{len(told):x}\r\n".encode() + told + b"\r\n0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    heard: list[tuple[str, int]] = []
    enough = asyncio.Event()

    def take(name: str, document: dict[str, int]) -> None:
        heard.append((name, document["number"]))
        if len(heard) >= 3:
            enough.set()

    page = await OpenPage.open(server.sockets[0].getsockname()[1], "token", [1], take)
    async with asyncio.timeout(PATIENCE_S):
        await enough.wait()
    await page.close()
    server.close()
    await server.wait_closed()
    assert heard[:3] == [("beat", 1), ("beat", 2), ("beat", 3)]


def test_percentiles_of_few_values() -> None:
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
