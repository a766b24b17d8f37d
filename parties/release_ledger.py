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

from mpc_cde.documents.query import GroupCell, QueryItem
from mpc_cde.documents.study_terms import parse_quantile


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

    @property
    def queries(self) -> int:
        """How many queries were started: what the budget counts. Attempts of one query count once."""
        return len({entry.query for entry in self.entries})

    def other_roster(self, checked_roster: bytes) -> bool:
        """Whether anything of this study was begun on another roster: then nothing more is let out."""
        return any(entry.checked_roster != checked_roster for entry in self.entries)

    def attempts(self, query: bytes) -> int:
        """How often this query was started."""
        return len({entry.job for entry in self.entries if entry.query == query})

    def released_quantiles(
        self, figures: tuple[str, ...], group: GroupCell | None, *, besides: bytes
    ) -> tuple[Fraction, ...]:
        """Quantiles of this figure and group that are or may be out, but for the query `besides` itself."""
        found: set[Fraction] = set()
        for entry in self.entries:
            same = entry.item.figures == figures and entry.item.group == group
            if same and entry.query != besides and entry.withheld is not True:
                found.update(quantiles_of(entry.item))
        return tuple(sorted(found))


def quantiles_of(item: QueryItem) -> tuple[Fraction, ...]:
    """The quantiles that an item asks for; none for other functions."""
    quantiles = item.parameters.get("quantiles", ())
    return tuple(parse_quantile(text) for text in quantiles) if isinstance(quantiles, tuple) else ()


def ledger_of(entries: Iterable[LedgerEntry]) -> Ledger:
    return Ledger(tuple(entries))
