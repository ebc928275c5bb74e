"""An edge node of pysparkplug in a process of its own: takes `set VALUE`, `crash` and `stop` from standard input."""

from __future__ import annotations

import os
import sys
import time
import warnings

warnings.simplefilter("ignore")  # the peer speaks to a paho-mqtt newer than itself

import paho.mqtt.client  # noqa: E402
import pysparkplug as spb  # noqa: E402

# Dropped from newer paho-mqtt, where it had long done nothing.
paho.mqtt.client.Client.message_retry_set = lambda _client, retry: None  # type: ignore[attr-defined]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def metric(value: float | str, name: str, kind: spb.DataType) -> spb.Metric:
    return spb.Metric(timestamp=now_ms(), name=name, datatype=kind, value=value)


def main(port: int) -> None:
    def obey(_node: spb.EdgeNode, message: spb.Message) -> None:
        assert isinstance(message.payload, spb.DCmd)
        for each in message.payload.metrics:
            if each.name == "Setpoint" and isinstance(each.value, float):
                node.update_device("Press", [metric(each.value, "Setpoint", spb.DataType.FLOAT)])

    own = [metric(20.5, "Temperature", spb.DataType.DOUBLE), metric("批次 7", "Batch", spb.DataType.STRING)]
    node = spb.EdgeNode("Plant", "Peer", own)
    node.register(spb.Device("Press", [metric(1.0, "Setpoint", spb.DataType.FLOAT)], cmd_callback=obey))
    node.connect("127.0.0.1", port=port)
    for line in sys.stdin:
        verb, _, value = line.strip().partition(" ")
        if verb == "set":
            node.update([metric(float(value), "Temperature", spb.DataType.DOUBLE)])
        elif verb == "crash":
            os._exit(1)
        elif verb == "stop":
            node.disconnect()
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
