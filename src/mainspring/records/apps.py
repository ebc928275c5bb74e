"""The Django application of the records."""

from django.apps import AppConfig


class Records(AppConfig):
    """Assets, tags, connections, people and what was done to them."""

    name = "mainspring.records"
    label = "records"
    verbose_name = "Records"
