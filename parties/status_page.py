"""What `mpc-party status` tells: the community, the node, and every study with what it waits for."""

from __future__ import annotations

from typing import Any

from mpc_cde.cli.showing import say
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.community import Community, format_fingerprint
from mpc_cde.documents.study import Study
from mpc_cde.errors import NotFound
from mpc_cde.life_cycles import study as life
from parties.ceremony import read_community, verify_own_place
from parties.operator_desk import SHOWN_CHARACTERS, Desk, running_node
from parties.share_store import StoreView
from parties.studies import know_study


def describe_status(desk: Desk) -> dict[str, Any]:
    """All that an operator wants to see at a glance; plain JSON values."""
    with desk.store.reading() as view:
        community = read_community(desk.place)
        status: dict[str, Any] = {
            "home": str(desk.home.path),
            "fingerprint": desk.place.path.name,
            "node": running_node(desk.home),
            "community": None,
            "feed_number": view.feed_number,
            "outbox": view.count_outbox(),
            "outbox_problems": sorted({item.problem for item in view.outbox() if item.problem}),
            "log_length": desk.log.head.length,
            "studies": [],
        }
        if community is not None:
            own_index = verify_own_place(desk.home, desk.identity, community)
            status["community"] = {
                "name": community.name,
                "version": community.version,
                "party": own_index,
                "party_name": community.cards[own_index].name,
                "parties": [card.name for card in community.cards],
            }
            terms = {stored.study for stored in view.documents(Study.type_name()) if stored.study is not None}
            status["studies"] = [
                _study_status(desk, view, digest, community, own_index) for digest in sorted(terms)
            ]
    return status


def _study_status(
    desk: Desk, view: StoreView, terms_digest: bytes, community: Community, own_index: int
) -> dict[str, Any]:
    known = know_study(view, terms_digest, community, desk.clock())
    if known is None:
        raise NotFound("a study went away while it was looked at")
    counts = view.count_submissions(terms_digest)
    approvals = {stored.party for stored in view.documents(Approval.type_name(), study=terms_digest)}
    waiting = life.waiting_for(known.state)
    return {
        "study": encode_base64url(terms_digest),
        "proposal": encode_base64url(known.study.digest()),
        "title": known.terms.title,
        "state": known.state.name,
        "closes": known.presentation.closes,
        "approved_here": own_index in approvals,
        "waiting_for": [community.cards[index].name for index in sorted(waiting)],
        "accepted": counts.pop("accepted", 0),
        "members": view.count_members(terms_digest),
        "refused": counts,
        "sealing_key": desk.place.has_sealing_key(terms_digest),
    }


def say_status(found: dict[str, Any]) -> None:
    """`describe_status` in lines for people."""
    community, node = found["community"], found["node"]
    if community is None:
        say(
            f"Community {format_fingerprint(found['fingerprint'])}: approved here, not yet signed by every party"
        )
    else:
        say(f"Party {community['party']}, {community['party_name']}, in {community['name']}")
    say(
        "Node: not running"
        if node is None
        else f"Node: running as process {node['pid']}, {node['operations']}"
    )
    outbox = found["outbox"]
    say(
        f"Feed up to item {found['feed_number']}; outbox: {outbox['pending']} waiting, {outbox['refused']} refused"
    )
    for problem in found["outbox_problems"]:
        say(f"  {problem}")
    for study in found["studies"]:
        _say_study(study)


def _say_study(study: dict[str, Any]) -> None:
    shown = study["study"][:SHOWN_CHARACTERS]
    say(f"Study {shown} {study['title']}: {study['state']}, {study['members']} members")
    for reason, count in sorted(study["refused"].items()):
        say(f"  {count} submissions refused: {reason}")
    if study["waiting_for"]:
        say(f"  waits for {', '.join(study['waiting_for'])}")
    if study["state"] == "proposed" and not study["approved_here"]:
        say(f"  to approve it: mpc-party approve {shown}")
