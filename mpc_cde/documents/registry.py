"""Every type of document by its name, for readers that meet whatever comes (feeds, logs, audits)."""

from __future__ import annotations

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.base import Document
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Result
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.study import Study
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument

DOCUMENT_CLASSES: tuple[type[Document], ...] = (
    PartyCard,
    Community,
    Membership,
    Revocation,
    Researcher,
    Study,
    Amendment,
    Approval,
    Refusal,
    Submission,
    Withdrawal,
    Receipt,
    WithdrawalReceipt,
    Closing,
    RosterList,
    Roster,
    CheckedRoster,
    Query,
    Decision,
    Result,
    Complaint,
    LogCheckpoint,
)

_BY_TYPE_NAME = {document_class.type_name(): document_class for document_class in DOCUMENT_CLASSES}
_BY_PAYLOAD_TYPE = {document_class.payload_type(): document_class for document_class in DOCUMENT_CLASSES}


def document_class_of(name: str) -> type[Document]:
    """The class of "study/v1" or of its media type. Raises BadDocument if this version knows none."""
    found = _BY_TYPE_NAME.get(name) or _BY_PAYLOAD_TYPE.get(name)
    if found is None:
        raise BadDocument("a type of document that this version does not know")
    return found


def open_any(envelope: Envelope) -> Document:
    """The document in an envelope of whatever type; its claims are not verified. Raises BadDocument."""
    return open_envelope(envelope, document_class_of(envelope.payload_type))
