"""After a whole run, no log, store or standard error holds a seed, a private key, a share or a figure.

The runs are those with an altered column: one ends well after failed sessions, so that what is written about failures
is searched too, one with a wrong answer and one in failed sessions. Figures of twelve digits are looked for, each
member having its own.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.productions import PARTIES, Production
from tests.end_to_end.secret_search import (
    Finding,
    forms_of_figure,
    forms_of_secret,
    key_files,
    private_keys,
    search,
    search_numbers,
)
from tests.end_to_end.tables import sentinel

MEMBERS = 30
COMPUTING = PARTIES[:3]
HALF = 50_000_000
"""Half a publish step of the long figure: what its encoding adds."""


def drawn_secrets(production: Production) -> list[bytes]:
    """Seeds and keys that the people of the demo drew, in order."""
    return [bytes.fromhex(line) for line in (production.directory / "draws.txt").read_text().split()]


def written_files(production: Production) -> list[Path]:
    """Everything that any process wrote, but for the key files and the columns, which hold what they are for."""
    kept = [path for path in production.organisations.rglob("*") if path.is_file()]
    return [
        *(path for path in kept if path.suffix != ".key" and path.name != "shares.u64"),
        production.directory / "said.txt",
    ]


def all_shares(production: Production) -> frozenset[int]:
    columns = production.organisations.rglob("shares.u64")
    return frozenset(itertools.chain.from_iterable(np.fromfile(path, "<u8").tolist() for path in columns))


@pytest.fixture(
    params=[
        "rebuilt",
        pytest.param("altered_first_digit", marks=pytest.mark.long),
        pytest.param("altered_second_digit", marks=pytest.mark.long),
    ]
)
def production(request: pytest.FixtureRequest) -> Production:
    found: Production = request.getfixturevalue(request.param)
    return found


def test_every_place_where_something_is_written_is_searched(production: Production) -> None:
    names = {str(path.relative_to(production.organisations)) for path in written_files(production)[:-1]}
    assert {"gateway/gateway.sqlite", "gateway/log.txt"} <= names
    for party in COMPUTING:
        own = {name.rpartition("/")[2] for name in names if name.startswith(f"{party}/")}
        assert {"log.jsonl", "log.txt", "node.sqlite3", "community.json", "party.toml"} <= own


def test_no_file_holds_a_seed_or_a_private_key(production: Production) -> None:
    drawn = drawn_secrets(production)
    keys = private_keys(production.organisations)
    offices = 3  # two registrars and a steward, each with a signing key; the researcher has two keys
    subsets = 3  # C(3, 1) seeds a submission
    assert len(drawn) == MEMBERS * (2 + subsets) + offices + 2
    assert len(keys) == len(COMPUTING) * 3 + offices + 2
    named = {f"secret number {n}": list(forms_of_secret(secret)) for n, secret in enumerate(drawn)}
    named |= {path: list(forms_of_secret(secret)) for path, secret in keys.items()}
    assert search(written_files(production), named) == []


def test_no_file_holds_a_figure(production: Production) -> None:
    figures = {
        f"figure of row {n}": list(forms_of_figure(sentinel(n), sentinel(n) + HALF)) for n in range(MEMBERS)
    }
    assert search(written_files(production), figures) == []


def test_no_file_but_the_columns_holds_a_share(production: Production) -> None:
    assert search_numbers(written_files(production), all_shares(production)) == []


def test_a_key_file_holds_its_own_secret_and_no_other(production: Production) -> None:
    keys = private_keys(production.organisations)
    for path in key_files(production.organisations):
        others = {name: list(forms_of_secret(secret)) for name, secret in keys.items() if name != str(path)}
        assert search([path], others) == []


def leaks() -> Iterator[tuple[str, bytes]]:
    secret, figure = bytes(range(100, 132)), sentinel(7)
    for name, form in forms_of_secret(secret):
        yield f"secret, {name}", form
    for name, form in forms_of_figure(figure, figure + HALF):
        yield f"figure, {name}", form
    for before in (b"", b"a", b"ab"):
        yield "inside longer base64", base64.b64encode(before + secret + b"and more")
        yield "inside longer base64url", base64.urlsafe_b64encode(before + secret + b"and more")
        yield "digits inside longer base64", base64.b64encode(before + str(figure).encode() + b"and more")


@pytest.mark.parametrize(("name", "leak"), list(leaks()))
def test_the_search_finds_every_form_of_a_leak(tmp_path: Path, name: str, leak: bytes) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(b'{"event": "' + leak + b'"}\n')
    secret, figure = bytes(range(100, 132)), sentinel(7)
    forms = {
        "secret": list(forms_of_secret(secret)),
        "figure": list(forms_of_figure(figure, figure + HALF)),
    }
    assert search([file], forms)


def test_the_search_finds_a_share_among_opened_values(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    share = 1_234_567_890_123_456_789
    file.write_text(f'{{"part": "0 1 {share} 1"}}')
    assert search_numbers([file], frozenset({share})) == [Finding(file, "a share", "decimal")]
    assert search_numbers([file], frozenset({share + 1})) == []
