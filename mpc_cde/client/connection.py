"""A gateway that serves the community pinned here: where every command that needs the network begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mpc_cde.client.gateway_calls import GatewayCalls, StudyListing
from mpc_cde.client.home import CommunityHome
from mpc_cde.client.http import GatewayClient, Transport
from mpc_cde.client.trust import TrustedCommunity, follow, verify_community
from mpc_cde.client.verification import VerifiedStudy, verify_study
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.community import fingerprint_of
from mpc_cde.errors import BadDocument, CallerError
from mpc_cde.life_cycles import study as life

T = TypeVar("T")
CALLED_OFF = frozenset(state.name for state in life.CALLED_OFF)


@dataclass(frozen=True, slots=True)
class Connection:
    """The gateway's calls, and the community as it is trusted after the gateway's newest version was checked."""

    calls: GatewayCalls
    trusted: TrustedCommunity
    home: CommunityHome | None = None

    async def verified_study(self, terms: bytes) -> VerifiedStudy:
        """A study that all parties approved. Raises NotFound, BadDocument, BadSignature."""
        file = await self.calls.study(terms)
        study = verify_study(self.trusted, file.study, file.approvals, file.amendments)
        if study.terms_digest != terms:
            raise BadDocument("the gateway served another study than was asked for", whom="the gateway")
        return study

    async def find_study(self, named: str | None, *, option: str = "--study") -> StudyListing:
        """The study whose digest or title begins so, or the only one; `option` is where a person names it.

        One that was called off, as far as the gateway says, gives way to one that was not. Raises CallerError.
        """
        listed = await self.calls.studies()
        if named is None:
            found = list(listed)
        else:
            found = [
                study
                for study in listed
                if begins(study.terms, named) or study.title.casefold().startswith(named.casefold())
            ]
        if len(found) > 1:
            found = [study for study in found if study.state not in CALLED_OFF] or found
        if len(found) == 1:
            return found[0]
        known = "; ".join(f"{encode_base64url(study.terms)[:11]} {study.title}" for study in listed[:10])
        if not listed:
            raise CallerError("the gateway knows no study yet", hint="Wait until a steward proposes one.")
        if not found:
            raise CallerError(f"no study begins with {named!r}; there are: {known}")
        raise CallerError(
            f"there are several studies: {known}",
            hint=f"Choose one with {option}, by the first characters of its digest.",
        )


class Connected(Protocol):
    """Does something over a connection to the gateway, and ends it."""

    def __call__(self, action: Callable[[Connection], Awaitable[T]]) -> T: ...


def begins(digest: bytes, named: str) -> bool:
    """Whether a digest's text begins as a person wrote it; a dash in front, which looks like an option, may go."""
    text = encode_base64url(digest)
    return text.startswith(named) or text.lstrip("-").startswith(named)


@asynccontextmanager
async def connect(
    url: str,
    *,
    fingerprint: str,
    home: CommunityHome | None = None,
    transport: Transport | None = None,
    connections: int = 16,
) -> AsyncIterator[Connection]:
    """Reach a gateway and follow the pinned community; `home` remembers what was learnt.

    Raises TransportError, BadDocument for another or an older community, BadSignature.
    """
    async with GatewayClient(url, transport=transport, connections=connections) as client:
        calls = GatewayCalls(client)
        offered = await calls.communities()
        if home is not None and home.is_pinned():
            trusted = follow(home.load_trusted(), offered)
        else:
            digests = [
                index for index in range(len(offered)) if _is_pinned(offered[index].digest(), fingerprint)
            ]
            start = digests[0] if digests else 0
            trusted = verify_community(offered[start:], fingerprint)
        if home is not None:
            home.save_trusted(trusted)
            home.save_gateway(client.url)
        yield Connection(calls, trusted, home)


def _is_pinned(digest: bytes, fingerprint: str) -> bool:
    return fingerprint_of(digest) == fingerprint
