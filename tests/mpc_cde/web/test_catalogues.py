"""Every word of the pages stands in every language, and every word that code asks for is there."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from mpc_cde.life_cycles import query_states
from mpc_cde.life_cycles.study import State
from mpc_cde.web.assets import PAGES
from parties import approvals, intake, policy, study_limits, submission_checks
from protocols.catalog import FUNCTIONS

CATALOGUES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((PAGES / "catalogues").glob("*.json"))
}
PLACES = re.compile(r"\{(\w+)\}")
CODE = [path for path in sorted(PAGES.rglob("*.js")) if "vendor" not in path.parts]


@pytest.mark.parametrize("language", [name for name in CATALOGUES if name != "en"])
def test_no_string_is_missing_and_none_is_left_over(language: str) -> None:
    assert set(CATALOGUES[language]) == set(CATALOGUES["en"])


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_string_says_something_and_keeps_its_places(language: str) -> None:
    for key, text in CATALOGUES[language].items():
        assert text.strip() == text != "", key
        assert set(PLACES.findall(text)) == set(PLACES.findall(CATALOGUES["en"][key])), key


def test_catalogues_are_sorted_so_that_two_of_them_can_be_read_side_by_side() -> None:
    for catalogue in CATALOGUES.values():
        assert list(catalogue) == sorted(catalogue)


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_every_string_that_code_asks_for_is_there(path: Path) -> None:
    known = CATALOGUES["en"]
    for key in re.findall(r"\bt\(\"([a-z_.A-Z]+)\"", path.read_text("utf-8")):
        assert key in known or f"{key}.other" in known, key


def test_every_reason_for_which_a_table_is_refused_has_its_words() -> None:
    text = "".join(path.read_text("utf-8") for path in CODE)
    for reason in set(re.findall(r"TableRefused\(\"(\w+)\"", text)):
        assert f"table.{reason}" in CATALOGUES["en"]
    for kind in set(re.findall(r"kind: \"(\w+)\"", (PAGES / "core" / "figures.js").read_text("utf-8"))):
        assert f"form.wrong.{kind}" in CATALOGUES["en"]


def test_what_an_answer_reveals_is_said_in_the_words_of_the_catalogue_of_functions() -> None:
    for name, specification in FUNCTIONS.items():
        assert CATALOGUES["en"][f"reveals.{name.partition('@')[0]}"] == specification.reveals


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_every_family_of_strings_that_code_chooses_from_is_there(path: Path) -> None:
    for beginning in re.findall(r"\bt\(`([a-z_.]+\.)\$\{", path.read_text("utf-8")):
        assert any(key.startswith(beginning) for key in CATALOGUES["en"]), beginning


def test_every_state_of_a_study_has_its_words() -> None:
    for state in get_args(State):
        assert f"operator.state.{state.name}" in CATALOGUES["en"], state


def test_every_rule_by_which_a_party_decides_has_its_words() -> None:
    code = inspect.getsource(policy)
    rules = set(re.findall(r'(?:_no\(|Verdict\(\w+, )"(\w+)"', code))
    assert {"approved_study", "budget", "own_minimum"} <= rules
    for rule in rules:
        assert f"decision.rule.{rule}" in CATALOGUES["en"], rule


def test_every_reason_for_which_a_party_refuses_a_submission_has_its_words() -> None:
    code = inspect.getsource(submission_checks) + inspect.getsource(intake)
    reasons = set(re.findall(r'Refused\(\s*"(\w+)"', code))
    assert {"study_closed", "holding_counted", "seed_differs"} <= reasons
    told = {key.removeprefix("receipts.reason.") for key in CATALOGUES["en"] if ".reason." in key}
    assert told == reasons


def test_every_reason_against_a_study_is_said_in_the_words_of_the_node() -> None:
    told = {
        key.removeprefix("reason."): text
        for key, text in CATALOGUES["en"].items()
        if key.startswith("reason.")
    }
    said: dict[str, str] = {}
    for module in (study_limits, approvals):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("_say", "CodedText.of"):
                # Our own source, so nothing hostile is evaluated: whatever is no literal fails the test.
                code, template = (ast.literal_eval(argument) for argument in node.args)
                said[code] = template
    assert {"own_minimum", "subtraction_asked", "p_missing"} <= set(said)
    assert told == said


def test_every_state_of_a_question_has_its_words() -> None:
    for state in get_args(query_states.State):
        assert f"query.{state.name}" in CATALOGUES["en"], state


def test_a_researcher_asks_to_be_enrolled_for_every_function_there_is() -> None:
    listed = re.findall(r'"([a-z_]+@\d+)"', (PAGES / "researcher" / "desk.js").read_text("utf-8"))
    assert listed == sorted(FUNCTIONS)
