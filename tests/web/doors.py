"""What holds at every provider that people sign in at, whatever it speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from tests.answer import Answer
from tests.e2e.platform import Person, Platform

PASSWORD: Final = "heron-kettle-93-moss"


@dataclass
class AnyDoors(ABC):
    """The platform with its administrator, in front of a provider."""

    platform: Platform
    administrator: Person

    speaks: ClassVar[str]

    def anyone(self) -> Person:
        """Return someone with a fresh browser."""
        person = Person(self.platform.port)
        person.ask("GET", "/site")
        return person

    def begin(self, person: Person, provider: str = "works", path: str = "/session/providers") -> str:
        """Return where the platform sends someone to."""
        answer = person.ask("POST", path, {"provider": provider})
        assert answer.status == 200, answer.body
        return str(answer.json["url"])

    @abstractmethod
    def sign_in(self, name: str, groups: str = "", provider: str = "works") -> tuple[Person, Answer]:
        """Go to the provider with a fresh browser and come back."""

    def local(self, name: str) -> tuple[Person, dict[str, Any]]:
        """Make a person with a password, who is signed in."""
        made = self.administrator.post("/users", {"username": name})
        person = Person(self.platform.port)
        assert person.sign_in(name, made["initial_password"]).status == 200
        person.post("/session/password", {"old": made["initial_password"], "new": PASSWORD})
        return person, made


class SameRules:
    """A module of tests derives a class from this and has a fixture `doors`."""

    def test_someone_unknown_becomes_a_person_with_the_role_of_their_groups(self, doors: AnyDoors) -> None:
        person, answer = doors.sign_in("mei", "fitters,canteen")
        assert answer.status == 200, answer.body
        first = answer.json["user"]
        assert (first["username"], first["display_name"], first["role"]) == ("mei", "Person mei", "operator")
        assert person.get("/session")["user"]["id"] == first["id"]
        assert [each["address"] for each in person.get("/sessions")["items"]] == ["127.0.0.1"]
        for groups, role in (("fitters,masters", "engineer"), ("", "viewer")):
            _, answer = doors.sign_in("mei", groups)
            assert (answer.json["user"]["id"], answer.json["user"]["role"]) == (first["id"], role)
        entries = doors.administrator.get("/audit", object=first["id"])["items"]
        signed_in = [each["changes"] for each in entries if each["action"] == "sign-in"]
        assert {"provider": [None, f"{doors.speaks}:works"]} in signed_in
        assert person.ask("DELETE", "/session").status == 204
        assert person.ask("GET", "/session").status == 401

    def test_a_name_proves_nothing(self, doors: AnyDoors) -> None:
        _, answer = doors.sign_in("admin")
        user = answer.json["user"]
        assert user["username"].startswith("admin-")
        assert user["role"] == "viewer"
        assert user["id"] != doors.administrator.get("/session")["user"]["id"]

    def test_whoever_is_disabled_here_stays_outside(self, doors: AnyDoors) -> None:
        _, answer = doors.sign_in("quan")
        user = doors.administrator.get(f"/users/{answer.json['user']['id']}")
        doors.administrator.change(f"/users/{user['id']}", enabled=False)
        person, answer = doors.sign_in("quan")
        assert (answer.status, answer.json["code"]) == (403, "not-allowed")
        assert person.ask("GET", "/session").status == 401
