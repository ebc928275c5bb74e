"""Two companies on one running platform: what each has, and a gateway of each on another machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

import nkeys
import numpy as np
from tests.answer import Answer
from tests.e2e.platform import Person, Platform, command, eventually, free_ports, running
from tests.waiting import PATIENCE_S
from tests.web.authenticator import SecurityKey

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.health import ConnectionHealth, GatewayConnections
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build

PASSWORD: Final = "heron-kettle-93-moss"
GOOD: Final = 0xC0
EDGE: Final = "edge"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Company:
    """A company as its administrator sees it; `mark` is in every name, so that it is recognised anywhere."""

    key: str
    person: Person
    mark: str
    value: float
    ids: dict[str, str] = field(default_factory=dict)
    ordinal: int = 0
    path: str = ""
    seed: Path = Path()

    @property
    def user(self) -> str:
        return f"gateway-{self.key}-{EDGE}"

    def words(self, name: str) -> dict[str, str]:
        return {"en": f"{name} {self.mark}", "zh": ""}

    def settle(self) -> None:
        """Give the company one of each thing that an API endpoint names by its id."""
        post, ids = self.person.post, self.ids
        asset = post("/assets", {"kind": "unit", "name": self.words("Unit"), "parent": None})
        connection = post("/connections", {"name": f"Line {self.mark}", "driver": "modbus-tcp",
                                           "gateway": EDGE, "settings": {"host": "127.0.0.1", "port": 1}})  # fmt: skip
        tag = post("/tags", {"name": f"TT-{self.mark}", "asset": asset["id"], "connection": connection["id"],
                             "address": {"register": 1}, "writable": True, "low": 0, "high": 100_000})  # fmt: skip
        limit = {"tag_id": tag["id"], "condition": "H", "limit": 100.0, "name": self.words("High")}
        ids["assets"], ids["connections"], ids["tags"] = asset["id"], connection["id"], tag["id"]
        self.ordinal, self.path = tag["tag"], tag["path"]
        ids["alarm-definitions"] = post("/alarm-definitions", limit)["id"]
        ids["devices"] = post("/devices", {"name": f"device-{self.mark}", "gateway": EDGE})["id"]
        ids["users"] = post("/users", {"username": f"u.{self.mark}".lower(), "role": "viewer"})["id"]
        ids["tokens"] = post("/tokens", {"name": f"token {self.mark}", "role": "viewer"})["id"]
        ids["sessions"] = self.person.get("/sessions")["items"][0]["id"]
        ids["invitations"] = post("/invitations", {"name": f"invited {self.mark}"})["id"]
        ids["provisioning"] = post("/provisioning", {"name": f"directory {self.mark}"})["id"]
        ids["live"] = post("/live", {"tags": [self.ordinal]})["id"]
        ids["subscriptions"] = post("/subscriptions", {"channel": "page", "asset": asset["id"]})["id"]
        content = f"blob {self.mark}".encode()
        ids["blobs"] = hashlib.sha256(content).hexdigest()
        sent = self.send("POST", "/blobs", content, "application/octet-stream")
        assert sent.status < 300, sent.body
        ids["imports"] = self.send("POST", "/imports", b"name,unit\nx,Cel\n", "text/csv", name="a.csv").json["id"]
        ids["history/imports"] = self.person.post("/history/imports", {"name": "a.csv", "bytes": 9})["id"]
        item = {"number": f"P-{self.mark}", "name": self.words("Part")}
        ids["records/item"] = ids["personal/item"] = post("/records/item", item)["id"]
        one, text = f"/records/item/{ids['records/item']}", f"text {self.mark}"
        ids["comments"] = post(f"{one}/comments", {"text": text})["id"]
        file = self.send("POST", f"{one}/attachments", text.encode(), "text/plain", name=f"{self.mark}.txt")
        ids["attachments"] = file.json["id"]
        document = post("/records/document", {"number": f"D-{self.mark}", "title": self.words("Drawing")})
        ids["records/document"] = document["id"]
        self.send("PUT", f"/records/document/{document['id']}/content", text.encode(), "text/plain", name="a.txt")
        ids["records/item/views"] = post("/records/item/views", {"name": text, "shared": True})["id"]
        self.person.ask("PUT", f"{one}/labels", {"labels": {"mark": self.mark}})
        gone = post("/records/item", {"number": f"gone-{self.mark}", "name": self.words("Gone")})["id"]
        self.person.ask("DELETE", f"/records/item/{gone}")
        ids["access/people"] = ids["users"]
        ids["session/second-factor/passkeys"] = self.passkey()
        grant = {"company": "nobody", "subject": "item", "purpose": self.mark, "until_ms": now_ms() + 10**9}
        ids["grants"] = post("/records/grant", grant)["id"]
        ids["epcis/events"] = post("/epcis/events", self.event())["eventID"]
        ids["epcis/capture"] = post("/epcis/capture", self.event())["captureID"]
        wheel = self.send("POST", "/gateways/software", self.wheel(), "application/zip")
        assert wheel.status == 201, wheel.body
        ids["gateways/software"], ids["software"] = wheel.json["sha256"], wheel.json["id"]
        template = post("/templates/from-connection", {
            "connection": connection["id"], "name": f"template-of-{self.key}", "title": self.words("Template")
        })  # fmt: skip
        ids["templates"] = template["name"]

    def passkey(self) -> str:
        """Register a passkey of the company's administrator, for the host name that the platform is reached by."""
        key, path = SecurityKey(f"http://localhost:{self.person.port}"), "/session/second-factor/passkeys"
        host = {"Host": f"localhost:{self.person.port}"}
        begun = self.send("POST", f"{path}/begin", b"{}", "application/json", headers=host)
        content = json.dumps({"name": self.mark, "passkey": key.make(begun.json["options"])}).encode()
        added = self.send("POST", path, content, "application/json", headers=host)
        assert added.status == 200, added.body
        return str(self.person.get("/session/second-factor")["passkeys"][0]["id"])

    def event(self) -> dict[str, Any]:
        """Return an event that changes every table events lead to."""
        lot, place, order = (f"urn:mainspring:{name}" for name in ("lot:{0}:1", "asset:{0}", "order:{0}"))
        return {
            "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"], "type": "TransformationEvent",
            "eventTime": "2026-11-21T08:00:00Z", "eventTimeZoneOffset": "+00:00",
            "inputQuantityList": [{"epcClass": f"urn:mainspring:energy:{self.mark}", "quantity": 1}],
            "outputQuantityList": [{"epcClass": lot.format(self.mark), "quantity": 1}],
            "readPoint": {"id": place.format(self.mark)},
            "bizTransactionList": [{"type": "prodorder", "bizTransaction": order.format(self.mark)}],
        }  # fmt: skip

    def wheel(self) -> bytes:
        """Return a wheel of the program as the company uploads it."""
        metadata = "Metadata-Version: 2.1\nName: mainspring\nVersion: 9.9.9\n"
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as out:
            # Without a time of their own, so that it is the same wheel whenever it is made.
            out.writestr(zipfile.ZipInfo("mainspring-9.9.9.dist-info/METADATA"), metadata)
            out.writestr(zipfile.ZipInfo("mainspring/mark.txt"), self.mark)
        return written.getvalue()

    def signed(self, path: str) -> Answer:
        """Get something as the gateway does on another machine, signed with its key."""
        pair = nkeys.from_seed(bytearray(self.seed.read_bytes()))
        at = int(time.time())
        signature = base64.b64encode(pair.sign(f"{at}\nGET\n/api/v1{path}".encode())).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.person.port, timeout=PATIENCE_S)
        try:
            authorization = f"Gateway {pair.public_key.decode()}:{at}:{signature}"
            connection.request("GET", f"/api/v1{path}", headers={"Authorization": authorization})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def enrol(self, folder: Path) -> dict[str, Any]:
        """Announce a gateway on another machine and enrol it as that machine would."""
        made = self.person.post("/gateways", {"name": EDGE})
        self.ids["gateways"] = made["id"]
        return self.enrol_with(made["token"], folder)

    def enrol_with(self, token: str, folder: Path) -> dict[str, Any]:
        raw = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        public = nkeys.from_seed(bytearray(raw)).public_key.decode()
        self.seed = folder / f"{self.user}.seed"
        self.seed.write_bytes(raw)
        stranger = Person(self.person.port)
        told = stranger.post("/gateways/enrolment", {"token": token, "public_key": public})
        assert (told["tenant"], told["name"], told["user"]) == (self.key, EDGE, self.user)
        again = stranger.ask("POST", "/gateways/enrolment", {"token": token, "public_key": public})
        assert again.status == 403, "a token enrols once"
        return dict(told)

    async def connect(self, url: str) -> Bus:
        """Connect as the gateway of this company."""
        return await Bus.connect(url, self.seed, self.user, wait_s=30)

    async def publish(self, bus: Bus, ordinal: int, value: float) -> None:
        """Send one reading as the gateway, acknowledged by the stream."""
        batch = build(Column.FLOAT64, np.array([ordinal], np.uint32), now_ms(), np.array([value]), GOOD, Origin.MACHINE)
        await bus.nc.request(subjects.readings(self.key, EDGE), batch.encode(), timeout=PATIENCE_S)

    async def select(self, bus: Bus) -> None:
        """Select the tag for writing, while the gateway reports its connection as live."""
        live = ConnectionHealth(connection=UUID(self.ids["connections"]), state="connected", since_ms=now_ms())
        async with asyncio.timeout(PATIENCE_S):
            while True:
                report = GatewayConnections(gateway=EDGE, time_ms=now_ms(), connections=(live,))
                await bus.nc.publish(subjects.connections(self.key, EDGE), report.model_dump_json().encode())
                await bus.nc.flush()
                answer = await asyncio.to_thread(self.person.ask, "POST", "/commands/select", {"items": [self.ordinal]})
                if answer.status < 300:
                    self.ids["commands/select"] = answer.json["selection"]
                    return
                await asyncio.sleep(0.2)

    def send(
        self, method: str, path: str, content: bytes, kind: str, headers: dict[str, str] | None = None,
        **parameters: str,
    ) -> Answer:  # fmt: skip
        """Send a body that is not JSON, or under another host name."""
        connection = http.client.HTTPConnection("127.0.0.1", self.person.port, timeout=PATIENCE_S)
        cookies = "; ".join(f"{name}={value}" for name, value in self.person.cookies.items())
        sent = {"Cookie": cookies, "X-CSRFToken": self.person.cookies["csrftoken"], "Content-Type": kind}
        address = f"/api/v1{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            connection.request(method, address, content, sent | (headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def history(self, ordinal: int) -> list[Any]:
        """Return the values of a tag in the last hour."""
        return list(self.person.raw(ordinal, now_ms() - 3_600_000, now_ms() + 60_000)["value"])


