"""Whether an origin hands out the pages of this wheel: every file, the policy around it, and nothing more asked.

It shows what that origin served to this machine, now. A server could serve somebody else something else: the
threat model says so, and a member who wants no server in the way uses the command line.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from mpc_cde.documents.canonical import digest_of
from mpc_cde.errors import BadDocument, CallerError, TransportError
from mpc_cde.web.assets import MANIFEST_PATH, PagesManifest, load_assets, pages_manifest
from mpc_cde.web.serving import FIXED_POLICY

TIMEOUT_SECONDS = 20.0
MAX_FILE_BYTES = 4 << 20
FRONT_PAGES = ("", "index.html")


@dataclass(frozen=True, slots=True)
class CheckedPages:
    """What an origin served: its digest, and every way in which it is not this wheel's."""

    origin: str
    digest: bytes
    files: int
    faults: tuple[str, ...]


def check_pages(
    origin: str, *, trusted_certificate: str | None = None, transport: httpx.BaseTransport | None = None
) -> CheckedPages:
    """Fetch everything that the origin lists and compare. `trusted_certificate` is a PEM file to trust instead of
    the system's. Raises TransportError, BadDocument for a manifest that is none, CallerError for an address.
    """
    try:
        url = httpx.URL(origin)
    except httpx.InvalidURL:
        raise CallerError(f"no address of pages: {origin}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise CallerError(f"no address of pages: {origin}", hint="Write it as https://party.example")
    context = ssl.create_default_context(cafile=trusted_certificate)
    with httpx.Client(
        base_url=origin, timeout=TIMEOUT_SECONDS, verify=context, transport=transport, trust_env=False
    ) as client:
        try:
            served = PagesManifest.parse_payload(_fetch(client, MANIFEST_PATH).content)
            faults = tuple(_faults(client, served))
        except httpx.HTTPError as error:
            raise TransportError(f"{origin}: {type(error).__name__}") from None
    return CheckedPages(origin, served.digest(), len(served.files), faults)


def _faults(client: httpx.Client, served: PagesManifest) -> Iterator[str]:
    own = pages_manifest()
    for path in sorted(set(own.files) | set(served.files)):
        if path not in served.files:
            yield f"{path}: is missing there"
        elif path not in own.files:
            yield f"{path}: is no file of this version"
    for path, asset in load_assets().items():
        answer = _fetch(client, path)
        if digest_of(answer.content) != asset.digest:
            yield f"{path}: differs from this version"
        if answer.headers.get("content-type") != asset.media_type:
            yield f"{path}: has another media type"
    for path in FRONT_PAGES:
        answer = _fetch(client, path)
        if digest_of(answer.content) != own.files["index.html"]:
            yield f"/{path}: differs from this version"
        yield from _faults_of_policy(path, answer)


def _faults_of_policy(path: str, answer: httpx.Response) -> Iterator[str]:
    policies = answer.headers.get_list("content-security-policy")
    directives = dict(
        directive.strip().split(" ", 1)
        for directive in ";".join(policies).split(";")
        if " " in directive.strip()
    )
    for name, value in FIXED_POLICY.items():
        if directives.get(name) != value:
            yield f"/{path}: its policy does not say {name} {value}"
    if "*" in directives.get("connect-src", "*"):
        yield f"/{path}: its policy lets it call anybody"


def _fetch(client: httpx.Client, path: str) -> httpx.Response:
    answer = client.get(f"/{path}")
    if len(answer.content) > MAX_FILE_BYTES:
        raise BadDocument(f"{path}: expected at most {MAX_FILE_BYTES} bytes", whom="the server of the pages")
    return answer
