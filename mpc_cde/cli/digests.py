"""Digests on a command line: one in 64 begins with "-", and is no option."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_DIGEST = re.compile(r"-[A-Za-z0-9_-]{5,42}")


class NamesADigest(TyperCommand):
    """A command one of whose arguments may be a digest, or its first six characters or more."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As every command's; what looks like a digest where an option or argument is due comes last, behind "--".

        A word that begins with one of the command's own short options, as "-oFILE" does, stays an option.
        """
        names = {name: option for option in self.params for name in option.opts if name.startswith("-")}
        given = args[: args.index("--")] if "--" in args else args
        kept: list[str] = []
        digests: list[str] = []
        for number, word in enumerate(given):
            before = names.get(given[number - 1]) if number else None
            is_value = before is not None and not getattr(before, "is_flag", False)
            is_option = word.startswith("--") or word[:2] in names
            place = digests if _DIGEST.fullmatch(word) and not (is_value or is_option) else kept
            place.append(word)
        rest = args[len(given) + 1 :]
        return super().parse_args(ctx, [*kept, "--", *digests, *rest] if digests or rest else kept)
