"""A sentence that pages can say in every language: its English text, with the code and the values it was made of.

An error takes one for its message and for its hint; whoever reads English never sees the difference.
"""

from __future__ import annotations

from typing import Any, Self


class CodedText(str):
    """The text in English; `code` names it in the catalogues of the pages, `values` stand in its {braces}."""

    __slots__ = ("code", "values")

    code: str
    values: dict[str, str]

    @classmethod
    def of(cls, code: str, template: str, **values: object) -> Self:
        """The template with its values filled in; a value that is such a text is said in the same language."""
        given = {name: value if isinstance(value, str) else str(value) for name, value in values.items()}
        text = cls(template.format_map(given))
        text.code, text.values = code, given
        return text


worded = CodedText.of


def coded(text: str) -> dict[str, Any]:
    """As a page takes it; a sentence without a code is said as it is."""
    if isinstance(text, CodedText):
        values = {
            name: coded(value) if isinstance(value, CodedText) else value
            for name, value in text.values.items()
        }
        return {"code": text.code, "values": values, "text": str(text)}
    return {"code": None, "values": {}, "text": text}


def message_of(error: BaseException) -> str:
    """What an error says, with its code if it has one."""
    (message, *_) = error.args or ("",)
    return message if isinstance(message, CodedText) else str(error)


def sentences_of(error: BaseException) -> list[dict[str, Any]]:
    """What an error says and what to do next, as a page takes it; empty if it has no code."""
    said = (message_of(error), getattr(error, "hint", None))
    if not isinstance(said[0], CodedText):
        return []
    return [coded(one) for one in said if isinstance(one, CodedText)]
