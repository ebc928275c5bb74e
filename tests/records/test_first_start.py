"""The first start, and what later starts leave alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.records.plant import tenant

from mainspring.records import counter, daily_count
from mainspring.records.daily_count import DailyCount
from mainspring.records.first_start import ensure_first_start
from mainspring.records.people.user import User
from mainspring.records.tenant import Tenant


def test_the_administrator_is_made_once() -> None:
    name = {"en": "Plant A", "zh": "一厂"}
    password = ensure_first_start("plant", name, "Asia/Shanghai")
    assert password is not None
    user = User.objects.named("plant", "admin")
    assert user is not None
    assert user.must_change_password
    assert user.check_password(password)
    assert ensure_first_start("plant", name) is None
    assert User.objects.count() == 1


def test_a_password_costs_whoever_guesses_it() -> None:
    from django.utils.module_loading import import_string

    from mainspring.web.settings import PASSWORD_HASHERS

    # Tests hash theirs with less.
    (stored,) = [import_string(name)().encode("heron-kettle-93-moss", "salt" * 4) for name in PASSWORD_HASHERS]
    assert stored.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")


def test_the_demo_sign_in_need_not_be_changed() -> None:
    ensure_first_start("demo", {"zh": "演示"}, must_change_password=False)
    user = User.objects.named("demo", "ADMIN ")
    assert user is not None
    assert not user.must_change_password


def test_migrations_say_what_the_records_are() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "records", check=True, dry_run=True, verbosity=0)


def test_writers_at_once_get_numbers_of_their_own() -> None:
    from django.db import connections

    def take(_: int) -> int:
        try:
            return counter.take("test", 10)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        firsts = sorted(pool.map(take, range(40)))
    assert firsts == list(range(1, 401, 10))


def test_evidence_is_counted_by_day(plant: Tenant) -> None:
    daily_count.count(plant, "history", "samples", 5)
    daily_count.count(plant, "history", "samples", 7)
    daily_count.count(tenant("north"), "history", "samples")
    assert DailyCount.objects.of(plant).get().count == 12
