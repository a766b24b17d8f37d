"""The description of the interface that is kept in the repository."""

from __future__ import annotations

import json

from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.openapi import TARGET, openapi_text
from mpc_cde.gateway.problems import ProblemKind
from mpc_cde.gateway.settings import GatewaySettings
from mpc_cde.gateway.store import Store


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


def test_framework_exports_nothing_of_what_is_read() -> None:
    store = Store.open("sqlite://")
    app = create_app(GatewaySettings(home=TARGET.parent), store)
    store.close()
    assert not any(app._telemetry[name] for name in ("tracing", "metrics", "logs", "auto_configure"))
