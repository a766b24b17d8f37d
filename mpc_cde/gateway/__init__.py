"""The relay that cannot read: keeps signed documents and sealed envelopes, and hands them to whom they concern.

It verifies every signature so that nothing forged is kept, and nobody has to believe that it did.

app, server        the FastAPI application; uvicorn around it        settings      one TOML file, environment
routes             one module a resource                            answers       what is answered, as models
problems           one table of problem documents (RFC 9457)        bodies        capped, strict reading
admission          what a posted document must be signed by         postings      the one way into the store
store, tables      SQLite (or PostgreSQL by URL)                    feeds         what a party reads, in order
communities, study_files, query_files, audiences                    what the stored documents come to
readers            who reads (RFC 9421)                             openapi       docs/openapi.json
token_buckets, cross_origin, guard, metrics, bell                   the edges

No module here imports code that could open a share; `make check` proves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpc_cde.gateway.settings import GatewaySettings


def serve(settings: GatewaySettings) -> None:
    """Run a gateway until SIGTERM or Ctrl-C. Raises CallerError if it cannot start."""
    from mpc_cde.gateway.server import run  # uvicorn and fastapi take half a second to import

    run(settings)
