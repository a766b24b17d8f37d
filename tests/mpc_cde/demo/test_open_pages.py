"""Where a demo that keeps running serves its pages."""

from __future__ import annotations

from mpc_cde.demo.open_pages import PARTIES_WITH_PAGES, page_origins
from mpc_cde.demo.organisations import free_addresses


def test_pages_listen_beside_the_mesh() -> None:
    origins = page_origins(parties=3)
    assert len(origins) == PARTIES_WITH_PAGES
    assert not {f"http://{address}" for address in free_addresses(3)} & set(origins)
