"""The root of everything a client believes: a community document, pinned by its fingerprint.

A person compares 25 characters with what each organisation prints on its own site. From there versions follow
one another: each names the digest of the one before and is signed by every party of both. A gateway can keep
a newer version back; it cannot invent one, nor take a client back to an older one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc_cde.documents.authority import open_first_community, open_next_community
from mpc_cde.documents.community import Community, format_fingerprint, parse_fingerprint
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument, CallerError

MAX_VERSIONS = 1000


@dataclass(frozen=True, slots=True)
class TrustedCommunity:
    """All versions from the pinned one to the newest known, with the envelopes that prove them."""

    fingerprint: str
    versions: tuple[Community, ...]
    envelopes: tuple[Envelope, ...]

    @property
    def current(self) -> Community:
        """The newest version."""
        return self.versions[-1]

    def version_named(self, digest: bytes, *, what: str) -> Community:
        """The version with this digest. Raises BadDocument saying that `what` names an unknown one."""
        for community, envelope in zip(self.versions, self.envelopes, strict=True):
            if envelope.digest() == digest:
                return community
        raise BadDocument(f"{what} names a version of the community that is not among the signed ones")


def parse_pin(text: str) -> str:
    """The fingerprint that a person typed. Raises CallerError."""
    try:
        return parse_fingerprint(text)
    except ValueError:
        raise CallerError(
            "this is no fingerprint of a community: expected 25 letters and digits in groups of five",
            hint="Copy it from the site of one of the organisations that compute.",
        ) from None


def verify_community(envelopes: Sequence[Envelope], fingerprint: str) -> TrustedCommunity:
    """The chain of versions under a pinned fingerprint, the pinned one first.

    Raises BadDocument for another community or a broken chain, BadSignature naming who did not sign.
    """
    if not 0 < len(envelopes) <= MAX_VERSIONS:
        raise BadDocument(f"expected 1 to {MAX_VERSIONS} versions of the community, found {len(envelopes)}")
    versions = [open_first_community(envelopes[0], fingerprint=fingerprint)]
    for envelope in envelopes[1:]:
        versions.append(open_next_community(versions[-1], envelope))
    return TrustedCommunity(fingerprint, tuple(versions), tuple(envelopes))


def follow(trusted: TrustedCommunity, offered: Sequence[Envelope]) -> TrustedCommunity:
    """What is trusted after a gateway served `offered`, oldest first: the same or more, never less.

    The offered versions may begin before or after those that are trusted. Raises BadDocument, BadSignature.
    """
    known = {community.digest() for community in trusted.versions}
    digests = [envelope.digest() for envelope in offered]
    newest = trusted.current.digest()
    if newest in digests:
        later = offered[digests.index(newest) + 1 :]
    elif known.intersection(digests):
        raise BadDocument(
            f"the gateway serves an older community document than version {trusted.current.version}, "
            "which is known here; it keeps the newer one back",
            whom="the gateway",
        )
    else:
        later = offered
    versions, envelopes = list(trusted.versions), list(trusted.envelopes)
    for envelope in later:
        try:
            versions.append(open_next_community(versions[-1], envelope))
        except BadDocument as error:
            raise BadDocument(
                "the gateway serves another community than the one pinned here "
                f"({format_fingerprint(trusted.fingerprint)}): {error}",
                whom="the gateway",
            ) from None
        envelopes.append(envelope)
    return TrustedCommunity(trusted.fingerprint, tuple(versions), tuple(envelopes))
