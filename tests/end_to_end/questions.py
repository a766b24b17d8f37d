"""A question of the demo's researcher beside the one that the demo asks, with the keys that it left."""

from __future__ import annotations

from pathlib import Path

from mpc_cde.client.connection import connect
from mpc_cde.client.query import EnrolledResearcher, choose_items, make_query, run_query
from mpc_cde.client.verification import VerifiedResult
from mpc_cde.keys import load_signing_key
from mpc_cde.reader_signatures import SignedReader
from protocols.randomness import SystemRandomness

RESULT_SECONDS = 120.0


async def ask_for_percentiles(
    organisations: Path, *, gateway_url: str, fingerprint: str, figure: str, quantiles: int
) -> VerifiedResult:
    """So many percentiles of a figure over all members, and nothing else. Raises QueryDeclined."""
    key = load_signing_key(organisations / "researcher" / fingerprint / "researcher" / "signing.key")
    reader = SignedReader(key, randomness=SystemRandomness())
    async with connect(gateway_url, fingerprint=fingerprint) as connection:
        study = await connection.verified_study((await connection.find_study(None)).terms)
        asker = EnrolledResearcher.enrolled(key, await connection.calls.enrolment(reader), connection)
        items = choose_items(study, functions=["percentiles"], figures=[figure], groups=False)
        (asked,) = [item for item in items if len(item.parameters["quantiles"]) == quantiles]  # type: ignore[arg-type]  # quantiles are a tuple
        query = make_query(study, asker, (asked,), randomness=SystemRandomness())
        return await run_query(
            connection, study, asker, query, reader=reader, deadline_seconds=RESULT_SECONDS
        )
