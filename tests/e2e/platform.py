"""A whole platform as its users start it: the command, its processes, and a person at its API."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import psutil
import pytest
from tests.answer import Answer
from tests.waiting import PATIENCE_S

# Five seconds are promised and measured by the benchmarks; here other tests run beside, on a machine that may be slow.
STOP_S: Final = 60.0
START_S: Final = 240.0
BUS: Final = "bus"
PROVIDER_SECRET: Final = "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"
_PASSWORD: Final = re.compile(r"Sign in as (\S+) with the password (\S+)")

Found = TypeVar("Found")


def eventually(found: Callable[[], Found | None], within_s: float, what: str) -> Found:
    """Ask until there is an answer that holds; fails with `what` and the last answer."""
    began = time.monotonic()
    while True:
        last = found()
        if last:
            return last
        waited = time.monotonic() - began
        assert waited < within_s, f"{what}: not within {within_s:g} s; last answer {last!r}"
        # What takes long is asked for less often: asking keeps the machine from doing it.
        time.sleep(min(max(waited / 10, 0.05), 0.5))


def free_ports(count: int) -> int:
    """Return the first of so many free loopback ports in a row."""
    # Processes that test beside each other have ids in a row: far apart, they do not find the same ports.
    for first in range(12_000 + os.getpid() * 211 % 18_000, 60_000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for number, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + number))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise AssertionError("no free ports")


@dataclass
class Person:
    """Someone at the API, with the cookies of a browser."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **parameters: Any) -> Answer:
        """Send a request and return the answer, whatever its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers["X-CSRFToken"] = self.cookies.get("csrftoken", "")
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        address = f"/api/v1{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            connection.request(method, address, content, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or ():
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **parameters: Any) -> Any:
        return self._good(self.ask("GET", path, **parameters), f"GET {path}")

    def post(self, path: str, body: Any) -> Any:
        return self._good(self.ask("POST", path, body), f"POST {path}")

    def change(self, path: str, **fields: Any) -> Any:
        """Change a record as it stands now."""
        version = self.get(path)["version"]
        return self._good(self.ask("PATCH", path, fields | {"version": version}), f"PATCH {path}")

    def delete(self, path: str) -> None:
        self._good(self.ask("DELETE", path), f"DELETE {path}")

    def sign_in(self, username: str, password: str) -> Answer:
        self.ask("GET", "/session")
        return self.ask("POST", "/session", {"username": username, "password": password})

    @staticmethod
    def _good(answer: Answer, what: str) -> Any:
        assert answer.status < 300, f"{what}: {answer.status} {answer.body[:500]!r}"
        return answer.json if answer.body else None

    # What most tests ask.

    def tag(self, name: str) -> dict[str, Any]:
        """Return the tag of this very name."""
        return next(tag for tag in self.get("/tags", search=name)["items"] if tag["name"] == name)

    def current(self, *tags: int) -> dict[int, dict[str, Any]]:
        """Return value, time, quality, origin and flags of tags; none while the engine does not answer."""
        answer = self.ask("GET", "/current", tags=",".join(map(str, tags)))
        if answer.status >= 300:
            return {}
        shown = answer.json
        columns = {"value": "values", "time": "times", "quality": "qualities", "origin": "origins", "flags": "flags"}
        return {tag: {one: shown[all_][at] for one, all_ in columns.items()} for at, tag in enumerate(shown["tags"])}

    def raw(self, tag: int, start_ms: int, end_ms: int) -> dict[str, list[Any]]:
        """Return the samples of a tag, oldest first; none while the historian does not answer."""
        answer = self.ask("POST", "/history/raw", {"tags": [tag], "start_ms": start_ms, "end_ms": end_ms})
        series: dict[str, list[Any]] = (
            answer.json["series"][0] if answer.status < 300 else {"time": [], "value": [], "quality": []}
        )
        return series

    def connection(self, name: str) -> dict[str, Any]:
        """Return a connection with its health."""
        return next(each for each in self.get("/connections")["items"] if each["name"] == name)


class Platform:
    """The process `mainspring ...` with all it starts."""

    def __init__(self, folder: Path, arguments: Sequence[str], port: int) -> None:
        self.folder = folder
        self.arguments = [sys.executable, "-m", "mainspring", *arguments]
        self.port = port
        self.username = self.password = ""
        self.said: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def start(self) -> None:
        """Start it and wait until its pages answer."""
        # Its own group: Ctrl C at the tests reaches it through `stop` alone.
        self._process = subprocess.Popen(
            self.arguments, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._reader.start()
        began = time.monotonic()
        try:
            eventually(self._answers, START_S, f"start of {' '.join(self.arguments[2:])}")
        except AssertionError as error:
            error.add_note("\n".join(self.said))
            raise
        print(f"started in {time.monotonic() - began:.1f} s")

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line.rstrip())
            if found := _PASSWORD.search(line):
                self.username, self.password = found.groups()
        process.stdout.close()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.said}"
        try:
            return Person(self.port).ask("GET", "/site").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """End it with SIGTERM; nothing of it may be left."""
        if self._process is None:
            return
        process, self._process = self._process, None
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S)
            print(f"stopped in {time.monotonic() - began:.1f} s")
            _gone, left = psutil.wait_procs(family, timeout=5)
            assert code == 0, f"exit code {code}; it said {self.said[-5:]}"
            assert not left, f"left behind: {[each.cmdline() for each in left]}"
        finally:
            for each in family:
                with suppress(psutil.Error):
                    each.kill()
            process.kill()
            process.wait()
            if self._reader is not None:
                self._reader.join(PATIENCE_S)

    def crash(self) -> int:
        """End all of it at once with SIGKILL; returns how many processes that were."""
        assert self._process is not None
        process, self._process = self._process, None
        # The supervisor first, which would start the others again.
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for each in family:
            with suppress(psutil.Error):
                each.kill()
        process.wait()
        psutil.wait_procs(family, timeout=STOP_S)
        if self._reader is not None:
            self._reader.join(PATIENCE_S)
        return len(family)

    def role(self, name: str) -> psutil.Process:
        """Return the process of a role."""
        for child in self.process.children():
            with suppress(psutil.Error):
                words = child.cmdline()
                if name == BUS and "nats-server" in words[0]:
                    return child
                if "role" in words and words[words.index("role") + 1] == name:
                    return child
        raise LookupError(name)

    def kill(self, name: str) -> int:
        """End a role as a crash would; returns its process id."""
        role = self.role(name)
        role.kill()
        return role.pid

    def restarted(self, name: str, killed: int, within_s: float = PATIENCE_S) -> None:
        """Wait until a role has another process."""

        def other() -> bool:
            with suppress(LookupError, psutil.Error):
                return self.role(name).pid != killed
            return False

        eventually(other, within_s, f"{name} started again")

    def administrator(self) -> Person:
        """Return the administrator, signed in."""
        person = Person(self.port)
        answer = person.sign_in(self.username, self.password)
        assert answer.status == 200, answer.body
        return person


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of `mainspring` that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "mainspring", *arguments], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip


@contextmanager
def demo_platform(folder: Path, speed: float) -> Iterator[Platform]:
    """Run the demo plant on free ports; people of the company `works` sign in at a provider on `provider_port`."""
    port = free_ports(8)
    file = folder / "yours.toml"
    file.write_text(
        "[web]\nregistration = true\n"
        '[sign_in.providers.works]\ntenant = "works"\nname = "Works account"\nname_zh = "工厂账号"\n'
        f'issuer = "http://127.0.0.1:{provider_port(port)}"\nclient_id = "works"\ncreate = true\n'
    )
    arguments = ["--config", str(file), "demo", "--port", str(port), "--folder", str(folder / "demo")]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAINSPRING_SIGN_IN_WORKS_SECRET", PROVIDER_SECRET)
        with running(Platform(folder, [*arguments, "--speed", str(speed)], port)) as platform:
            yield platform


def provider_port(port: int) -> int:
    """Return where the demo plant expects the provider of the company `works`; a test runs it when it needs it."""
    return port + 7


@contextmanager
def running(platform: Platform) -> Iterator[Platform]:
    """Run a platform; its clean stop is asserted unless something else has failed already."""
    try:
        platform.start()
        yield platform
    except BaseException:
        with suppress(AssertionError):
            platform.stop()
        raise
    platform.stop()
