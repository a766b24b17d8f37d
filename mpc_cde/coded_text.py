"""A sentence that pages can say in every language: its English text, with the code and the values it was made of."""

from __future__ import annotations

from typing import Self


class CodedText(str):
    """The text in English; `code` names it in the catalogues of the pages, `values` stand in its {braces}."""

    __slots__ = ("code", "values")

    code: str
    values: dict[str, str]

    @classmethod
    def of(cls, code: str, template: str, **values: object) -> Self:
        """The template with its values filled in."""
        given = {name: str(value) for name, value in values.items()}
        text = cls(template.format_map(given))
        text.code, text.values = code, given
        return text


def coded(text: str) -> dict[str, object]:
    """As a page takes it; a sentence without a code is said as it is."""
    if isinstance(text, CodedText):
        return {"code": text.code, "values": text.values, "text": str(text)}
    return {"code": None, "values": {}, "text": text}
