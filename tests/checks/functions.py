"""`docs/functions.md` from protocols/catalog.py: `python -m tests.checks.functions [--check]`."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from protocols.catalog import FUNCTIONS, MAX_DENOMINATOR, MAX_QUANTILES, PARSERS, FunctionSpecification
from protocols.parameters import MAX_EDGES, MAX_PLACES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "functions.md"
HEAD = (
    "# Functions: what a study can ask\n\n"
    "A study names functions, a query asks for some of them; nothing else can be computed. A name and its version "
    "(`sum@1`) fix parameters, definition and what is revealed for ever; a change of any is a new version. This "
    "page is made from [protocols/catalog.py](../protocols/catalog.py) by `python -m tests.checks.functions`; "
    "`make check` verifies it. How a study names them: [study templates](study-templates.md).\n\n"
    "For every function: N is the number of contributors of the cell. Below the study's minimum a cell reveals "
    "that and nothing else, and no cell reveals anything before the rules of disclosure have passed. What the "
    "cost says of one cell holds for many at once: all cells of a query run as one job whose rounds do not grow "
    "with them.\n"
)
COUNTS = {1: "one figure", 2: "two figures"}


def page_of(functions: Mapping[str, FunctionSpecification]) -> str:
    """The Markdown page."""
    lines = [HEAD, "| function | of | parameters |", "|---|---|---|"]
    for each in functions.values():
        named = ", ".join(f"`{name}`" for name in each.parameters) or "none"
        lines.append(f"| [`{each.name}`](#{each.name.replace('@', '')}) | {COUNTS[each.figures]} | {named} |")
    lines.append("")
    for each in functions.values():
        lines += _section(each)
    lines += ["## Parameters", "", "| parameter | how it is written, and what it is |", "|---|---|"]
    for name in PARSERS:
        written, _, meaning = first_line(name).partition("}: ")
        lines.append(f"| `{name}` | `{written}}}`: {meaning} |")
    lines += [
        "",
        f"At most {MAX_QUANTILES} quantiles in one item, with denominators up to {MAX_DENOMINATOR}; at most "
        f"{MAX_EDGES} edges; at most {MAX_PLACES} decimal places.",
        "",
    ]
    return "\n".join(lines)


def first_line(parameter: str) -> str:
    """What the docstring of a parameter's parser begins with."""
    return (inspect.getdoc(PARSERS[parameter]) or "").partition("\n")[0]


def _section(function: FunctionSpecification) -> list[str]:
    concentration = (
        "Rules about concentration (dominance, p%) can withhold it."
        if function.of_amounts
        else "Rules about concentration do not concern it."
    )
    return [
        f"## {function.name}",
        "",
        _sentence(function.definition),
        "",
        f"- reveals: {function.reveals}",
        f"- costs: {function.cost}",
        f"- {concentration}",
        "",
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.checks.functions", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if the page is stale"
    )
    if not parser.parse_args(arguments).check:
        PAGE.write_text(page_of(FUNCTIONS), "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == page_of(FUNCTIONS):
        return 0
    sys.stdout.write(
        "docs/functions.md is not what the catalogue makes: run python -m tests.checks.functions\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
