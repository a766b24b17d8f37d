"""How routes are described in the OpenAPI document; bodies are read as bytes, so their form is told here."""

from __future__ import annotations

from typing import Any

from mpc_cde.body_parts import (
    CORRECTION_PART,
    DOCUMENT_PART,
    DOCUMENTS_MEDIA_TYPE,
    ENTRIES_PART,
    MAX_DOCUMENTS,
)
from mpc_cde.documents.canonical import decode_base64url
from mpc_cde.errors import NotFound
from mpc_cde.gateway.answers import Acknowledged, PostedAnswer, Problem

ENVELOPE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Envelope",
    "description": "A signed document (DSSE); payload and sig are unpadded base64url.",
    "required": ["payloadType", "payload", "signatures"],
    "additionalProperties": False,
    "properties": {
        "payloadType": {
            "type": "string",
            "pattern": r"^application/vnd\.mpc-cde\.[a-z-]+\.v[1-9][0-9]*\+json$",
        },
        "payload": {"type": "string", "contentEncoding": "base64url"},
        "signatures": {
            "type": "array",
            "minItems": 1,
            "maxItems": 64,
            "items": {
                "type": "object",
                "required": ["keyid", "sig"],
                "additionalProperties": False,
                "properties": {
                    "keyid": {"type": "string", "contentEncoding": "base64url"},
                    "sig": {"type": "string", "contentEncoding": "base64url"},
                },
            },
        },
    },
}
_BINARY = {"type": "string", "format": "binary"}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM_REF}}}


_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "A problem document (RFC 9457)", "model": Problem},
    "5XX": {"description": "A problem document (RFC 9457)", "model": Problem},
}
ACKNOWLEDGED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was here already", "model": Acknowledged},
    201: {"description": "It is on disk", "model": Acknowledged},
    **PROBLEMS,
}


SEVERAL_ACKNOWLEDGED: dict[int | str, dict[str, Any]] = {
    **ACKNOWLEDGED,
    200: {
        "description": "It was here already; of several documents, what became of each",
        "model": Acknowledged | PostedAnswer,
    },
}


def document_body(*types: str) -> dict[str, Any]:
    """A body of one signed document of one of these types."""
    description = "One signed document: " + " or ".join(types)
    content = {"application/json": {"schema": ENVELOPE_SCHEMA}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def documents_body(*types: str) -> dict[str, Any]:
    """The same, or several of them from a party or a registrar."""
    body = document_body(*types)
    lines = {"type": "string", "description": f"At most {MAX_DOCUMENTS} signed documents, one a line"}
    body["requestBody"]["content"][DOCUMENTS_MEDIA_TYPE] = {"schema": lines}
    return body


def submission_body() -> dict[str, Any]:
    """The multipart body of a submission."""
    schema = {
        "type": "object",
        "required": [DOCUMENT_PART, CORRECTION_PART, "envelope-0"],
        "properties": {
            DOCUMENT_PART: {"type": "string", "contentMediaType": "application/json"},
            CORRECTION_PART: _BINARY,
        },
        "patternProperties": {"^envelope-[0-9]+$": _BINARY},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def signature_body() -> dict[str, Any]:
    """A party's signature: the document alone, or a roster with its entries."""
    described = document_body("roster/v1", "checked-roster/v1", "result/v1")
    schema = {
        "type": "object",
        "required": [DOCUMENT_PART, ENTRIES_PART],
        "properties": {
            DOCUMENT_PART: {"type": "string", "contentMediaType": "application/json"},
            ENTRIES_PART: {"type": "string", "contentMediaType": "application/json"},
        },
    }
    described["requestBody"]["content"]["multipart/form-data"] = {"schema": schema}
    return described


def answered(model: type, description: str = "As asked") -> dict[int | str, dict[str, Any]]:
    """A 200 with this model, and problems."""
    return {200: {"description": description, "model": model}, **PROBLEMS}


def digest_in_path(text: str) -> bytes:
    """The digest that an address names. Raises NotFound for anything else."""
    try:
        digest = decode_base64url(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise NotFound("the address holds no digest (43 characters of base64url)")
    return digest
