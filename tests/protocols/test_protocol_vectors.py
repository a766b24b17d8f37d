"""The vectors are what the code makes, and what plain integers and hashlib make of the same inputs."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc_cde.documents.canonical import decode_base64url, encode_base64url
from protocols import errors
from protocols import field as fp
from protocols.encoding import FigureEncoding
from protocols.reconstruction import reconstruct, verify_degree
from tests.vectors import generate_protocols

VECTORS: dict[str, Any] = json.loads(generate_protocols.FILE.read_text("utf-8"))
P = 2**61 - 1


def unpacked(text: str) -> list[int]:
    data = decode_base64url(text)
    return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]


def expand(key: bytes, block: bytes, count: int) -> list[int]:
    """The specification once more, with the counter handed to the library."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(block)).encryptor()
    data = encryptor.update(bytes(8 * count))
    words = [int.from_bytes(data[8 * i : 8 * i + 8], "little") % 2**61 for i in range(count)]
    return [0 if word == P else word for word in words]


def block_of(operation: int) -> bytes:
    return operation.to_bytes(8, "big") + bytes(8)


def lagrange(points: list[int], at: int) -> list[int]:
    result = []
    for own in points:
        value = 1
        for other in points:
            if other != own:
                value = value * (at - other) * pow(own - other, -1, P) % P
        result.append(value)
    return result


def test_the_file_is_what_the_code_makes() -> None:
    assert generate_protocols.main(check=True) == 0


def test_a_changed_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any) -> None:
    changed = tmp_path / "protocols.json"
    monkeypatch.setattr(generate_protocols, "FILE", changed)
    assert generate_protocols.main(check=True) == 1
    assert generate_protocols.main(check=False) == 0
    assert generate_protocols.main(check=True) == 0
    changed.write_text(changed.read_text("utf-8").replace("41", "42", 1), "utf-8")
    assert generate_protocols.main(check=True) == 1
    assert "differs" in capsys.readouterr().err


def test_field_vectors_are_those_of_the_integers() -> None:
    field = VECTORS["field"]
    edges = [int(text) for text in field["edges"]]
    assert int(field["p"]) == P
    assert unpacked(field["sums"]) == [(a + b) % P for a in edges for b in edges]
    assert unpacked(field["differences"]) == [(a - b) % P for a in edges for b in edges]
    assert unpacked(field["products"]) == [a * b % P for a in edges for b in edges]
    for case in field["lagrange"]:
        assert [int(c) for c in case["coefficients"]] == lagrange(case["points"], case["at"])


def test_keystream_vectors_are_aes_ctr() -> None:
    for case in VECTORS["keystream"]["expand"]:
        seed = decode_base64url(case["seed"])
        assert unpacked(case["elements"]) == expand(seed, bytes(16), case["count"])
    for case in VECTORS["keystream"]["operations"]:
        start = int.from_bytes(block_of(int(case["operation"])), "big") + case["offset"] // 2
        key = decode_base64url(case["key"])
        assert unpacked(case["elements"]) == expand(key, (start % 2**128).to_bytes(16, "big"), 5)
    for case in VECTORS["keystream"]["seed_hashes"]:
        tagged = b"mpc-cde/seed/v1\x00" + decode_base64url(case["seed"])
        assert case["hash"] == encode_base64url(hashlib.sha256(tagged).digest())


@pytest.mark.parametrize(
    "case", VECTORS["sharing"], ids=lambda case: f"{case['parties']}-{case['threshold']}"
)
def test_sharing_vectors_reconstruct_in_plain_integers(case: dict[str, Any]) -> None:
    m, t = case["parties"], case["threshold"]
    vector = [int(text) for text in case["vector"]]
    subsets = [list(subset) for subset in combinations(range(m), t)]
    assert case["subsets"] == subsets
    masks = [expand(decode_base64url(seed), bytes(16), len(vector)) for seed in case["seeds"]]
    correction = [(v - sum(column)) % P for v, column in zip(vector, zip(*masks, strict=True), strict=True)]
    assert unpacked(case["correction"]) == correction
    digest = hashlib.sha256(decode_base64url(case["correction"])).digest()
    assert case["correction_digest"] == encode_base64url(digest)
    for party, own in enumerate(case["of_party"]):
        held = [k for k, subset in enumerate(subsets) if party not in subset]
        factors = [lagrange([0, *(i + 1 for i in subsets[k])], party + 1)[0] for k in held]
        assert own["seeds"] == [case["seeds"][k] for k in held]
        assert [int(c) for c in own["coefficients"]] == factors
        assert unpacked(own["share"]) == [
            (c + sum(f * masks[k][e] for f, k in zip(factors, held, strict=True))) % P
            for e, c in enumerate(correction)
        ]


