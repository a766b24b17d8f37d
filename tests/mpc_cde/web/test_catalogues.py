"""Every word of the pages stands in every language, and every word that code asks for is there."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import mpc_cde
import parties
from mpc_cde.client import enrolment, invitation, stewardship
from mpc_cde.gateway.problems import ProblemKind
from mpc_cde.life_cycles import query_states
from mpc_cde.life_cycles.study import State
from mpc_cde.study_templates import table
from mpc_cde.web import local_room, registrar_room, steward_room
from mpc_cde.web.assets import PAGES
from parties import intake, operator_room, policy, submission_checks
from protocols.catalog import FUNCTIONS

FOR_ALL, FOR_ROOMS = (
    {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((PAGES / place).glob("*.json"))}
    for place in ("catalogues", "catalogues/rooms")
)
CATALOGUES = {language: FOR_ALL[language] | FOR_ROOMS[language] for language in FOR_ALL}
PLACES = re.compile(r"\{(\w+)\}")
CODE = [path for path in sorted(PAGES.rglob("*.js")) if "vendor" not in path.parts]
WITHOUT_ROOMS = ("core", "member", "researcher", "results")


def worded_in(modules: Iterable[Path]) -> dict[str, str]:
    """The English template of every sentence with a code, by its code."""
    said: dict[str, str] = {}
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "worded":
                # Our own source, so nothing hostile is evaluated: whatever is no literal fails the test.
                code, template = (ast.literal_eval(argument) for argument in node.args)
                assert said.setdefault(code, template) == template, code
    return said


def reasons_in(catalogue: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix("reason."): text for key, text in catalogue.items() if key.startswith("reason.")}


PYTHON = [path for package in (mpc_cde, parties) for path in sorted(Path(package.__path__[0]).rglob("*.py"))]


@pytest.mark.parametrize("language", [name for name in CATALOGUES if name != "en"])
def test_no_string_is_missing_and_none_is_left_over(language: str) -> None:
    assert set(FOR_ALL[language]) == set(FOR_ALL["en"])
    assert set(FOR_ROOMS[language]) == set(FOR_ROOMS["en"])
    assert not set(FOR_ALL["en"]) & set(FOR_ROOMS["en"])


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_string_says_something_and_keeps_its_places(language: str) -> None:
    for key, text in CATALOGUES[language].items():
        assert text.strip() == text != "", key
        assert set(PLACES.findall(text)) == set(PLACES.findall(CATALOGUES["en"][key])), key


def test_catalogues_are_sorted_so_that_two_of_them_can_be_read_side_by_side() -> None:
    for catalogue in (*FOR_ALL.values(), *FOR_ROOMS.values()):
        assert list(catalogue) == sorted(catalogue)


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_every_string_that_code_asks_for_is_there(path: Path) -> None:
    known = (FOR_ALL if path.parent.name in WITHOUT_ROOMS else CATALOGUES)["en"]
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
    told = {
        key.removeprefix("receipts.reason.") for key in CATALOGUES["en"] if key.startswith("receipts.reason.")
    }
    assert told == reasons


def test_every_sentence_with_a_code_stands_in_the_catalogue_as_it_is_said_in_english() -> None:
    said = worded_in(PYTHON)
    own = set(said_by_pages())
    assert {"own_minimum", "subtraction_asked", "template", "file_open", "study_full", "check_log"} <= set(
        said
    )
    told = {code: text for code, text in reasons_in(CATALOGUES["en"]).items() if code not in own}
    assert told == said


def said_by_pages() -> dict[str, list[str]]:
    """Codes of the sentences that pages say of themselves, each with the errors that it stands in."""
    found: dict[str, list[str]] = {}
    for path in CODE:
        for error, code in re.findall(r'new (\w+)\([^;]*?said: "(\w+)"', path.read_text("utf-8")):
            found.setdefault(code, []).append(error)
    return found


def test_every_sentence_that_a_page_says_of_itself_is_there() -> None:
    assert {"passphrase_wrong", "no_personal_link"} <= set(said_by_pages())
    for code in said_by_pages():
        assert f"reason.{code}" in FOR_ALL["en"], code


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_whatever_a_person_can_mend_is_said_by_a_code(path: Path) -> None:
    """A headline alone does not tell what to do; a sentence in English is none on a Dutch page."""
    text = path.read_text("utf-8")
    for raised in re.findall(r"throw new CallerError\((.*)", text):
        assert "said:" in raised, raised


def test_what_a_gateway_says_to_members_and_researchers_is_not_kept_with_the_rooms() -> None:
    gateway = Path(mpc_cde.__path__[0]) / "gateway"
    said = worded_in(gateway / name for name in ("admission_members.py", "standing.py"))
    assert {"study_full", "asker_unsigned"} <= set(said)
    assert set(said) <= set(reasons_in(FOR_ALL["en"]))


def test_every_kind_of_problem_of_a_gateway_has_its_headline() -> None:
    for kind in ProblemKind:
        assert f"problem.{kind.value.name}" in FOR_ALL["en"], kind


@pytest.mark.parametrize(
    "module",
    [enrolment, invitation, stewardship, operator_room, registrar_room, steward_room, local_room, table],
)
def test_whatever_a_room_refuses_by_its_own_rules_is_said_by_a_code(module: ModuleType) -> None:
    """Of the files in which every refusal is for a person at a page."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in MENDED:
            said = ast.unparse(node.args[0]) if node.args else ""
            known = ("worded(", "lines", "expected", "message")
            assert said.startswith(known) or said in NOT_AT_A_PAGE, said


MENDED = ("CallerError", "NotFound", "Conflict", "RegisterRefused", "ValueError")
NOT_AT_A_PAGE = (
    "f'cannot listen on {HOST}:{port}: {error.strerror}'",  # before there is a page
    "f'this is no revocation: {describe_validation(error)}'",  # a command
)


def test_every_field_that_a_room_names_has_its_words() -> None:
    for module in (local_room, operator_room, registrar_room, steward_room):
        code = inspect.getsource(module)
        for name in re.findall(r'(?:text_of|digest_of_text)\(asked, "(\w+)"', code):
            assert f"field.{name}" in FOR_ROOMS["en"], name


def test_every_event_of_a_log_has_its_words() -> None:
    """Whatever is logged is a noun, a dot and what happened to it."""
    told = {key.removeprefix("log.event.") for key in FOR_ROOMS["en"] if key.startswith("log.event.")}
    nouns = "|".join(sorted({event.partition(".")[0] for event in told}))
    logged = set()
    for path in sorted(Path(parties.__path__[0]).rglob("*.py")):
        logged |= set(re.findall(rf'"((?:{nouns})\.[a-z_]+)"', path.read_text("utf-8")))
    assert told == logged - {"community.json", "log.jsonl", "node.lock"}


def test_every_state_of_a_question_has_its_words() -> None:
    for state in get_args(query_states.State):
        assert f"query.{state.name}" in CATALOGUES["en"], state


def test_a_researcher_asks_to_be_enrolled_for_every_function_there_is() -> None:
    listed = re.findall(r'"([a-z_]+@\d+)"', (PAGES / "researcher" / "desk.js").read_text("utf-8"))
    assert listed == sorted(FUNCTIONS)
