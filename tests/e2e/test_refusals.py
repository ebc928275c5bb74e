"""What is refused, and how it is said: the command line, sign-in, commands to equipment."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from tests.e2e.device import PRESSURE, SETPOINT, wired
from tests.e2e.platform import Person, Platform, command, eventually, free_ports
from tests.waiting import PATIENCE_S

from mainspring.core import quality as q


@pytest.fixture(scope="module")
def person(demo: Platform) -> Person:
    return demo.administrator()


def test_status_tells_of_every_role(demo: Platform) -> None:
    config = str(demo.folder / "demo" / "mainspring.toml")

    def told() -> bool:
        table = command("--config", config, "status", cwd=demo.folder).stdout
        return re.search(r"Gateway demo/main: ([2-9]|\d\d) of \1 connections live", table) is not None

    eventually(told, PATIENCE_S, "status tells that all sources are live")
    table = command("--config", config, "status", cwd=demo.folder)
    assert table.returncode == 0, table.stderr
    for words in ("Mainspring", "Pages: http", "supervisor", "historian", "engine", "gateway", "web", "Readings: ",
                  " ms", "Disk: ", "connections live"):  # fmt: skip
        assert words in table.stdout, f"{words!r} is not in\n{table.stdout}"
    for_programs = command("--config", config, "status", "--json", cwd=demo.folder)
    assert for_programs.returncode == 0, for_programs.stderr
    document = json.loads(for_programs.stdout)
    states = {role["role"]: role["state"] for role in document["roles"]}
    assert states.keys() >= {"supervisor", "historian", "engine", "gateway", "web"}
    assert [gateway["gateway"] for gateway in document["gateways"]] == ["main"]
    assert all(role["memory_bytes"] > 0 for role in document["roles"])


def test_status_without_a_platform_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mainspring.toml").write_text(f"[bus]\nport = {free_ports(1)}\n")
    refused(tmp_path, ["status"], "mainspring up", exact=False)


def refused(folder: Path, arguments: list[str], *words: str, exact: bool = True) -> None:
    """A refusal is exit code 2 and one clear statement in each language, no traceback."""
    ended = command(*arguments, cwd=folder)
    assert ended.returncode == 2, f"{ended.returncode}: {ended.stdout} {ended.stderr}"
    lines = ended.stderr.strip().splitlines()
    assert "Traceback" not in ended.stderr
    assert len(lines) == 2, lines
    assert any("\u4e00" <= character <= "\u9fff" for character in lines[1]), lines
    for word in words if exact else ():
        assert word in lines[0], lines[0]
    assert lines[0].count(". ") >= 1, f"no next step: {lines[0]}"


def test_a_second_start_on_the_same_folder(demo: Platform) -> None:
    folder = str(demo.folder / "demo")
    pid = str(demo.process.pid)
    refused(demo.folder, ["demo", "--port", str(free_ports(4)), "--folder", folder], pid, "Stop it", "data_folder")
    # The file is the first one's, too: its settings must stay as they were.
    assert f"port = {demo.port}\n" in (demo.folder / "demo" / "mainspring.toml").read_text()


@pytest.mark.parametrize("section", ["web", "bus"])
def test_a_port_in_use(tmp_path: Path, section: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        free = free_ports(1)
        ports = {"web": free, "bus": free} | {section: port}
        (tmp_path / "mainspring.toml").write_text("".join(f"[{name}]\nport = {n}\n" for name, n in ports.items()))
        refused(tmp_path, ["up"], f"Port {port}", "in use", f"[{section}]")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[web]\nprot = 8460\n", ("web.prot", "web.port")),
        ("[histroy]\n", ("histroy", "history")),
        ("[web]\nport = 99999\n", ("web.port", "99999", "65535")),
        ('[plant]\nzone = "Mars/Olympus"\n', ("plant.zone", "Mars/Olympus", "Asia/Shanghai")),
        ("[web\n", ("mainspring.toml", "line 1")),
    ],
)
def test_a_wrong_setting(tmp_path: Path, content: str, words: tuple[str, ...]) -> None:
    (tmp_path / "mainspring.toml").write_text(content)
    refused(tmp_path, ["up"], *words)
    assert not (tmp_path / ".mainspring").exists(), "nothing was started"


def test_wrong_passwords_lock_a_name_out(demo: Platform, person: Person) -> None:
    made = person.post("/users", {"username": "forgetful", "display_name": "F", "role": "viewer"})
    password = made["initial_password"]
    someone = Person(demo.port)
    codes = []
    for attempt in range(20):
        answer = someone.sign_in("forgetful", f"wrong {attempt}")
        codes.append(answer.status)
        if answer.status == 429:
            break
        assert (answer.status, answer.json["code"]) == (401, "credentials")
    assert codes[-1] == 429, codes
    assert answer.json["code"] == "locked"
    assert "20" in answer.json["text"]["en"], "the end of the lock-out is told"
    assert someone.sign_in("forgetful", password).status == 429, "also with the right password"
    assert person.get("/users", search="forgetful")["items"][0]["locked"]
    assert demo.administrator().get("/session")["user"]["username"] == "admin", "nobody else is locked out"
    fresh = person.post(f"/users/{made['id']}/reset-password", {})["initial_password"]
    assert someone.sign_in("forgetful", fresh).status == 200
    person.delete(f"/users/{made['id']}")


def test_commands_to_equipment(demo: Platform, person: Person) -> None:
    with wired(person, "valve-7") as valve:
        valve.device.show(SETPOINT, 11)
        valve.device.show(PRESSURE, 22)
        setpoint = valve.add("SP-7", SETPOINT, low=0, high=100, scan_ms=200, writable=True)
        measured = valve.add("PI-7", PRESSURE, low=0, high=100, scan_ms=200)

        def both_good() -> bool:
            shown = person.current(setpoint["tag"], measured["tag"])
            return len(shown) == 2 and all(cell["quality"] == q.GOOD for cell in shown.values())

        eventually(both_good, PATIENCE_S, "the valve is live")

        def give(tag: int, value: float, **more: object) -> dict[str, object]:
            body = {"connection": valve.connection["id"], "items": [{"tag": tag, "value": value}], "reason": "test"}
            outcome: dict[str, object] = person.post("/commands", body | more)["items"][0]
            return outcome

        def given(value: float) -> dict[str, object] | None:
            """Give a value; None while the platform has not heard yet that the equipment can take one."""
            told = give(setpoint["tag"], value)
            return told if told["outcome"] == "done" else None

        done = eventually(lambda: given(55), PATIENCE_S, "the set point is taken")
        assert done["read_back"] == 55
        assert valve.device.holds(SETPOINT) == 55
        read_only = give(measured["tag"], 66)
        assert read_only["outcome"] == "refused"
        assert "not writable" in str(read_only["text"])
        assert valve.device.holds(PRESSURE) == 22
        beyond = give(setpoint["tag"], 101)
        assert beyond["outcome"] == "refused"
        assert valve.device.holds(SETPOINT) == 55

        gateway = demo.role("gateway")
        gateway.send_signal(signal.SIGSTOP)
        try:
            late = give(setpoint["tag"], 77, expires_ms=300)
            # The gateway was silent: nobody can know, and that is what is said.
            assert late["outcome"] == "not-confirmed"
            assert "may have acted" in str(late["text"])
        finally:
            gateway.send_signal(signal.SIGCONT)
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            assert valve.device.holds(SETPOINT) == 55, "an expired command was executed"
            time.sleep(0.1)
        eventually(lambda: given(60), PATIENCE_S, "the gateway takes commands again")
        recorded = person.get("/commands", limit=10)["items"]
        assert any("test" in json.dumps(each) for each in recorded)