@pytest.mark.parametrize("case", VECTORS["encoding"], ids=lambda case: "-".join(map(str, case["radices"])))
def test_encoding_vectors_follow_from_the_definition(case: dict[str, Any]) -> None:
    minimum, step, publish = (Decimal(case[name]) for name in ("minimum", "step", "publish_step"))
    assert case["half"] == (0 if publish == step else publish / step / 2)
    for example in case["cases"]:
        if example["figure"] is None:
            assert example["indicators"] == [0] * case["element_count"]
            continue
        u = int((Decimal(example["figure"]) - minimum) / step) + case["half"]
        assert example["u"] == u
        expected: list[int] = []
        for radix in reversed(case["radices"]):
            u, digit = divmod(u, radix)
            expected = [int(digit == symbol) for symbol in range(radix - 1)] + expected
        assert u == 0
        assert example["indicators"] == [1] * case["blank_allowed"] + expected
    for prefix, value in case["published"].items():
        assert Decimal(value) == minimum + publish * int(prefix)


@pytest.mark.parametrize("case", VECTORS["sessions"], ids=lambda case: "".join(map(str, case["session"])))
def test_session_vectors_reconstruct_in_plain_integers(case: dict[str, Any]) -> None:
    session, t, operation = case["session"], case["threshold"], case["operation"]
    job_id = decode_base64url(case["job_id"])

    def stream(key: str, tag: str, count: int) -> list[int]:
        derived = hmac.new(
            decode_base64url(key), case["tags"][tag].encode() + b"\0" + job_id, "sha256"
        ).digest()
        return expand(derived, block_of(operation), count)

    keys = {tuple(entry["subset"]): entry["key"] for entry in case["subset_keys"]}
    assert sorted(keys) == list(combinations(session, t + 1))
    directions = {(entry["from"], entry["to"]): entry["key"] for entry in case["directions"]}
    for message in case["messages"]:
        i, j = message["from"], message["to"]
        parts = [directions[i, j], *(keys[s] for s in sorted(keys) if s[0] == i and j in s)]
        assert decode_base64url(message["message"]) == b"".join(map(decode_base64url, parts))
    first = directions[session[0], session[1]]
    assert unpacked(case["resharing_first_to_second"]) == stream(first, "resharing", 4)
    for party in session:
        x = party + 1
        random, zero = [0] * 4, [0] * 4
        for subset, key in keys.items():
            f = lagrange([0, *(other + 1 for other in session if other not in subset)], x)[0]
            terms = stream(key, "zero", 4 * t)
            for e, mask in enumerate(stream(key, "random", 4)):
                random[e] = (random[e] + f * mask) % P
                zero[e] += f * sum(terms[4 * (i - 1) + e] * x**i for i in range(1, t + 1))
        assert unpacked(case["random"][str(party)]) == random
        assert unpacked(case["zero"][str(party)]) == [value % P for value in zero]


def refusal(error: str) -> type[Exception]:
    found = getattr(errors, error)
    assert isinstance(found, type)
    assert issubclass(found, errors.ProtocolError)
    return found


def test_failing_vectors_fail_as_they_say() -> None:
    failing = VECTORS["failing"]
    for case in failing["parameters"]:
        parameters = {name: value for name, value in case.items() if name != "error"}
        with pytest.raises(refusal(case["error"])):
            FigureEncoding.create(**parameters)
    encoding = generate_protocols.encoding_of(failing["figures"]["encoding"])
    for case in failing["figures"]["cases"]:
        with pytest.raises(refusal(case["error"])) as caught:
            encoding.encode(None if case["figure"] is None else Decimal(case["figure"]))
        assert getattr(caught.value, "nearest", None) == case.get("nearest")
    for case in failing["elements"]:
        with pytest.raises(refusal(case["error"])):
            fp.from_bytes(decode_base64url(case["bytes"]), case["count"])
    for case in failing["degrees"]:
        shares = np.array([[int(share)] for share in case["shares"]], dtype=np.uint64)
        check = verify_degree if case["error"] == "SharesDisagree" else reconstruct
        with pytest.raises(refusal(case["error"])):
            check(case["points"], shares, case["degree"])
