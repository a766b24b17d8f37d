"""Pages show commands that exist: a word or an option that does not is found."""

from __future__ import annotations

import pytest

from tests.checks.command_names import fault_of, shown_in


@pytest.mark.parametrize(
    "line",
    [
        "mpc-cde member submit figures.csv --yes --home shop-1",
        "mpc-party log verify --home chamber",
        "mpc-party init --passphrase-fd 3 ... 3< file",
        "mpc-cde",
        "mpc-cde demo --anything",
        "mpc-cde --version",
    ],
)
def test_a_command_that_exists_passes(line: str) -> None:
    program, *words = line.split()
    assert fault_of(program, words) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mpc-cde member send figures.csv", "no command 'send'"),
        ("mpc-party log repair", "no command 'repair'"),
        ("mpc-party run --fast", "no option --fast"),
        ("mpc-cde registrar revoke --members all", "no option --members"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, said: str) -> None:
    program, *words = line.split()
    assert said in (fault_of(program, words) or "")


def test_commands_are_found_in_code_of_each_kind_and_nowhere_else() -> None:
    page = (
        "Say mpc-cde nothing.\n`mpc-cde a`, `MPC_CDE_HOME`\n\n    mpc-party b --c 3\n\n"
        "```console\n$ mpc-cde d \\\n    --e\n$ for x in y; do mpc-cde f --g; done\n```\n`/opt/mpc-cde/bin/x`"
    )
    assert list(shown_in(page)) == [
        ("mpc-cde", ["a"]),
        ("mpc-party", ["b", "--c", "3"]),
        ("mpc-cde", ["d", "--e"]),
        ("mpc-cde", ["f", "--g"]),
    ]
