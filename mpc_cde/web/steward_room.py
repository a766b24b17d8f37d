"""The steward's page: a study from a template, as a member would see it, proposed, followed and closed.

Served by `mpc-cde steward serve`. The steward's key signs by the same code as `mpc-cde study`; who takes part is a
number here, and what was submitted is nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mpc_cde.client.connection import Connected, Connection
from mpc_cde.client.gateway_calls import StudyListing
from mpc_cde.client.stewardship import approving_parties, propose_closing, propose_study, steward_of
from mpc_cde.client.verification import verify_proposed_study
from mpc_cde.coded_text import worded
from mpc_cde.documents.canonical import encode_base64url, timestamp_of
from mpc_cde.documents.community import Community
from mpc_cde.documents.study import Study
from mpc_cde.errors import CallerError, PeerError
from mpc_cde.keys import SigningKey
from mpc_cde.study_templates import StudyTemplate, parse_template, study_from_template
from mpc_cde.study_templates.shipped_templates import TRADES, shipped_template, shipped_text
from mpc_cde.web.local_room import Described, Room, digest_of_text, text_of
from mpc_cde.web.serving import PagesSettings

PAGE = "steward.html"
PILOT = "pilot"
"""The name of the rules of a try-out: it stands in the terms, so nobody can take it off a study or put it on one."""
PILOT_RETENTION_DAYS = 7
MAX_TEMPLATE_CHARACTERS = 1 << 20
MAX_OPEN_DAYS = 366


def pilot_of(template: StudyTemplate) -> StudyTemplate:
    """The same study as a try-out with made-up figures: named so in its terms, and deleted soon."""
    return replace(
        template,
        title=f"{template.title} (pilot)",
        disclosure={**template.disclosure, "name": PILOT},
        retention_days=min(template.retention_days, PILOT_RETENTION_DAYS),
        translations=tuple(replace(one, title=f"{one.title} (pilot)") for one in template.translations),
    )


@dataclass(slots=True)
class StewardRoom:
    """The calls of the page; `connected` reaches the gateway, `gateway` and `fingerprint` are told to the page."""

    signing_key: SigningKey = field(repr=False)
    connected: Connected
    gateway: str
    fingerprint: str
    describe: Described
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def room(self) -> Room:
        """What can be asked here; nothing else can."""
        return Room(
            page=PAGE,
            looks={
                "overview": self.overview,
                "pulse": self.pulse,
                "templates": self.templates,
                "template": self.template,
            },
            acts={"draft": self.draft, "propose": self.propose, "close": self.close},
            settings=PagesSettings(self.gateway, self.fingerprint, None, frozenset()),
            describe=self.describe,
        )

    def overview(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Every study of the community with who approved it and how many have submitted; never who, never what."""

        async def look(connection: Connection) -> dict[str, Any]:
            community = connection.trusted.current
            studies = []
            for listing in await connection.calls.studies():
                studies.append(await _shown(connection, listing))
            return {"community": community.name, "steward": self._name(community), "studies": studies}

        return self.connected(look)

    def pulse(self, _: Mapping[str, Any]) -> list[list[Any]]:
        """What changes by itself, in one call of the gateway: the overview is worth another look if this differs."""

        async def look(connection: Connection) -> list[list[Any]]:
            return [
                [encode_base64url(one.terms), one.state, one.members, list(one.waiting_for)]
                for one in await connection.calls.studies()
            ]

        return self.connected(look)

    def templates(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The templates that travel with the package, in every language that they are written in."""
        return [
            {
                "name": trade,
                "titles": {
                    template.language: template.title,
                    **{one.language: one.title for one in template.translations},
                },
                "figures": len(template.figures),
            }
            for trade in TRADES
            for template in (shipped_template(trade),)
        ]

    def template(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """The text of one, to keep or to change."""
        return {"text": shipped_text(text_of(asked, "name"))}

    def draft(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The study that this text would become, unsigned, for a look at it as members will have it."""
        template = _template(asked)

        async def make(connection: Connection) -> dict[str, Any]:
            community = connection.trusted.current
            opens, closes = self._dates(asked)
            study = study_from_template(
                template,
                community=community.digest(),
                steward=steward_of(community, self.signing_key).name,
                opens=timestamp_of(opens),
                closes=timestamp_of(closes),
            )
            return {
                "study": json.loads(study.payload_bytes()),
                "terms": encode_base64url(study.terms_digest()),
                "community": json.loads(community.payload_bytes()),
                "threshold": community.threshold,
                "parties": [card.name for card in community.cards],
            }

        return self.connected(make)

    def propose(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """Sign it and hand it to the gateway; every party then reads it."""
        template = _template(asked)
        opens, closes = self._dates(asked)

        async def send(connection: Connection) -> Study:
            envelope, study = propose_study(
                template,
                community=connection.trusted.current,
                signing_key=self.signing_key,
                opens=opens,
                closes=closes,
            )
            await connection.calls.post("studies", envelope)
            return study

        study = self.connected(send)
        return {"study": encode_base64url(study.terms_digest()), "title": study.terms.title}

    def close(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """Propose to close a study before its time; it closes when every party has signed."""
        terms = digest_of_text(asked, "study")

        async def send(connection: Connection) -> str:
            verified = await connection.verified_study(terms)
            envelope = propose_closing(verified, signing_key=self.signing_key, now=self.clock())
            await connection.calls.post("closings", envelope)
            return verified.study.terms.title

        return {"title": self.connected(send)}

    def _name(self, community: Community) -> str:
        return steward_of(community, self.signing_key).label

    def _dates(self, asked: Mapping[str, Any]) -> tuple[datetime, datetime]:
        days = asked.get("days")
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_OPEN_DAYS:
            raise CallerError(
                worded("days_number", "days: expected a whole number from 1 to {most}", most=MAX_OPEN_DAYS)
            )
        now = self.clock()
        return now, now + timedelta(days=days)


def _template(asked: Mapping[str, Any]) -> StudyTemplate:
    template = parse_template(text_of(asked, "text", longest=MAX_TEMPLATE_CHARACTERS))
    return pilot_of(template) if asked.get("pilot") is True else template


async def _shown(connection: Connection, listing: StudyListing) -> dict[str, Any]:
    file = await connection.calls.study(listing.terms)
    shown: dict[str, Any] = {
        "study": encode_base64url(listing.terms),
        "title": listing.title,
        "state": file.state,
        "approved": [],
        "missing": [],
        "pilot": False,
        "closes": None,
        "members": listing.members,
        "waiting_for": listing.waiting_for,
    }
    try:
        community, study = verify_proposed_study(connection.trusted, file.study)
    except PeerError:  # its community is gone, or the gateway lies: nothing more is said of it
        return shown
    approved = approving_parties(community, study, file.approvals)
    return {
        **shown,
        "approved": [community.cards[party].name for party in sorted(approved)],
        "missing": [card.name for party, card in enumerate(community.cards) if party not in approved],
        "pilot": study.terms.disclosure.name == PILOT,
        "closes": study.presentation.closes,
    }
