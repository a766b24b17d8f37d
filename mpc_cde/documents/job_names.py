"""What jobs are called: a job id is a digest of all that a computation depends on.

It enters every PRF key, coin and message label, so parties that disagree about one input share no keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpc_cde.documents.canonical import canonical_bytes, digest_of, encode_base64url


def job_id(
    *, session_id: bytes, query: bytes, checked_roster: bytes, functions: Sequence[str], attempt: int
) -> bytes:
    """32 bytes. `query` is the digest of a query or scheduled release; `functions` are name@version."""
    return digest_of(
        canonical_bytes(
            {
                "type": "job/v1",
                "session": encode_base64url(session_id),
                "query": encode_base64url(query),
                "checked_roster": encode_base64url(checked_roster),
                "functions": list(functions),
                "attempt": attempt,
            }
        )
    )


def input_check_job_id(*, session_id: bytes, roster: bytes, attempt: int) -> bytes:
    """32 bytes; the roster's digest stands in place of query and checked roster."""
    return digest_of(
        canonical_bytes(
            {
                "type": "input-check-job/v1",
                "session": encode_base64url(session_id),
                "roster": encode_base64url(roster),
                "attempt": attempt,
            }
        )
    )
