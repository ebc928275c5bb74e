"""The web role: pages, API and live feed in one event loop with the bus client."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import structlog
import uvicorn

from mainspring.bus.connect import Bus
from mainspring.bus.server import check_port
from mainspring.core.health import Health
from mainspring.web.configure import WebSettings, configure
from mainspring.web.database import held_open

if TYPE_CHECKING:
    from mainspring.records.publication import Publication
    from mainspring.web.audit_heads import HeadKeeper

log = structlog.get_logger(__name__)

CONNECTIONS_MAX = 5000
"""Open requests and streams of one process; more are answered with 503."""
COLLECT_AFTER = (20_000, 20, 50)
"""Objects made, and rounds, until what is no longer used but holds itself is looked for."""


async def run(
    bus: Bus,
    settings: WebSettings,
    stop: asyncio.Event,
    *,
    host: str,
    port: int,
    instance: str = "main",
    certificate: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve until `stop` is set; open streams are ended, requests under way get a second."""
    check_port(host, port, "web")
    configure(settings)
    # Imported after `configure`: models and the API exist only once Django is set up.
    from mainspring.records.in_force import for_platform
    from mainspring.records.publication import Publication
    from mainspring.web import deadlines, ended, rollouts, standing
    from mainspring.web.api.history_imports import history_imports
    from mainspring.web.api.imports import imports
    from mainspring.web.asgi import application
    from mainspring.web.audit_heads import HeadKeeper
    from mainspring.web.known_tokens import known_tokens
    from mainspring.web.listen import Listener
    from mainspring.web.live import hub
    from mainspring.web.notices.notifier import Notifier
    from mainspring.web.runtime import runtime

    runtime.bus = bus
    options: dict[str, Any] = {}
    if certificate is not None:
        options = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    server = _Server(
        uvicorn.Config(
            application(), host=host, port=port, lifespan="off", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=1, ws="none", limit_concurrency=CONNECTIONS_MAX,
            # A parser in C would be taken where there is one: it has no limit on headers, and less room for addresses.
            http="h11", **options,
        )
    )  # fmt: skip
    publication, heads = Publication(bus), HeadKeeper()
    # What stands here now stays; looking through all of it again and again took a quarter of the time of requests.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    with for_platform():
        # Of all companies alike; requests say for themselves whose they are.
        work = [
            asyncio.create_task(Listener(bus, runtime, hub).run(), name="listen"),
            asyncio.create_task(hub.run(bus), name="live"),
            asyncio.create_task(standing.run(hub), name="standing"),
            asyncio.create_task(publication.run(), name="publish"),
            asyncio.create_task(Notifier(bus).run(), name="notify"),
            asyncio.create_task(rollouts.run(runtime), name="rollouts"),
            asyncio.create_task(deadlines.run(), name="deadlines"),
            asyncio.create_task(ended.run(), name="ended"),
            asyncio.create_task(report(bus, instance, publication, heads), name="report"),
            asyncio.create_task(heads.run(), name="heads"),
            asyncio.create_task(count_uses(), name="uses"),
        ]
    work.append(asyncio.create_task(server.serve(), name="serve"))
    stopped = asyncio.create_task(stop.wait())
    try:
        with held_open(settings.database_url) as records, known_tokens.watching(records):
            done, _ = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        hub.end()
        server.should_exit = True
        ends = (asyncio.to_thread(each.close) for each in (imports(), history_imports()))
        closing = asyncio.gather(*ends, return_exceptions=True)
        with suppress(TimeoutError, Exception):
            await asyncio.wait_for(work[-1], 2)
        for task in (*work, stopped):
            task.cancel()
        await asyncio.gather(*work, stopped, closing, return_exceptions=True)


class _Server(uvicorn.Server):
    """Leaves signals to the role."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


async def count_uses() -> None:
    """Store every second who read what is protected."""
    from mainspring.records.access import use
    from mainspring.web.lasting import in_thread

    while True:
        await asyncio.sleep(1)
        try:
            await in_thread(use.flush)
        except Exception as error:
            # What waits is counted again a second later.
            log.warning("uses.waiting", reason=str(error))


async def report(bus: Bus, instance: str, publication: Publication, heads: HeadKeeper) -> None:
    """Tell how this process is every second."""
    from mainspring.web.live import hub

    own = psutil.Process()
    started_ms = int(own.create_time() * 1000)
    while True:
        viewers = sum(len(each) for each in hub.viewers.values())
        trouble = publication.trouble or heads.trouble
        await bus.report(
            Health(
                role="web", instance=instance, pid=os.getpid(), time_ms=time.time_ns() // 1_000_000,
                started_ms=started_ms, memory_bytes=own.memory_info().rss, figures={"viewers": viewers},
                state="running" if trouble is None else "degraded",
                text=None if trouble is None else trouble.document(),
            )
        )  # fmt: skip
        await asyncio.sleep(1)
