"""Keys of a computing session: one per direction for resharing, one per (t + 1)-subset for shared randomness.

K[i->j], 32 bytes chosen by i, keys what i deals to j: with one key per pair used both ways a third party
would learn a linear relation of what two dealers deal. A subset's key, chosen by its lowest member, is
known to its t + 1 members; any t parties lack the key of at least one subset, that of the others.

Every party draws its part with `own_keys`, sends `message_to(peer)` to each peer inside the mesh's TLS, one
round, and makes `SessionKeys` of what it got with `assemble`. A job works with keys derived for it alone:
HMAC-SHA256(key, tag || 0x00 || job id). A session and its keys end with the first failure, and a job id is
never run twice: with equal keys and operation numbers a repeated job would repeat its masks.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from protocols import field as fp
from protocols.errors import MalformedMessage, ProtocolMisuse
from protocols.keystream import KEY_BYTES, Keystream, Words, operation_block
from protocols.randomness import Randomness

RESHARING_TAG = b"mpc-cde/resharing/v1"
RANDOM_TAG = b"mpc-cde/prss/v1"
ZERO_TAG = b"mpc-cde/przs/v1"
JOB_ID_BYTES = 32

Subset = tuple[int, ...]
"""Party indices of the session, ascending."""


def key_subsets(session: Sequence[int], threshold: int) -> tuple[Subset, ...]:
    """The (t + 1)-subsets of a session, lexicographic. Raises ProtocolMisuse unless it has 2t + 1."""
    if threshold < 1 or len(session) != 2 * threshold + 1 or list(session) != sorted(set(session)):
        raise ProtocolMisuse(f"a session has exactly 2t + 1 parties in order, t >= 1; not {tuple(session)}")
    if session[0] < 0:
        raise ProtocolMisuse("party indices start at 0")
    return tuple(combinations(session, threshold + 1))


def keys_sent(session: Sequence[int], threshold: int, sender: int, receiver: int) -> tuple[Subset, ...]:
    """The subsets with `receiver` in them whose lowest member, and so whose chooser, is `sender`."""
    return tuple(s for s in key_subsets(session, threshold) if s[0] == sender and receiver in s[1:])


def message_bytes(session: Sequence[int], threshold: int, sender: int, receiver: int) -> int:
    """The exact length of the key message from `sender` to `receiver`."""
    return KEY_BYTES * (1 + len(keys_sent(session, threshold, sender, receiver)))


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """What one party has drawn: its direction keys, and the keys of the subsets whose lowest member it is."""

    session: tuple[int, ...]
    threshold: int
    me: int
    directions: Mapping[int, bytes] = field(repr=False)
    subsets: Mapping[Subset, bytes] = field(repr=False)

    def message_to(self, peer: int) -> bytes:
        """K[me->peer] || the keys of my subsets with the peer in them, in lexicographic order."""
        if peer not in self.directions:
            raise ProtocolMisuse(f"party {peer} is no peer in the session {self.session}")
        sent = keys_sent(self.session, self.threshold, self.me, peer)
        return b"".join([self.directions[peer], *(self.subsets[subset] for subset in sent)])


def own_keys(me: int, session: Sequence[int], threshold: int, randomness: Randomness) -> OwnKeys:
    """Draw the part of party `me` in a session of 2t + 1 party indices, ascending."""
    subsets = key_subsets(session, threshold)
    if me not in session:
        raise ProtocolMisuse(f"party {me} is not in the session {tuple(session)}")
    return OwnKeys(
        session=tuple(session),
        threshold=threshold,
        me=me,
        directions={peer: randomness.random_bytes(KEY_BYTES) for peer in session if peer != me},
        subsets={subset: randomness.random_bytes(KEY_BYTES) for subset in subsets if subset[0] == me},
    )


def parse_message(own: OwnKeys, sender: int, message: bytes) -> tuple[bytes, dict[Subset, bytes]]:
    """K[sender->me] and the subset keys in a peer's message. Raises MalformedMessage for another length."""
    expected = message_bytes(own.session, own.threshold, sender, own.me)
    if len(message) != expected:
        raise MalformedMessage(
            f"key message of party {sender}: expected {expected} bytes, found {len(message)}", peer=sender
        )
    keys = [bytes(message[start : start + KEY_BYTES]) for start in range(0, expected, KEY_BYTES)]
    return keys[0], dict(zip(keys_sent(own.session, own.threshold, sender, own.me), keys[1:], strict=True))


