"""Which members of one registrar have submitted to a study: who, never what, and never when.

The registrar that certified a member is told, so that it can remind those who have not submitted; nobody else is.
A member that withdrew counts as one that submitted: its registrar is not told.
"""

from __future__ import annotations

from mpc_cde.documents.community import RoleKey
from mpc_cde.documents.membership import Membership
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store_view import StoreView


def submitted_members(view: StoreView, study: bytes, registrar: RoleKey) -> tuple[bytes, ...]:
    """Ids of members with a submission under a membership that names this registrar, sorted."""
    name = f"submitted to {registrar.name}"
    return view.recall(name, study, view.feed_number, lambda: _submitted(view, study, registrar.name))


def _submitted(view: StoreView, study: bytes, registrar: str) -> tuple[bytes, ...]:
    rows = view.memberships_of_members(study)
    stored = view.documents_by_digest([digest for _, digest in rows])
    own = {digest for digest, one in stored.items() if parse_stored(one, Membership).registrar == registrar}
    return tuple(sorted({member for member, digest in rows if digest in own}))
