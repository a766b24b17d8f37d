"""The leak of comparisons that open a product without a sharing of zero, run as an attack.

One curious party of three looks at the shares of an opened r^2. If they lie on r(x)^2, the square root of the
polynomial's value at 0 and its own share of r give the sign, so every bit of the mask, so the compared number.
The attack recovers every number from an engine that leaves the zero sharing out, and nothing from ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.comparison import BITS
from protocols.engine import Engine, Shared
from protocols.local_engine import LocalNetwork
from protocols.party_engine import PartyEngine
from protocols.randomness import ScriptedRandomness
from tests.protocols.engines import share_plain

ATTACKER = 0
NUMBERS = st.integers(-(2**60) + 1, 2**60 - 1)


class WithoutZeroSharing(PartyEngine):
    """What must never ship: openings of degree 2t as they are."""

    def _zero_shares(self, operation: int, masked: fp.FieldVector) -> fp.FieldVector:
        return np.zeros_like(masked)


def view_of_comparison(engine_type: type[PartyEngine], value: int, seed: bytes) -> tuple[LocalNetwork, Any]:
    network = LocalNetwork(
        (0, 1, 2), 1, ScriptedRandomness(seed), engine_type=engine_type, keep_deliveries=True
    )
    own_masks: dict[int, fp.FieldVector] = {}

    async def computation(engine: Engine, party: int) -> None:
        assert isinstance(engine, PartyEngine)
        own_masks[party] = engine._random_shares(0, BITS)  # the attacker's own share of r: it is its own view
        await engine.at_least_zero(Shared(share_plain([value % fp.P], party, 1, seed[:20])))

    network.run(computation)
    return network, own_masks[ATTACKER]


def attack(network: LocalNetwork, own_r: fp.FieldVector) -> int | None:
    """The compared number, if the opened polynomials of r^2 are squares; else None."""
    squares = opened_shares(network, round_number=1, count=BITS)
    values = interpolate_at_zero(squares)
    mask = 0
    for bit in range(BITS):
        # r(x) = s + (own - s) x / x_own with s = +-sqrt(r^2), to be compared with the other two shares
        root = pow(values[bit], (fp.P + 1) // 4, fp.P)
        sign = 1
        for candidate, its_sign in ((root, 1), (fp.P - root, -1)):
            slope = (int(own_r[bit]) - candidate) * fp.inverse(ATTACKER + 1) % fp.P
            line = [(candidate + slope * (party + 1)) % fp.P for party in range(3)]
            if all(line[party] * line[party] % fp.P == int(squares[party][bit]) for party in range(3)):
                sign = its_sign
                break
        else:
            return None
        inverse_root = pow(values[bit], (fp.P - 3) // 4, fp.P)
        is_one = (sign * root * inverse_root) % fp.P == 1
        mask |= int(is_one) << bit
    opened = interpolate_at_zero(opened_shares(network, round_number=4, count=1))[0]
    return fp.to_signed((opened - mask) * fp.inverse(2) % fp.P)


def opened_shares(network: LocalNetwork, round_number: int, count: int) -> list[fp.FieldVector]:
    """All three shares of an opening as the attacker has them: two received, one its own."""
    shares: dict[int, fp.FieldVector] = {}
    for delivery in network.deliveries:
        if delivery.round == round_number and ATTACKER in (delivery.receiver, delivery.sender):
            shares[delivery.sender] = fp.from_bytes(delivery.payload, count)
    return [shares[party] for party in range(3)]


def interpolate_at_zero(shares: list[fp.FieldVector]) -> list[int]:
    lambdas = fp.lagrange_coefficients([1, 2, 3], 0)
    return [
        sum(factor * int(share[k]) for factor, share in zip(lambdas, shares, strict=True)) % fp.P
        for k in range(len(shares[0]))
    ]


@settings(max_examples=15, deadline=None)
@given(value=NUMBERS, seed=st.binary(min_size=20, max_size=20))
def test_the_attack_recovers_the_number_where_the_zero_sharing_is_left_out(value: int, seed: bytes) -> None:
    assert attack(*view_of_comparison(WithoutZeroSharing, value, seed)) == value


@settings(max_examples=40, deadline=None)
@given(value=NUMBERS, seed=st.binary(min_size=20, max_size=20))
def test_the_attack_finds_nothing_in_our_comparison(value: int, seed: bytes) -> None:
    assert attack(*view_of_comparison(PartyEngine, value, seed)) is None
