"""Agreeing on the exact list of inputs, over the mesh and never through the gateway.

Steps among all m parties: the digest of one's list, then all digests as one has seen them, then the list, then
those parts of it in which the lists differ, then one's signature on the roster that the lists come to. The
commitment keeps a party from fitting its list to what the others show; the echo, from showing one list to this
party and another to the next, which would make honest parties accuse each other. A
different roster digest, a list lacking what its signer receipted, or a list other than committed, ends the
agreement with whose fault it is; the study waits, and the next session tries again from what the stores then hold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from anyio import to_thread

from mpc_cde.documents.authority import verify_parties
from mpc_cde.documents.canonical import digest_of
from mpc_cde.documents.envelope import Envelope, merge_signatures, sign_document
from mpc_cde.documents.roster_lines import PARTS, Lines, RosterLines, parse_part
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.keys import SigningKey
from parties.roster import AgreedInputs, ListRefused, RosterBasis, ShownList, agree, open_list, sign_list
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
    patience_seconds: float = 0.0,
) -> SignedRoster:
    """Exchange commitments, lists and signatures. `before_signing` makes the entries durable: others may complete
    the roster though this party fails right after its signature left, and then it must know the rows. The others have
    `patience_seconds` for what takes longer the more members there are; 0 as for any step.

    Raises ListRefused, RosterWaits, RostersDiffer, CommitmentsDiffer.
    """
    own = sign_list(basis, signing_key)
    commitments = await session.exchange("roster commitment", own.digest(), patience_seconds=patience_seconds)
    for party, commitment in commitments.items():
        if len(commitment) != 32:
            raise ListRefused(party, "a commitment of 32 bytes", f"{len(commitment)} bytes")
    await _compare_commitments(session, basis.party, commitments)
    shown = await session.exchange("roster list", own.to_json())
    documents = {
        party: open_list(basis, party, _parse(party, data), commitments[party])
        for party, data in sorted(shown.items())
    }
    lines = await _exchange_lines(session, basis, documents)
    inputs = await to_thread.run_sync(_agree, basis, documents, lines)
    await before_signing(inputs)
    signed = sign_document(inputs.roster, signing_key)
    signatures = await session.exchange(
        "roster signature", signed.to_json(), patience_seconds=patience_seconds
    )
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


async def _exchange_lines(
    session: AgreementSession, basis: RosterBasis, documents: Mapping[int, RosterList]
) -> dict[int, RosterLines]:
    """What each list holds. Parts of which all have the same digest are known, and nobody sends them.

    Raises ListRefused.
    """
    received: dict[int, dict[int, Lines]] = {party: {} for party in documents}
    for prefix in range(PARTS):
        if len({document.parts[prefix] for document in documents.values()}) == 1:
            continue
        shown = await session.exchange(f"roster list, part {prefix}", basis.lines.part(prefix).tobytes())
        for party, data in sorted(shown.items()):
            if digest_of(data) != documents[party].parts[prefix]:
                raise ListRefused(party, "the part that its list names", "another")
            if documents[party].parts[prefix] == basis.own_list.parts[prefix]:
                continue  # the same as here: nothing to keep twice
            try:
                received[party][prefix] = parse_part(data, prefix)
            except BadDocument as error:
                raise ListRefused(party, "lines of a list", str(error)[:120]) from None
            if sum(map(len, received[party].values())) > documents[party].count:
                raise ListRefused(party, f"at most {documents[party].count} submissions", "more")
    found = {}
    for party, parts in received.items():
        found[party] = basis.lines.with_parts(parts)
        if len(found[party]) != documents[party].count:
            raise ListRefused(party, f"{documents[party].count} submissions", str(len(found[party])))
    return found


def _agree(
    basis: RosterBasis, documents: Mapping[int, RosterList], lines: Mapping[int, RosterLines]
) -> AgreedInputs:
    return agree(basis, {party: ShownList(documents[party], lines[party]) for party in documents})


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
