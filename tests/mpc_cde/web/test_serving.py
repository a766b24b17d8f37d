"""The pages as a server hands them out, and the check that notices any other."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import AsyncIterator, Callable

import anyio
import httpx
import pytest
from typer.testing import CliRunner

from mpc_cde.cli.app import app as command_line
from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.errors import BadDocument, CallerError, TransportError
from mpc_cde.web.assets import PAGES, PagesManifest, load_assets, load_catalogues, pages_manifest
from mpc_cde.web.checking import check_pages
from mpc_cde.web.html_pages import PLACES
from mpc_cde.web.serving import PagesApp, PagesSettings, content_security_policy

ORIGIN = "https://party.example"
SETTINGS = PagesSettings(
    "https://gateway.example", "a" * 25, "A party", frozenset({"https://gateway.example"})
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(PagesApp(lambda: SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


class Served(httpx.BaseTransport):
    """The application for a client that does not wait; `alter` stands between, as a false server would."""

    def __init__(
        self, alter: Callable[[str, httpx.Response], httpx.Response] = lambda _, answer: answer
    ) -> None:
        self._app = httpx.ASGITransport(PagesApp(lambda: SETTINGS))
        self._alter = alter

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._app, base_url=ORIGIN) as client:
                answer = await client.get(request.url.path, headers={"Accept-Encoding": "identity"})
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

        return self._alter(request.url.path, anyio.run(ask))


def test_manifest_names_every_file_by_its_digest() -> None:
    manifest = pages_manifest()
    files = {str(file.relative_to(PAGES)) for file in PAGES.rglob("*") if file.is_file()}
    assert set(manifest.files) == files | set(PLACES)
    assert (
        manifest.files["vendor/hpke.js"] == hashlib.sha256((PAGES / "vendor/hpke.js").read_bytes()).digest()
    )
    assert PagesManifest.parse_payload(manifest.payload_bytes()).digest() == manifest.digest()


def test_who_runs_no_scripts_reads_why_in_every_language() -> None:
    for path, place in PLACES.items():
        text = load_assets()[path].content.decode()
        for language, words in load_catalogues().items():
            assert f'<p lang="{language}">{words[f"noscript.{place}"]}</p>' in text


def test_pages_name_no_other_origin_and_hold_no_inline_code() -> None:
    for path, asset in load_assets().items():
        text = asset.content.decode()
        if path.endswith(".html"):
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", text), path
            assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text), path
        if path.endswith(".css"):
            assert not re.search(r"url\(|@import", text), path
        if path.endswith(".js") and not path.startswith("vendor/"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text
            ), path


def test_nothing_moves_for_who_asked_for_less_motion() -> None:
    styles = load_assets()["style/pages.css"].content.decode()
    still = re.sub(
        r"@media \(prefers-reduced-motion: no-preference\) \{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}",
        "",
        styles,
    )
    assert still != styles
    assert not re.search(r"transition|animation|scroll-behavior", still)


def loaded_by(page: str) -> set[str]:
    """Every file that a browser fetches for a page: what it names, what that imports, and so on."""
    assets = load_assets()
    found = {page, "catalogues/en.json"}
    if page in ("operator.html", "registrar.html", "steward.html"):
        found.add("catalogues/rooms/en.json")
    waiting = [page]
    while waiting:
        path = waiting.pop()
        text = (
            assets[path].content.decode()
            if path.endswith((".html", ".js")) and "/vendor/" not in f"/{path}"
            else ""
        )
        named = re.findall(r"(?:\bfrom|\bimport\(?|href=|src=)\s*\"([^\":]+)\"", text)
        for other in named:
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), other))
            if joined not in found:
                found.add(joined)
                waiting.append(joined)
    return found


async def test_files_travel_compressed_to_who_takes_that(client: httpx.AsyncClient) -> None:
    for path in ("/", "/core/bytes.js", "/catalogues/nl.json"):
        plain = await client.get(path, headers={"Accept-Encoding": "br, gzip;q=0"})
        small = await client.get(path, headers={"Accept-Encoding": "br, gzip"})
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert small.content == plain.content  # the client unpacks
        assert int(small.headers["content-length"]) < len(plain.content)
        assert plain.headers["etag"] != small.headers["etag"]
        assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
        for answer, coding in ((plain, "identity"), (small, "gzip")):
            known = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": coding}
            assert (await client.get(path, headers=known)).status_code == 304


@pytest.mark.parametrize("page", sorted(path for path in load_assets() if path.endswith(".html")))
def test_a_page_loads_in_less_than_150_kilobytes(page: str) -> None:
    loaded = loaded_by(page)
    assert {"shared/frame.js", "style/pages.css"} < loaded
    assert sum(len(load_assets()[path].compressed) for path in loaded) < 150_000


def test_every_file_belongs_to_a_page() -> None:
    loaded = {path for page in load_assets() if page.endswith(".html") for path in loaded_by(page)}
    rest = {path for path in load_assets() if not path.startswith(("catalogues/", "core/", "vendor/"))}
    assert rest - loaded == set()


async def test_every_answer_has_the_policy(client: httpx.AsyncClient) -> None:
    for path in ("/", "/core/bytes.js", "/settings.json", "/manifest.json", "/nothing"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "connect-src 'self' https://gateway.example" in policy
        assert "script-src 'self';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"]


async def test_a_file_that_is_known_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/core/bytes.js")
    again = await client.get("/core/bytes.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get("/core/canonical.js", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/core",
        "/core/",
        "/../assets.py",
        "/%2e%2e/assets.py",
        "/core/%2e%2e/%2e%2e/assets.py",
        "//etc/passwd",
    ],
)
async def test_nothing_but_the_pages_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_only_reading(client: httpx.AsyncClient) -> None:
    assert (await client.post("/settings.json", content=b"{}")).status_code == 405


def test_policy_names_each_origin_once() -> None:
    assert content_security_policy(["https://b", "https://a"]).endswith(
        "connect-src 'self' https://a https://b"
    )


def test_honest_pages_pass() -> None:
    checked = check_pages(ORIGIN, transport=Served())
    assert checked.faults == ()
    assert checked.digest == pages_manifest().digest()


def test_one_altered_byte_is_found() -> None:
    def alter(path: str, answer: httpx.Response) -> httpx.Response:
        if path != "/core/submission.js":
            return answer
        return httpx.Response(200, headers=answer.headers, content=answer.content + b" ")

    assert check_pages(ORIGIN, transport=Served(alter)).faults == (
        "core/submission.js: differs from this version",
    )


def test_another_front_page_is_found_though_the_manifest_is_honest() -> None:
    def alter(path: str, answer: httpx.Response) -> httpx.Response:
        return (
            httpx.Response(200, headers=answer.headers, content=b"<!doctype html>") if path == "/" else answer
        )

    assert "/: differs from this version" in check_pages(ORIGIN, transport=Served(alter)).faults


def test_a_weaker_policy_is_found() -> None:
    def alter(path: str, answer: httpx.Response) -> httpx.Response:
        policy = answer.headers["content-security-policy"]
        for strict, weak in (
            ("script-src 'self'", "script-src 'self' 'unsafe-inline'"),
            ("https://gateway.example", "*"),
        ):
            policy = policy.replace(strict, weak)
        return httpx.Response(
            200, headers={**answer.headers, "content-security-policy": policy}, content=answer.content
        )

    faults = check_pages(ORIGIN, transport=Served(alter)).faults
    assert any("script-src" in fault for fault in faults)
    assert any("call anybody" in fault for fault in faults)


def test_another_manifest_is_found() -> None:
    files = {name: encode_base64url(digest) for name, digest in pages_manifest().files.items()}
    del files["core/bytes.js"]
    other = canonical_bytes({"type": "pages-manifest/v1", "files": {**files, "core/spy.js": "A" * 43}})

    def alter(path: str, answer: httpx.Response) -> httpx.Response:
        return httpx.Response(200, content=other) if path == "/manifest.json" else answer

    faults = check_pages(ORIGIN, transport=Served(alter)).faults
    assert {"core/bytes.js: is missing there", "core/spy.js: is no file of this version"} <= set(faults)


def test_what_is_no_server_of_pages_says_so() -> None:
    with pytest.raises(BadDocument):
        check_pages(ORIGIN, transport=httpx.MockTransport(lambda _: httpx.Response(200, content=b"hello")))

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(TransportError):
        check_pages(ORIGIN, transport=httpx.MockTransport(refuse))
    with pytest.raises(CallerError):
        check_pages("party.example")


def test_command_shows_the_digest() -> None:
    done = CliRunner().invoke(command_line, ["pages", "digest"])
    assert done.output.strip() == encode_base64url(pages_manifest().digest())
