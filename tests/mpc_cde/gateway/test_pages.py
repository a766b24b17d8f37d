"""The gateway serves the page of public results, and never one where figures are typed."""

from __future__ import annotations

import json

from mpc_cde.web.assets import load_assets
from tests.mpc_cde.gateway.paper_gateway import PaperGateway


async def test_results_page_is_served_under_its_own_policy(gateway: PaperGateway) -> None:
    for path in ("/", "/results.html", "/results/main.js", "/core/verification.js"):
        answer = await gateway.http.get(path)
        assert answer.status_code == 200
        (policy,) = answer.headers.get_list("content-security-policy")
        assert "connect-src 'self'" in policy
        assert "script-src 'self'" in policy
        assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert (await gateway.http.get("/")).content == load_assets()["results.html"].content


async def test_no_page_where_figures_are_typed_comes_from_the_gateway(gateway: PaperGateway) -> None:
    typed = [path for path in load_assets() if path == "index.html" or path.startswith("member/")]
    assert len(typed) > 5
    for path in typed:
        answer = await gateway.http.get(f"/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_other_answers_keep_the_strictest_policy(gateway: PaperGateway) -> None:
    for path in ("/v1/studies", "/nothing"):
        (policy,) = (await gateway.http.get(path)).headers.get_list("content-security-policy")
        assert policy == "default-src 'none'; frame-ancestors 'none'"


async def test_settings_name_the_community_once_it_stands(gateway: PaperGateway) -> None:
    assert json.loads((await gateway.http.get("/settings.json")).content)["fingerprint"] in (
        None,
        gateway.paper.fingerprint,
    )
    await gateway.found()
    settings = json.loads((await gateway.http.get("/settings.json")).content)
    assert settings == {"fingerprint": gateway.paper.fingerprint, "gateway": "", "party": None}
