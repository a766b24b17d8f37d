"""Settings of one party: a TOML file, every key checked, none unknown.

    gateway = "https://gateway.example"        where documents come from and go to

    [mesh]
    listen = "0.0.0.0:7800"                    where this node accepts the other parties

    [operations]
    host = "127.0.0.1"                         health and metrics; not for the outside
    port = 7801                                0 takes a free one, see run.json

    [pages]                                    the pages for members, if `mpc-party pages` serves them
    listen = "0.0.0.0:7802"
    certificate = "/etc/ssl/pages.pem"         without these two it makes its own, which browsers warn about
    key = "/etc/ssl/private/pages.key"

    [policy]                                   this organisation's own rules: stricter than a study, never
    looser minimum_contributors = 5 minimum_contributors_group = 8

    [time_limits]                              any of parties/time_limits.py, seconds
    decision_seconds = 86400

Secrets never stand here: keys are files of their own, a passphrase comes by descriptor or credential.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from mpc_cde.documents.base import describe_validation
from mpc_cde.documents.party_card import MeshAddress, spelled_as
from mpc_cde.errors import CallerError
from parties.policy import PartyPolicy
from parties.time_limits import DEFAULT_LIMITS, TimeLimits

DEFAULT_MESH_PORT = 7800
DEFAULT_OPERATIONS_PORT = 7801
DEFAULT_PAGES_PORT = 7802
LOOPBACK = "127.0.0.1"
LOOPBACK_HOSTS = frozenset({LOOPBACK, "localhost", "::1"})

_GATEWAY_URL = r"^(https://[A-Za-z0-9.\-\[\]:]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?)$"
GatewayUrl = Annotated[
    str,
    StringConstraints(pattern=_GATEWAY_URL, max_length=300),
    spelled_as(_GATEWAY_URL, "https://HOST, or http://127.0.0.1:PORT for a gateway on this machine"),
]
"""HTTPS anywhere, plain HTTP on this machine only: the feed names members."""


class SettingsRefused(CallerError):
    """The settings file is missing or wrong; the message names the key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class MeshSettings(_Section):
    """Where the node listens for other parties; its public address stands on the party's card."""

    listen: MeshAddress = f"0.0.0.0:{DEFAULT_MESH_PORT}"

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class OperationsSettings(_Section):
    """Health and metrics over plain HTTP: on loopback unless the operator says otherwise."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = LOOPBACK
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_OPERATIONS_PORT


class PagesSettings(_Section):
    """Where the pages for members are served; their origin stands on the party's card."""

    listen: MeshAddress = f"0.0.0.0:{DEFAULT_PAGES_PORT}"
    certificate: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    key: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together")
        return self

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class PolicySettings(_Section):
    """What this organisation asks for beyond the study's own rules."""

    minimum_contributors: Annotated[int, Field(ge=2, le=1_000_000)] = 5
    minimum_contributors_group: Annotated[int, Field(ge=2, le=1_000_000)] = 8

    @model_validator(mode="after")
    def _groups_are_no_looser(self) -> Self:
        if self.minimum_contributors_group < self.minimum_contributors:
            raise ValueError("minimum_contributors_group may not be below minimum_contributors")
        return self

    def as_policy(self) -> PartyPolicy:
        return PartyPolicy(self.minimum_contributors, self.minimum_contributors_group)


class PartySettings(_Section):
    """Everything that an operator may set."""

    gateway: GatewayUrl
    mesh: MeshSettings = MeshSettings()
    operations: OperationsSettings = OperationsSettings()
    pages: PagesSettings = PagesSettings()
    policy: PolicySettings = PolicySettings()
    time_limits: dict[str, float | int] = {}

    @field_validator("time_limits")
    @classmethod
    def _limits_are_known(cls, given: dict[str, float | int]) -> dict[str, float | int]:
        known = {entry.name for entry in fields(TimeLimits)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ValueError(f"no limit named {unknown[0]}; known are {', '.join(sorted(known))}")
        if any(name.endswith("_bytes") and not isinstance(value, int) for name, value in given.items()):
            raise ValueError("limits in bytes are whole numbers")
        replace(DEFAULT_LIMITS, **given)  # type: ignore[arg-type]  # checked above: names known, bytes are int
        return given

    @property
    def limits(self) -> TimeLimits:
        """The table of time limits with what was set here."""
        return replace(DEFAULT_LIMITS, **self.time_limits)  # type: ignore[arg-type]  # checked by the validator


def read_settings(path: Path) -> PartySettings:
    """The settings in a TOML file. Raises SettingsRefused naming the key, never quoting its value."""
    try:
        return PartySettings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsRefused(
            f"{path}: {error.strerror}", hint="run: mpc-party init --mesh HOST:PORT"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"{path}: not TOML ({error})") from None
    except ValidationError as error:
        raise SettingsRefused(f"{path}: {describe_validation(error)}") from None


def settings_text(
    *,
    gateway: str,
    mesh_listen: str,
    operations_port: int = DEFAULT_OPERATIONS_PORT,
    pages_listen: str | None = None,
) -> str:
    """The settings file of a new party. Raises SettingsRefused if a value would not be read back."""
    pages = "" if pages_listen is None else f'\n[pages]\nlisten = "{pages_listen}"\n'
    text = f"""\
# Settings of this party; docs: parties/settings.py names every key.
gateway = "{gateway}"

[mesh]
listen = "{mesh_listen}"

[operations]
host = "{LOOPBACK}"
port = {operations_port}
{pages}
[policy]
minimum_contributors = 5
minimum_contributors_group = 8
"""
    try:
        PartySettings.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        detail = describe_validation(error) if isinstance(error, ValidationError) else "not TOML"
        raise SettingsRefused(f"settings: {detail}") from None
    return text


def pages_listen_of(origin: str) -> str:
    """Where pages of this origin listen unless the settings say otherwise: loopback only for plain http."""
    parts = urlsplit(origin)
    if parts.scheme == "http":
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or 80}"
    return f"0.0.0.0:{DEFAULT_PAGES_PORT}"
