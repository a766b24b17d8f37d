"""Logs of several parties held against each other, against their checkpoints and against published results.

One log proves that nothing in it was changed after it was written; that nothing was left out of it, or
written twice in two ways, shows only where somebody else holds a head of it: a result carries the heads of the
parties that computed it, and a party notes in its own log every checkpoint that it saw of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_cde.client.trust import TrustedCommunity
from mpc_cde.documents.canonical import decode_base64url
from mpc_cde.documents.result import Result
from mpc_cde.errors import CallerError
from mpc_cde.node_log import EMPTY, TAG, LogDamaged, LogEntry, LogHead, parse_entry, read_log

CHECKPOINT_SEEN = "checkpoint.seen"
"""Event of a party's log: a checkpoint of another party, with its `party`, `length` and `head`."""
RESULT_SIGNED = "result.signed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was compared; `problem` says what does not fit, None if everything does."""

    party: str
    what: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """A log whose chain and signatures were verified: its heads by length, and what it says of others."""

    name: str
    heads: tuple[bytes, ...]
    seen: tuple[tuple[int, LogHead], ...]
    signed_results: frozenset[bytes]

    def holds(self, head: LogHead) -> bool:
        """Whether the log once ended in this entry."""
        return 0 < head.length <= len(self.heads) and self.heads[head.length - 1] == head.digest


def audit(paths: Sequence[Path], trusted: TrustedCommunity, results: Iterable[Result] = ()) -> list[Finding]:
    """All findings, logs first. Raises CallerError for a file that is no log of a party, or two of one party."""
    logs: dict[int, AuditedLog] = {}
    findings = []
    for path in paths:
        party = _whose(path, trusted)
        name = trusted.current.cards[party].name
        if party in logs:
            raise CallerError(f"{path}: another of the logs is of {name} too", hint="give one for each party")
        try:
            logs[party] = _walk(path, name, trusted.current.party_key(party))
        except LogDamaged as error:
            findings.append(Finding(name, str(path), str(error)))
            continue
        findings.append(Finding(name, f"{len(logs[party].heads)} entries, each signed and chained"))
    findings += _checkpoints(logs)
    for result in results:
        findings += _heads_of(result, logs)
    return findings


def _checkpoints(logs: Mapping[int, AuditedLog]) -> list[Finding]:
    return [
        _holds(logs[party], head, f"the checkpoint of entry {head.length} that {witness.name} saw")
        for witness in logs.values()
        for party, head in witness.seen
        if party in logs
    ]


def _heads_of(result: Result, logs: Mapping[int, AuditedLog]) -> list[Finding]:
    findings = [
        _holds(
            logs[stated.party],
            LogHead(stated.length, stated.head),
            f"the head in the result of {result.time}",
        )
        for stated in result.log_heads
        if stated.party in logs
    ]
    for party in result.parties:
        if party in logs:
            signed = result.digest() in logs[party].signed_results
            problem = None if signed else "its log does not say that it signed this result"
            findings.append(
                Finding(logs[party].name, f"its signature on the result of {result.time}", problem)
            )
    return findings


def _holds(log: AuditedLog, head: LogHead, what: str) -> Finding:
    return Finding(log.name, what, None if log.holds(head) else f"its log has no such entry {head.length}")


def _walk(path: Path, name: str, key: bytes) -> AuditedLog:
    heads: list[bytes] = []
    seen: list[tuple[int, LogHead]] = []
    signed: set[bytes] = set()
    for entry in read_log(path, key):
        heads.append(entry.digest())
        if entry.event == CHECKPOINT_SEEN:
            seen.append((_number(entry, "party"), LogHead(_number(entry, "length"), _digest(entry, "head"))))
        elif entry.event == RESULT_SIGNED:
            signed.add(_digest(entry, "result"))
    return AuditedLog(name, tuple(heads), tuple(seen), frozenset(signed))


def _number(entry: LogEntry, name: str) -> int:
    value: Any = entry.details.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise LogDamaged(entry.number, f"{entry.event} without its {name}")
    return value


def _digest(entry: LogEntry, name: str) -> bytes:
    try:
        return decode_base64url(entry.details[name])
    except (KeyError, TypeError, ValueError):
        raise LogDamaged(entry.number, f"{entry.event} without its {name}") from None


def _whose(path: Path, trusted: TrustedCommunity) -> int:
    """The party whose key signed the first entry. Raises CallerError."""
    try:
        with path.open("rb") as file:
            first = parse_entry(file.readline().rstrip(b"\n"), EMPTY)
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror or 'not readable'}") from None
    except LogDamaged as error:
        raise CallerError(f"{path} does not begin as a party's log does: {error}") from None
    for party, card in enumerate(trusted.current.cards):
        key = Ed25519PublicKey.from_public_bytes(card.identity_key)
        try:
            key.verify(first.signature, TAG + first.digest())
        except InvalidSignature:
            continue
        return party
    raise CallerError(f"{path} was signed by no party of the community")
