"""References to blobs."""

from __future__ import annotations

import pytest

from mainspring.core.blobs import Blob, parse, reference


def test_a_reference_comes_apart_as_it_was_put_together() -> None:
    text = reference(b"a waveform", "application/vnd.apache.arrow.stream")
    assert parse(text) == Blob(parse(text).sha256, "application/vnd.apache.arrow.stream", 10)
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ["", "sha256:12;image/png;1", "sha256:" + "a" * 64 + ";;3", "good"])
def test_anything_else_is_not_a_reference(text: str) -> None:
    with pytest.raises(ValueError, match="not a reference"):
        parse(text)