@dataclass
class Estate:
    """The platform and its two companies."""

    platform: Platform
    bus_url: str
    secrets: Path
    plant: Company
    north: Company

    async def admin(self) -> Bus:
        """Connect as the supervisor does, to see everything."""
        return await Bus.connect(self.bus_url, self.secrets / "admin.seed", "admin")


@contextmanager
def estate(folder: Path) -> Iterator[Estate]:
    """Run a platform, add a second company while it runs, and settle both."""
    port = free_ports(2)
    settings = folder / "mainspring.toml"
    bus, web = f"[bus]\nport = {port + 1}\n", f"[web]\nport = {port}\nregistration = true\n"
    settings.write_text(f'data_folder = "{folder / "data"}"\n[plant]\ntenant = "plant"\n{bus}{web}')
    arguments = ["--config", str(settings)]
    with running(Platform(folder, [*arguments, "up"], port)) as platform:
        added = command(*arguments, "tenant", "add", "north", "--name", "North", "--zone", "Asia/Shanghai", cwd=folder)
        assert added.returncode == 0, added.stderr
        words = added.stdout.split()
        plant = _signed_in(port, "plant", platform.username, platform.password, "pl4nt8m4rk", 4242.5)
        north = _signed_in(port, "north", words[3], words[7], "n0rth8m4rk", 1717.25)
        plant.person.post("/registration", {"company": plant.mark, "contact": "x", "phone": "1"})
        plant.ids["registrations"] = plant.person.get("/registrations")["items"][0]["id"]
        # Companies ask the one that runs the platform: the other has no such list.
        north.ids["registrations"] = str(uuid4())
        for company in (plant, north):
            company.settle()
            company.enrol(folder)
        made = Estate(platform, f"nats://127.0.0.1:{port + 1}", folder / "data" / "secrets", plant, north)
        yield made


def _signed_in(port: int, key: str, username: str, password: str, mark: str, value: float) -> Company:
    person = Person(port)
    answer = person.sign_in(username, password)
    assert answer.status == 200, answer.body
    assert answer.json["user"]["tenant"] == key
    person.post("/session/password", {"old": password, "new": PASSWORD})
    assert person.get("/site")["tenant"] == key
    return Company(key, person, mark, value)


__all__ = ["EDGE", "Company", "Estate", "estate", "eventually", "now_ms"]
