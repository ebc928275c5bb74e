"""Django settings that types are checked with: the platform's own, with the sample apps among its tables."""

from mainspring.web import settings
from mainspring.web.settings import *  # noqa: F403

INSTALLED_APPS = [*settings.INSTALLED_APPS, "examples.tool_crib", "examples.shift_log", "examples.supplier_rating"]
