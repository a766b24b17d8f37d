"""Deletion: when a study has expired, was refused or cancelled, this party destroys what it held of it.

First the sealing key, which makes every copy of the envelopes and of the kept seeds unreadable wherever it
lies; then corrections, seeds and columns on this machine. Records of what was accepted, rosters and results
stay: they hold no figure. What is said in the log is done when it is said; a crash in between does it
again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.community import Community
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.study import Study
from mpc_cde.life_cycles import study as life
from parties.columns import delete_columns
from parties.log import NodeLog
from parties.party_home import CommunityHome
from parties.share_store import ShareStore
from parties.studies import know_study

LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Ended:
    study: bytes
    state: str
    rosters: tuple[bytes, ...]


def destroy_ended_studies(
    store: ShareStore, log: NodeLog, home: CommunityHome, community: Community, now: datetime
) -> tuple[bytes, ...]:
    """Destroy the secrets of every study that is over; returns the digests of their terms. Blocks."""
    done = []
    for ended in _ended_studies(store, home, community, now):
        home.destroy_sealing_key(ended.study)
        home.destroy_p_percent(ended.study)
        try:
            for roster in ended.rosters:
                delete_columns(home.columns_path / roster.hex())
        except OSError as error:  # the next look tries again, and says "destroyed" only when it is true
            details = {"study": encode_base64url(ended.study), "reason": error.strerror or "unknown"}
            log.append("study.columns_not_deleted", details)
            continue
        with store.writing() as transaction:
            submissions = transaction.delete_shares(ended.study)
            said = {
                "study": encode_base64url(ended.study),
                "state": ended.state,
                "submissions": submissions,
            }
            transaction.set_log_head(log.append("study.secrets_destroyed", said))
        done.append(ended.study)
    return tuple(done)


def _ended_studies(
    store: ShareStore, home: CommunityHome, community: Community, now: datetime
) -> list[_Ended]:
    """Studies that are over and of which something secret is still here."""
    ended = []
    with store.reading() as view:
        for terms in {
            stored.study for stored in view.documents(Study.type_name()) if stored.study is not None
        }:
            if not (home.has_sealing_key(terms) or view.holds_shares(terms)):
                continue
            known = know_study(view, terms, community, now)
            if known is None or not isinstance(
                known.state, life.Expired | life.Deleted | life.Refused | life.Cancelled
            ):
                continue
            rosters = tuple(stored.digest for stored in view.documents(Roster.type_name(), study=terms))
            ended.append(_Ended(terms, known.state.name, rosters))
    return sorted(ended, key=lambda found: found.study)
