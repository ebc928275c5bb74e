"""Who asks: an administrator with a session in a company that has one of everything an endpoint names by its id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.e2e.platform import Person
from tests.isolation.estate import Company
from tests.records import ground
from tests.records.plant import person, tenant
from tests.web.running import Running

from mainspring.records.rights import Role

NAME, PASSWORD = "fuzz", "heron-kettle-93-moss"


@dataclass
class Asker:
    """An administrator, what the company has by the noun in paths, and the token of the same rights."""

    port: int
    person: Person
    token: str
    ids: dict[str, str]
    of_kind: dict[str, list[str]] = field(default_factory=dict)
    """Records that came to be, by kind; ids are also those of what links lead to."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def document(self) -> dict[str, Any]:
        """Return the served description."""
        found: dict[str, Any] = self.person.get("/openapi.json")
        return found

    def headers(self, *, by_token: bool) -> dict[str, str]:
        """Return what proves who asks."""
        if by_token:
            return {"Authorization": f"Bearer {self.token}"}
        cookies = "; ".join(f"{name}={value}" for name, value in self.person.cookies.items())
        return {"Cookie": cookies, "X-CSRFToken": self.person.cookies.get("csrftoken", "")}

    def sign_in(self) -> None:
        answer = self.person.sign_in(f"acme/{NAME}", PASSWORD)
        assert answer.status == 200, answer.body


def at_the_door(web: Running) -> Asker:
    """Sign in and give the company one of everything."""
    # Also the company the platform belongs to, which those who sign in with a plain name are of.
    ground.in_thread(lambda: tenant(ground.SETTINGS.tenant))
    ground.in_thread(lambda: person(Role.ADMINISTRATOR, web.records.plant, NAME, password=PASSWORD))
    someone = Person(web.port)
    made = Asker(web.port, someone, web.records.tokens[Role.ADMINISTRATOR], {})
    made.sign_in()
    # A session to end that is not the one which asks: once there is a passkey, the password alone begins none.
    Person(web.port).sign_in(f"acme/{NAME}", PASSWORD)
    company = Company("acme", someone, "f0zz8m4rk", 4242.5)
    company.settle()
    made.ids = company.ids
    made.ids["sessions"] = next(each["id"] for each in someone.get("/sessions")["items"] if not each["current"])
    for noun, kind in (("assets", "asset"), ("tags", "tag"), ("connections", "connection"), ("devices", "device"),
                       ("users", "user"), ("tokens", "credential"), ("records/item", "item"),
                       ("records/document", "document"), ("grants", "grant")):  # fmt: skip
        made.of_kind[kind] = [company.ids[noun]]
    return made
