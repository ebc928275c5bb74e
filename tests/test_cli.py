"""The command: whose settings the demo takes, and which platform `status` means."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ports import free_port, free_ports
from tests.waiting import PATIENCE_S

from mainspring.arguments import parser
from mainspring.cli import demo_configuration, main
from mainspring.configuration import load
from mainspring.supervisor import hold_folder

YOURS = """
data_folder = "elsewhere"

[plant]
tenant = "works"
[bus]
url = "nats://bus.plant:4222"
sync = "interval"
[web]
database_url = "postgresql://records.plant/mainspring"
session_hours = 3
[history]
retention_days = { standard = 30, set-aside = 7 }
[gateways.main]
flush_ms = 80
[gateways.line-4]
[mail]
host = "mail.plant"
sender = "mainspring@plant.test"
[notifications]
webhook_hosts = ["127.0.0.1:8099"]
[log]
level = "debug"
"""

ADDED = ("Sign in as north/admin with", "The platform does not run", "用户名 north/admin，密码", "平台未运行")


def test_the_demo_takes_your_settings_but_no_plant_of_yours(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(YOURS, encoding="utf-8")
    folder = tmp_path / "demo"
    folder.mkdir()
    settings, written = demo_configuration(parser().parse_args(["demo", "--port", "9000"]), load(file), folder)
    assert settings == load(written)
    assert (settings.mail.host, settings.notifications.webhook_hosts) == ("mail.plant", ("127.0.0.1:8099",))
    assert (settings.log.level, settings.web.session_hours, settings.bus.sync) == ("debug", 3, "interval")
    assert settings.history.retention_days == {"standard": 30, "set-aside": 7}
    # Its own: whose plant it is, where its readings go, and the ports.
    assert (settings.plant.tenant, settings.bus.url, settings.web.database_url) == ("demo", "", "")
    assert settings.data_folder == folder / "data"
    assert (settings.web.port, settings.bus.port, settings.demo.enabled) == (9000, 9001, True)
    assert {name: (each.flush_ms, each.mqtt_port) for name, each in settings.gateways.items()} == {"main": (80, 9006)}


def test_without_a_file_the_demo_starts_with_defaults(tmp_path: Path) -> None:
    settings, _ = demo_configuration(parser().parse_args(["demo", "--speed", "4"]), load(None), tmp_path)
    assert (settings.web.port, settings.demo.speed, settings.mail.host) == (8460, 4.0, "")


def test_status_means_the_demo_where_the_demo_alone_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    yours, of_demo = free_ports(2)
    Path("mainspring.toml").write_text(f'data_folder = "yours"\n[bus]\nport = {yours}\n', encoding="utf-8")
    demo = tmp_path / ".mainspring" / "demo"
    demo.mkdir(parents=True)
    data = json.dumps(str(demo / "data"))
    (demo / "mainspring.toml").write_text(f"data_folder = {data}\n[bus]\nport = {of_demo}\n", encoding="utf-8")

    def told() -> str:
        with pytest.raises(SystemExit):
            main(["status"])
        return capsys.readouterr().err

    assert "No platform runs in" in told()
    with hold_folder(demo / "data"):
        assert str(demo / "data") in told()
        with hold_folder(tmp_path / "yours"):
            assert str(tmp_path / "yours") in told()


def test_a_company_is_added_in_both_languages(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(
        f"data_folder = {json.dumps(str(tmp_path / 'data'))}\n[bus]\nport = {free_port()}\n", encoding="utf-8"
    )

    def said(*arguments: str) -> str:
        command = [sys.executable, "-m", "mainspring", "--config", str(file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout

    said("prepare")
    lines = said("tenant", "add", "north", "--name", "North").splitlines()
    assert [line[: len(start)] for line, start in zip(lines, ADDED, strict=True)] == list(ADDED)
