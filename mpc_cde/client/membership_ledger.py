"""What a registrar has certified and revoked: one register id, one membership; and the second registrar's signature.

Files hold one membership a line, each a signed envelope as JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import anyio

from mpc_cde.client.connection import Connection
from mpc_cde.client.enrolment import (
    RegisterRefused,
    RegisterRow,
    issue_membership,
    register_id_digest,
    registrar_of,
)
from mpc_cde.coded_text import worded
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, add_signature, open_envelope, verify_signature
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.revocation import Revocation
from mpc_cde.errors import BadDocument, CallerError, StoreDamaged
from mpc_cde.keys import SigningKey
from mpc_cde.secret_files import read_secret_file, write_secret_file
from protocols.randomness import Randomness

LEDGER_FILE = "memberships.jsonl"
REVOCATIONS_FILE = "revocations.jsonl"
MAX_LEDGER_BYTES = 1 << 30


class MembershipLedger:
    """All memberships that this registrar has issued for one community, in its private directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER_FILE
        self._revocations_path = directory / REVOCATIONS_FILE

    def load(self) -> list[Envelope]:
        """In the order of issue. Raises StoreDamaged."""
        return _read(self._path)

    def revoked(self) -> frozenset[bytes]:
        """Member ids that this registrar has revoked."""
        revocations = [open_envelope(envelope, Revocation) for envelope in _read(self._revocations_path)]
        return frozenset(revocation.subject for revocation in revocations if revocation.kind == "member")

    def in_force(self) -> dict[bytes, Membership]:
        """The membership that stands for each register id, by the digest of that id; revoked ones are left out."""
        revoked = self.revoked()
        issued = (open_envelope(envelope, Membership) for envelope in self.load())
        return {one.register_id: one for one in issued if one.member not in revoked}

    def member_of(self, register_id: str) -> bytes:
        """The member id that stands for this register id, unless it was revoked. Raises CallerError."""
        membership = self.in_force().get(register_id_digest(register_id))
        if membership is not None:
            return membership.member
        raise CallerError(
            f"this registrar has issued no membership in force for {register_id!r}",
            hint="The registrar that issued it can revoke it so; any registrar by --member.",
        )

    def note_revocation(self, envelope: Envelope) -> None:
        """From now on the register id that the revoked member stood for may get a new membership."""
        kept = _read(self._revocations_path)
        write_secret_file(self._revocations_path, _lines([*kept, envelope]), replace=True)

    def issue(
        self,
        rows: Sequence[RegisterRow],
        *,
        community: Community,
        signing_key: SigningKey,
        randomness: Randomness,
        now: datetime,
        validity_days: int,
    ) -> tuple[list[Envelope], int]:
        """A membership for each row, in order, and how many of them are new; on disk when this returns.

        A row that was certified before, with the same content, gets the same membership. Raises
        RegisterRefused for a register id or a key that has another membership: invented members begin there.
        A register id whose member was revoked gets a new member id, for another key than the revoked one.
        """
        issued, revoked = self.load(), self.revoked()
        by_id: dict[bytes, Envelope] = {}
        keys: dict[bytes, bytes] = {}
        revoked_keys: set[bytes] = set()
        for envelope in issued:
            membership = open_envelope(envelope, Membership)
            keys[membership.signing_key] = membership.register_id
            if membership.member in revoked:
                revoked_keys.add(membership.signing_key)
            else:
                by_id[membership.register_id] = envelope
        registrar = registrar_of(community, signing_key)
        found: list[Envelope] = []
        fresh: list[Envelope] = []
        for row in rows:
            register_id = register_id_digest(row.register_id)
            if keys.get(row.signing_key, register_id) != register_id:
                raise RegisterRefused(
                    worded(
                        "key_of_another",
                        "row {row}: this key was certified for another register id",
                        row=row.row,
                    )
                )
            if row.signing_key in revoked_keys:
                raise RegisterRefused(
                    worded("key_revoked", "row {row}: this key was revoked", row=row.row),
                    hint=worded(
                        "key_revoked_hint",
                        "The member makes new keys: on its page, or mpc-cde member init --replace-keys",
                    ),
                )
            known = by_id.get(register_id)
            if known is None:
                known = issue_membership(
                    row,
                    community=community,
                    registrar=registrar,
                    signing_key=signing_key,
                    member=randomness.random_bytes(16),
                    now=now,
                    validity_days=validity_days,
                )
                fresh.append(known)
            elif not _is_same(open_envelope(known, Membership), row):
                raise RegisterRefused(
                    worded(
                        "membership_differs",
                        "row {row}: this register id has a membership with other content",
                        row=row.row,
                    ),
                    hint=worded(
                        "membership_differs_hint",
                        "One id, one membership: revoke the old one first (mpc-cde registrar revoke).",
                    ),
                )
            found.append(known)
        if fresh:
            write_secret_file(self._path, _lines([*issued, *fresh]), replace=True)
        return found, len(fresh)


