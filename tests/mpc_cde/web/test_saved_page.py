"""The page as one file: the same bytes again, nothing from elsewhere, and no other file passes for it."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mpc_cde.cli.app import app as command_line
from mpc_cde.errors import BadDocument, CallerError
from mpc_cde.web import saved_page as saving
from mpc_cde.web.saved_page import saved_page, verify_saved_page

GATEWAY, FINGERPRINT = "https://gateway.example", "abcdefghijklmnopqrstuvwxy"
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def page() -> bytes:
    return saved_page(gateway=GATEWAY, fingerprint=FINGERPRINT)


def test_a_saved_page_is_the_same_each_time_and_says_whom_it_is_for(page: bytes) -> None:
    assert saved_page(gateway=GATEWAY, fingerprint="abcde-fghij-klmno-pqrst-uvwxy") == page
    assert verify_saved_page(page) == (GATEWAY, FINGERPRINT)


def test_one_byte_more_or_another_gateway_in_the_policy_is_refused(page: bytes) -> None:
    for other in (
        page + b" ",
        page.replace(b"connect-src https://gateway.example", b"connect-src https://gateway.example *"),
        page.replace(b"</title>", b"</title><script>1</script>"),
        b"<!doctype html>",
        b"\xff\xfe",
    ):
        assert other != page
        with pytest.raises(BadDocument):
            verify_saved_page(other)


@pytest.mark.parametrize(
    "gateway",
    ["https://a.example; script-src *", "https://a.example https://b.example", "gateway", "https://a/b"],
)
def test_nothing_but_an_origin_goes_into_the_policy(gateway: str) -> None:
    with pytest.raises(CallerError):
        saved_page(gateway=gateway, fingerprint=FINGERPRINT)


def test_a_saved_page_asks_for_nothing_and_stays_small(page: bytes) -> None:
    text = page.decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for rule in ("default-src &#x27;none&#x27;", "img-src data:", f"connect-src {GATEWAY}", "trusted-types"):
        assert rule in policy[1]
    assert "unsafe" not in policy[1]
    assert not re.search(r"(?:src|href)=\"(?!data:)", text.replace('link.href = "', ""))
    assert len(gzip.compress(page)) < 150_000


@pytest.mark.skipif(NODE is None, reason="node is missing; `make test-tools` installs it")
def test_its_script_is_one_module(page: bytes, tmp_path: Path) -> None:
    script = page.decode().partition('<script type="module">')[2].partition("</script>")[0]
    (tmp_path / "page.mjs").write_text(script)
    subprocess.run([str(NODE), "--check", str(tmp_path / "page.mjs")], check=True)
    assert not re.search(r"^(?:import|export)\b", script, re.MULTILINE)


def test_forms_of_import_that_are_not_understood_are_errors_and_circles_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for sources in (
        {"member/main.js": 'import fallback from "./other.js";'},
        {"member/main.js": "export default 1;"},
        {"member/main.js": 'import { a } from "./b.js";', "member/b.js": 'import { a } from "./main.js";'},
    ):
        monkeypatch.setattr(saving, "_text", lambda path, sources=sources: sources[path])
        with pytest.raises(ValueError, match=r"understood|imports itself"):
            saving._bundle(saving.ENTRY)


def test_command_saves_and_verifies(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    given = ["--home", str(tmp_path / "home"), "--gateway", GATEWAY, "--fingerprint", FINGERPRINT]
    done = CliRunner().invoke(command_line, ["pages", "save", "--output", str(target), *given])
    assert done.exit_code == 0, done.output
    checked = CliRunner().invoke(command_line, ["pages", "verify", str(target)])
    assert checked.exit_code == 0
    assert "abcde-fghij-klmno-pqrst-uvwxy" in checked.output
    target.write_bytes(target.read_bytes() + b" ")
    assert CliRunner().invoke(command_line, ["pages", "verify", str(target)]).exit_code != 0
