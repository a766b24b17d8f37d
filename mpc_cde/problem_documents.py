"""What both sides of a problem document (RFC 9457) know: its stable type, and the code of its detail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mpc_cde.coded_text import CodedText

TYPE_PREFIX = "urn:mpc-cde:problem:"
MAX_VALUES = 8
MAX_VALUE_CHARACTERS = 500

_CODE = re.compile(r"[a-z_]{1,64}", re.ASCII)


def kind_of(type_uri: str) -> str | None:
    """The last part of a type of ours, such as not-found; None for anybody else's."""
    return type_uri.removeprefix(TYPE_PREFIX) if type_uri.startswith(TYPE_PREFIX) else None


def code_members(detail: str) -> dict[str, Any]:
    """What a problem document says beside its detail, so that a page can say it in every language."""
    return {"code": detail.code, "values": dict(detail.values)} if isinstance(detail, CodedText) else {}


def coded_detail(problem: Mapping[str, Any], shown: str) -> str:
    """The text that is shown for a problem, with its code if the document gives one in order; nothing is believed."""
    code, values = problem.get("code"), problem.get("values")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return shown
    if not isinstance(values, dict) or len(values) > MAX_VALUES:
        return shown
    if not all(isinstance(one, str) and len(one) <= MAX_VALUE_CHARACTERS for one in values.values()):
        return shown
    text = CodedText(shown)
    text.code, text.values = code, dict(values)
    return text
