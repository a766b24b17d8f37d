"""Members as a roster needs them: what their memberships certify, and which keys are theirs; 84 bytes a membership.

There are as many as members, of all studies, so none is held as a document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mpc_cde.documents.membership import Membership
from mpc_cde.documents.roster_lines import MEMBER_BYTES, Digests, RosterLines, digests_in, whole
from mpc_cde.documents.roster_rows import RowKind
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.life_cycles.certified_register import CertifiedFacts, CertifiedRegister
from parties.share_store import StoreView


@dataclass(frozen=True, eq=False)  # without slots, where what is worked out once has no room
class KnownMembers:
    """Every membership that this party has verified: `members[i]` and `keys[i]` belong to one of them."""

    register: CertifiedRegister
    members: Digests
    keys: Digests

    @cached_property
    def _by_member(self) -> tuple[Digests, npt.NDArray[np.intp]]:
        order = np.argsort(self.members, kind="stable")
        return self.members[order], order

    def keys_of(self, member: bytes) -> list[bytes]:
        """The signing keys that were certified for a member; none if it is not known."""
        ordered, order = self._by_member
        wanted = np.array(member, dtype=ordered.dtype)
        first, last = np.searchsorted(ordered, wanted), np.searchsorted(ordered, wanted, side="right")
        return [whole(self.keys[place]) for place in order[first:last]]

    def with_those(self, view: StoreView, terms: StudyTerms, lines: RosterLines) -> KnownMembers:
        """These and the memberships that `lines` name and that came since."""
        named = lines.lines["membership"]
        missing = np.unique(named[~self.register.knows(named)])
        found = [view.document(whole(digest)) for digest in missing]
        came = [(stored.digest, stored.envelope.payload) for stored in found if stored is not None]
        if not came:
            return self
        new = _pack(came, terms)
        return KnownMembers(
            self.register.joined(new.register),
            np.concatenate((self.members, new.members)),
            np.concatenate((self.keys, new.keys)),
        )


def read_members(view: StoreView, terms: StudyTerms) -> KnownMembers:
    """All memberships in the store, as this study sees them."""
    return _pack(view.each_payload(Membership.type_name()), terms)


def _pack(kept: Iterable[tuple[bytes, bytes]], terms: StudyTerms) -> KnownMembers:
    members, keys = bytearray(), bytearray()

    def certified() -> Iterator[tuple[bytes, CertifiedFacts]]:
        for digest, payload in kept:
            membership = Membership.read_kept(payload)
            members.extend(membership.member)
            keys.extend(membership.signing_key)
            kind = RowKind(membership.holding, _groups(membership, terms))
            yield digest, CertifiedFacts(kind, membership.registrar)

    register = CertifiedRegister.of(certified())
    return KnownMembers(register, digests_in(members, size=MEMBER_BYTES), digests_in(keys))


def _groups(membership: Membership, terms: StudyTerms) -> tuple[tuple[str, str], ...]:
    """The certified values of the study's group attributes, sorted; a value outside the study's list is none."""
    return tuple(
        sorted(
            (group.attribute, membership.attributes[group.attribute])
            for group in terms.groups
            if membership.attributes.get(group.attribute) in group.values
        )
    )
