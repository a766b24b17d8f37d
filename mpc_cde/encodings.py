"""From a study's figures to their encodings: the bridge between what is signed and the mathematics."""

from __future__ import annotations

from functools import lru_cache

from mpc_cde.documents.figure import Figure
from mpc_cde.documents.study_terms import StudyTerms
from protocols.encoding import FigureEncoding


def encodings_of(terms: StudyTerms) -> tuple[FigureEncoding, ...]:
    """The encoding of every figure, in study order."""
    return tuple(encoding_of(figure, allow_exact=terms.disclosure.allow_exact) for figure in terms.figures)


def encoding_of(figure: Figure, *, allow_exact: bool) -> FigureEncoding:
    """The encoding of one figure. Raises OutOfRange where radices and steps do not fit."""
    if figure.minimum is None or figure.step is None or figure.publish_step is None:
        return FigureEncoding.category(len(figure.categories), blank_allowed=figure.blank_allowed)
    return _number(
        minimum=figure.minimum,
        step=figure.step,
        publish_step=figure.publish_step,
        radices=figure.radices,
        allow_exact=allow_exact,
        blank_allowed=figure.blank_allowed,
    )


_number = lru_cache(maxsize=256)(FigureEncoding.create)
"""Worked out with fractions, for every submission of the same study."""
