from __future__ import annotations

from mainspring.core.text import Text


def test_a_text_within_a_text_speaks_its_language() -> None:
    state = Text("closed", "关闭")
    form = Text("{name} is {state}.", "{name}：{state}。")
    assert form.format(name="V1", state=state) == Text("V1 is closed.", "V1：关闭。")
    assert Text.of(form.document()) == form
