"""Prometheus remote write: from an encoder of our own, and from Prometheus itself."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import struct
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.answer import Answer
from tests.ports import free_port
from tests.records.plant import modbus, tag
from tests.waiting import PATIENCE_S
from tests.web.running import Records, Running, now_ms, records, running

from mainspring.core.kinds import Origin
from mainspring.history.importing.prometheus import write_request
from mainspring.web.api import remote_write

HOUR = 3_600_000
STALE = b"\x02\x00\x00\x00\x00\x00\xf0\x7f"


@pytest.fixture
def kept(database: None) -> Records:
    remote_write.forget()
    made = records()
    of, unit = made.plant, made.tags["T1"].asset
    made.tags["up"] = tag(of, "up", unit, kind="int64")
    address = {"table": "holding", "register": 0, "type": "float32"}
    made.tags["M"] = tag(of, "M", unit, connection=modbus(of).id, address=address)
    return made


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept, engine=False, historian=True) as made:
        yield made


def message(*series: tuple[dict[str, str], Sequence[tuple[int, float]]]) -> bytes:
    request = write_request()()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in sorted(labels.items()):
            one.labels.add(name=name, value=value)
        for time_ms, number in samples:
            one.samples.add(timestamp=time_ms, value=number)
    return bytes(request.SerializeToString())


async def write(web: Running, body: bytes, who: str = "operator", query: str = "", **headers: str) -> Answer:
    def sent() -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
        told = {
            "Authorization": f"Bearer {web.records.tokens[who]}", "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0",
        }  # fmt: skip
        packed = pa.Codec("snappy").compress(body, asbytes=True)
        path = f"/api/v1/history/prometheus/write{query}"
        connection.request(
            "POST", path, packed, told | {name.replace("_", "-"): text for name, text in headers.items()}
        )
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    return await asyncio.to_thread(sent)


async def series(web: Running, name: str) -> Any:
    kinds = {"int64": "int64", "float64": "float64"}
    column = kinds[web.records.tags[name].sample_kind]
    asked = {
        "tags": [web.records.ordinal(name)],
        "start_ms": now_ms() - HOUR,
        "end_ms": now_ms() + HOUR,
        "column": column,
    }
    return (await web.post("/history/raw", asked))["series"][0]


async def test_series_become_history_once_however_often_they_are_sent(web: Running) -> None:
    begin = now_ms() - 10_000
    body = message(
        ({"__name__": "anything", "tag": web.records.tags["T1"].path}, [(begin, 1.5), (begin + 1000, 2.5)]),
        ({"__name__": "up", "job": "x"}, [(begin, 1.0)]),
    )
    for _ in range(3):
        answer = await write(web, body)
        assert (answer.status, answer.body) == (204, b"")
    found = await series(web, "T1")
    assert (found["time"], found["value"]) == ([begin, begin + 1000], [1.5, 2.5])
    assert found["origin"] == [Origin.IMPORTED] * 2
    assert (await series(web, "up"))["value"] == [1]
    ruled = message(({"__name__": "t", "unit": "u", "which": "T1"}, [(begin + 2000, 3.5)]))
    assert (await write(web, ruled, query="?rule=site/a/%7Bunit%7D/%7Bwhich%7D")).status == 204
    assert (await series(web, "T1"))["value"] == [1.5, 2.5, 3.5]
    assert (await write(web, message())).status == 204


async def test_a_series_that_ends_is_a_bad_sample(web: Running) -> None:
    (ended,) = struct.unpack("<d", STALE)
    begin = now_ms() - 10_000
    body = message(({"__name__": "T1"}, [(begin, 4.0), (begin + 1000, ended)]))
    answer = await write(web, body)
    assert answer.status == 204, answer.body
    assert (await series(web, "T1"))["quality"] == [192, 0]


async def test_what_never_will_be_stored_is_told_and_the_rest_is_stored(web: Running) -> None:
    begin = now_ms() - 10_000
    body = message(({"__name__": "T1"}, [(begin, 1.0)]), ({"__name__": "nobody"}, [(begin, 1.0), (begin + 1, 2.0)]))
    answer = await write(web, body)
    assert answer.status == 400, answer.body
    told = json.loads(answer.body)["text"]
    assert told["en"].startswith("1 samples are stored, 2 refused: no tag is called nobody")
    assert "没有名为 nobody 的测点" in told["zh"]
    assert (await series(web, "T1"))["value"] == [1.0]
    assert (await write(web, body, query="?unknown=leave-out")).status == 204
    wrong = message(({"__name__": "up"}, [(begin, 1.5)]), ({"__name__": "T1"}, [(1000, 1.0)]))
    assert (await write(web, wrong)).status == 400
    unkept = await write(web, message(({"__name__": "a\0b"}, [(begin, 1.0)])))
    assert (unkept.status, json.loads(unkept.body)["code"]) == (400, "decode"), unkept.body
    foreign = message(({"__name__": "x", "tag": web.records.tags["X"].path}, [(begin, 1.0)]))
    assert (await write(web, foreign)).status == 400
    assert (await series(web, "up"))["value"] == []


async def test_rights_and_forms(web: Running) -> None:
    begin = now_ms() - 10_000
    connected = message(({"__name__": "M"}, [(begin, 1.0)]))
    assert (await write(web, connected)).status == 400
    assert (await write(web, connected, who="engineer")).status == 204
    assert (await write(web, connected, who="viewer")).status == 403
    body = message(({"__name__": "T1"}, [(begin, 1.0)]))
    later = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    assert (await write(web, body, Content_Type=later)).status == 415
    assert (await write(web, body, Content_Encoding="zstd")).status == 415
    assert (await write(web, b"\xff\xff\xff")).status == 400


async def test_prometheus_itself_writes_what_it_scrapes(web: Running, tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    assert program, "There is no Prometheus. Install it (Debian, Ubuntu: apt-get install prometheus)."
    port = free_port()
    (tmp_path / "token").write_text(web.records.tokens["operator"])
    settings = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
        "remote_write": [
            {
                "url": f"http://127.0.0.1:{web.port}/api/v1/history/prometheus/write",
                "authorization": {"credentials_file": str(tmp_path / "token")},
                "write_relabel_configs": [
                    {"source_labels": ["__name__"], "regex": "up|go_goroutines", "action": "keep"},
                    {
                        "source_labels": ["__name__"], "regex": "go_goroutines", "target_label": "tag",
                        "replacement": web.records.tags["T1"].path,
                    },
                ],
            }
        ],
    }  # fmt: skip
    (tmp_path / "prometheus.yml").write_text(json.dumps(settings))
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}", stdout=log, stderr=log,
        )  # fmt: skip
    try:

        async def written() -> Any:
            found = await series(web, "up")
            return len(found["value"]) >= 3 and len((await series(web, "T1"))["value"]) >= 3

        await web.until(written, 180)
        assert set((await series(web, "up"))["value"]) == {1}
        assert all(number > 0 for number in (await series(web, "T1"))["value"])
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE_S)
