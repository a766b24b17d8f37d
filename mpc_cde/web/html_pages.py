"""The bare page around each entry of code: one head for all of them, and what who runs no scripts reads instead."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

PLACES: Mapping[str, str] = {
    "index.html": "member",
    "operator.html": "operator",
    "registrar.html": "registrar",
    "researcher.html": "researcher",
    "results.html": "results",
    "steward.html": "steward",
}
"""Each page by the folder of its code, which is the beginning of its words too."""

HEAD = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light">\n<title>mpc-cde</title>\n',
)
"""Before and after what a page may say of its own policy."""


def html_page(place: str, catalogues: Mapping[str, Mapping[str, str]]) -> bytes:
    """The page whose code is in this folder; `catalogues` by language."""
    before, after = HEAD
    links = (
        '<link rel="icon" href="style/mark.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="style/pages.css">\n'
        f'<script type="module" src="{place}/main.js"></script>\n'
    )
    return f"{before}{after}{links}</head>\n<body>\n{body(place, catalogues)}\n</body>\n</html>\n".encode()


def body(place: str, catalogues: Mapping[str, Mapping[str, str]]) -> str:
    """The one element that code fills; without code it says why nothing is there, in every language."""
    said = "".join(
        f'<p lang="{language}">{escape(words[f"noscript.{place}"], quote=False)}</p>'
        for language, words in sorted(catalogues.items())
    )
    return f'<div id="page" aria-live="off"><main><noscript>{said}</noscript></main></div>'
