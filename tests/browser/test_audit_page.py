"""The audit in the page: who did what when, before and after; filtered, verified, exported."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import PHONE, Open, settled
from tests.browser.looks import looked_into
from tests.e2e.platform import Person

from mainspring.records.faults import canonical

ITEMS: Final = "/records/item"
NUMBER: Final = f"AU-{uuid4().hex[:8]}"
_CONTENT: Final = (
    "id", "tenant_id", "sequence", "time_ms", "pseudonym", "action", "object_kind", "object_id", "object_name",
    "changes", "address",
)  # fmt: skip


@pytest.fixture(scope="module")
def item(administrator: Person) -> Iterator[dict[str, Any]]:
    made = administrator.post(ITEMS, {"number": NUMBER, "name": {"en": "Audited", "zh": "已审计"}, "weight": 1})
    administrator.change(f"{ITEMS}/{made['id']}", weight=2.5)
    yield made
    administrator.delete(f"{ITEMS}/{made['id']}")


def test_who_did_what_is_found_and_opened(open_page: Open, item: dict[str, Any]) -> None:
    page = open_page(f"/admin/audit?search={NUMBER}").page
    settled(page)
    rows = page.get_by_role("grid").get_by_role("row").filter(has=page.get_by_role("gridcell"))
    expect(rows).to_have_count(2)
    page.get_by_label("What", exact=True).click()
    page.get_by_title("changed", exact=True).last.click()
    expect(rows).to_have_count(1)
    page.get_by_label("On what", exact=True).fill("Item")
    page.get_by_title("Item", exact=True).last.click()
    looked_into(page)
    assert "action=change" in page.url
    assert "object=item" in page.url
    page.reload()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("admin")
    expect(rows).to_contain_text(re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"))
    rows.click()
    entry = page.get_by_role("dialog")
    change = entry.get_by_role("row").filter(has_text="Weight of one")
    expect(change.get_by_role("cell").nth(1)).to_have_text("1 kg")
    expect(change.get_by_role("cell").nth(2)).to_have_text("2.5 kg")
    looked_into(page)
    entry.get_by_role("link", name=NUMBER).click()
    expect(page.get_by_role("heading", level=1, name=NUMBER)).to_be_visible()


def test_the_chain_is_verified_and_exported_with_its_proof(open_page: Open, item: dict[str, Any]) -> None:
    page = open_page("/admin/audit", "zh", "dark", PHONE).page
    settled(page)
    page.get_by_role("button", name="校验链条").click()
    told = page.get_by_role("status").filter(has_text="链条完整至第")
    expect(told).to_be_visible()
    looked_into(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="导出").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    whole_to = int(re.sub(r"\D", "", re.findall(r"第 ([\d, ]+) 条", told.inner_text())[0]))
    assert len(entries) > whole_to
    # The head that an auditor writes down.
    expect(page.get_by_text(f"{whole_to}:{entries[whole_to - 1]['digest']}", exact=True)).to_be_visible()
    # Whoever has the file can prove it.
    assert all(one["digest"] == another["previous"] for one, another in pairwise(entries))
    last = entries[-1]
    assert (
        hashlib.sha256(canonical([last["previous"], *(last[name] for name in _CONTENT)])).hexdigest() == last["digest"]
    )
