"""Columns are shares in the clear: who may read them, and whether any of them outlive their study."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.documents.roster import roster_of
from mpc_cde.errors import StoreDamaged
from parties import column_builder, columns
from parties.retention import destroy_ended_studies
from parties.seed_vault import SeedVault
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode, make_submission

EXPIRED = datetime(2028, 1, 2, tzinfo=UTC)


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.take(make_submission(paper, 0), signed(paper.roster(), paper.party_keys))
    return node


def directory_of(node: PaperNode) -> Path:
    return node.home.columns_path / node.paper.roster().digest().hex()


def destroy(node: PaperNode) -> tuple[bytes, ...]:
    return destroy_ended_studies(node.store, node.log, node.home, node.paper.community, EXPIRED)


def test_columns_are_readable_by_their_owner_alone(node: PaperNode, paper: PaperCommunity) -> None:
    study = paper.study.terms_digest()
    before = os.umask(0)
    try:
        with node.store.reading() as view:
            column_builder.build_columns(
                view,
                SeedVault(paper.sealing_keys[0], study),
                community=paper.community,
                terms=paper.study.terms,
                party=0,
                roster=roster_of(study, ()),
                entries=(),
                directory=directory_of(node),
            )
    finally:
        os.umask(before)
    assert (directory_of(node) / columns.SHARES).stat().st_mode & 0o777 == 0o600
    assert directory_of(node).stat().st_mode & 0o777 == 0o700


def test_columns_whose_builder_was_killed_do_not_outlive_the_study(node: PaperNode) -> None:
    making = columns.unfinished(directory_of(node))
    making.mkdir(parents=True)
    (making / columns.SHARES).write_bytes(b"shares in the clear")
    assert destroy(node) == (node.paper.study.terms_digest(),)
    assert list(node.home.columns_path.iterdir()) == []


def test_columns_that_cannot_be_deleted_are_not_called_destroyed(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory_of(node).mkdir(parents=True)
    honest = shutil.rmtree

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert destroy(node) == ()
    assert node.events()[-1] == "study.columns_not_deleted"
    monkeypatch.setattr(shutil, "rmtree", honest)
    assert destroy(node) == (node.paper.study.terms_digest(),)
    assert node.events()[-1] == "study.secrets_destroyed"


async def test_the_builder_imports_nothing_from_where_the_node_was_started(
    node: PaperNode, paper: PaperCommunity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the sealing key by its standard input: a planted module would get that too."""
    planted = tmp_path / "planted"
    planted.mkdir()
    marker = tmp_path / "ran"
    (planted / "argparse.py").write_text(f"open({str(marker)!r}, 'w').close()\nraise SystemExit(3)\n")
    monkeypatch.chdir(planted)
    node.store.close()
    with pytest.raises(StoreDamaged):  # the roster on paper has rows that this store does not hold
        await columns.prepare_columns(
            node.home,
            paper.sealing_keys[0],
            party=0,
            study=paper.study.terms_digest(),
            roster=paper.roster().digest(),
        )
    assert not marker.exists()
