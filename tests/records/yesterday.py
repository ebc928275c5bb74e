"""The records as they were before business records came: the tables of then, filled by the classes of then."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

THEN: Final = ("records", "0010_software_removed")
SINCE: Final = ("records", "0015_access")
"""Business records, what is attached to them, and rights in parts of the plant; no index of their words yet."""
BEGAN_MS: Final = 1_763_600_000_000
TAGS: Final = 300
ENTRIES: Final = 300
_KINDS: Final = ("float64", "int64", "boolean", "enumeration", "text", "blob", "array")
_SPACE: Final = UUID("0190a000-0000-7000-8000-000000000000")


def an_id(*what: Any) -> UUID:
    """Return the same id for the same thing, whichever database it is put into."""
    return uuid5(_SPACE, repr(what))


def words(en: str, zh: str = "") -> dict[str, str]:
    return {"en": en, "zh": zh}


def migrate_back_then(then: tuple[str, str] = THEN) -> Any:
    """Make the tables of then, of which the database has none or earlier ones; returns the classes of then."""
    executor = MigrationExecutor(connections["default"])
    executor.migrate([then])
    executor.loader.build_graph()
    return executor.loader.project_state([then]).apps


def fill_since(apps: Any) -> None:
    """Write what a company had when business records were new: an item, and what was said of it."""
    plant = apps.get_model("records", "Tenant").objects.get(key="plant")
    put = Filling(apps).put
    item = put(
        "Item", "since", tenant=plant, number="P-7", name=words("Gasket", "垫片"), state="draft", search="p-7 gasket"
    )
    put("Comment", "since", tenant=plant, object_kind="item", object_id=item.pk, text="It leaks")


class Filling:
    """Writes what two companies had: every table gets rows, with what people really write into them."""

    def __init__(self, apps: Any) -> None:
        self._apps = apps
        self.tenants: dict[str, Any] = {}

    def put(self, kind: str, *key: Any, **fields: Any) -> Any:
        made = self._apps.get_model("records", kind)(**({"id": an_id(kind, *key)} if key else {}), **fields)
        made.save(force_insert=True)
        return made

    def fill(self) -> None:
        park = self.tenants["park"] = self.put("Tenant", "park", key="park", number=1, name=words("Park", "园区"))
        self.tenants["plant"] = self.put(
            "Tenant", "plant", key="plant", number=2, name=words("Plant", "工厂"), zone="Asia/Shanghai", parent=park
        )
        for key, tenant in self.tenants.items():
            self._company(key, tenant)
        for name, following in (("tenant-numbers", 3), ("tag-ordinals", 2 * TAGS + 1)):
            self.put("Counter", name=name, following=following)

    def _company(self, key: str, of: Any) -> None:
        people = [
            self.put("User", key, role, tenant=of, username=f"{role}.李", display_name=f"Li {role}", role=role,
                     password="argon2$argon2id$v=19$m=102400,t=2,p=8$eA$eA", language="zh", sign_outs=3)
            for role in ("viewer", "operator", "engineer", "administrator")
        ]  # fmt: skip
        credentials = [
            self.put("Credential", key, kind, tenant=of, credential_kind=kind, name=f"{kind} 1", role="viewer",
                     public=f"{key}-{kind}", digest="d" * 64, user=people[0] if kind == "token" else None,
                     expires_ms=BEGAN_MS * 2)
            for kind in ("token", "gateway", "device", "service", "carrier")
        ]  # fmt: skip
        gateway = self.put("Gateway", key, tenant=of, name="edge", credential=credentials[1])
        self.put("Device", key, tenant=of, name="scale", publish=["scale/+"], subscribe=[], credential=credentials[2])
        plc = self.put("Connection", key, tenant=of, name="PLC 1", driver="modbus-tcp", search="plc 1",
                       settings={"host": "10.0.0.1", "password": ""})  # fmt: skip
        site = self._asset(key, of, None, "site", "Site", "厂区")
        units = [
            self._asset(
                key, of, self._asset(key, of, site, "area", f"Area {n}", f"车间{n}"), "unit", "Kettle", "反应釜"
            )
            for n in range(20)
        ]
        tags = self._tags(key, of, units, plc)
        self._alarms(key, of, tags, units[0])
        self._work(key, of, people, tags, gateway, site)
        self._audit(key, of, people, tags)

    def _asset(self, key: str, of: Any, parent: Any, kind: str, en: str, zh: str) -> Any:
        slug = en.lower().replace(" ", "-")
        path = f"{parent.path}/{slug}" if parent else slug
        return self.put("Asset", key, path, tenant=of, owner=of, operator=self.tenants["park"], parent=parent,
                        asset_kind=kind, name=words(en, zh), slug=slug, path=path, search=f"{path}\n{zh}",
                        shifts=["08:00", "20:00"] if kind == "site" else [])  # fmt: skip

    def _tags(self, key: str, of: Any, units: list[Any], plc: Any) -> list[Any]:
        made = []
        for n in range(TAGS):
            unit, kind = units[n % len(units)], _KINDS[n % len(_KINDS)]
            path = f"{unit.path}/TI-{n}"
            made.append(self.put(
                "Tag", key, n, tenant=of, ordinal=(of.number - 1) * TAGS + n + 1, name=f"TI-{n}", path=path,
                search=path.lower(), description=words(f"Temperature {n}", f"温度{n}"), sample_kind=kind, unit="Cel",
                low=-40.0 if kind == "float64" else None, high=150.0 if kind == "float64" else None,
                address={"register": n}, asset=unit, connection=plc if n % 3 else None, gain=0.1, writable=n % 5 == 0,
                words={"0": words("off", "停"), "1": words("on", "开")} if kind == "enumeration" else None,
                write_policy={"role": "operator", "reason": True} if n % 10 == 0 else None,
            ))  # fmt: skip
        return made

    def _alarms(self, key: str, of: Any, tags: list[Any], unit: Any) -> None:
        for n, condition in enumerate(("HH", "H", "L", "LL", "stale", "rate", "state", "change", "expression")):
            definition = self.put(
                "AlarmDefinition", key, n, tenant=of, tag=tags[n], condition=condition, limit=80.5, priority="high",
                name=words("High", "高"), consequence=words("It boils", "沸腾"), search="high", states=[1],
                expression="a > b" if condition == "expression" else "", suppress_when="p == 0",
                suppress_reason=words("Pump stands", "泵停"),
            )  # fmt: skip
            self.put("AlarmInput", key, n, tenant=of, definition=definition, name="a", tag=tags[n + 20])
            self.put("SuppressionInput", key, n, tenant=of, definition=definition, name="p", tag=tags[n + 40])
        self.put("SuppressionInput", key, "asset", tenant=of, asset=unit, name="p", tag=tags[60])

    def _work(self, key: str, of: Any, people: list[Any], tags: list[Any], gateway: Any, site: Any) -> None:
        command = self.put(
            "CommandRecord", key, tenant=of, pseudonym=people[1].pseudonym, second=people[2].pseudonym,
            authority="command: 换班", items=[{"tag": tags[0].ordinal, "value": 1.5}], issued_ms=BEGAN_MS,
            expires_ms=BEGAN_MS + 15_000, outcome={"items": []}, finished_ms=BEGAN_MS + 200,
        )  # fmt: skip
        self.put("CommandedTag", tenant=of, command=command, ordinal=tags[0].ordinal)
        self.put("Reservation", key, tenant=of, tag=tags[1], selection=an_id("s", key), pseudonym=people[1].pseudonym,
                 expires_ms=BEGAN_MS)  # fmt: skip
        subscription = self.put("Subscription", key, tenant=of, user=people[1], channel="mail", target="li@plant.test",
                                priorities=["high"], transitions=["raised"], asset=site)  # fmt: skip
        self.put("Notice", key, tenant=of, subscription=subscription, event="alarm-1", row={"name": words("High")})
        software = self.put("Software", key, tenant=of, program_version="0.1.0", sha256="5" * 64, size=1234)
        self.put("GatewayRelease", key, tenant=of, gateway=gateway, number=1, rollout=an_id("r", key), state="active",
                 software=software, settings={"scan_ms": 1000})  # fmt: skip
        self.put("DailyCount", tenant=of, day=date(2025, 11, 20), part="historian", what="samples", count=2**40)

    def _audit(self, key: str, of: Any, people: list[Any], tags: list[Any]) -> None:
        """Continue a chain as it was continued then; its hash is written out here, so that nobody changes it unseen."""
        previous = "0" * 64
        for sequence in range(1, ENTRIES + 1):
            tag = tags[sequence % TAGS]
            content = {
                "id": an_id("audit", key, sequence), "tenant_id": of.pk, "sequence": sequence,
                "time_ms": BEGAN_MS + sequence, "pseudonym": people[2].pseudonym if sequence % 7 else None,
                "action": "change", "object_kind": "tag", "object_id": str(tag.pk), "object_name": tag.path,
                "changes": {"high": [sequence / 7, 150.0], "description": [words("T", "温"), words("T", "温度")]},
                "address": "10.0.0.7",
            }  # fmt: skip
            written = json.dumps([previous, *content.values()], sort_keys=True, separators=(",", ":"),
                                 ensure_ascii=False, default=str)  # fmt: skip
            digest = hashlib.sha256(written.encode()).hexdigest()
            self.put("AuditEntry", **content, previous=previous, digest=digest)
            previous = digest
