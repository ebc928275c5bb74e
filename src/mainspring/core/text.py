"""Text that people read, in both languages, kept where it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Text:
    """One whole sentence or label in English and Chinese; `{name}` marks a placeholder."""

    en: str
    zh: str

    def format(self, **values: Any) -> Text:
        """Fill the placeholders of both languages with the same values; a Text among them in its own language."""
        chinese = {name: value.zh if isinstance(value, Text) else value for name, value in values.items()}
        return Text(self.en.format(**values), self.zh.format(**chinese))

    def document(self) -> dict[str, str]:
        """Return the form that travels in JSON: `{"en": ..., "zh": ...}`."""
        return {"en": self.en, "zh": self.zh}

    @classmethod
    def of(cls, document: dict[str, str]) -> Text:
        """Read the JSON form back."""
        return cls(document["en"], document["zh"])

    @classmethod
    def listed(cls, texts: Iterable[Text]) -> Text:
        """Return several as one, with what stands between words in each language."""
        each = list(texts)
        return cls(", ".join(text.en for text in each), "、".join(text.zh for text in each))

    def __str__(self) -> str:
        return self.en
