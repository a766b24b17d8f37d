"""The operator's page: what waits for a yes or a no, and how this node is; served by `mpc-party serve`.

It signs by the same code as `mpc-party approve` and `refuse`, and asks no more of the home than they do. What it
tells is documents, names, counts, sizes and fingerprints: there is no call that reads a share, a seed, a submission
or a private key, and the one secret that comes in (the p of a p% rule, handed over past the gateway) never goes out.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from cryptography.x509 import load_der_x509_certificate

from mpc_cde.coded_text import coded, worded
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import open_proposed_study, signing_parties
from mpc_cde.documents.canonical import decode_base64url, encode_base64url
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community, fingerprint_of, format_fingerprint
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_differences import differences
from mpc_cde.errors import BadDocument, CallerError, KeyFileRefused, NotFound
from mpc_cde.keys import Passphrase
from mpc_cde.life_cycles import study as life
from mpc_cde.lookalikes import remarks_on
from mpc_cde.node_log import verify_log
from mpc_cde.secret_files import read_secret_file
from mpc_cde.web.local_room import Described, Room, optional_text_of, text_of
from mpc_cde.web.serving import PagesSettings
from parties.approvals import SigningPlace, reasons_against
from parties.operator_desk import Desk
from parties.operator_signing import checkpoint_at_desk, close_at_desk, refuse_at_desk, sign_at_desk
from parties.self_check import check_party
from parties.share_store import StoredDocument, StoreView
from parties.status_page import describe_status
from parties.studies import KnownStudy, find_study, know_study

PAGE = "operator.html"
SHOWN_ENTRIES = 20
SHOWN_OF_ENTRY = ("number", "time", "event", "details")
BLOCK_BYTES = 1 << 18
MAX_LOOK_BACK_BYTES = 1 << 24
"""How far back a look goes: whoever wants to know about what was before walks the log by `mpc-party log`."""
SESSION_EVENTS = ("job.", "roster.", "session.", "result.")
SIGNED_AS_THEY_STAND = (Researcher, Amendment)
"""What waits here beside studies and closings. Memberships come by the thousand, and registrars countersign them."""


@dataclass(slots=True)
class OperatorRoom:
    """The calls of the page, over one opened home; `passphrase` locks the keys that an approval makes."""

    desk: Desk
    passphrase: Passphrase | None = field(repr=False)
    describe: Described
    _signed: set[str] = field(default_factory=set, init=False)
    """Signed on this page, and perhaps not yet back from the gateway."""

    def room(self) -> Room:
        """What can be asked here; nothing else can."""
        place = self.desk.signing_place()
        card = place.community.cards[place.own_index]
        return Room(
            page=PAGE,
            looks={
                "overview": self.overview,
                "study": self.study,
                "machine": self.machine,
                "log": self.log,
            },
            acts={
                "approve": self.approve,
                "refuse": self.refuse,
                "verify-log": self.verify_log,
                "checkpoint": self.checkpoint,
                "check": self.check,
            },
            settings=PagesSettings(
                self.desk.settings.gateway, self.desk.place.path.name, card.name, frozenset()
            ),
            describe=self.describe,
        )

    # looking ------------------------------------------------------------------------------------------------

    def overview(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Every study with its state, and what waits for this organisation."""
        place = self.desk.signing_place()
        status = describe_status(self.desk)
        with self.desk.store.reading() as view:
            waiting = list(self._waiting(view, place))
        return {**status, "waiting": [one for one in waiting if one["digest"] not in self._signed]}

    def study(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One study as it was proposed, why this party may not approve it, and what is other than last time."""
        place = self.desk.signing_place()
        with self.desk.store.reading() as view:
            stored = self._proposal(view, asked)
            study = open_proposed_study(stored.envelope, place.community)
            known = know_study(view, study.terms_digest(), place.community, self.desk.clock())
            if known is None:
                raise NotFound(worded("no_such_study", "this node has seen no such study"))
            last = self._last_study(view, place, study)
            approvals = _parties_of(view, Approval.type_name(), stored)
            refusals = [
                (one.party, one.parse(Refusal).reason)
                for one in view.documents(Refusal.type_name(), study=study.terms_digest())
                if one.subject == stored.digest
            ]
        reasons = reasons_against(
            study, place.community, self.desk.settings.policy.as_policy(), self.desk.clock()
        )
        names = [card.name for card in place.community.cards]
        return {
            "id": encode_base64url(study.terms_digest()),
            "study": json.loads(stored.envelope.payload),
            "state": known.state.name,
            "may_be_refused": isinstance(known.state, life.Proposed | life.Approved | life.Open),
            "own_index": place.own_index,
            "parties": names,
            "threshold": place.community.threshold,
            "approved": sorted(approvals),
            "refused": [{"party": party, "reason": reason} for party, reason in refusals],
            "reasons": [coded(reason) for reason in reasons],
            "own_minimum": self.desk.settings.policy.minimum_contributors,
            "own_minimum_group": self.desk.settings.policy.minimum_contributors_group,
            "needs_p": self._needs_p(place, study),
            "last": None if last is None else last.study.terms.title,
            "differences": []
            if last is None
            else [one.to_json() for one in differences(last.study.terms, study.terms)],
        }

    def machine(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Peers, sessions, disk and keys: addresses, counts, sizes and fingerprints, never a secret."""
        place = self.desk.signing_place()
        usage = shutil.disk_usage(self.desk.home.path)
        return {
            "peers": list(_peers(place)),
            "sessions": self._last_entries(SESSION_EVENTS, 20),
            "disk": {
                "total": usage.total,
                "free": usage.free,
                "store": _size(self.desk.place.store_path.parent, "node.sqlite3*"),
                "log": _size(self.desk.place.log_path.parent, "log.jsonl"),
                "columns": _size(self.desk.place.columns_path, "**/*"),
            },
            "keys": list(self._keys(place)),
        }

    def log(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Some entries of the log, newest first, all of them before number `before`; none holds a figure or key."""
        before = optional_text_of(asked, "before", longest=16) or str(self.desk.log.head.length + 1)
        if not (before.isascii() and before.isdigit()):
            raise CallerError(worded("number_expected", "{field}: expected a number", field="before"))
        entries = self._last_entries(("",), SHOWN_ENTRIES, before=int(before))
        return {"length": self.desk.log.head.length, "entries": entries}

    # doing --------------------------------------------------------------------------------------------------

    def approve(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Sign what was read, named by its whole digest; the same code as `mpc-party approve`."""
        p_percent = _p_percent(optional_text_of(asked, "p_percent"))
        with self.desk.store.reading() as view:
            stored = self._document(view, asked)
        if stored.type_name == Closing.type_name():
            delivery = close_at_desk(self.desk, stored)
        else:
            _, delivery = sign_at_desk(
                self.desk, stored.envelope, passphrase=self.passphrase, p_percent=p_percent
            )
        self._signed.add(encode_base64url(stored.digest))
        return {"delivery": coded(delivery)}

    def refuse(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse a study with a reason that everybody reads; the same code as `mpc-party refuse`."""
        reason = text_of(asked, "reason", longest=500)
        with self.desk.store.reading() as view:
            stored = self._proposal(view, asked)
        return {"delivery": coded(refuse_at_desk(self.desk, stored, reason=reason))}

    def verify_log(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Walk the whole log: chain, signatures, and that it goes as far as the store says."""
        with self.desk.store.reading() as view:
            known = view.log_head
        head = verify_log(self.desk.place.log_path, self.desk.identity.public_bytes, at_least=known)
        return {"length": head.length, "head": encode_base64url(head.digest)}

    def checkpoint(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Sign how far the log goes, for the other parties."""
        head, delivery = checkpoint_at_desk(self.desk)
        return {"length": head.length, "head": encode_base64url(head.digest), "delivery": coded(delivery)}

    def check(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """What `mpc-party check` finds."""
        findings = check_party(self.desk.home, self.passphrase, self.desk.clock)
        return {
            "findings": [
                {
                    "what": coded(one.what),
                    "found": coded(one.found),
                    "problem": None if one.problem is None else coded(one.problem),
                    "hint": None if one.hint is None else coded(one.hint),
                }
                for one in findings
            ]
        }

    # what stands behind them --------------------------------------------------------------------------------

    def _waiting(self, view: StoreView, place: SigningPlace) -> Iterator[dict[str, Any]]:
        community, own = place.community, place.own_index
        for terms in sorted(
            {one.study for one in view.documents(Study.type_name()) if one.study is not None}
        ):
            known = know_study(view, terms, community, self.desk.clock())
            stored = find_study(view, terms)
            if known is None or stored is None:
                continue
            if isinstance(known.state, life.Proposed) and own not in _parties_of(
                view, Approval.type_name(), stored
            ):
                yield {
                    "kind": "study",
                    "digest": encode_base64url(stored.digest),
                    "study": encode_base64url(terms),
                    "title": known.terms.title,
                    "closes": known.presentation.closes,
                }
            if isinstance(known.state, life.Approved | life.Open):
                yield from self._waiting_closings(view, known, place)
        for kind in SIGNED_AS_THEY_STAND:
            for stored in view.documents(kind.type_name()):
                if own not in signing_parties(stored.envelope, community):
                    changed = None if stored.study is None else find_study(view, stored.study)
                    yield _as_it_stands(stored, kind, community, changed)

    def _waiting_closings(
        self, view: StoreView, known: KnownStudy, place: SigningPlace
    ) -> Iterator[dict[str, Any]]:
        for stored in view.documents(Closing.type_name(), study=known.terms_digest):
            if place.own_index not in signing_parties(stored.envelope, place.community):
                closing = stored.parse(Closing)
                yield {
                    "kind": "closing",
                    "digest": encode_base64url(stored.digest),
                    "study": encode_base64url(known.terms_digest),
                    "title": known.terms.title,
                    "steward": closing.steward,
                    "closes": closing.time,
                    "members": view.count_members(known.terms_digest),
                }

    def _document(self, view: StoreView, asked: Mapping[str, Any]) -> StoredDocument:
        kinds = (Study, Closing, *SIGNED_AS_THEY_STAND)
        stored = view.document(_digest(asked))
        if stored is None or stored.type_name not in {kind.type_name() for kind in kinds}:
            raise NotFound(worded("no_such_document", "this node has seen no such document"))
        return stored

    def _proposal(self, view: StoreView, asked: Mapping[str, Any]) -> StoredDocument:
        stored = view.document(_digest(asked))
        if stored is None or stored.type_name != Study.type_name():
            raise NotFound(worded("no_such_study", "this node has seen no such study"))
        return stored

    def _last_study(self, view: StoreView, place: SigningPlace, study: Study) -> KnownStudy | None:
        """The study that this party approved last, other than this one."""
        found = None
        for approval in view.documents(Approval.type_name()):
            if approval.party != place.own_index or approval.study in (None, study.terms_digest()):
                continue
            known = know_study(view, approval.study or b"", place.community, self.desk.clock())
            found = known or found
        return found

    def _needs_p(self, place: SigningPlace, study: Study) -> bool:
        commitment = study.terms.disclosure.p_percent
        if commitment is None:
            return False
        try:
            place.home.load_p_percent(study.terms_digest(), commitment)
        except KeyFileRefused:
            return True
        return False

    def _keys(self, place: SigningPlace) -> Iterator[dict[str, Any]]:
        """Public halves only: the private ones are not even opened for this."""
        yield _key("identity", self.desk.identity.public_bytes)
        pem = read_secret_file(self.desk.home.mesh_certificate_path).decode("ascii")
        certificate = load_der_x509_certificate(ssl.PEM_cert_to_DER_cert(pem))
        own = place.community.cards[place.own_index]
        until = f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
        yield {**_key("mesh", own.mesh_spki_sha256()), "until": until}
        with self.desk.store.reading() as view:
            for stored in view.documents(Approval.type_name()):
                if stored.party != place.own_index or stored.study is None:
                    continue
                proposal = find_study(view, stored.study)
                approval = stored.parse(Approval)
                yield {
                    **_key("study", approval.sealing_key.key),
                    "title": None if proposal is None else proposal.parse(Study).terms.title,
                    "here": place.home.has_sealing_key(stored.study),
                }

    def _last_entries(
        self, beginnings: tuple[str, ...], count: int, *, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest first, from the end of the file; that the chain holds is for `verify_log` to say."""
        entries = (json.loads(line) for line in _lines_backwards(self.desk.place.log_path))
        shown = ({name: entry[name] for name in SHOWN_OF_ENTRY} for entry in entries)
        asked = (one for one in shown if before is None or one["number"] < before)
        return list(islice((one for one in asked if one["event"].startswith(beginnings)), count))


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Finished lines from the last to the first, as far back as a look goes."""
    rest = b""  # of a line that begins further back
    is_finished = False  # what stands behind the last end of a line is no entry yet
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        furthest = max(0, end - MAX_LOOK_BACK_BYTES)
        while end > furthest:
            start = max(furthest, end - BLOCK_BYTES)
            file.seek(start)
            rest, *lines = (file.read(end - start) + rest).split(b"\n")
            if lines and not is_finished:
                lines.pop()
                is_finished = True
            yield from reversed(lines)
            end = start
    if is_finished and furthest == 0:
        yield rest


def _digest(asked: Mapping[str, Any]) -> bytes:
    try:
        digest = decode_base64url(text_of(asked, "digest", longest=43))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise CallerError(worded("digest_expected", "{field}: expected the whole digest", field="digest"))
    return digest


def _p_percent(text: str | None) -> PPercent | None:
    try:
        return None if text is None else PPercent.parse_payload(text.encode())
    except BadDocument:  # whose message quotes nothing
        raise CallerError(
            worded("no_p_file", "not the file of a p% rule"),
            hint=worded("right_file", "Is it the right file?"),
        ) from None


def _parties_of(view: StoreView, type_name: str, proposal: StoredDocument) -> set[int]:
    """Parties with a document of this type about exactly this proposal."""
    documents = view.documents(type_name, study=proposal.study)
    return {one.party for one in documents if one.subject == proposal.digest and one.party is not None}


def _as_it_stands(
    stored: StoredDocument, kind: type[Any], community: Community, changed: StoredDocument | None
) -> dict[str, Any]:
    """A document for its card; `changed` is the study that an amendment is about."""
    document = stored.parse(kind)
    signed = [community.cards[party].name for party in sorted(signing_parties(stored.envelope, community))]
    common = {"digest": encode_base64url(stored.digest), "signed": signed}
    if isinstance(document, Researcher):
        return {
            "kind": "researcher",
            **common,
            "title": document.name,
            "remarks": [coded(remark) for remark in remarks_on(document.name)],
            "functions": list(document.functions),
            "every_study": document.studies is None,
            "closes": document.valid_until,
        }
    title = "" if changed is None else changed.parse(Study).terms.title
    return {"kind": "amendment", **common, "title": title, "closes": document.presentation.closes}


def _peers(place: SigningPlace) -> Iterator[dict[str, Any]]:
    for index, card in enumerate(place.community.cards):
        yield {
            "name": card.name,
            "role": card.role,
            "contact": card.contact,
            "mesh": card.mesh_address,
            "pages": card.pages_origin,
            "own": index == place.own_index,
            "identity": _fingerprint(card.identity_key),
            "certificate": _fingerprint(card.mesh_spki_sha256()),
        }


def _key(kind: str, public: bytes) -> dict[str, Any]:
    return {"kind": kind, "fingerprint": _fingerprint(public)}


def _fingerprint(public: bytes) -> str:
    return format_fingerprint(fingerprint_of(public))


def _size(directory: Any, pattern: str) -> int:
    return sum(path.stat().st_size for path in directory.glob(pattern) if path.is_file())
