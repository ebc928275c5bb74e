"""Traces over the bus, sent to a collector on loopback."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.bus.conftest import running_bus
from tests.serving import served

from mainspring.core.tracing import carried, configure_tracing, end_tracing, span


class Collector(HTTPServer):
    def __init__(self) -> None:
        self.spans: list[Span] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        assert isinstance(self.server, Collector)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with served(Collector()) as server:
        yield server


async def answer(_subject: str, _payload: bytes) -> bytes:
    return b"42"


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[None]:
    """Ask a question over a real bus, inside a span."""
    async with running_bus(tmp_path) as under_test:
        server, client = await under_test.connect("admin"), await under_test.connect("admin")
        await server.serve("ms.acme.question", answer)
        with span("GET /answer", {}):
            assert await client.ask("ms.acme.question") == b"42"
        await client.close()
        await server.close()
        yield


@pytest.fixture
def traced(collector: Collector) -> Iterator[Collector]:
    configure_tracing(f"http://127.0.0.1:{collector.server_port}", "test", "1")
    yield collector
    end_tracing()


async def test_a_question_and_its_answer_are_one_trace(traced: Collector, asked: None) -> None:
    await asyncio.to_thread(end_tracing)
    spans = {each.name: each for each in traced.spans}
    assert set(spans) == {"GET /answer", "answer ms.acme.question"}
    asking, answering = spans["GET /answer"], spans["answer ms.acme.question"]
    assert answering.trace_id == asking.trace_id
    assert answering.parent_span_id == asking.span_id


async def test_nothing_is_traced_or_sent_until_an_address_is_set(collector: Collector, asked: None) -> None:
    configure_tracing("", "test", "1")
    with span("anything"):
        assert carried() == {}
    assert collector.spans == []
