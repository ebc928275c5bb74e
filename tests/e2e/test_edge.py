"""A gateway on another machine: enrolled with a token, alone for a while, released to, undone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.device import COUNTER, Counter, Device, Wired
from tests.e2e.platform import Person, Platform, eventually, free_ports, running
from tests.waiting import PATIENCE_S

import mainspring
from mainspring.edge.enrolment import TOKEN_VARIABLE

LONG_S = PATIENCE_S
SCAN_MS = 200
OWN_PASSWORD = "a longer one of my own"
SOURCE = Path(mainspring.__file__).parent


class Edge:
    """The gateway of a folder of its own."""

    def __init__(self, folder: Path, platform: Platform) -> None:
        self.folder = folder
        folder.mkdir()
        self.file = folder / "edge.toml"
        data = json.dumps(str(folder / "data"))
        # No network between two machines: loopback needs no certificate.
        self.file.write_text(f'data_folder = {data}\ntrial_s = 20\n[platform]\nurl = "{platform.url}"\n')
        self._process: subprocess.Popen[str] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @contextmanager
    def running(self, token: str = "") -> Iterator[None]:
        environment = {**os.environ, TOKEN_VARIABLE: token}
        with (self.folder / "said").open("a") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mainspring", "gateway", str(self.file)], cwd=self.folder, env=environment,
                stdout=said, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
        try:
            yield
        finally:
            self._process.terminate()
            assert self._process.wait(LONG_S) == 0, (self.folder / "said").read_text()

    def state(self) -> dict[str, Any]:
        file = self.data / "releases.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    web = free_ports(2)
    (folder / "mainspring.toml").write_text(f"[web]\nport = {web}\n[bus]\nport = {web + 1}\n")
    with running(Platform(folder, ["up"], web)) as started:
        started.administrator().post("/session/password", {"old": started.password, "new": OWN_PASSWORD})
        started.password = OWN_PASSWORD
        yield started


@pytest.fixture(scope="module")
def person(platform: Platform) -> Person:
    return platform.administrator()


def gateway(person: Person, name: str) -> dict[str, Any]:
    return next(each for each in person.get("/gateways") if each["name"] == name)


def alive(person: Person, name: str) -> bool:
    return bool(gateway(person, name)["alive"])


def wheel(version: str, spoiled: bool = False) -> bytes:
    """Pack the program as it lies here under another version; a spoiled one cannot even be imported."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in SOURCE.rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            place = file.relative_to(SOURCE).as_posix()
            if place == "__init__.py":
                text = f'"""Mainspring."""\n\n__version__ = "{version}"\n'
            if spoiled and place == "gateway/role.py":
                text = "import no_such_module\n"
            archive.writestr(f"mainspring/{place}", text)
        told = f"Metadata-Version: 2.4\nName: mainspring\nVersion: {version}\n"
        archive.writestr(f"mainspring-{version}.dist-info/METADATA", told)
        entry_points = distribution("mainspring").read_text("entry_points.txt") or ""
        archive.writestr(f"mainspring-{version}.dist-info/entry_points.txt", entry_points)
    return packed.getvalue()


