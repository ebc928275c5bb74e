"""Values a core-second that the Sparkplug host takes in: from the bytes of messages to batches, without a network.

python -m benchmarks.sparkplug
"""

from __future__ import annotations

import json
import time

from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_sparkplug import SparkplugAddress
from mainspring.drivers.mqtt_sparkplug_host import Application
from mainspring.drivers.mqtt_sparkplug_nodes import Rows
from mainspring.drivers.mqtt_sparkplug_payload import DataType, Payload

TAGS = 300
VALUES = 90_000
GATHERED = 500
"""Messages handed over at a time."""


def birth() -> Message:
    payload = Payload(timestamp=1, seq=0)
    for number in range(TAGS):
        payload.metrics.add(name=f"M{number}", alias=number, datatype=DataType.DOUBLE, double_value=0.0)
    return Message("spBv1.0/G/NBIRTH/E", payload.SerializeToString())


def values(each: int) -> list[Message]:
    made = []
    for turn in range(VALUES // each):
        payload = Payload(timestamp=turn, seq=(turn + 1) % 256)
        for place in range(each):
            payload.metrics.add(alias=(turn * each + place) % TAGS, timestamp=turn, double_value=float(turn))
        made.append(Message("spBv1.0/G/NDATA/E", payload.SerializeToString()))
    return made


def measure(each: int) -> float:
    """Return values per core-second for messages of so many values."""
    faults: dict[int, Text] = {}

    def rows() -> Rows:
        return Rows(lambda _content, _media_type: "", faults)

    refused: list[Text] = []
    application = Application("host", 5.0, refused.append, faults, lambda: ())
    address = [SparkplugAddress(group="G", node="E", metric=f"M{number}") for number in range(TAGS)]
    application.bind([DriverTag(number, SampleKind.FLOAT, at) for number, at in enumerate(address)], rows(), 1)
    application.take([birth()], 1, rows(), rows())
    messages, taken = values(each), 0
    began = time.process_time()
    for start in range(0, len(messages), GATHERED):
        gathered, late = rows(), rows()
        application.take(messages[start : start + GATHERED], 1, gathered, late)
        taken += sum(map(len, gathered.batches()))
    spent = time.process_time() - began
    assert taken == len(messages) * each
    assert not refused
    return taken / spent


def main() -> None:
    for each in (3, 100):
        best = max(measure(each) for _ in range(3))
        scenario = f"messages of {each} values by alias"
        figure = {"scenario": scenario, "figure": "values per core-second", "value": best, "unit": "values"}
        print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
