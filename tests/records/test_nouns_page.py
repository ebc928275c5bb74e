"""The page on the business model tells of every noun what the database holds, as the definitions say it."""

from __future__ import annotations

from pathlib import Path

from tests.records import ground  # noqa: F401  Django is configured before its models are imported

from mainspring.records.defined.kinds import Defined, columns, kinds, told

PAGE = Path(__file__).parents[2] / "docs" / "business.md"
HEAD = "| noun | told apart by | states | links | what is refused, in its words |\n|---|---|---|---|---|"


def holds(kind: type[Defined]) -> list[str]:
    """Return in words what the database refuses beyond keys, choices and states."""
    shape = kind.shape
    found = [rule.words.en.rstrip(".") for rule in shape.rules]
    for state, names in shape.states.needs.items():
        found.append(f"*{state}* without {', '.join(names)}")
    generated = {f"{kind.kind}_key", f"{kind.kind}_state"} | {f"{kind.kind}_{rule.name}" for rule in shape.rules}
    generated |= {f"{kind.kind}_{name}"[:60] for name in columns(kind)}
    generated |= {f"{kind.kind}_{s}_{n}" for s, names in shape.states.needs.items() for n in names}
    own = [
        each.name.partition("_")[2].replace("_", " ") for each in kind._meta.constraints if each.name not in generated
    ]
    return found + own


def line(kind: type[Defined]) -> str:
    shape = kind.shape
    links = [name for name, column in columns(kind).items() if column.is_relation]
    links += [f"{name} (any kind)" for name in columns(kind) if told(kind, name).control == "any"]
    whole = [f"part of {shape.part_of}"] if shape.part_of else []
    states = ", ".join(f"**{state}**" if state in shape.states.fixed else state for state in shape.states.words)
    cells = (
        f"`{kind.kind}`",
        ", ".join(shape.key),
        states,
        "; ".join([*whole, ", ".join(links)]).strip("; "),
        "; ".join(holds(kind)),
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    found = [kind for kind in kinds() if kind.__module__.startswith("mainspring.records.business.")]
    return "\n".join((HEAD, *(line(kind) for kind in found)))


def test_the_table_of_nouns_is_what_the_definitions_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, f"put this into docs/business.md:\n{table()}"
