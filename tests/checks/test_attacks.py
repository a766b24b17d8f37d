"""The list of attacks is held to what there is: a test that is gone, an attack without one, a page gone stale."""

from __future__ import annotations

import pytest

from tests.checks.attack_tables import Attack, Row, attack_of, attacks_of
from tests.checks.attacks import TABLE, Place, faults_of, named_tests, page_of, read_table, unknown

PLACES = [Place("Here", "Only here.", (Attack("garbage", "is refused", ("tests/a.py::test_one",)),))]
COLLECTED = ["tests/a.py::test_one[1]", "tests/a.py::test_one[2]"]


def test_a_test_stands_for_all_its_parameters() -> None:
    assert faults_of(PLACES, COLLECTED, page_of(PLACES)) == []


@pytest.mark.parametrize("gone", ["tests/a.py::test_two", "tests/a.py::test_one[3]", "tests/b.py::test_one"])
def test_a_test_that_is_gone_is_found(gone: str) -> None:
    places = [Place("Here", "Only here.", (Attack("garbage", "is refused", (gone,)),))]
    assert faults_of(places, COLLECTED, page_of(places)) == [f"garbage: pytest collects no {gone}"]


def test_an_attack_without_a_test_is_found() -> None:
    places = [Place("Here", "Only here.", (Attack("garbage", "is refused", ()),))]
    assert faults_of(places, COLLECTED, page_of(places)) == ["garbage: no test is named after it"]


@pytest.mark.parametrize("page", [None, "", "# Something else\n"])
def test_a_page_that_is_not_what_the_table_makes_is_found(page: str | None) -> None:
    assert "is not what the table makes" in faults_of(PLACES, COLLECTED, page)[0]


def test_rows_of_a_module_follow_the_attacks_of_their_place() -> None:
    own = "tests/checks/test_attacks.py::test_an_attack_without_a_test_is_found"
    told = {
        "a.module": attacks_of(
            [Row("five", "an indicator of 5", "is removed")], test_an_attack_without_a_test_is_found
        )
    }
    told["another"] = (attack_of("all of them", "nothing", test_an_attack_without_a_test_is_found),)
    [place] = read_table(
        """
        [[place]]
        name = "Here"
        intro = "Only here."
        rows = ["a.module", "another"]
        [[place.attack]]
        named = "garbage"
        comes_to = "is refused"
        tests = ["tests/a.py::test_one"]
        """,
        told.__getitem__,
    )
    assert place.attacks == (
        PLACES[0].attacks[0],
        Attack("an indicator of 5", "is removed", (f"{own}[five]",)),
        Attack("all of them", "nothing", (own,)),
    )


@pytest.mark.parametrize("key", ["row = []", "intro = 3\nwhy = 1"])
def test_a_key_that_no_place_has_is_refused(key: str) -> None:
    with pytest.raises(TypeError):
        read_table(f"[[place]]\nname = 'Here'\n{key}\n")


def test_a_test_that_the_threat_model_names_and_nobody_wrote_is_found() -> None:
    named = named_tests("Shown by `tests/a.py::test_one` and `tests/a.py::test_two`; not by tests/a.py.")
    assert unknown(named, COLLECTED) == ["tests/a.py::test_two"]


def test_the_table_names_every_attack_that_the_product_promises_to_withstand() -> None:
    named = " ".join(
        attack.named for place in read_table(TABLE.read_text("utf-8")) for attack in place.attacks
    )
    for promised in (
        "wrong type",
        "beyond the range",
        "off the grid",
        "NaN",
        "10^40",
        "comma decimal",
        "missing column",
        "blank is fine",
        "problem document",
        "forged membership",
        "moved envelope",
        "replayed envelope",
        "wrong seed",
        "tampered correction",
        "roster on which parties disagree",
        "claims another's id",
        "pickled payload",
        "frame of 4 GiB",
        "garbage",
        "nothing from a peer",
        "nothing crashes",
        "nothing acknowledged is lost",
        "no log holds a secret",
    ):
        assert promised in named