def assemble(own: OwnKeys, messages: Mapping[int, bytes]) -> SessionKeys:
    """The session's keys as `own.me` holds them, from every peer's message.

    Raises MalformedMessage, naming the peer, for a message of another length, and ProtocolMisuse unless
    there is exactly one message of each peer.
    """
    if set(messages) != set(own.directions):
        raise ProtocolMisuse(
            f"expected a message of each peer {sorted(own.directions)}, found {sorted(messages)}"
        )
    incoming: dict[int, bytes] = {}
    subset_keys = dict(own.subsets)
    for sender in sorted(messages):
        incoming[sender], received = parse_message(own, sender, messages[sender])
        subset_keys.update(received)
    return SessionKeys(
        resharing_out=dict(own.directions),
        resharing_in=incoming,
        subset_keys={
            subset: subset_keys[subset]
            for subset in key_subsets(own.session, own.threshold)
            if own.me in subset
        },
    )


def establish_locally(
    session: Sequence[int], threshold: int, randomness: Randomness
) -> dict[int, SessionKeys]:
    """Every party's keys, exchanged within one process: simulation and tests."""
    drawn = {party: own_keys(party, session, threshold, randomness) for party in session}
    return {
        party: assemble(own, {peer: drawn[peer].message_to(party) for peer in session if peer != party})
        for party, own in drawn.items()
    }


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """One party's keys for one session: K[me->j], K[j->me], and those of the (t + 1)-subsets it is in."""

    resharing_out: Mapping[int, bytes] = field(repr=False)
    resharing_in: Mapping[int, bytes] = field(repr=False)
    subset_keys: Mapping[Subset, bytes] = field(repr=False)

    def for_job(self, job_id: bytes) -> JobKeys:
        """The keys of one job. `job_id` has 32 bytes, names the attempt too, and serves once in a session."""
        if len(job_id) != JOB_ID_BYTES:
            raise ProtocolMisuse(f"a job id has {JOB_ID_BYTES} bytes, not {len(job_id)}")

        def derived(keys: Mapping[int, bytes]) -> dict[int, Keystream]:
            return {peer: derive(key, RESHARING_TAG, job_id) for peer, key in keys.items()}

        def of_subsets(tag: bytes) -> dict[Subset, Keystream]:
            return {subset: derive(key, tag, job_id) for subset, key in self.subset_keys.items()}

        return JobKeys(
            out=derived(self.resharing_out),
            into=derived(self.resharing_in),
            random=of_subsets(RANDOM_TAG),
            zero=of_subsets(ZERO_TAG),
        )


@dataclass(frozen=True, slots=True)
class JobKeys:
    """One party's keystreams for one job. An operation number serves once."""

    out: Mapping[int, Keystream] = field(repr=False)
    into: Mapping[int, Keystream] = field(repr=False)
    random: Mapping[Subset, Keystream] = field(repr=False)
    zero: Mapping[Subset, Keystream] = field(repr=False)

    def resharing_out(self, peer: int, operation: int, count: int) -> fp.FieldVector:
        """What I deal to `peer` without a message: shape (count,)."""
        return self.out[peer].elements(operation_block(operation), count)

    def resharing_in(self, dealer: int, operation: int, count: int) -> fp.FieldVector:
        """What `dealer` deals to me without a message: shape (count,)."""
        return self.into[dealer].elements(operation_block(operation), count)

    def words_out(self, peer: int, operation: int) -> Words:
        """What `resharing_out` is made of, piece by piece."""
        return self.out[peer].words(operation_block(operation))

    def words_in(self, dealer: int, operation: int) -> Words:
        """What `resharing_in` is made of, piece by piece."""
        return self.into[dealer].words(operation_block(operation))

    def random_stream(self, subset: Subset, operation: int, count: int) -> fp.FieldVector:
        """What the members of `subset` draw for a random sharing: shape (count,)."""
        return self.random[subset].elements(operation_block(operation), count)

    def zero_stream(self, subset: Subset, operation: int, count: int) -> fp.FieldVector:
        """What the members of `subset` draw for a sharing of zero: shape (count,)."""
        return self.zero[subset].elements(operation_block(operation), count)


def derive(key: bytes, tag: bytes, job_id: bytes) -> Keystream:
    """HMAC-SHA256(key, tag || 0x00 || job id) as the key of a stream."""
    return Keystream(hmac.digest(key, tag + b"\x00" + job_id, hashlib.sha256))
