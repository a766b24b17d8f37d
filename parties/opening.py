"""What every process of a party opens before anything else: its log, and the community as it stands.

Apart from `node.py` so that an operator's command starts without everything that a node runs.
"""

from __future__ import annotations

from anyio import to_thread

from mpc_cde.client.trust import verify_community
from mpc_cde.documents.community import Community
from mpc_cde.errors import StoreDamaged
from mpc_cde.keys import SigningKey
from parties.clock import Clock
from parties.gateway_client import PartyGateway
from parties.log import NodeLog
from parties.party_home import CommunityHome
from parties.share_store import ShareStore


def open_log(place: CommunityHome, store: ShareStore, identity: SigningKey, clock: Clock) -> NodeLog:
    """The log, which must go at least as far as the store says. Raises StoreDamaged.

    The store is asked first: the running node writes its log before its store, so a log read later goes at
    least as far.
    """
    with store.reading() as view:
        known = view.log_head
    log = NodeLog(place.log_path, identity, clock)
    if log.head.length < known.length:
        raise StoreDamaged(
            f"the log ends at entry {log.head.length}, but entry {known.length} had been written: it was cut"
        )
    return log


async def fetch_community(gateway: PartyGateway, place: CommunityHome, log: NodeLog) -> Community:
    """The newest version that the gateway serves, verified from the pinned one on, and kept on disk.

    Raises NotFound while it is not signed by all, BadSignature or BadDocument if it does not verify.
    """
    versions = await gateway.communities()
    trusted = verify_community(versions, place.path.name)
    await to_thread.run_sync(place.write_envelope, place.community_path, trusted.envelopes[-1])
    log.append("community.stands", {"fingerprint": trusted.fingerprint, "version": trusted.current.version})
    return trusted.current
