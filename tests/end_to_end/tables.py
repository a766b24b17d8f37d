"""Tables of figures and their study templates: hard cases for the rules, and figures that are easy to search for."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from mpc_cde.demo.material import DATA

SENTINEL_DIGITS = 12
_GRID = {"minimum": "0", "step": "1", "publish_step": "10", "radices": "[12, 10, 10]"}
LARGEST = 12 * 10 * 10 - 1 - 5
"""The last grid point of `_GRID`: R less half a publish step."""


@dataclass(frozen=True, slots=True)
class FigureFiles:
    """A CSV and its template."""

    figures: Path
    study: Path


SHOPS = FigureFiles(DATA / "clothing_stores.csv", DATA / "clothing_stores.toml")
BAKERIES = FigureFiles(DATA / "bakery_energy.csv", DATA / "bakery_energy.toml")


def sentinel(row: int) -> int:
    """A figure of twelve digits that nothing else looks like; each row has its own."""
    return 271_828_182_845 + row * 15_707_963_267


def hard_cases(directory: Path) -> FigureFiles:
    """30 members whose figures are at every edge of the rules; 9, 8, 7 and 6 of them in four groups.

    Ties, all equal, first and last grid point, exactly as many as a rule asks for, one more and one fewer,
    negative figures with blanks, twelve digits. `quiet` has percentiles and no sum.
    """
    rows = []
    for n in range(30):
        rows.append(
            {
                "member": f"M{n:02}",
                "group": "nine" if n < 9 else "eight" if n < 17 else "seven" if n < 24 else "six",
                "ties": (5, 15, 15, 25, 305)[n % 5],
                "equal": 777,
                "ends": LARGEST if n % 2 else 0,
                "six": 100 + n if n < 6 else "",
                "five": 100 + n if n >= 25 else "",
                "four": 100 + n if n < 4 else "",
                "twelve": 37 * n if n < 12 else "",
                "eleven": 37 * n if n < 11 else "",
                "ten": 37 * n if n < 10 else "",
                "blank": "",
                "below_zero": "" if n % 9 == 0 else _decimal(Fraction(n * 7 % 30, 2) - 8),
                "long": sentinel(n),
                "quiet": (n * 41) % 1000,
            }
        )
    figures = {
        **dict.fromkeys(
            ("ties", "equal", "ends", "six", "five", "four", "twelve", "eleven", "ten", "blank"), _GRID
        ),
        "below_zero": {"minimum": "-60", "step": "0.5", "publish_step": "2", "radices": "[8, 8, 4]"},
        "long": {
            "minimum": "0",
            "step": "1",
            "publish_step": "100000000",
            "maximum": "999999999999",
        },
        "quiet": _GRID,
    }
    template = [
        'format = "mpc-cde study template 1"',
        'title = "Hard cases"',
        'purpose = "Ties, blanks, all equal, one record above the minimum, ends of the range."',
        "roster_cap = 100",
        "[disclosure]",
        "complementary = true",
        "[members]",
        'register_column = "member"',
    ]
    for name, grid in figures.items():
        template += ["[[figures]]", f'name = "{name}"', *(f"{key} = {text}" for key, text in grid.items())]
    template += ["[[groups]]", 'attribute = "group"', 'label = "Group"', 'column = "group"', "classes = ["]
    template += [
        f'  {{ value = "{name}", equals = "{name}" }},' for name in ("nine", "eight", "seven", "six")
    ]
    template += ["]"]
    everywhere = ["ties", "equal", "below_zero"]
    summed = [name for name in figures if name != "quiet"]
    for function, quantiles, each, by in (
        ("count@1", None, list(figures), ["all"]),
        ("count@1", None, everywhere, ["group"]),
        ("sum@1", None, summed, ["all"]),
        ("sum@1", None, everywhere, ["group"]),
        ("percentiles@1", '"median"', list(figures), ["all"]),
        ("percentiles@1", '"median"', everywhere, ["group"]),
        ("percentiles@1", '["1/4", "3/4"]', ["ties", "equal", "ends", "long"], ["all"]),
    ):
        template += ["[[functions]]", f'function = "{function}"']
        template += [f"quantiles = {quantiles}"] if quantiles else []
        template += [f"each = {_list(each)}", f"by = {_list(by)}"]
    files = FigureFiles(directory / "hard_cases.csv", directory / "hard_cases.toml")
    files.study.write_text("\n".join(template) + "\n")
    with files.figures.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return files


def few_members(directory: Path) -> FigureFiles:
    """Ten members and one figure, for what has to be quick."""
    files = FigureFiles(directory / "few.csv", directory / "few.toml")
    files.figures.write_text("sales\n" + "".join(f"{100 * n}\n" for n in range(1, 11)))
    files.study.write_text(
        'format = "mpc-cde study template 1"\ntitle = "Few"\npurpose = "Quick."\nroster_cap = 20\n'
        '[[figures]]\nname = "sales"\nminimum = 0\nstep = 1\npublish_step = 10\nradices = [12, 10, 10]\n'
        '[[functions]]\nfunction = "sum@1"\neach = ["sales"]\n'
    )
    return files


def _decimal(number: Fraction) -> str:
    return str(float(number))  # halves are exact


def _list(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
