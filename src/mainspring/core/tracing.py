"""Traces for OpenTelemetry where an address is set and the extra `telemetry` is installed; otherwise nothing happens.

Nothing is sent anywhere until `[telemetry] otlp_url` names a collector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

QUEUE_MAX: Final = 2048
EXPORT_EVERY_MS: Final = 2000
_MISSING: Final = Text(
    "[telemetry] otlp_url is set, but OpenTelemetry is not installed. Run `pip install 'mainspring[telemetry]'`.",
    "已设置 [telemetry] otlp_url，但未安装 OpenTelemetry。请运行 `pip install 'mainspring[telemetry]'`。",
)
_provider: Any = None


def configure_tracing(url: str, role: str, instance: str) -> None:
    """Send spans of this process to the collector at `url` (OTLP over HTTP); raises ConfigurationError."""
    global _provider  # noqa: PLW0603 - one process, one destination
    if not url:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    resource = Resource.create({"service.name": f"mainspring-{role}", "service.instance.id": instance})
    _provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=5)
    _provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=QUEUE_MAX, schedule_delay_millis=EXPORT_EVERY_MS)
    )


def end_tracing() -> None:
    """Send what waits and stop."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
        _provider = None


@contextmanager
def span(name: str, carrier: Mapping[str, str] | None = None, **attributes: Any) -> Iterator[None]:
    """Trace what is done inside; `carrier` has the headers of whoever asked for it."""
    if _provider is None:
        yield
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    # The headers' names are case sensitive on the bus and not over HTTP.
    parent = extract({key.lower(): value for key, value in carrier.items()}) if carrier else None
    kind = SpanKind.INTERNAL if carrier is None else SpanKind.SERVER
    tracer = _provider.get_tracer("mainspring")
    with tracer.start_as_current_span(name, context=parent, kind=kind, attributes=attributes):
        yield


def carried() -> dict[str, str]:
    """Return the headers that let others continue the trace this task is in; empty where there is none."""
    headers: dict[str, str] = {}
    if _provider is not None:
        from opentelemetry.propagate import inject

        inject(headers)
    return headers
