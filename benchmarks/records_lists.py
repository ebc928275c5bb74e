"""Lists, searches and the tree of a large plant, asked over the API: 1,000,000 items and 50,000 assets.

`python -m benchmarks.records_lists` asks both databases in processes of their own, `... NAME URL`
one of them. PostgreSQL is a server for the scenario, and its user none that passes policies. `--items 9999` has fewer;
a database that was filled before is asked again.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.figures import QUICK, option, percentile, say

ITEMS: Final = int(option("--items", 20_000 if QUICK else 1_000_000))
ASSETS: Final = 2_000 if QUICK else 50_000
BATCH: Final = 5000
TIMES: Final = 5 if QUICK else 40
LIST_MS, SEARCH_MS, TREE_MS = "below 100", "below 200", "below 500"
_WHAT: Final = (
    ("Deep groove ball bearing", "深沟球轴承"), ("Hydraulic pump", "液压泵"), ("Reactor vessel", "反应釜"),
    ("Stainless steel valve", "不锈钢阀门"), ("Pressure transmitter", "压力变送器"), ("Cable gland", "电缆接头"),
    ("Hex bolt", "六角螺栓"), ("Servo motor", "伺服电机"), ("Heat exchanger", "换热器"), ("Conveyor belt", "输送带"),
)  # fmt: skip
_FOR: Final = (
    ("for the assembly line", "装配线用"), ("for the paint shop", "涂装车间用"), ("spare part", "备件"),
    ("high temperature", "高温型"), ("explosion proof", "防爆型"), ("food grade", "食品级"), ("left hand", "左旋"),
)  # fmt: skip


def items(tenant: Any, many: int) -> Iterator[list[Any]]:
    """Yield items in batches: names in both languages out of a few words and a number of their own."""
    from mainspring.records.business.item import Item
    from mainspring.records.search_index import searched

    kinds = ("part", "raw", "product", "tool")
    for start in range(0, many, BATCH):
        batch = []
        for number in range(start, min(start + BATCH, many)):
            (en, zh), (en_for, zh_for) = _WHAT[number % len(_WHAT)], _FOR[number // 7 % len(_FOR)]
            item = Item(
                tenant=tenant, number=f"P-{number:07}", revision="ABCD"[number % 4],
                size=f"M{number % 40}x{number % 90}", changed_ms=1_700_000_000_000 + number * 37 % many,
                name={"en": f"{en} {en_for} {number % 9973}", "zh": f"{zh}{zh_for}"}, sort=kinds[number % 4],
                family=f"F{number % 50}", state="released" if number % 2 else "draft",
                tracked="serial" if number % 10_000 == 0 else "quantity",
            )  # fmt: skip
            item.search = searched(item)
            batch.append(item)
        yield batch


def fill(tenant: Any, many: int) -> float:
    """Store items; returns how long it took."""
    from django.db import transaction

    from mainspring.records.inserts import insert
    from mainspring.records.search_index import together

    began = time.monotonic()
    for batch in items(tenant, many):
        with transaction.atomic(), together():
            insert(batch)
    return time.monotonic() - began


def plant(tenant: Any, many: int) -> None:
    """Store a tree of assets: sites, areas, lines and units, ten times as many on each level."""
    from django.db import transaction

    from mainspring.records.inserts import insert
    from mainspring.records.plant.asset import Asset, AssetKind

    level: list[Any] = [None]
    left = many
    for kind, each in ((AssetKind.SITE, 5), (AssetKind.AREA, 20), (AssetKind.LINE, 25), (AssetKind.UNIT, many)):
        share = max(1, min(each, left // len(level)))
        made = []
        for parent, number in itertools.product(level, range(share)):
            asset = Asset(
                tenant=tenant, owner=tenant, operator=tenant, parent=parent, asset_kind=kind,
                slug=f"{kind}-{number:03}", name={"en": f"{kind.title()} {number}", "zh": f"反应釜{number}"},
            )  # fmt: skip
            asset.place()
            made.append(asset)
        with transaction.atomic():
            insert(made)
        level, left = made, left - len(made)


def questions() -> dict[str, tuple[str, str]]:
    """Return what is asked, by what it is called: a path and how long it may take."""

    def listed(**asked: Any) -> str:
        where = asked.pop("where", None)
        return "/records/item?" + urlencode({"limit": 50, **asked, **({"where": json.dumps(where)} if where else {})})

    middle = json.dumps([f"P-{ITEMS // 2:07}", "00000000-0000-7000-8000-000000000000"])
    half, rare = ["state", "eq", "released"], ["tracked", "eq", "serial"]
    lists = {
        "the first 50": listed(),
        "sorted by another column, the last first": listed(sort="-revision"),
        "half of them, the newest first": listed(where=[half], sort="-changed_ms"),
        "1 of 10,000, sorted": listed(where=[rare], sort="revision"),
        "two conditions, sorted": listed(where=[half, ["sort", "eq", "tool"]], sort="number"),
        "a range of numbers, filtered": listed(where=[["number", "ge", "P-0010"], half], sort="-number"),
        "50 from the middle on": listed(sort="number", after=middle),
    }
    searches = {
        "one number": listed(search=f"P-{ITEMS // 3:07}"),
        "the beginning of numbers": listed(search="p-000"),
        "a word in a tenth": listed(search="bearing"),
        "two words, sorted": listed(search="hydraulic explosion", sort="-changed_ms"),
        "the beginning of a word, filtered": listed(search="stainl", where=[half]),
        "two letters": listed(search="p0"),
        "轴承 (bearing), in a tenth": listed(search="轴承"),
        "防爆液压泵 (explosion-proof hydraulic pump), words apart": listed(search="防爆液压泵"),
        "pinyin initials, yyb for 液压泵": listed(search="yyb"),
        "nothing found": listed(search="nonesuch"),
        "all kinds at once, 轴承": "/search?" + urlencode({"q": "轴承"}),
        "all kinds at once, one number": "/search?" + urlencode({"q": f"P-{ITEMS // 3:07}"}),
        "all kinds at once, a letter": "/search?" + urlencode({"q": "p"}),
    }
    return {f"list: {words}": (path, LIST_MS) for words, path in lists.items()} | {
        f"search: {words}": (path, SEARCH_MS) for words, path in searches.items()
    }


def ask(client: Any, path: str) -> dict[str, Any]:
    """Ask the API once."""
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, (path, answer.content[:500])
    found: dict[str, Any] = answer.json()
    return found


def tree(client: Any) -> Iterator[str]:
    """Yield what a page asks that opens the tree down to a unit, level by level."""
    path = "/assets?parent=root&limit=1000"
    yield path
    while found := ask(client, path)["items"]:
        path = f"/assets?parent={found[len(found) // 2]['id']}&limit=1000"
        yield path


def measure(scenario: str, url: str) -> None:
    """Fill a database and ask."""
    from mainspring.web.configure import WebSettings, configure

    configure(WebSettings(database_url=url, secret_key="k" * 50, allowed_hosts=("testserver",), tenant="plant"))
    from django.db import connection
    from django.test import Client

    from mainspring.records import statistics
    from mainspring.records.audit import Author
    from mainspring.records.business.item import Item
    from mainspring.records.first_start import ensure_first_start
    from mainspring.records.in_force import for_tenant
    from mainspring.records.people import credential
    from mainspring.records.people.user import User
    from mainspring.records.rights import Role
    from mainspring.records.tenant import Tenant

    ensure_first_start("plant", {"en": "Plant", "zh": "工厂"}, must_change_password=False)
    tenant = Tenant.objects.get(key="plant")
    tell = partial(say, scenario)
    with for_tenant(tenant):
        if not Item.objects.of(tenant).exists():
            tell(f"{ITEMS:,} items stored with their words", fill(tenant, ITEMS), "s")
            plant(tenant, ASSETS)
        person = User.objects.get(tenant=tenant)
        author, kind = Author(tenant, person.pseudonym), credential.CredentialKind.TOKEN
        token = credential.issue(author, kind, "bench", role=Role.ADMINISTRATOR, user=person)[1]
        statistics.gather()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    for words, (path, wanted) in questions().items():
        found = ask(client, path)
        if "nothing" not in words:
            assert found["items"], (words, found)
        took = [timed(client, path) for _ in range(TIMES)]
        tell(f"{words}, 95th percentile of {TIMES}", percentile(took, 0.95), "ms", wanted)
    paths = list(tree(client))
    opened = [sum(timed(client, path) for path in paths) for _ in range(TIMES)]
    words = f"tree of {ASSETS:,} assets opened down to a unit, {len(paths)} levels, 95th percentile of {TIMES}"
    tell(words, percentile(opened, 0.95), "ms", TREE_MS)
    took = [timed(client, "/assets?search=fyf499") for _ in range(TIMES)]
    tell(
        f"tree of {ASSETS:,} assets searched by pinyin, 95th percentile of {TIMES}",
        percentile(took, 0.95),
        "ms",
        TREE_MS,
    )


def timed(client: Any, path: str) -> float:
    """Return how many milliseconds an answer takes."""
    began = time.perf_counter()
    ask(client, path)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    """Measure both databases, each in a process of its own."""
    from tests.records.postgresql import execute, server

    options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite://{Path(folder) / 'records.sqlite'}"
        subprocess.run([sys.executable, "-m", "benchmarks.records_lists", "SQLite", url, *options], check=True)
    with server() as address:
        execute(address, "CREATE DATABASE bench")
        command = [sys.executable, "-m", "benchmarks.records_lists", "PostgreSQL", f"{address}/bench", *options]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] and not sys.argv[1].startswith("--"):
        measure(*sys.argv[1:3])
    else:
        main()
