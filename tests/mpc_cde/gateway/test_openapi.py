"""The description of the interface that is kept in the repository."""

from __future__ import annotations

import json

from mpc_cde.gateway.openapi import TARGET, openapi_text
from mpc_cde.gateway.problems import ProblemKind
from mpc_cde.gateway.settings import GatewaySettings


def test_kept_description_is_current() -> None:
    assert TARGET.read_text("utf-8") == openapi_text()


def test_every_call_is_described_with_its_problems() -> None:
    described = json.loads(openapi_text())
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            assert "4XX" in call["responses"], (method, path)
            assert call["description"], (method, path)
            if method == "post":
                assert "requestBody" in call, path


def test_every_type_of_problem_and_every_setting_is_documented() -> None:
    page = (TARGET.parent / "gateway-interface.md").read_text("utf-8")
    for kind in ProblemKind:
        assert kind.value.name in page
    for name in GatewaySettings.model_fields:
        assert name in page
