"""A member takes its figures out, until the roster is signed."""

from __future__ import annotations

from typing import Literal

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, MemberId, Sequence


class Withdrawal(Document):
    """Signed by the member; takes out its submissions up to and including `sequence`."""

    type: Literal["withdrawal/v1"] = "withdrawal/v1"
    study_terms: Digest
    member: MemberId
    sequence: Sequence
