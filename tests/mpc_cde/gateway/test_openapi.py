"""The description of the interface that is kept in the repository."""

from __future__ import annotations

import json

from mpc_cde.gateway.openapi import TARGET, openapi_text


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
