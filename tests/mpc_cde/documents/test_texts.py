"""No text of any document moves a cursor or turns what a person reads, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

from mpc_cde.documents.base import Document, Part
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.registry import DOCUMENT_CLASSES

HOSTILE = ("a\u202eb", "a\x1b[2Jb", "a\u2066b", "a\x07b", "a\u2028b", "a\ufeffb")


def texts_of(annotation: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every kind of text in a model, with where it stands."""
    if get_origin(annotation) is Annotated:
        base = get_args(annotation)[0]
        if base is str:
            yield place, annotation
        else:
            yield from texts_of(base, place)
    elif annotation is str:
        yield place, annotation
    elif isinstance(annotation, type) and issubclass(annotation, Part):
        for name, field in annotation.model_fields.items():
            kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            yield from texts_of(kind, f"{place}.{name}")
    else:
        for inner in get_args(annotation):
            yield from texts_of(inner, place)


@pytest.mark.parametrize("kind", [*DOCUMENT_CLASSES, Envelope], ids=lambda kind: kind.__name__)
def test_every_text_of_a_document_refuses_what_turns_or_moves(kind: type[Document]) -> None:
    open_to_all = [
        place
        for place, annotation in texts_of(kind, kind.__name__)
        for hostile in HOSTILE
        if accepts(annotation, hostile)
    ]
    assert open_to_all == []


def accepts(annotation: Any, text: str) -> bool:
    try:
        TypeAdapter(annotation).validate_python(text)
    except ValidationError:
        return False
    return True


def test_texts_inside_lists_maps_and_parts_are_found() -> None:
    found = {place for kind in DOCUMENT_CLASSES for place, _ in texts_of(kind, kind.__name__)}
    assert {
        "Study.terms.figures.unit",
        "Study.terms.figures.categories",
        "Study.presentation.help",
        "Membership.attributes",
        "Query.items.parameters",
        "Community.cards.name",
    } <= found
