"""docs/functions.md tells of every function and every parameter of the catalogue, and a stale page is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.catalog import FUNCTIONS, PARSERS
from tests.checks import functions


def test_every_function_and_every_parameter_is_on_the_page() -> None:
    page = functions.page_of(FUNCTIONS)
    for each in FUNCTIONS.values():
        assert f"## {each.name}\n" in page
        assert each.reveals in page
        assert set(each.parameters) <= set(PARSERS)
    for name in PARSERS:
        assert functions.first_line(name).startswith(f'{{"{name}"') or f'"{name}": ' in functions.first_line(
            name
        )


def test_a_page_that_is_not_what_the_catalogue_makes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "PAGE", tmp_path / "functions.md")
    assert functions.main(["--check"]) == 1
    assert functions.main([]) == 0
    assert functions.main(["--check"]) == 0
    functions.PAGE.write_text(
        functions.PAGE.read_text("utf-8").replace("population variance", "variance"), "utf-8"
    )
    assert functions.main(["--check"]) == 1
