"""Settings of a gateway: a TOML file, every key checked, none unknown; MPC_CDE_GATEWAY_... overrides it.

    home = "/var/lib/mpc-cde-gateway"          its directory, 0700: store and run.json
    host = "127.0.0.1"                         where it listens
    port = 8080                                0 takes a free one, see run.json
    public_url = "https://gateway.example"     what readers sign; needed when it listens beyond this machine
    fingerprint = "abcde-fghij-..."            the one community it serves; recommended
    database = "postgresql+psycopg://..."      instead of SQLite in its home

    [limits]
    max_document_bytes = 1048576

A password inside `database` belongs in the environment, not in the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from mpc_cde.documents.base import describe_validation
from mpc_cde.documents.community import parse_fingerprint
from mpc_cde.documents.party_card import Origin
from mpc_cde.errors import CallerError

DEFAULT_PORT = 8080
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

Positive = Annotated[float, Field(gt=0, le=1_000_000)]
Bytes = Annotated[int, Field(ge=1024, le=1 << 30)]


class Limits(BaseModel):
    """How much one request, one key, one address and one study may ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_document_bytes: Bytes = 1 << 20
    max_party_document_bytes: Bytes = 24 << 20
    max_entries_bytes: Bytes = 64 << 20
    max_submission_bytes: Bytes = 8 << 20
    body_seconds: Positive = 60.0
    long_poll_seconds: Annotated[float, Field(ge=0, le=300)] = 25.0
    feed_batch_bytes: Bytes = 8 << 20
    feed_batch_items: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    requests_per_second_per_address: Positive = 400.0
    request_burst_per_address: Positive = 4_000.0
    requests_per_second_per_key: Positive = 20.0
    request_burst_per_key: Positive = 400.0
    requests_per_second_per_office: Positive = 4_000.0
    request_burst_per_office: Positive = 20_000.0
    pending_communities: Annotated[int, Field(ge=1, le=1000)] = 16
    streams: Annotated[int, Field(ge=1, le=10_000)] = 256
    streams_per_address: Annotated[int, Field(ge=1, le=10_000)] = 32
    stream_seconds: Positive = 600.0
    stream_write_seconds: Positive = 20.0
    decision_seconds: Positive = 86_400.0


class GatewaySettings(BaseSettings):
    """Everything that an operator may set."""

    model_config = SettingsConfigDict(
        env_prefix="MPC_CDE_GATEWAY_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    home: Path
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    public_url: Origin | None = None
    fingerprint: str | None = None
    database: Annotated[str, StringConstraints(max_length=1000)] | None = Field(default=None, repr=False)
    page_origins: tuple[Origin, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    metrics_for_everybody: bool = False
    limits: Limits = Limits()

    @field_validator("fingerprint")
    @classmethod
    def _fingerprint_is_one(cls, text: str | None) -> str | None:
        return None if text is None else parse_fingerprint(text)

    @model_validator(mode="after")
    def _readers_know_what_to_sign(self) -> Self:
        if self.host not in LOOPBACK_HOSTS and self.public_url is None:
            raise ValueError("public_url: needed when host is not this machine, since readers sign it")
        return self

    @property
    def database_url(self) -> str:
        """A URL of SQLAlchemy."""
        return self.database or f"sqlite:///{self.home / 'gateway.sqlite'}"


class SettingsRefused(CallerError):
    """Settings that are missing, unknown or out of bounds."""


def read_settings(config: Path | None = None, **given: Any) -> GatewaySettings:
    """Settings from a TOML file, with what is `given` (None: not given) in its place.

    Raises SettingsRefused naming the key, never quoting its value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text("utf-8"))
        except OSError as error:
            raise SettingsRefused(f"{config}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsRefused(f"{config}: not TOML ({error})") from None
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return GatewaySettings(**values)
    except ValidationError as error:
        where = "settings" if config is None else str(config)
        raise SettingsRefused(
            f"{where}: {describe_validation(error)}", hint="See docs/gateway-interface.md for every key."
        ) from None
