"""The files of the pages, each by its digest, and the one digest of them all, reproducible from the wheel."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Digest, digest_of
from mpc_cde.web.html_pages import PLACES, html_page

PAGES = Path(__file__).parent / "pages"
MANIFEST_PATH = "manifest.json"
SETTINGS_PATH = "settings.json"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".sha256": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

AssetPath = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$", max_length=200)
]


class PagesManifest(Part):
    """Every file of the pages by its SHA-256; the digest of these bytes is the digest of the pages."""

    type: Literal["pages-manifest/v1"] = "pages-manifest/v1"
    files: Annotated[dict[AssetPath, Digest], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    path: str
    content: bytes
    media_type: str
    digest: bytes

    @property
    def compressed(self) -> bytes:
        """The same for whoever takes gzip."""
        return _compressed(self.content)


@cache
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@cache
def load_assets() -> Mapping[str, Asset]:
    """All files by their path under the origin; the bare pages are made here, from their words."""
    catalogues = load_catalogues()
    found = {path: _asset(path, html_page(place, catalogues)) for path, place in sorted(PLACES.items())}
    for file in sorted(PAGES.rglob("*")):
        if not file.is_file():
            continue
        path = str(PurePosixPath(*file.relative_to(PAGES).parts))
        found[path] = _asset(path, file.read_bytes())
    return found


def load_catalogues() -> Mapping[str, Mapping[str, str]]:
    """Every word of the pages by language and key."""
    files = sorted((PAGES / "catalogues").glob("*.json"))
    return {file.stem: json.loads(file.read_bytes()) for file in files}


def _asset(path: str, content: bytes) -> Asset:
    return Asset(path, content, MEDIA_TYPES[PurePosixPath(path).suffix], digest_of(content))


@cache
def pages_manifest() -> PagesManifest:
    """The manifest of the pages in this wheel; its `digest()` is what parties publish."""
    return PagesManifest(files={path: asset.digest for path, asset in load_assets().items()})
