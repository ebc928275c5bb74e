"""The platform for Python programs: `from mainspring.client import Client`."""

from mainspring.client.client import Client
from mainspring.client.readings import Readings
from mainspring.client.transport import PlatformError

__all__ = ["Client", "PlatformError", "Readings"]
