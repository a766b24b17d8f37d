"""Which members of one registrar have submitted to a study: who, never what, and never when.

The registrar that certified a member is told, so that it can remind those who have not submitted; nobody else is.
A member that withdrew counts as one that submitted: its registrar is not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from mpc_cde.documents.community import RoleKey
from mpc_cde.documents.membership import Membership
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store_view import StoreView


def submitted_members(view: StoreView, study: bytes, registrar: RoleKey) -> tuple[bytes, ...]:
    """Ids of members with a submission under a membership that names this registrar, sorted."""
    name, stamp = f"submitted to {registrar.name}", view.count_submissions(study)
    return view.recall(name, study, stamp, lambda: _submitted(view, study, registrar.name))


def _submitted(view: StoreView, study: bytes, registrar: str) -> tuple[bytes, ...]:
    rows = view.memberships_of_members(study)
    registrars = _registrars(view, study, {digest for _, digest in rows})
    return tuple(sorted({member for member, digest in rows if registrars.get(digest) == registrar}))


def _registrars(view: StoreView, study: bytes, memberships: Set[bytes]) -> Mapping[bytes, str]:
    """Who certified each membership. A document never changes, so each is read once, whatever else arrives."""
    known: dict[bytes, str] = view.recall("registrars of memberships", study, None, dict)
    fresh = view.documents_by_digest(sorted(memberships - known.keys()))
    known.update({digest: parse_stored(one, Membership).registrar for digest, one in fresh.items()})
    return known
