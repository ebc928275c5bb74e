"""Routes are remembered by topic: whoever comes or goes is known to the very next message."""

from __future__ import annotations

import pytest

from mainspring.core.text import Text
from mainspring.drivers.mqtt_hub import Hub
from mainspring.drivers.mqtt_packets import Message

TOPIC = "plant/press"


class Listening:
    """A device that subscribes, and one that publishes."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def deliver(self, message: Message, qos: int) -> None:
        self.messages.append(message)

    def acknowledge(self, message: Message) -> None:
        raise AssertionError(message)

    def answer(self) -> None:
        raise AssertionError

    def end(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("text", [TOPIC, "plant/+", "#"])
def test_a_device_that_subscribes_or_leaves_is_known_to_the_next_message(text: str) -> None:
    hub, sender, first, second = Hub(), Listening(), Listening(), Listening()

    def heard() -> tuple[int, int]:
        hub.put(Message(TOPIC, b"1"), sender)
        return len(first.messages), len(second.messages)

    assert heard() == (0, 0)
    hub.subscribe(first, text, 0)
    assert heard() == (1, 0)
    hub.subscribe(second, text, 0)
    assert heard() == (2, 1)
    hub.unsubscribe(first, text)
    assert heard() == (2, 2)
    hub.subscribe(first, "plant/oven", 0)
    assert heard() == (2, 3)
    hub.unsubscribe(second, text)
    assert heard() == (2, 3)


def test_a_connection_that_comes_is_known_to_the_next_message() -> None:
    hub, sender = Hub(), Listening()
    refused: list[Text] = []
    hub.put(Message(TOPIC, b"1"), sender)
    outlet = hub.attach((("plant/#", 1),), lambda text, _: refused.append(text))
    hub.put(Message(TOPIC, b"2"), sender)
    beside = hub.attach(((TOPIC, 1),), lambda text, _: refused.append(text))
    hub.put(Message(TOPIC, b"3"), sender)
    assert [message.payload for message in outlet.messages] == [b"2", b"3"]
    assert [message.payload for message in beside.messages] == [b"3"]
    assert not refused
