"""Device templates: shipped ones fit their drivers, wrong ones are refused by path, a connection becomes one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.records.plant import asset, author, modbus, tag

from mainspring.core.definitions import Words
from mainspring.core.errors import ConfigurationError, Conflict, NotFound
from mainspring.records.faults import Invalid
from mainspring.records.importing.tag_import import import_tags
from mainspring.records.plant.device_template import (
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
        (b"HH = 3000", b"HH = nan", r"tags\.0\.limits\.HH is nan"),
        (b"unit =", b"gain = inf\nunit =", r"tags\.0\.gain is inf"),
        (b"register = 3,", b"register = 3, x = [-inf],", r"tags\.0\.address\.x\.0 is -inf"),
        (b'kind = "whole"', b'kind = "text"', "kind whole"),
        (b"register = 3,", b"x = " + b"[" * 5000 + b"]" * 5000 + b",", "too deeply"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path(old: bytes, new: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse(OWN.replace(old, new), "pump.toml")


def test_own_templates_are_kept_beside_the_shipped_ones(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    templates.keep(OWN)
    assert {template.name for template, own in templates.all().templates if own} == {"pump"}
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
    assert all(not own for _, own in templates.all().templates)


def test_a_text_that_is_added_to_is_refused_by_its_path() -> None:
    template = parse(OWN.replace(b"register = 3", b'register = "holding 3"'), "pump.toml")
    with pytest.raises(Invalid, match="holding 3") as refused:
        apply(template, {"host": "10.0.0.7", "first": 40})
    assert list(refused.value.fields) == ["tags.0.register"]


@pytest.mark.parametrize("first", ["9" * 5000, 10**15, -1, "1.5", "²"])
def test_what_is_no_whole_number_is_refused(first: str | int) -> None:
    with pytest.raises(Invalid) as refused:
        apply(parse(OWN, "pump.toml"), {"host": "10.0.0.7", "first": first})
    assert "whole number" in refused.value.fields["parameters.first"].en


def test_damaged_files_are_named_and_hide_no_other(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    templates.keep(OWN)
    (tmp_path / "cut.toml").write_bytes(OWN[:40])
    (tmp_path / "folder.toml").mkdir()
    listed = templates.all()
    assert {template.name for template, own in listed.templates if own} == {"pump"}
    assert {name: bool(text.en and text.zh) for name, text in listed.damaged.items()} == {"cut": True, "folder": True}
    templates.remove("cut")
    assert set(templates.all().damaged) == {"folder"}


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
