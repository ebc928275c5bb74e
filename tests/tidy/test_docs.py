from __future__ import annotations

import re
from pathlib import Path

import pytest

from mainspring import cli, configuration
from mainspring.core import drivers, toml
from mainspring.core.errors import ConfigurationError
from mainspring.edge.settings import EdgeConfiguration
from mainspring.reference import reference

ROOT = Path(__file__).parents[2]


def test_the_reference_is_what_the_code_declares() -> None:
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_every_setting_driver_and_command_is_in_the_reference() -> None:
    text = reference()
    for _path, name, field in toml.settings_of(configuration.Configuration):
        assert f"`{name}`" in text
        assert field.description, f"{name} has no words"
    for name in drivers.registered():
        assert f"## {name}:" in text
        assert (ROOT / "docs" / "drivers" / f"{name}.md").exists(), f"docs/drivers/{name}.md is missing"
    assert "mainspring status" in text


def test_the_sample_file_is_accepted_with_every_line_switched_on(tmp_path: Path) -> None:
    lines = toml.sample(configuration.Configuration).splitlines()
    switched = [re.sub(r"^# (?=\w+ = )", "", line) for line in lines if not line.endswith("= ...")]
    file = tmp_path / "mainspring.toml"
    file.write_text("\n".join(switched), encoding="utf-8")
    assert configuration.load(file) == configuration.Configuration()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[bus]\nprot = 1", r"bus.prot is not a setting. Nearest: bus.port"),
        ("[bus]\nport = 'x'", r"bus.port is \"x\". Allowed: a whole number, at least 1, at most 65535"),
        ("[bus]\nsync = 'no'", r"Allowed: always | interval"),
        ("[gateways.a]\nflsh_ms = 5", r"gateways.a.flsh_ms is not a setting. Nearest: gateways.a.flush_ms"),
        ("[plant]\nzone = 'Mars/Base'", r"plant.zone is \"Mars/Base\""),
        ("port 5", r"is not TOML"),
    ],
)
def test_a_bad_setting_is_told_with_its_path(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        configuration.load(file)
    assert sentence.replace("\\", "") in str(caught.value)


def test_relative_links_in_the_docs_lead_somewhere() -> None:
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), f"{file.relative_to(ROOT)} -> {target}"


def test_a_file_of_a_gateway_begins_with_the_address_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["gateway", "--sample", "--url", "https://plant.example:8460"])
    file = tmp_path / "edge.toml"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert toml.load(EdgeConfiguration, file).platform.url == "https://plant.example:8460"
    file.write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"platform is missing"):
        toml.load(EdgeConfiguration, file)
    file.write_text("[platform]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"platform\.url is missing\. Allowed: text, such as https://plant"):
        toml.load(EdgeConfiguration, file)


def test_the_command_tells_its_errors_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--config", str(tmp_path / "none.toml"), "status"])
    assert ended.value.code == 2
    assert "does not exist" in capsys.readouterr().err
