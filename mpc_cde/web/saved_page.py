"""The member's page as one file that asks no server for code: every module, word and style inside, under a policy.

The same bytes for the same gateway and fingerprint, so that `mpc-cde pages verify FILE` can make them again and
compare. Modules are put one after another, each in a function of its own; only the plain forms of import and export
that our modules use are understood, and any other is an error.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from html import escape

from mpc_cde.documents.community import parse_fingerprint
from mpc_cde.errors import BadDocument, CallerError
from mpc_cde.web.assets import load_assets, load_catalogues
from mpc_cde.web.html_pages import HEAD, body
from mpc_cde.web.serving import FIXED_POLICY

ENTRY = "member/main.js"
_IMPORT = re.compile(
    r'^import\s+(\{[^}]*\}|\* as \w+)\s+from "(\.{1,2}/[\w./-]+)";[^\S\n]*(?://[^\n]*)?$', re.MULTILINE
)
_DECLARED = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
_RENAMED = re.compile(r"(\w+) as (\w+)")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,300}")
_CATALOGUE = re.compile(r"catalogues/[a-z]+\.json")  # without those of rooms
_LISTED = re.compile(r"^export \{([^}]*)\};$", re.MULTILINE)
_DATA = re.compile(r'<script type="application/json" id="saved-files">(.*?)</script>', re.DOTALL)


def saved_page(*, gateway: str, fingerprint: str) -> bytes:
    """The file, for one gateway (its origin) and one community. Raises CallerError for what is none."""
    if not _ORIGIN.fullmatch(gateway):  # it goes into the policy, so nothing else may hide in it
        raise CallerError(f"no origin of a gateway: {gateway}", hint="Write it as https://gateway.example")
    try:
        fingerprint = parse_fingerprint(fingerprint)
    except ValueError as error:
        raise CallerError(str(error)) from None
    files = {
        path: json.loads(asset.content) for path, asset in load_assets().items() if _CATALOGUE.fullmatch(path)
    }
    mark = _data_address("style/mark.svg")
    settings = {"gateway": gateway, "fingerprint": fingerprint, "party": None}
    data = json.dumps(
        {**files, "style/mark.svg": mark, "settings.json": settings}, sort_keys=True, separators=(",", ":")
    ).replace("<", "\\u003c")
    script = f"\n{_bundle(ENTRY)}\n"
    style = f"\n{_text('style/pages.css')}\n"
    policy = {
        **{name: value for name, value in FIXED_POLICY.items() if name != "frame-ancestors"},
        "script-src": _hash_source(script),
        "style-src": _hash_source(style),
        "img-src": "data:",
        "connect-src": gateway,
    }
    policy_text = "; ".join(f"{name} {value}" for name, value in policy.items())
    before, after = HEAD
    return "\n".join(
        [
            f'{before}<meta http-equiv="Content-Security-Policy" content="{escape(policy_text)}">',
            after.rstrip(),
            f'<link rel="icon" href="{mark}" type="image/svg+xml">',
            f"<style>{style}</style>\n</head>\n<body>",
            f'<script type="application/json" id="saved-files">{data}</script>',
            body("member", load_catalogues()),
            f'<script type="module">{script}</script>\n</body>\n</html>\n',
        ]
    ).encode("utf-8")


def verify_saved_page(content: bytes) -> tuple[str, str]:
    """Gateway and fingerprint of a file that is exactly what this version saves. Raises BadDocument."""
    found = _DATA.search(content.decode("utf-8", errors="replace"))
    try:
        settings = json.loads(found[1] if found else "{}")["settings.json"]
        gateway, fingerprint = str(settings["gateway"]), str(settings["fingerprint"])
        expected = saved_page(gateway=gateway, fingerprint=fingerprint)
    except (ValueError, KeyError, TypeError, CallerError):
        raise BadDocument("the file is no saved page", whom="whoever handed it out") from None
    if expected != content:
        raise BadDocument(
            "the file is not the page that this version saves: do not type figures there",
            whom="whoever handed it out",
        )
    return gateway, fingerprint


def _bundle(entry: str) -> str:
    """One module script: every module that the entry needs, those that others need first; the entry itself last."""
    order: dict[str, str] = {}
    _collect(entry, order, ())
    *needed, (_, last) = order.items()
    names = {path: f"module{number}" for number, path in enumerate(order)}
    parts = [
        f"const {names[path]} = (() => {{\n{_inside(path, source, names)}\n}})();" for path, source in needed
    ]
    return "\n".join([*parts, "{", _inside(entry, last, names), "}"])


def _collect(path: str, order: dict[str, str], above: tuple[str, ...]) -> None:
    if path in order:
        return
    if path in above:
        raise ValueError(f"{path} imports itself by way of {' and '.join(above)}")
    source = _text(path)
    for _, target in _IMPORT.findall(source):
        _collect(_resolved(path, target), order, (*above, path))
    order[path] = source


def _inside(path: str, source: str, names: Mapping[str, str]) -> str:
    """A module's text as the inside of a function that returns what it exports."""

    def taken(match: re.Match[str]) -> str:
        what, origin = match[1], names[_resolved(path, match[2])]
        if what.startswith("*"):
            return f"const {what.removeprefix('* as ')} = {origin};"
        renamed = _RENAMED.sub(r"\1: \2", what)
        return f"const {renamed} = {origin};"

    exported = [*_DECLARED.findall(source), *_listed(source)]
    text = _LISTED.sub("", _DECLARED.sub("", _IMPORT.sub(taken, source)))
    left = re.search(r"^(?:import|export)\b.*", text, re.MULTILINE)
    if left is not None:
        raise ValueError(f"{path}: a form of import or export that is not understood: {left[0]}")
    return text if not exported else f"{text}\nreturn {{ {', '.join(exported)} }};"


def _listed(source: str) -> Iterator[str]:
    for inside in _LISTED.findall(source):
        yield from (f"{name}: {own}" for own, name in _pairs(inside))


def _pairs(inside: str) -> Iterator[tuple[str, str]]:
    for entry in filter(None, (part.strip() for part in inside.split(","))):
        own, _, name = entry.partition(" as ")
        yield own, name or own


def _resolved(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _text(path: str) -> str:
    return load_assets()[path].content.decode("utf-8").replace("</script", "<\\/script")


def _data_address(path: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(load_assets()[path].content).decode('ascii')}"


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
