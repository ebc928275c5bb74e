"""The platform for Python programs: `from mainspring.client import Client`."""

from mainspring.client.client import Client, NotWritten
from mainspring.client.readings import Readings
from mainspring.client.transport import PlatformError
from mainspring.core.errors import ConfigurationError, MainspringError, NotConnected, NotFound, Rejected

__all__ = [
    "Client", "ConfigurationError", "MainspringError", "NotConnected", "NotFound", "NotWritten", "PlatformError",
    "Readings", "Rejected",
]  # fmt: skip
