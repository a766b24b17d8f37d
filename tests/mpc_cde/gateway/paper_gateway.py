"""A gateway in this process with a clock of ours, and a community on paper whose submissions have real parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import comb
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from mpc_cde.body_parts import (
    CORRECTION_PART,
    DOCUMENT_PART,
    ENTRIES_PART,
    JSON_MEDIA_TYPE,
    RAW_MEDIA_TYPE,
    entries_content,
    envelope_part,
)
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import digest_of, encode_base64url
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, Signer, add_signature
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import Audience
from mpc_cde.documents.submission import Submission
from mpc_cde.feed_format import FeedFrame, read_frames
from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.settings import GatewaySettings, Limits
from mpc_cde.gateway.store import Store
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import SignedReader
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import PaperCommunity, secret, signed

OPEN_DAY = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ORIGIN = "http://gateway.test"


class PaperMembers(PaperCommunity):
    """The community on paper; what members send has bytes behind its digests."""

    def __init__(self, *, audience: Audience = "researchers", roster_cap: int = 1000, **given: Any) -> None:
        super().__init__(**given)
        functions = tuple(f.model_copy(update={"audience": audience}) for f in self.study.terms.functions)
        terms = self.study.terms.model_copy(update={"functions": functions, "roster_cap": roster_cap})
        self.study = Study(terms=terms, presentation=self.study.presentation, steward="steward")
        self.study_envelope = signed(self.study, [self.steward_key])
        self.approvals = tuple(signed(self.approval(j), [self.party_keys[j]]) for j in range(self.m))

    def approval(self, party: int) -> Approval:
        return Approval(
            study=self.study.digest(),
            study_terms=self.study.terms_digest(),
            party=party,
            sealing_key=self.sealing_keys[party].public,
        )

    def correction(self, number: int) -> bytes:
        size = self.study.terms.element_count * 8
        return ScriptedRandomness(b"correction %d" % number).random_bytes(size)

    def sealed(self, number: int, party: int) -> bytes:
        return ScriptedRandomness(b"sealed %d %d" % (number, party)).random_bytes(1200)

    def submission(self, number: int, *, sequence: int = 1) -> Submission:
        return Submission(
            study_terms=self.study.terms_digest(),
            member=self.membership(number).member,
            sequence=sequence,
            seed_hashes=tuple(secret(f"seed {number} {i}") for i in range(comb(self.m, self.t))),
            correction=digest_of(self.correction(number)),
            envelopes=tuple(digest_of(self.sealed(number, j)) for j in range(self.m)),
            consent=self.study.terms.consent_digest,
        )

    def submission_envelope(self, number: int, **given: Any) -> Envelope:
        return signed(self.submission(number, **given), [self.member_key(number)])

    def parts(self, number: int, **given: Any) -> dict[str, bytes]:
        return {
            DOCUMENT_PART: self.submission_envelope(number, **given).to_json(),
            CORRECTION_PART: self.correction(number),
            **{envelope_part(j): self.sealed(number, j) for j in range(self.m)},
        }


class ManualClock:
    def __init__(self, now: datetime = OPEN_DAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **given: float) -> None:
        self.now += timedelta(**given)


class PaperGateway:
    """One gateway over one store; `store_url` None: SQLite in `home`."""

    def __init__(
        self,
        home: Path,
        *,
        paper: PaperMembers | None = None,
        store_url: str | None = None,
        **settings: Any,
    ) -> None:
        self.paper = paper or PaperMembers()
        self.clock = ManualClock()
        limits = settings.pop("limits", Limits())
        self.settings = GatewaySettings(home=home, database=store_url, limits=limits, **settings)
        self.store = Store.open(self.settings.database_url)
        self.app: FastAPI = create_app(self.settings, self.store, self.clock)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN)
        self._nonces = ScriptedRandomness(b"nonces")

    async def close(self) -> None:
        await self.http.aclose()
        self.store.close()

    async def post(self, collection: str, envelope: Envelope) -> httpx.Response:
        headers = {"Content-Type": JSON_MEDIA_TYPE}
        return await self.http.post(f"/v1/{collection}", content=envelope.to_json(), headers=headers)

    async def posted(self, collection: str, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            answer = await self.post(collection, envelope)
            assert answer.status_code in (200, 201), answer.text

    async def submit(self, parts: Mapping[str, bytes]) -> httpx.Response:
        files = [
            (name, (name, content, JSON_MEDIA_TYPE if name == DOCUMENT_PART else RAW_MEDIA_TYPE))
            for name, content in parts.items()
        ]
        return await self.http.post("/v1/submissions", files=files)

    def reader_headers(self, key: Signer, url: str, method: str = "GET") -> dict[str, str]:
        reader = SignedReader(key, randomness=self._nonces, clock=self.clock)
        return reader.headers(method, url)

    async def read(
        self, path: str, key: Signer | None = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        own = dict(headers or {})
        if key is not None:
            own |= self.reader_headers(key, ORIGIN + path)
        return await self.http.get(path, headers=own)

    async def feed(self, party: int, after: int = 0) -> list[FeedFrame]:
        path = f"/v1/parties/{party}/feed?after={after}"
        answer = await self.read(path, self.paper.party_keys[party])
        assert answer.status_code == 200, answer.text
        return list(read_frames(answer.content))

    # the story, as far as a test needs it ---------------------------------------------------------------

    async def found(self) -> None:
        """The community is in force."""
        await self.posted("communities", self.paper.community_envelope)

    async def enrol(self, *members: int) -> None:
        await self.posted("memberships", *(self.paper.membership_envelope(number) for number in members))

    async def open_study(self) -> None:
        await self.found()
        await self.posted("studies", self.paper.study_envelope)
        await self.posted("approvals", *self.paper.approvals)

    async def submitted(self, *members: int) -> None:
        await self.enrol(*members)
        for number in members:
            answer = await self.submit(self.paper.parts(number))
            assert answer.status_code == 201, answer.text

    async def receipted(self, *members: int) -> None:
        for number in members:
            await self.posted("receipts", *self.paper.receipts(number))

    async def freeze(self, *, with_entries: bool = False) -> None:
        """The study is over, all parties signed the roster and the checked roster."""
        self.clock.now = datetime(2027, 1, 1, 0, 10, tzinfo=UTC)
        roster = signed(self.paper.roster(), self.paper.party_keys)
        if with_entries:
            answer = await self.post_roster_with_entries(roster)
            assert answer.status_code == 201, answer.text
        else:
            await self.posted("signatures", roster)
        keys = [self.paper.party_keys[j] for j in self.paper.session]
        await self.posted("signatures", signed(self.paper.checked_roster(), keys))

    async def post_roster_with_entries(
        self, roster: Envelope, content: bytes | None = None
    ) -> httpx.Response:
        entries = content or entries_content(self.paper.rows())
        files = [
            (DOCUMENT_PART, (DOCUMENT_PART, roster.to_json(), JSON_MEDIA_TYPE)),
            (ENTRIES_PART, (ENTRIES_PART, entries, JSON_MEDIA_TYPE)),
        ]
        return await self.http.post("/v1/signatures", files=files)

    async def publish(self) -> None:
        """A researcher asked, all parties agreed, the result is signed. The query expires 2026-12-01."""
        self.clock.now = datetime(2026, 11, 1, tzinfo=UTC)
        await self.posted("researchers", signed(self.paper.researcher(), self.paper.party_keys))
        await self.posted("queries", signed(self.paper.query(), [self.paper.researcher_key]))
        await self.posted("decisions", *self.decisions())
        keys = [self.paper.party_keys[j] for j in self.paper.session]
        await self.posted("signatures", signed(self.paper.result(), keys))

    def decisions(self, answer: Any = "yes") -> list[Envelope]:
        return [
            signed(
                Decision(
                    study_terms=self.paper.study.terms_digest(),
                    query=self.paper.query().digest(),
                    checked_roster=self.paper.checked_roster().digest(),
                    party=j,
                    answer=answer,
                    rule="within_the_study",
                    explanation="As the study allows.",
                ),
                [self.paper.party_keys[j]],
            )
            for j in range(self.paper.m)
        ]

    @property
    def study_path(self) -> str:
        return f"/v1/studies/{encode_base64url(self.paper.study.terms_digest())}"


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem document, after checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:mpc-cde:problem:{name}", body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["hint"]
    return body


def resigned(envelope: Envelope, keys: Iterable[SigningKey]) -> Envelope:
    """The same payload, signed by others only."""
    bare = envelope.model_copy(update={"signatures": ()})
    for key in keys:
        bare = add_signature(bare, key)
    return bare
