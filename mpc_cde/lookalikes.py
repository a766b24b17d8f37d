"""Texts that look like others: what a person compares by eye should say so where the eye cannot see it.

Documents allow any language, so a name may hold letters of several alphabets that look alike, or characters that
nobody sees. The name is not altered: a remark stands behind it.
"""

from __future__ import annotations

import unicodedata

from mpc_cde.coded_text import worded

_ALIKE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN", "LISU")
"""Alphabets that share shapes; others are mixed in many a name, as the three of Japanese are."""
_BLANKS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def remarks_on(text: str) -> tuple[str, ...]:
    """What cannot be seen in a text that is shown; empty for what is as it looks."""
    remarks: list[str] = []
    alphabets = sorted({name.title() for name in map(_alphabet, text) if name in _ALIKE})
    if len(alphabets) > 1:
        remarks.append(
            worded(
                "look_alphabets", "letters of several alphabets: {alphabets}", alphabets=", ".join(alphabets)
            )
        )
    hidden = sorted({f"U+{ord(character):04X}" for character in text if _is_unseen(character)})
    if hidden:
        remarks.append(
            worded(
                "look_hidden", "characters that cannot be seen: {characters}", characters=", ".join(hidden)
            )
        )
    if unicodedata.normalize("NFKC", text) != text:
        remarks.append(worded("look_uncommon", "letters or digits in an uncommon form"))
    return tuple(remarks)


def with_remarks(text: str) -> str:
    """The text, and in brackets behind it what cannot be seen in it."""
    remarks = remarks_on(text)
    return f"{text} [look closely: {'; '.join(remarks)}]" if remarks else text


def _alphabet(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else ""


def _is_unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _HIDDEN_CATEGORIES or character in _BLANKS or (category == "Zs" and character != " ")
