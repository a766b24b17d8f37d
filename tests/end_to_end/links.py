"""The links that a demo ends with when it keeps running."""

from __future__ import annotations

import re

import httpx


def links_work(said: str) -> bool:
    """Whether it keeps running by now; then pages for members at two parties and results at the gateway are there."""
    if "until Ctrl-C" not in said:
        return False
    links = re.findall(r"^ *(?:results|members) +(http://\S+)", said, re.MULTILINE)
    assert len(links) == 3, said
    for link in links:
        answer = httpx.get(link.partition("#")[0], trust_env=False, follow_redirects=True)
        assert answer.status_code == 200
        assert '<script type="module"' in answer.text
    return True
