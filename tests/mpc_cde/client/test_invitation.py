"""Personal links: one for each entry of a register, and nothing in them that a server sees."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from mpc_cde.client.invitation import invitation_link, invitations
from mpc_cde.client.tables import read_table
from mpc_cde.errors import CallerError

FINGERPRINT = "abcdefghijklmnopqrstuvwxy"
PAGES = "https://chamber.example"


def test_all_that_is_personal_stands_behind_the_hash() -> None:
    link = invitation_link(
        PAGES, fingerprint=FINGERPRINT, register_id="7 & 8", name="A=B", reply_to="a@b.example"
    )
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == ("https", "chamber.example", "/", "")
    assert parse_qs(parts.fragment) == {
        "community": ["abcde-fghij-klmno-pqrst-uvwxy"],
        "register": ["7 & 8"],
        "name": ["A=B"],
        "reply": ["a@b.example"],
    }


@pytest.mark.parametrize(
    "pages", ["chamber.example", "ftp://chamber.example", "https://chamber.example/page", ""]
)
def test_only_an_origin_serves_pages(pages: str) -> None:
    with pytest.raises(CallerError):
        invitation_link(pages, fingerprint=FINGERPRINT, register_id="7")


def table(folder: Path, text: str) -> str:
    file = folder / "register.csv"
    file.write_text(text)
    return invitations(read_table(file), pages=PAGES, fingerprint=FINGERPRINT, reply_to=None)


def test_a_register_becomes_a_table_of_links(tmp_path: Path) -> None:
    lines = table(tmp_path, "register_id,name\n7,Rise\n8,\n").splitlines()
    assert lines[0] == "register_id,name,link"
    assert lines[1].startswith("7,Rise,https://chamber.example/#community=")
    assert len(lines) == 3


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)"])
def test_a_name_in_the_register_is_no_formula_in_the_table_of_links(tmp_path: Path, name: str) -> None:
    """Who is in a register chose its name; the registrar opens the table in a spreadsheet."""
    (line,) = table(tmp_path, f"register_id,name\n7,{name}\n").splitlines()[1:]
    assert line.startswith(f"7,'{name},https://")
    assert f"name={quote_plus(name)}" in line  # the link itself says what the register says


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nRise\n", "register_id"),
        ("register_id\n7\n7\n", "row 3: column register_id is the same as in row 2"),
        ("register_id,name\n,Rise\n", "row 2: expected a register_id"),
    ],
)
def test_entries_that_cannot_be_invited_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        table(tmp_path, text)
