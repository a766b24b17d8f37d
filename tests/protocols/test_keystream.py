"""Keystreams against an independent AES in counter mode, written out block by block."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols import keystream
from protocols.errors import ProtocolMisuse
from protocols.keystream import Keystream, expand_seed, operation_block

KEY = bytes(range(32))


def plain_elements(key: bytes, block: bytes, count: int) -> list[int]:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  # the counter is added by hand
    start = int.from_bytes(block, "big")
    counters = b"".join(((start + i) % 2**128).to_bytes(16, "big") for i in range((count + 1) // 2))
    stream = encryptor.update(counters)
    words = [int.from_bytes(stream[8 * i : 8 * i + 8], "little") & fp.P for i in range(count)]
    return [0 if word == fp.P else word for word in words]


@settings(max_examples=50, deadline=None)
@given(
    key=st.binary(min_size=32, max_size=32),
    block=st.one_of(st.binary(min_size=16, max_size=16), st.just(b"\xff" * 16)),
    count=st.integers(0, 50),
    offset=st.integers(0, 20).map(lambda half: 2 * half),
)
def test_elements_are_aes_in_counter_mode(key: bytes, block: bytes, count: int, offset: int) -> None:
    found = Keystream(key).elements(block, count, offset)
    assert found.tolist() == plain_elements(key, block, offset + count)[offset:]
    assert found.flags.writeable


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_streams_longer_than_a_piece_go_on(extra: int) -> None:
    count = 2 * keystream._PIECE_ELEMENTS + extra
    assert expand_seed(KEY, count).tolist() == plain_elements(KEY, bytes(16), count)


def test_operations_start_at_their_number_and_do_not_overlap() -> None:
    assert operation_block(1) == bytes(7) + b"\x01" + bytes(8)
    first, second = (set(Keystream(KEY).elements(operation_block(n), 1000).tolist()) for n in (1, 2))
    assert not first & second


def test_p_becomes_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    class AllOnes:
        def encryptor(self) -> AllOnes:
            return self

        def update_into(self, data: memoryview, buffer: memoryview) -> int:
            buffer[: len(data)] = b"\xff" * len(data)
            return len(data)

    monkeypatch.setattr(keystream, "Cipher", lambda *_: AllOnes())  # no key is known whose stream holds p
    assert expand_seed(KEY, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolMisuse):
        Keystream(bytes(length))


@pytest.mark.parametrize(
    ("block", "count", "offset"),
    [(bytes(15), 1, 0), (bytes(16), -1, 0), (bytes(16), 1, 1), (bytes(16), 1, -2)],
)
def test_a_block_count_or_offset_that_does_not_fit_is_refused(block: bytes, count: int, offset: int) -> None:
    with pytest.raises(ProtocolMisuse):
        Keystream(KEY).elements(block, count, offset)


@pytest.mark.parametrize("operation", [-1, 2**64])
def test_an_operation_number_beyond_64_bits_is_refused(operation: int) -> None:
    with pytest.raises(ProtocolMisuse):
        operation_block(operation)


def test_a_keystream_never_prints_its_key() -> None:
    shown = f"{Keystream(KEY)!r} {Keystream(KEY)} {[Keystream(KEY)]}"
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