def uploaded(person: Person, packed: bytes) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", person.port, timeout=PATIENCE_S)
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    headers = {"Cookie": cookies, "X-CSRFToken": person.cookies["csrftoken"], "Content-Type": "application/zip"}
    connection.request("POST", "/api/v1/gateways/software", packed, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 201, body
    return str(json.loads(body)["id"])


def released(person: Person, name: str, **draft: Any) -> dict[str, Any]:
    made = person.post("/gateways/releases", {"gateways": [gateway(person, name)["id"]], **draft})
    return dict(made[0])


def state_of(person: Person, release: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in person.get("/gateways/releases")["items"] if each["id"] == release["id"])


def test_a_gateway_elsewhere_lives_through_a_platform_that_is_away(platform: Platform, tmp_path: Path) -> None:
    person = platform.administrator()
    announced = person.post("/gateways", {"name": "far"})
    edge = Edge(tmp_path / "far", platform)
    with Device() as device:
        with edge.running(announced["token"]):
            eventually(lambda: alive(person, "far"), LONG_S, "the gateway reports")
            tag = Wired(person, device, "far-counter", "far").add("F-1", COUNTER, "uint32", scan_ms=SCAN_MS)["tag"]
            counter = Counter(person, tag)
            eventually(lambda: len(counter.kept()) >= 10, LONG_S, "readings are kept")
            platform.stop()
            before = device._answers
            eventually(lambda: device._answers > before + 20, LONG_S, "the gateway goes on polling")
        # Started anew without the platform, from what it knows.
        with edge.running():
            before = device._answers
            eventually(lambda: device._answers > before + 20, LONG_S, "it polls without the platform")
            platform.start()
            person.sign_in(platform.username, platform.password)
            last = device._answers
            eventually(lambda: max(counter.kept(), default=0) > last, LONG_S, "what waited is stored")
            assert counter.missing() == []
            # The token has done its work and opens nothing any more.
            again = {"token": announced["token"], "public_key": "U" + "A" * 55}
            assert person.ask("POST", "/gateways/enrolment", again).status == 403


def test_settings_and_software_are_released_taken_over_and_undone(platform: Platform, tmp_path: Path) -> None:
    person = platform.administrator()
    announced = person.post("/gateways", {"name": "near"})
    edge = Edge(tmp_path / "near", platform)
    with Device() as device, edge.running(announced["token"]):
        eventually(lambda: alive(person, "near"), LONG_S, "the gateway reports")
        tag = Wired(person, device, "near-counter", "near").add("G-1", COUNTER, "uint32", scan_ms=SCAN_MS)["tag"]
        counter = Counter(person, tag)
        eventually(lambda: len(counter.kept()) >= 5, LONG_S, "readings are kept")

        settings = released(person, "near", settings={"flush_ms": 120})
        eventually(lambda: state_of(person, settings)["state"] == "active", LONG_S, "settings taken over")
        assert edge.state()["active"]["settings"] == {"flush_ms": 120}

        newer = released(person, "near", software=uploaded(person, wheel("9.9.9")), settings={"flush_ms": 130})
        eventually(lambda: state_of(person, newer)["state"] == "active", LONG_S, "version taken over")
        shown = eventually(lambda: gateway(person, "near")["release"], LONG_S, "it reports")
        assert shown["version"] == "9.9.9"
        assert shown["active"] == newer["number"]

        broken = released(person, "near", software=uploaded(person, wheel("9.9.10", spoiled=True)))
        undone = eventually(
            lambda: (found := state_of(person, broken))["state"] == "undone" and found,
            LONG_S,
            "a broken version undone",
        )
        assert "undone" in undone["text"]["en"]
        assert undone["text"]["zh"]
        eventually(lambda: alive(person, "near"), LONG_S, "it is back")
        assert gateway(person, "near")["release"]["version"] == "9.9.9"
        last = device._answers
        eventually(lambda: max(counter.kept(), default=0) > last, LONG_S, "readings go on")
        assert counter.missing() == []

        refused = person.ask(
            "POST", "/gateways/releases", {"gateways": [gateway(person, "near")["id"]], "settings": {"flash_ms": 1}}
        )
        assert refused.status == 422
        assert person.ask("POST", "/gateways/releases", {"gateways": [gateway(person, "near")["id"]]}).status == 422


def test_a_rollout_goes_on_when_the_first_does_well(platform: Platform, tmp_path: Path) -> None:
    person = platform.administrator()
    tokens = {name: person.post("/gateways", {"name": name})["token"] for name in ("one", "two")}
    first, second = (Edge(tmp_path / name, platform) for name in tokens)
    with second.running(tokens["two"]):
        eventually(lambda: alive(person, "two"), LONG_S, "the second reports")
        ids = [gateway(person, name)["id"] for name in ("one", "two")]
        made = person.post("/gateways/releases", {"gateways": ids, "settings": {"flush_ms": 70}, "first": 1})
        assert [each["state"] for each in made] == ["released", "waiting"]
        with first.running(tokens["one"]):
            eventually(
                lambda: {state_of(person, each)["state"] for each in made} == {"active"}, LONG_S, "taken over by both"
            )
        assert second.state()["active"]["settings"] == {"flush_ms": 70}


def test_software_is_handed_to_gateways_alone(platform: Platform, person: Person) -> None:
    known = person.get("/gateways/software")
    assert known
    assert person.ask("GET", f"/gateways/software/{known[0]['sha256']}").status == 401


def test_without_a_token_it_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('[platform]\nurl = "http://127.0.0.1:9"\n')
    ended = subprocess.run(
        [sys.executable, "-m", "mainspring", "gateway", str(file)], cwd=tmp_path, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False, env={**os.environ, TOKEN_VARIABLE: ""},
    )  # fmt: skip
    assert ended.returncode == 2
    assert "Announce it on the platform" in ended.stderr
    file.write_text('[platform]\nurl = "http://plant.example"\n')
    plain = subprocess.run(
        [sys.executable, "-m", "mainspring", "gateway", str(file)], cwd=tmp_path, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert plain.returncode == 2
    assert "in clear" in plain.stderr
