"""What memberships certify, of all that somebody has verified: 36 bytes each.

A roster carries little of a membership on, and the same of very many: so there is an object for each different
certification, and for a membership its digest and a number.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc_cde.documents.roster_lines import Digests, digests_in, is_among
from mpc_cde.documents.roster_rows import RowKind

NOTHING = RowKind()


@dataclass(frozen=True, slots=True)
class CertifiedFacts:
    """What a membership certifies and a roster carries on or counts: the row's kind, and whose membership it is."""

    kind: RowKind = NOTHING
    registrar: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedRegister:
    """`facts[number[i]]` is what the membership `digests[i]` certifies; digests ascend."""

    digests: Digests
    number: npt.NDArray[np.int32]
    facts: tuple[CertifiedFacts, ...]

    @classmethod
    def of(cls, certified: Iterable[tuple[bytes, CertifiedFacts]]) -> CertifiedRegister:
        """Each membership by its digest, in whatever order."""
        digests, number = bytearray(), array("i")
        facts: dict[CertifiedFacts, int] = {}
        for digest, found in certified:
            digests += digest
            number.append(facts.setdefault(found, len(facts)))
        ordered, first = np.unique(digests_in(digests), return_index=True)
        return cls(ordered, np.frombuffer(number, dtype=np.int32)[first], tuple(facts))

    def joined(self, other: CertifiedRegister) -> CertifiedRegister:
        """Both; what is in both stands as it is here."""
        digests, first = np.unique(np.concatenate((self.digests, other.digests)), return_index=True)
        number = np.concatenate((self.number, other.number + np.int32(len(self.facts))))[first]
        return CertifiedRegister(digests, number, self.facts + other.facts)

    def knows(self, memberships: Digests) -> npt.NDArray[np.bool_]:
        """Which of these are in it."""
        return is_among(memberships, self.digests)

    def numbers_of(self, memberships: Digests) -> npt.NDArray[np.int32]:
        """The number of each one's facts; all of them are in it."""
        return self.number[np.searchsorted(self.digests, memberships)]
