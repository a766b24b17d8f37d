"""Where a demo that keeps running serves its pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.demo.material import DATA
from mpc_cde.demo.open_pages import PARTIES_WITH_PAGES, page_origins
from mpc_cde.demo.organisations import free_addresses
from mpc_cde.study_templates import read_template


def test_pages_listen_beside_the_mesh() -> None:
    origins = page_origins(parties=3)
    assert len(origins) == PARTIES_WITH_PAGES
    assert not {f"http://{address}" for address in free_addresses(3)} & set(origins)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.toml")), ids=lambda path: path.stem)
def test_what_the_demo_computes_is_for_everybody_so_that_its_links_show_it(path: Path) -> None:
    audiences = {function.function: function.audience for function in read_template(path).functions}
    assert {audience for name, audience in audiences.items() if name != "own_rank@1"} == {"public"}
