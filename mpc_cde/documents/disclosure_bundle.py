"""Named rules of what may leave a computation; data hashed into the study, never code paths of their own."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Digest, Identifier

Minimum = Annotated[int, Field(ge=2, le=1_000_000)]


class Dominance(Part):
    """(n, k): a cell is unsafe if its n largest contributions exceed k per cent of the total."""

    contributors: Annotated[int, Field(ge=1, le=16)]
    percent: Annotated[int, Field(ge=1, le=99)]


class DisclosureBundle(Part):
    """Defaults are those of the field; a quantile needs the minimum on each side and between neighbours too.

    `minimum_contributors_negative` replaces concentration rules where figures may be negative; `p_percent` is
    a salted commitment to a p that the parties hold; `reciprocity` lets members see only what they gave;
    `minimum_age_months` is the least age of the data on release.
    """

    name: Identifier = "default"
    minimum_contributors: Minimum = 5
    minimum_contributors_group: Minimum = 8
    minimum_contributors_negative: Minimum | None = None
    allow_exact: bool = False
    dominance: Dominance | None = None
    p_percent: Digest | None = None
    complementary: bool = False
    waivers: bool = False
    reciprocity: bool = False
    minimum_age_months: Annotated[int, Field(ge=0, le=120)] = 0

    @model_validator(mode="after")
    def _groups_are_no_looser(self) -> Self:
        if self.minimum_contributors_group < self.minimum_contributors:
            raise ValueError("minimum_contributors_group may not be below minimum_contributors")
        if (
            self.minimum_contributors_negative is not None
            and self.minimum_contributors_negative < self.minimum_contributors
        ):
            raise ValueError("minimum_contributors_negative may not be below minimum_contributors")
        return self

    def minimum_for(self, *, group: bool, negative: bool = False) -> int:
        """Contributors needed, by the whole roster or by one group; the same on each side of a quantile.

        `negative`: a figure of the cell may be below 0, so that a higher minimum may stand in for other rules.
        """
        usual = self.minimum_contributors_group if group else self.minimum_contributors
        higher = self.minimum_contributors_negative
        return max(usual, higher) if negative and higher is not None else usual
