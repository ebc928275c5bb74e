"""Device templates: shipped ones fit their drivers, wrong ones are refused by path, a connection becomes one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.records.plant import asset, author, modbus, tag

from mainspring.core.definitions import Words
from mainspring.core.errors import ConfigurationError, Conflict, NotFound
from mainspring.records.device_template import (
    SHIPPED,
    DeviceTemplate,
    Parameter,
    Templates,
    TemplateTag,
    apply,
    check,
    of_connection,
    parse,
)
from mainspring.records.faults import Invalid
from mainspring.records.tag_import import import_tags
from mainspring.records.tenant import Tenant

OWN = b"""
name = "pump"
title = { en = "Pump" }
driver = "modbus-tcp"

[[parameters]]
key = "host"
title = { en = "Host" }
setting = "host"

[[parameters]]
key = "first"
title = { en = "First register" }
kind = "whole"
adds_to = "register"
default = 100

[[tags]]
name = "speed"
address = { register = 3, type = "int16" }
unit = "{rpm}"
limits = { HH = 3000 }
"""


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda file: file.stem)
def test_shipped_templates_fit_their_drivers(file: Path) -> None:
    template = parse(file.read_bytes(), file.name)
    check(template)
    assert template.name == file.stem
    assert template.title.zh
    assert template.description.zh
    assert template.source
    assert all(each.title.zh for each in template.parameters)
    assert all(each.description.en and each.description.zh for each in template.tags)
    assert len({each.name for each in template.tags}) == len(template.tags)


def test_a_template_is_filled_in_for_one_device() -> None:
    template = parse(OWN, "pump.toml")
    applied = apply(template, {"host": "10.0.0.7", "first": 40})
    assert applied["settings"] == {"host": "10.0.0.7"}
    assert applied["tags"][0]["address"] == {"register": 43, "type": "int16"}
    assert applied["tags"][0]["limits"] == {"HH": 3000.0}
    with pytest.raises(Invalid) as missing:
        apply(template, {"first": "many"})
    assert set(missing.value.fields) == {"parameters.host", "parameters.first"}
    with pytest.raises(Invalid, match="speed"):
        apply(template, {"host": "a", "first": 70_000})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"unit =", b"unti =", "tags.0.unit"),
        (b"driver =", b"drivr =", "driver"),
        (b'"{rpm}"', b'"parsec"', "parsec"),
        (b"kind =", b"kind", "TOML"),
        (b'type = "int16"', b'type = "{kind}"', r"\{kind\}"),
        (b'"pump"', b'"../pump"', "name"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path(old: bytes, new: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse(OWN.replace(old, new), "pump.toml")


def test_own_templates_are_kept_beside_the_shipped_ones(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    templates.keep(OWN)
    assert {template.name for template, own in templates.all() if own} == {"pump"}
    assert templates.find("pump").read_bytes() == OWN
    with pytest.raises(Conflict):
        templates.keep(OWN.replace(b'"pump"', b'"demo-chiller"', 1))
    with pytest.raises(Conflict):
        templates.remove("demo-chiller")
    with pytest.raises(Invalid):
        templates.keep(OWN.replace(b"int16", b"int17"))
    with pytest.raises(NotFound):
        templates.find("../demo-chiller")
    templates.remove("pump")
    assert all(not own for _, own in templates.all())


def test_a_connection_becomes_a_template_and_back(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    connection = modbus(plant, unit=4, timeout_ms=900)
    made = tag(
        plant, 'T "1"', unit, connection=connection.id, address={"register": 7, "type": "int16"}, unit="Cel", gain=0.5,
        description={"en": "Bearing", "zh": "轴承"},
    )  # fmt: skip
    import_tags(author(plant), [{"id": str(made.id), "limits": {"H": 80}}])
    template = parse(of_connection(connection, "bearing", Words(en="Bearing", zh="轴承")), "bearing.toml")
    assert [each.key for each in template.parameters] == ["host", "unit"]
    applied = apply(template, {"host": "10.1.1.1"})
    assert applied["settings"] == {"timeout_ms": 900, "host": "10.1.1.1", "unit": 4}
    again = applied["tags"][0]
    assert (again["name"], again["address"], again["gain"], again["unit"], again["limits"]) == (
        'T "1"', {"register": 7, "type": "int16"}, 0.5, "Cel", {"H": 80.0},
    )  # fmt: skip
    assert again["description"] == {"en": "Bearing", "zh": "轴承"}


def test_the_page_tells_every_key_and_every_shipped_template() -> None:
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
    for form in (DeviceTemplate, Parameter, TemplateTag):
        for key in form.model_fields:
            assert f"`{key}`" in page, key
    for file in SHIPPED.glob("*.toml"):
        assert f"`{file.stem}`" in page
