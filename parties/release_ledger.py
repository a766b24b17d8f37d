"""The release ledger: what this party has let out, of which roster, and what it began to.

A job enters when it starts, on disk before its first message; one that was aborted stays, since its peers may
have opened what this party did not. The ledger answers two questions before anything new is let out: may this
cell be computed on this roster, and which quantiles of this figure and group are out already (protocol.md 7).

Pure: the share store keeps the entries, this module reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.study_terms import parse_quantile


def _checked_quantile(text: str) -> str:
    parse_quantile(text)
    return text


Quantile = Annotated[str, Field(max_length=16), AfterValidator(_checked_quantile)]
Quantiles = Annotated[tuple[Quantile, ...], Field(max_length=4096)]


class Released(Part):
    """What a party has let out that a new cell of the same figures and group must keep clear of.

    Parties tell each other before every job, and the job keeps clear of what any of them has let out. `quantiles` by
    inverted_cdf, `linear` those interpolated; both ascend.
    """

    quantiles: Quantiles = ()
    linear: Quantiles = ()

    def joined(self, other: Released) -> Released:
        """What either of them has let out."""
        return Released(
            quantiles=_texts({parse_quantile(q) for q in (*self.quantiles, *other.quantiles)}),
            linear=_texts({parse_quantile(q) for q in (*self.linear, *other.linear)}),
        )

    def covers(self, other: Released) -> bool:
        """Whether nothing is in `other` that is not in here."""
        return set(other.quantiles) <= set(self.quantiles) and set(other.linear) <= set(self.linear)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One cell of one started job. `withheld` is None while the job has no outcome here: then it counts as out."""

    study_terms: bytes
    checked_roster: bytes
    query: bytes
    job: bytes
    attempt: int
    item: QueryItem
    withheld: bool | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All entries of one study at this party, in the order in which they were written."""

    entries: tuple[LedgerEntry, ...]

    def other_roster(self, checked_roster: bytes) -> bool:
        """Whether anything of this study was begun on another roster: then nothing more is let out."""
        return any(entry.checked_roster != checked_roster for entry in self.entries)

    def attempts(self, query: bytes) -> int:
        """How often this query was started."""
        return len({entry.job for entry in self.entries if entry.query == query})

    def released(self, item: QueryItem, *, besides: bytes) -> Released:
        """What of the item's figures and group is or may be out, but for the query `besides` itself."""
        found: dict[str, set[Fraction]] = {}
        for entry in self.entries:
            same = entry.item.figures == item.figures and entry.item.group == item.group
            if same and entry.query != besides and entry.withheld is not True:
                found.setdefault(entry.item.function, set()).update(quantiles_of(entry.item))
        return Released(
            quantiles=_texts(found.get("percentiles@1", ())),
            linear=_texts(found.get("percentiles_linear@1", ())),
        )


def quantiles_of(item: QueryItem) -> tuple[Fraction, ...]:
    """The quantiles that an item asks for; none for other functions."""
    quantiles = item.parameters.get("quantiles", ())
    return tuple(parse_quantile(text) for text in quantiles) if isinstance(quantiles, tuple) else ()


def _texts(quantiles: Iterable[Fraction]) -> tuple[str, ...]:
    return tuple(f"{q.numerator}/{q.denominator}" for q in sorted(quantiles))


def ledger_of(entries: Iterable[LedgerEntry]) -> Ledger:
    return Ledger(tuple(entries))
