"""`mainspring audit`: chains verified and written out by another process, on whichever database there is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.records import ground
from tests.records.plant import asset, tenant
from tests.waiting import PATIENCE_S

from mainspring import cli
from mainspring.arguments import parser
from mainspring.records.audit import GENESIS, AuditEntry, write_heads
from mainspring.records.faults import canonical
from mainspring.records.heads import HeadFile
from mainspring.records.tenant import Tenant

CONTENT = (
    "id", "tenant_id", "sequence", "time_ms", "pseudonym", "action", "object_kind", "object_id", "object_name",
    "changes", "address",
)  # fmt: skip


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    settings = folder / "mainspring.toml"
    settings.write_text(f'data_folder = "{folder / "data"}"\n[plant]\ntenant = "plant"\n')
    return subprocess.run(
        [sys.executable, "-m", "mainspring", "--config", settings, "audit", *words],
        env=os.environ | {"MAINSPRING_DATABASE_URL": ground.SETTINGS.database_url},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def test_a_whole_chain_is_said_to_be_and_a_tampered_entry_is_named(plant: Tenant, tmp_path: Path) -> None:
    north = tenant("north")
    for of in (plant, north):
        for number in range(4):
            asset(of, f"unit-{number}")
    whole = command(tmp_path, "verify")
    assert (whole.returncode, whole.stdout.count("4 entries, the chain is whole")) == (0, 2), whole.stderr
    exported = command(tmp_path, "export", "--tenant", "north")
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    assert [each["object_name"] for each in entries] == [f"unit-{number}" for number in range(4)]
    previous = GENESIS
    for each in entries:
        # Whoever has the file alone can verify it.
        assert each["previous"] == previous
        previous = hashlib.sha256(canonical([previous, *(each[name] for name in CONTENT)])).hexdigest()
        assert each["digest"] == previous
    AuditEntry.objects.of(north).filter(sequence=3).update(object_name="nothing happened")
    broken = command(tmp_path, "verify")
    assert broken.returncode == 1
    assert "north is broken at entry 3" in broken.stdout + broken.stderr
    assert "plant: 4 entries, the chain is whole" in broken.stdout + broken.stderr


def test_a_chain_is_compared_with_the_heads_that_were_written_down(
    plant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        asset(plant, f"unit-{number}")
    write_heads(tmp_path / "data")
    (head,) = HeadFile(tmp_path / "data", "plant").read().holding
    good = command(tmp_path, "verify", "--expect", f"4:{head.digest}")
    assert good.returncode == 0, good.stderr
    for told in (f"Its head is 4:{head.digest}.", "all 1 heads", f"the entry 4:{head.digest} is in it"):
        assert told in good.stdout
    AuditEntry.objects.of(plant).filter(sequence__gt=2).delete()
    cut = command(tmp_path, "verify")
    assert cut.returncode == 1
    assert "plant: 2 entries, the chain is whole" in cut.stdout
    assert f"had the entry 4:{head.digest}" in cut.stdout
    assert "audit restored" in cut.stdout
    restored = ["--config", str(tmp_path / "mainspring.toml"), "audit", "restored", "2020-02-02T02:02+08:00"]
    cli.run(parser().parse_args(restored))
    assert "Noted for plant" in capsys.readouterr().out
    # The platform knows of the restore; whoever wrote the head down by hand is told that it is gone.
    known = command(tmp_path, "verify", "--expect", f"4:{head.digest[:16]}")
    assert known.returncode == 1
    assert "up to number 4, are not in the chain" in known.stdout
    assert f"does not have the entry 4:{head.digest[:16]}" in known.stdout
    assert "had the entry" not in known.stdout
