"""Templates that travel with the package, by trade: a steward starts from one and proposes it, or changes a copy."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from mpc_cde.coded_text import worded
from mpc_cde.errors import NotFound
from mpc_cde.study_templates.reader import parse_template
from mpc_cde.study_templates.template import StudyTemplate

TRADES = ("retail_hospitality", "services", "manufacturing_supply_chain", "energy_emissions")


def shipped_text(name: str) -> str:
    """The TOML text of one. Raises NotFound."""
    if name not in TRADES:
        raise NotFound(
            worded(
                "template_unknown",
                "no template is called {name}; there are {known}",
                name=repr(name),
                known=", ".join(TRADES),
            )
        )
    return (files("mpc_cde.study_templates") / "shipped" / f"{name}.toml").read_text("utf-8")


@cache
def shipped_template(name: str) -> StudyTemplate:
    """One of them, read. Raises NotFound."""
    return parse_template(shipped_text(name))
