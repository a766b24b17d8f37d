"""What members who asked for their own place read; nobody else can open it."""

from __future__ import annotations

from dataclasses import dataclass

from mpc_cde.client.own_place import OwnPlace


@dataclass(frozen=True, slots=True)
class AskedPlaces:
    """The places that one member asked for, as only it reads them; `number` counts the members from 0."""

    number: int
    places: tuple[OwnPlace, ...]

    def __repr__(self) -> str:
        return f"AskedPlaces(number={self.number}, places=<redacted>)"