def parse_lines(path: Path) -> list[Envelope]:
    """The memberships in a file that was handed over; nothing is verified. Raises CallerError."""
    try:
        return parse_memberships(path.read_bytes(), where=str(path))
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror or 'not readable'}") from None


def parse_memberships(data: bytes, *, where: str) -> list[Envelope]:
    """The same from bytes; `where` names them in errors. Raises CallerError."""
    try:
        return _parse(data)
    except BadDocument as error:
        raise CallerError(
            worded("no_memberships", "{where}: {why}", where=where, why=error),
            hint=worded("no_memberships_hint", "Is it the file that `registrar issue` wrote?"),
        ) from None


def memberships_text(envelopes: Iterable[Envelope]) -> str:
    """One membership a line, to be handed to the second registrar."""
    return _lines(envelopes).decode("utf-8")


def countersign_memberships(
    envelopes: Iterable[Envelope], *, community: Community, signing_key: SigningKey
) -> list[Envelope]:
    """Each with this registrar's signature beside that of the one who issued it.

    Raises BadSignature for a membership that its registrar did not sign, CallerError for the own memberships.
    """
    second = registrar_of(community, signing_key)
    signed = []
    for envelope in envelopes:
        membership = open_envelope(envelope, Membership)
        if membership.community != community.digest():
            raise BadDocument("a membership is for another version of the community")
        first = community.registrar(membership.registrar)
        if first is None:
            raise BadDocument(f"the community has no registrar {membership.registrar}")
        if first.key == second.key:
            raise CallerError(
                worded("own_memberships", "these memberships were issued with the key on this machine"),
                hint=worded("own_memberships_hint", "A countersignature is another registrar's."),
            )
        verify_signature(envelope, first.key, whom=f"registrar {first.name}")
        signed.append(add_signature(envelope, signing_key))
    return signed


def count_by_attribute(envelopes: Iterable[Envelope]) -> list[tuple[str, str, int]]:
    """How many members have which certified value: what a second registrar compares at a glance."""
    counts: Counter[tuple[str, str]] = Counter()
    for envelope in envelopes:
        counts.update(open_envelope(envelope, Membership).attributes.items())
    return [(attribute, value, count) for (attribute, value), count in sorted(counts.items())]


async def post_memberships(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    """Hand memberships to the gateway, a few at a time."""
    limiter = anyio.CapacityLimiter(8)

    async def post(envelope: Envelope) -> None:
        async with limiter:
            await connection.calls.post("memberships", envelope)

    async with anyio.create_task_group() as group:
        for envelope in envelopes:
            group.start_soon(post, envelope)


def _is_same(membership: Membership, row: RegisterRow) -> bool:
    return (
        membership.signing_key == row.signing_key
        and membership.sealing_key == row.sealing_key
        and membership.holding == row.holding
        and membership.sole_trader == row.sole_trader
        and dict(membership.attributes) == row.attributes
    )


def _read(path: Path) -> list[Envelope]:
    if not path.exists():
        return []
    try:
        return _parse(read_secret_file(path, max_bytes=MAX_LEDGER_BYTES))
    except BadDocument as error:
        raise StoreDamaged(f"{path}: {error}") from None


def _parse(data: bytes) -> list[Envelope]:
    return [Envelope.parse_json(line) for line in data.splitlines() if line.strip()]


def _lines(envelopes: Iterable[Envelope]) -> bytes:
    return b"".join(envelope.to_json() + b"\n" for envelope in envelopes)
