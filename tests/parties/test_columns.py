"""The process that builds columns says what it lacks, and builds nothing of what is not in the store."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from mpc_cde.documents.roster import Roster
from mpc_cde.errors import StoreDamaged
from parties import columns
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode


@pytest.mark.parametrize("lacking", ["community", "study", "roster"])
def test_columns_of_what_is_not_in_the_store_are_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    roster: Roster = paper.roster()
    if lacking != "community":
        node.home.write_envelope(node.home.community_path, paper.community_envelope)
    node.open_study()
    if lacking != "roster":
        node.take(signed(roster, paper.party_keys))
    study = bytes(32) if lacking == "study" else paper.study.terms_digest()
    node.store.close()
    arguments = ["--place", str(node.home.path), "--party", "0", "--study", study.hex()]
    monkeypatch.setattr(sys, "argv", ["columns", *arguments, "--roster", roster.digest().hex()])
    key = paper.sealing_keys[0]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key.suite} {key.secret_bytes().hex()}"))
    with pytest.raises(StoreDamaged, match="not in this party's store"):
        columns.main()
    assert not node.home.columns_path.exists() or not any(node.home.columns_path.iterdir())
