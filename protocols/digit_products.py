"""Sums of squares and of products of encoded numbers, by their limbs (protocol.md section 6).

Squares do not fit the field, so u = sum_k w_k limb_k, a limb being some neighbouring digits read as one number, and
sum u v = sum_{k,l} w_k w_l T_kl with the totals T_kl = <limb_k of u, limb_l of v>: numbers below 2^60, added by
wide.py. Limbs are linear in the indicators and as large as their totals allow (`plan_limbs`): figures of 32 bits of
a million members have two, so three inner products make their sum of squares.

Who counts is said by a public mask, or by a shared selector (selection.py) that already includes the mask. Limbs
carry their own figure's presence: a blank is 0 in each.

What a party learns here: nothing. Cost: limbs are local; under a shared selector one product a record and limb of
the first factor, one round; inner products are local.
"""

from __future__ import annotations

import numpy as np

from protocols.engine import Engine, PublicMask, Shared, concatenate
from protocols.limbs import Limbs, limb_rows, product_bound, product_weights
from protocols.records import FigureRecords
from protocols.wide import WideTotal


def limb_vectors(figure: FigureRecords, plan: Limbs) -> Shared:
    """The limbs of every record, 0 for a blank: (K, n), degree t, local; ready where the plan is the figure's own."""
    if plan == figure.limbs:
        return figure.limb_rows
    presence = None if figure.presence is None else figure.presence.values
    return Shared(limb_rows(plan, figure.encoding, presence, [rows.values for rows in figure.digits]))


async def select_limbs(engine: Engine, limbs: Shared, mask: PublicMask, selector: Shared | None) -> Shared:
    """`limbs` (K, n) with those set to zero that do not count: degree t; one round where a secret says who."""
    if selector is None:
        return engine.select(limbs, mask)
    repeated = Shared(np.broadcast_to(selector.values, limbs.values.shape), selector.degree)
    return await engine.multiply(limbs, repeated)


def square_total(
    engine: Engine, plan: Limbs, vectors: Shared, selected: Shared, contributors: int
) -> WideTotal:
    """sum u^2 over those that count; `selected` are the vectors of `select_limbs`, `contributors` N, open."""
    parts = [engine.inner_products(vectors[k:], selected[k]) for k in range(len(plan.sizes))]
    return WideTotal(product_weights(plan, plan), concatenate(parts), product_bound(plan, plan, contributors))


def product_total(
    engine: Engine, first: Limbs, selected: Shared, second: Limbs, vectors: Shared, contributors: int
) -> WideTotal:
    """sum u v over those that count: `selected` limbs of u (`first`) against all `vectors` of v (`second`)."""
    parts = [engine.inner_products(vectors, selected[k]) for k in range(len(first.sizes))]
    weights = tuple(w * v for w in first.weights for v in second.weights)
    return WideTotal(weights, concatenate(parts), product_bound(first, second, contributors))
