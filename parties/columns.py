"""Where the columns of a roster lie, and how a node has them: built in a process of their own, or deleted.

One directory a roster:

    shares.u64      this party's shares and what it derives from them, (L + M, n) little-endian uint64: row = element
                    or derived row, column = roster row
    manifest.json   roster, L, layout of the derived rows, n, SHA-256 of the columns; written last
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from mpc_cde.errors import StoreDamaged
from mpc_cde.sealing import SealingPrivateKey
from parties.party_home import CommunityHome

SHARES, MANIFEST = "shares.u64", "manifest.json"


def unfinished(directory: Path) -> Path:
    """Where the columns of `directory` are written before they stand there."""
    return directory.with_name(directory.name + ".making")


def delete_columns(directory: Path) -> None:
    """Remove columns, finished or not. Raises OSError if any of their shares stay: they are in the clear."""
    for place in (directory, unfinished(directory)):
        if place.exists():
            shutil.rmtree(place)


async def prepare_columns(
    home: CommunityHome, key: SealingPrivateKey, *, party: int, study: bytes, roster: bytes
) -> Path:
    """Have sound columns of a roster, built in a process of its own where they are not; their shares' path.

    The study's sealing key goes to that process by its standard input. Raises StoreDamaged.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # never import from wherever the node was started
        "-m",
        "parties.column_builder",
        *("--place", str(home.path), "--party", str(party), "--study", study.hex(), "--roster", roster.hex()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate(f"{key.suite} {key.secret_bytes().hex()}".encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise StoreDamaged(said.decode(errors="replace").strip()[-300:] or "the columns could not be built")
    return home.columns_path / roster.hex() / SHARES
