"""The two sources of randomness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolMisuse
from protocols.randomness import Randomness, ScriptedRandomness, SystemRandomness


def test_the_system_gives_as_many_fresh_bytes_as_asked_for() -> None:
    source: Randomness = SystemRandomness()
    assert [len(source.random_bytes(count)) for count in (0, 1, 32)] == [0, 1, 32]
    assert source.random_bytes(32) != source.random_bytes(32)


@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_a_script_repeats_itself_however_it_is_cut(cuts: list[int]) -> None:
    pieces, whole = ScriptedRandomness(b"seed"), ScriptedRandomness(b"seed")
    assert b"".join(pieces.random_bytes(cut) for cut in cuts) == whole.random_bytes(sum(cuts))


def test_scripts_of_different_seeds_differ() -> None:
    assert ScriptedRandomness(b"a").random_bytes(32) != ScriptedRandomness(b"b").random_bytes(32)


def test_a_script_never_prints_its_seed() -> None:
    source = ScriptedRandomness(b"the seed")
    assert "the seed" not in f"{source!r} {source} {[source]}"
    assert not hasattr(source, "__dict__")


@pytest.mark.parametrize("source", [SystemRandomness(), ScriptedRandomness(b"")])
def test_a_negative_count_is_refused(source: Randomness) -> None:
    with pytest.raises(ProtocolMisuse):
        source.random_bytes(-1)
