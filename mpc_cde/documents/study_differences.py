"""What one study asks, releases and withholds otherwise than another: for who approves it again next year.

Nothing falls out: whatever field of the terms differs is a difference, also one that is added to them later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mpc_cde.documents.study_terms import StudyTerms

Kind = Literal["text", "figure", "group", "function", "rule"]
TEXTS = frozenset({"title", "purpose", "consent", "language"})
NAMED = {"figures": ("figure", "name"), "groups": ("group", "attribute")}
SAME_COMMUNITY_EACH_TIME = frozenset({"community"})
"""A later version of the community is approved on its own."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing: `before` is None for what is new, `after` for what is gone; `field` is the part that changed."""

    kind: Kind
    name: str
    field: str | None = None
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "field": self.field,
            "before": self.before,
            "after": self.after,
        }


def differences(before: StudyTerms, after: StudyTerms) -> tuple[Difference, ...]:
    """Every difference, field by field in the order of their names; a figure's range by its ends, not its radices."""
    old, new = json.loads(before.payload_bytes()), json.loads(after.payload_bytes())
    found = tuple(one for field in new for one in _of_field(field, old[field], new[field]))
    return tuple(_by_its_end(one, before, after) for one in found)


def _by_its_end(found: Difference, before: StudyTerms, after: StudyTerms) -> Difference:
    """The largest figure in place of the radices that allow it; they stay where they alone differ."""
    if found.kind != "figure" or found.field != "radices":
        return found
    ends = [figure.maximum for terms in (before, after) if (figure := terms.figure(found.name)) is not None]
    if len(set(ends)) < 2:
        return found
    return Difference("figure", found.name, "maximum", str(ends[0]), str(ends[1]))


def _of_field(field: str, old: Any, new: Any) -> Iterator[Difference]:
    if old == new or field in SAME_COMMUNITY_EACH_TIME:
        return
    if field in NAMED:
        kind, key = NAMED[field]
        yield from _of_named(kind, {one[key]: one for one in old}, {one[key]: one for one in new})
    elif field == "functions":
        yield from _of_functions(old, new)
    elif isinstance(new, dict) and isinstance(old, dict):
        for part in sorted({*old, *new}):
            if old.get(part) != new.get(part):
                yield Difference("rule", f"{field}.{part}", None, old.get(part), new.get(part))
    else:
        yield Difference("text" if field in TEXTS else "rule", field, None, old, new)


def _of_named(kind: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            yield Difference(kind, name, None, None, new[name])
        elif name not in new:
            yield Difference(kind, name, None, old[name], None)
        else:
            for part in new[name]:
                if old[name].get(part) != new[name][part]:
                    yield Difference(kind, name, part, old[name].get(part), new[name][part])
    if old.keys() == new.keys() and list(old) != list(new):
        yield Difference(kind, "", "order", list(old), list(new))


def _of_functions(old: list[Any], new: list[Any]) -> Iterator[Difference]:
    """A function is the same if it asks the same of the same; for whom the answer is may change."""
    left = list(old)
    for function in new:
        same = next((one for one in left if _question(one) == _question(function)), None)
        if same is None:
            yield Difference("function", function["function"], None, None, function)
            continue
        left.remove(same)
        if same["audience"] != function["audience"]:
            yield Difference("function", function["function"], "audience", same, function)
    for gone in left:
        yield Difference("function", gone["function"], None, gone, None)
    if sorted(map(repr, old)) == sorted(map(repr, new)):
        yield Difference("function", "", "order", None, None)


def _question(function: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in function.items() if name != "audience"}
