"""Events on a whole platform: 10,000 captured in one request with what follows from them, found, traced."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import QUICK, say
from benchmarks.platform_under_test import Platform, platform

MANY: Final = 1000 if QUICK else 10_000
TIMES: Final = 20
PRESS: Final = "urn:mainspring:asset:plant/press-1"
told = partial(say, "events")


def event(number: int) -> dict[str, Any]:
    """Return an arrival of a lot, or what is made of the lot before: a chain of hundreds would be no plant."""
    order = f"WO-{number // 100}"
    shared = {
        "eventTime": f"2026-11-21T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventTimeZoneOffset": "+00:00", "readPoint": {"id": PRESS}, "bizLocation": {"id": PRESS},
        "bizTransactionList": [
            {"type": "prodorder", "bizTransaction": f"urn:mainspring:order:{order}"},
            {"type": "urn:mainspring:btt:operation", "bizTransaction": f"urn:mainspring:operation:{order}:10"},
        ],
    }  # fmt: skip
    if number % 2 == 0:
        lot = {"epcClass": f"urn:mainspring:lot:STEEL:{number}", "quantity": 100.5, "uom": "KGM"}
        return {"type": "ObjectEvent", "action": "ADD", "bizStep": "receiving", "quantityList": [lot], **shared}
    used = [{"epcClass": f"urn:mainspring:lot:STEEL:{number - 1}", "quantity": 50.25, "uom": "KGM"},
            {"epcClass": "urn:mainspring:energy:electricity", "quantity": 3.5, "uom": "KWH"}]  # fmt: skip
    made = [{"epcClass": f"urn:mainspring:lot:PART:{number}", "quantity": 20}]
    return {"type": "TransformationEvent", "inputQuantityList": used, "outputQuantityList": made, **shared}


def document(first: int, count: int) -> dict[str, Any]:
    """Return a document of events."""
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"], "type": "EPCISDocument",
        "schemaVersion": "2.0", "creationDate": "2026-11-21T00:00:00Z",
        "epcisBody": {"eventList": [event(number) for number in range(first, first + count)]},
    }  # fmt: skip


def median_ms(work: Callable[[], Any]) -> float:
    """Return how long it takes, the median of several times."""
    took = []
    for _ in range(TIMES):
        began = time.monotonic()
        work()
        took.append((time.monotonic() - began) * 1000)
    return sorted(took)[TIMES // 2]


def measure(running: Platform) -> None:
    """Capture, ask and trace."""
    for which, first in (("first", 0), ("next", MANY)):
        sent = document(first, MANY)
        began = time.monotonic()
        stored = running.ask("/epcis/capture", sent)["stored"]
        told(f"the {which} {MANY:,} events captured in one request", time.monotonic() - began, "s", "below 5")
        assert stored == MANY
    one = document(2 * MANY, 1)["epcisBody"]["eventList"][0] | {"@context": document(0, 1)["@context"]}
    told("one event captured", median_ms(lambda: running.ask("/epcis/events", one)), "ms")
    lot = f"urn:mainspring:lot:PART:{MANY - 1}"
    for what, path in (
        ("30 events by their lot", f"/epcis/events?MATCH_anyEPCClass={lot}"),
        ("30 events by step, newest first", "/epcis/events?EQ_bizStep=receiving"),
        ("stock of an item, 200 lots", "/epcis/stock?item=urn:mainspring:item:STEEL"),
        ("a lot traced back", f"/epcis/trace?thing={lot}"),
    ):
        told(what, median_ms(partial(running.ask, path)), "ms", "below 100")


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="mainspring-events-") as folder, platform(Path(folder)) as running:
        measure(running)


if __name__ == "__main__":
    main()
