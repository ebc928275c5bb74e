"""The Django application of the records."""

from django.apps import AppConfig


class Records(AppConfig):
    """Assets, tags, connections, people and what was done to them."""

    name = "mainspring.records"
    label = "records"
    verbose_name = "Records"

    def ready(self) -> None:
        """Have the search and the second wall built up to the newest table."""
        from django.db.models.signals import post_migrate

        from mainspring.records import search_index, statistics, wall

        # It has a policy of its own.
        post_migrate.connect(search_index.build, sender=self)
        post_migrate.connect(wall.build, sender=self)
        post_migrate.connect(statistics.gather, sender=self)
