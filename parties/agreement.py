"""Agreeing on the exact list of inputs, over the mesh and never through the gateway.

Three steps among all m parties: the digest of one's list, then the list, then one's signature on the roster
that the lists come to. The commitment keeps a party from fitting its list to what the others show. A
different roster digest, a list lacking what its signer receipted, or a list other than committed, ends the
agreement with whose fault it is; the study waits, and the next session tries again from what the stores
then hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_cde.documents.authority import verify_parties
from mpc_cde.documents.envelope import Envelope, merge_signatures, sign_document
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.keys import SigningKey
from parties.roster import AgreedInputs, ListRefused, RosterBasis, agree, open_list, sign_list
from parties.sessions import AgreementSession


class RostersDiffer(Exception):
    """From the same lists `party` computed another roster."""

    def __init__(self, party: int) -> None:
        super().__init__(f"party {party} signed another roster from the same lists")
        self.party = party


@dataclass(frozen=True, slots=True)
class SignedRoster:
    """The roster with the signatures of all parties, and its entries."""

    inputs: AgreedInputs
    envelope: Envelope


async def agree_on_roster(
    session: AgreementSession, basis: RosterBasis, signing_key: SigningKey
) -> SignedRoster:
    """Exchange commitments, lists and signatures. Raises ListRefused, RosterWaits, RostersDiffer."""
    own = sign_list(basis, signing_key)
    commitments = await session.exchange("roster commitment", own.digest())
    for party, commitment in commitments.items():
        if len(commitment) != 32:
            raise ListRefused(party, "a commitment of 32 bytes", f"{len(commitment)} bytes")
    shown = await session.exchange("roster list", own.to_json())
    lists = {
        party: open_list(basis, party, _parse(party, data), commitments[party])
        for party, data in sorted(shown.items())
    }
    inputs = agree(basis, lists)
    signed = sign_document(inputs.roster, signing_key)
    signatures = await session.exchange("roster signature", signed.to_json())
    merged = signed
    for party, data in sorted(signatures.items()):
        envelope = _parse(party, data)
        if envelope.payload != signed.payload or envelope.payload_type != signed.payload_type:
            raise RostersDiffer(party)
        try:
            verify_parties(envelope, basis.community, (party,))
        except (BadDocument, BadSignature) as error:
            raise ListRefused(party, "its signature on the roster", str(error)[:120]) from None
        merged = merge_signatures(merged, [envelope])
    return SignedRoster(inputs, merged)


def _parse(party: int, data: bytes) -> Envelope:
    try:
        return Envelope.parse_json(data)
    except BadDocument as error:
        raise ListRefused(party, "a signed document", str(error)[:120]) from None
