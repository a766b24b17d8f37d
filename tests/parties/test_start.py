"""Nodes and operators' commands start light, so that a node that was restarted is soon back."""

from __future__ import annotations

import pytest

from tests.mpc_cde.cli.test_start import imported_by


@pytest.mark.parametrize("module", ["node", "operator_signing"])
def test_only_workers_and_the_column_builder_load_what_computes(module: str) -> None:
    assert imported_by(f"import parties.{module}", ("fastapi", "mpyc", "numba")) == []
