"""Who reads which topic: subscriptions as a tree of topic levels, and the retained messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from mainspring.drivers.mqtt_packets import Message, matches

RETAINED_MAX: Final = 10_000
RETAINED_BYTES_MAX: Final = 16 * 1024 * 1024

Reader = TypeVar("Reader")


class _Level(Generic[Reader]):
    """One level of the tree: what follows, and who reads up to here."""

    __slots__ = ("below", "readers")

    def __init__(self) -> None:
        self.below: dict[str, _Level[Reader]] = {}
        self.readers: dict[Reader, int] = {}


class Subscriptions(Generic[Reader]):
    """Filters of readers with their QoS; finding the readers of a topic costs its levels, not all filters."""

    def __init__(self) -> None:
        self._root: _Level[Reader] = _Level()

    def add(self, text: str, reader: Reader, qos: int) -> None:
        """Enter a filter, or change its QoS."""
        level = self._root
        for name in text.split("/"):
            level = level.below.setdefault(name, _Level())
        level.readers[reader] = qos

    def remove(self, text: str, reader: Reader) -> None:
        """Take a filter out, with the levels that nobody needs any more."""
        path = [self._root]
        names = text.split("/")
        for name in names:
            following = path[-1].below.get(name)
            if following is None:
                return
            path.append(following)
        path[-1].readers.pop(reader, None)
        for place in range(len(names), 0, -1):
            if path[place].below or path[place].readers:
                return
            del path[place - 1].below[names[place - 1]]

    def readers(self, topic: str) -> dict[Reader, int]:
        """Return who reads a topic, each once with the highest QoS of its filters."""
        names = topic.split("/")
        found: dict[Reader, int] = {}
        for level in self._reached(names):
            for reader, qos in level.readers.items():
                found[reader] = max(qos, found.get(reader, 0))
        return found

    def _reached(self, names: list[str]) -> Iterator[_Level[Reader]]:
        # Leading wildcards do not take topics of the server's own, which begin with $.
        own = names[0][:1] == "$"
        levels = [self._root]
        for place, name in enumerate(names):
            wild = place > 0 or not own
            following: list[_Level[Reader]] = []
            for level in levels:
                if wild and (rest := level.below.get("#")) is not None:
                    yield rest
                if wild and (any_name := level.below.get("+")) is not None:
                    following.append(any_name)
                if (exact := level.below.get(name)) is not None:
                    following.append(exact)
            levels = following
        for level in levels:
            yield level
            if (rest := level.below.get("#")) is not None:
                yield rest


class Retained:
    """The last retained message of each topic, within a number and a size; in memory only."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._bytes = 0

    def put(self, message: Message) -> bool:
        """Keep a message, or forget the topic's with an empty one; False if there is no room for it."""
        before = self._messages.pop(message.topic, None)
        if before is not None:
            self._bytes -= len(before.payload)
        if not message.payload:
            return True
        if len(self._messages) >= RETAINED_MAX or self._bytes + len(message.payload) > RETAINED_BYTES_MAX:
            return False
        self._messages[message.topic] = Message(message.topic, message.payload, message.qos, True)
        self._bytes += len(message.payload)
        return True

    def matching(self, text: str) -> list[Message]:
        """Return what a new subscription gets at once."""
        if "+" not in text and "#" not in text:
            found = self._messages.get(text)
            return [] if found is None else [found]
        return [message for topic, message in self._messages.items() if matches(text, topic)]
