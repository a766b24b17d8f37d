"""Agreeing on the exact list of inputs, over the mesh and never through the gateway.

Four steps among all m parties: the digest of one's list, then all digests as one has seen them, then the list,
then one's signature on the roster that the lists come to. The commitment keeps a party from fitting its list to
what the others show; the echo, from showing one list to this party and another to the next, which would make
honest parties accuse each other. A different roster digest, a list lacking what its signer receipted, or a list
other than committed, ends the agreement with whose fault it is; the study waits, and the next session tries
again from what the stores then hold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from mpc_cde.documents.authority import verify_parties
from mpc_cde.documents.envelope import Envelope, merge_signatures, sign_document
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.keys import SigningKey
from parties.roster import AgreedInputs, ListReader, ListRefused, RosterBasis, agree_on, open_list, sign_list
from parties.sessions import AgreementSession


class RostersDiffer(Exception):
    """From the same lists `party` computed another roster."""

    def __init__(self, party: int) -> None:
        super().__init__(f"party {party} signed another roster from the same lists")
        self.party = party


class CommitmentsDiffer(Exception):
    """Somebody committed to one list towards this party and to another towards `party`, or `party` says so."""

    def __init__(self, party: int) -> None:
        super().__init__(f"party {party} was shown other commitments to roster lists, or says so")
        self.party = party


@dataclass(frozen=True, slots=True)
class SignedRoster:
    """The roster with the signatures of all parties, and its entries."""

    inputs: AgreedInputs
    envelope: Envelope


async def agree_on_roster(
    session: AgreementSession,
    basis: RosterBasis,
    signing_key: SigningKey,
    *,
    before_signing: Callable[[AgreedInputs], Awaitable[None]],
) -> SignedRoster:
    """Exchange commitments, lists and signatures. `before_signing` makes the entries durable: others may complete
    the roster though this party fails right after its signature left, and then it must know the rows.

    Raises ListRefused, RosterWaits, RostersDiffer, CommitmentsDiffer.
    """
    own = sign_list(basis, signing_key)
    commitments = await session.exchange("roster commitment", own.digest())
    for party, commitment in commitments.items():
        if len(commitment) != 32:
            raise ListRefused(party, "a commitment of 32 bytes", f"{len(commitment)} bytes")
    await _compare_commitments(session, basis.party, commitments)
    shown = dict(await session.exchange("roster list", own.to_json()))
    reader = ListReader(basis)
    lists = []
    for party in sorted(shown):  # one after another: of many members each list is large
        envelope = _parse(party, shown.pop(party))
        lists.append(reader.read(party, open_list(basis, party, envelope, commitments[party])))
    inputs = agree_on(basis, lists)
    await before_signing(inputs)
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


async def _compare_commitments(session: AgreementSession, own: int, commitments: Mapping[int, bytes]) -> None:
    """Returns if every party saw the same of every third one. Raises CommitmentsDiffer."""
    parties = sorted(commitments)
    echoes = await session.exchange(
        "roster commitments seen", b"".join(commitments[party] for party in parties)
    )
    for party, echo in sorted(echoes.items()):
        seen = {about: echo[32 * place : 32 * place + 32] for place, about in enumerate(parties)}
        if any(seen[about] != commitments[about] for about in parties if about not in (own, party)):
            raise CommitmentsDiffer(party)


def _parse(party: int, data: bytes) -> Envelope:
    try:
        return Envelope.parse_json(data)
    except BadDocument as error:
        raise ListRefused(party, "a signed document", str(error)[:120]) from None
