"""The operator's commands that sign: what is shown, what is asked, what goes into the log and to the gateway."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mpc_cde.cli.showing import say, say_table
from mpc_cde.cli.study_page import show_study
from mpc_cde.cli.surroundings import confirm
from mpc_cde.coded_text import worded
from mpc_cde.documents.canonical import decode_base64url, encode_base64url
from mpc_cde.documents.community import Community, format_fingerprint
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.study import Study
from mpc_cde.errors import CallerError, Conflict, NotFound
from mpc_cde.keys import Passphrase
from mpc_cde.life_cycles import study as life
from mpc_cde.lookalikes import with_remarks
from mpc_cde.node_log import LogHead
from parties.approvals import (
    COSIGNED,
    PATHS,
    approve_study,
    cosign,
    describe_for_operator,
    refuse_study,
    sign_closing,
)
from parties.ceremony import approve_community, verify_fingerprint
from parties.clock import system_clock
from parties.log_checkpoints import sign_checkpoint
from parties.operator_desk import POLL_SECONDS, Desk, open_desk
from parties.party_home import PartyHome
from parties.share_store import StoredDocument
from parties.studies import KnownStudy, closing_of, know_study
from protocols.randomness import SystemRandomness


def sign_community(
    home: PartyHome, passphrase: Passphrase | None, draft: Envelope, compared: str | None, *, sure: bool
) -> Envelope:
    """Show a community, have its fingerprint compared, sign it and hand it in; returns what was signed."""
    home.verify()
    community = open_envelope(draft, Community)
    name, parties = with_remarks(community.name), community.party_count
    say(f"{name}, version {community.version}, {parties} parties, t = {community.threshold}")
    say_table(
        ["party", "name", "mesh"],
        [
            [str(index), with_remarks(card.name), card.mesh_address]
            for index, card in enumerate(community.cards)
        ],
    )
    say(f"Fingerprint: {format_fingerprint(community.fingerprint())}")
    if compared is not None:
        verify_fingerprint(community, compared)
    elif sure:
        raise CallerError(
            "--yes does not say that the fingerprint was compared",
            hint="give --fingerprint, as the other operators read it to you",
        )
    else:
        confirm("Have you compared the fingerprint with the other operators by voice?", sure=False)
    approved = approve_community(home, draft, identity=home.load_identity(passphrase))
    with open_desk(home, passphrase, system_clock) as desk:
        desk.log.append(
            "community.approved", {"fingerprint": community.fingerprint(), "version": community.version}
        )
        say(
            f"Signed as party {approved.own_index}: {desk.send(PATHS[Community.type_name()], approved.envelope)}."
        )
    return approved.envelope


def sign_document_of(
    home: PartyHome,
    passphrase: Passphrase | None,
    given: Envelope | None,
    named: str,
    *,
    sure: bool,
    wait: float,
    p_percent: PPercent | None = None,
) -> Envelope:
    """Sign a study, or add this party's signature to another document, and hand it in; returns what was signed.

    `given` is a document from a file; else the one called `named` among what the node has seen. `p_percent` is
    what the steward handed over for a study's p% rule.
    """
    with open_desk(home, passphrase, system_clock) as desk:
        types = [Study.type_name(), *(kind.type_name() for kind in COSIGNED)]
        envelope = given if given is not None else _find_or_fetch(desk, named, types, wait)
        if envelope.payload_type == Study.payload_type():
            show_study(open_envelope(envelope, Study), "to be approved")
        else:
            say(describe_for_operator(envelope))
        confirm("Sign it in the name of this organisation?", sure=sure)
        signed, delivery = sign_at_desk(desk, envelope, passphrase=passphrase, p_percent=p_percent)
        say(f"Signed: {delivery}.")
    return signed


def sign_at_desk(
    desk: Desk, envelope: Envelope, *, passphrase: Passphrase | None, p_percent: PPercent | None = None
) -> tuple[Envelope, str]:
    """What an operator has read and said yes to: signed, logged and handed in; and how the handing in went.

    Raises NotApproved with every reason against a study, BadSignature, BadDocument, CallerError.
    """
    signing = desk.signing_place()
    if envelope.payload_type == Study.payload_type():
        signed = approve_study(
            signing,
            envelope,
            policy=desk.settings.policy.as_policy(),
            now=desk.clock(),
            randomness=SystemRandomness(),
            passphrase=passphrase,
            p_percent=p_percent,
        )
        event, path = "study.approved", "/v1/approvals"
    else:
        document, signed = cosign(signing, envelope)
        event, path = "document.signed", PATHS[document.type]
    desk.log.append(event, {"document": encode_base64url(envelope.digest()), "type": envelope.payload_type})
    return signed, desk.send(path, signed)


def study_to_refuse(desk: Desk, stored: StoredDocument) -> KnownStudy:
    """The study, if it may still be refused. Raises Conflict."""
    with desk.store.reading() as view:
        known = know_study(view, stored.study or b"", desk.signing_place().community, desk.clock())
    if known is None or not isinstance(known.state, life.Proposed | life.Approved | life.Open):
        raise Conflict(worded("refused_too_late", "a study can be refused until it closes, not later"))
    return known


def refuse_at_desk(desk: Desk, stored: StoredDocument, *, reason: str) -> str:
    """Refuse a study, or take an approval back: logged and handed in; how that went. Raises Conflict, CallerError."""
    known = study_to_refuse(desk, stored)
    signing = desk.signing_place()
    signed = refuse_study(signing, stored.envelope, reason=reason)
    desk.log.append("study.refused", {"study": encode_base64url(known.terms_digest), "reason": reason})
    refusal = StoredDocument(
        signed.digest(),
        "refusal/v1",
        signed,
        study=known.terms_digest,
        subject=stored.digest,
        party=signing.own_index,
    )
    return desk.send(PATHS["refusal/v1"], signed, keep=refusal)


def close_at_desk(desk: Desk, closing: StoredDocument) -> str:
    """Sign the closing that a steward proposed: logged and handed in; how that went. Raises BadSignature."""
    signed = sign_closing(desk.signing_place(), closing.envelope)
    desk.log.append("closing.signed", {"study": encode_base64url(closing.study or b"")})
    return desk.send(PATHS["closing/v1"], signed)


def checkpoint_at_desk(desk: Desk) -> tuple[LogHead, str]:
    """Sign how far the log goes and hand that in; the head, and how that went."""
    head = desk.log.head
    signed = sign_checkpoint(desk.signing_place(), head, desk.clock())
    return head, desk.send(PATHS[LogCheckpoint.type_name()], signed)


def _find_or_fetch(desk: Desk, named: str, types: Sequence[str], wait: float) -> Envelope:
    """From what the node has seen; a study named by its whole digest also straight from the gateway."""

    try:
        return desk.find(named, types, wait_seconds=wait).envelope
    except NotFound:
        try:
            digest = decode_base64url(named)
        except ValueError:
            digest = b""
        if len(digest) != 32:
            raise
        return desk.fetch_study(digest)


def await_closing(desk: Desk, study: StoredDocument, wait: float) -> StoredDocument:
    """The closing that a steward proposed, as soon as the node has seen it. Raises NotFound after `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        with desk.store.reading() as view:
            closing = closing_of(view, study.study or b"")
        if closing is not None:
            return closing
        if time.monotonic() >= deadline:
            raise NotFound(
                "no steward has proposed to close this study, as far as this node has seen",
                hint="the steward runs: mpc-cde study close",
            )
        time.sleep(POLL_SECONDS)
