"""Makes tests/vectors/protocols.json: what browser, Python and every party must agree on byte for byte.

`python -m tests.vectors.generate_protocols` writes it; `--check` compares, with exit status 1 if they differ.
Byte strings are unpadded base64url; vectors of field elements are packed little-endian uint64 in base64url,
short ones lists of decimal text (JSON numbers end at 2^53).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mpc_cde.documents.canonical import encode_base64url as b64
from protocols import field as fp
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding, encode_submission
from protocols.errors import ProtocolError
from protocols.keystream import Keystream, expand_seed, operation_block
from protocols.randomness import ScriptedRandomness
from protocols.reconstruction import party_share, reconstruct, subset_polynomial_at, verify_degree
from protocols.secret_randomness import random_shares, zero_shares
from protocols.session_keys import RANDOM_TAG, RESHARING_TAG, ZERO_TAG, SessionKeys, assemble, own_keys
from protocols.sharing import Seed, share_vector, subsets
from tests.vectors.vector_file import write_or_check

FILE = Path(__file__).with_name("protocols.json")

AMOUNTS = {"minimum": "0", "step": "1", "publish_step": "1"}
ENCODINGS: tuple[dict[str, Any], ...] = (
    # the example of the protocol: figure 41 has digits 2 and 9
    {**AMOUNTS, "radices": [4, 16], "allow_exact": True, "blank_allowed": True},
    {**AMOUNTS, "radices": [10, 10], "allow_exact": True, "blank_allowed": False},
    {"minimum": "-5", "step": "0.5", "publish_step": "2", "radices": [3, 5, 4]},
    {"minimum": "0", "step": "0.01", "publish_step": "10", "radices": [16, 16, 10, 10, 10]},
    {"minimum": "1000000", "step": "1000", "publish_step": "2000", "radices": [128, 128, 2]},
)
FIGURES = (
    ("0", "41", "63", None),
    ("0", "7", "99"),
    ("-5", "-4.5", "0", "22.5"),
    ("0", "0.01", "5", "1234.56", "2554.99"),
    ("1000000", "1001000", "33766000"),
)


def named(label: str, count: int = 32) -> bytes:
    return ScriptedRandomness(b"protocol vectors: " + label.encode()).random_bytes(count)


def packed(vector: fp.FieldVector) -> str:
    return b64(fp.to_bytes(vector))


def texts(numbers: Sequence[int] | fp.FieldVector) -> list[str]:
    return [str(int(number)) for number in numbers]


def encoding_of(parameters: dict[str, Any]) -> FigureEncoding:
    return FigureEncoding.create(**{"allow_exact": False, "blank_allowed": True} | parameters)


def field_vectors() -> dict[str, Any]:
    edges = [0, 1, 2, 2**29, 2**32 - 1, 2**32, 2**32 + 1, 2**60, fp.P - 2, fp.P - 1]
    a = fp.from_ints([x for x in edges for _ in edges])
    b = fp.from_ints(edges * len(edges))
    points, at = [1, 3, 4], 0
    return {
        "p": str(fp.P),
        "edges": texts(edges),
        "sums": packed(fp.add(a, b)),
        "differences": packed(fp.subtract(a, b)),
        "products": packed(fp.multiply(a, b)),
        "lagrange": [
            {"points": p, "at": x, "coefficients": texts(fp.lagrange_coefficients(p, x))}
            for p, x in ((points, at), ([0, 2], 1), ([1, 2, 3, 4, 5], 0))
        ],
    }


def keystream_vectors() -> dict[str, Any]:
    seed, key = named("seed"), named("key")
    return {
        "expand": [
            {"seed": b64(seed), "count": n, "elements": packed(expand_seed(seed, n))} for n in (1, 2, 121)
        ],
        "operations": [
            {
                "key": b64(key),
                "operation": str(operation),
                "offset": offset,
                "elements": packed(Keystream(key).elements(operation_block(operation), 5, offset)),
            }
            for operation, offset in ((0, 0), (1, 0), (1, 4), (2**53, 0), (2**64 - 1, 2**33))
        ],
        "seed_hashes": [{"seed": b64(seed), "hash": b64(Seed(seed).hash())}],
    }


def sharing_vectors() -> list[dict[str, Any]]:
    vector = fp.from_ints([0, 1, fp.P - 1, 2**60, 5])
    vectors = []
    for m, t in ((3, 1), (4, 1), (5, 2)):
        shared = share_vector(vector, m, t, ScriptedRandomness(b"protocol vectors: sharing"))
        vectors.append(
            {
                "parties": m,
                "threshold": t,
                "vector": texts(vector),
                "subsets": [list(subset) for subset in subsets(m, t)],
                "seeds": [b64(seed.secret_bytes()) for seed in shared.seeds],
                "seed_hashes": [b64(digest) for digest in shared.seed_hashes()],
                "correction": packed(shared.correction),
                "correction_digest": b64(hashlib.sha256(fp.to_bytes(shared.correction)).digest()),
                "of_party": [
                    {
                        "seeds": [b64(seed.secret_bytes()) for seed in shared.seeds_for_party(party)],
                        "coefficients": texts(
                            [subset_polynomial_at(s, party + 1) for s in subsets(m, t) if party not in s]
                        ),
                        "share": packed(
                            party_share(
                                shared.correction, shared.seeds_for_party(party), m=m, t=t, party=party
                            )
                        ),
                    }
                    for party in range(m)
                ],
            }
        )
    return vectors


def encoding_vectors() -> list[dict[str, Any]]:
    vectors = []
    for parameters, figures in zip(ENCODINGS, FIGURES, strict=True):
        encoding = encoding_of(parameters)
        layout = encoding.layout()
        cases = []
        for text in figures:
            u = encoding.encode(None if text is None else Decimal(text))
            cases.append({"figure": text, "u": u, "indicators": encoding.indicators(u)})
        vectors.append(
            {
                **{"allow_exact": False, "blank_allowed": True},
                **parameters,
                "half": encoding.half,
                "published_digits": encoding.published_digits,
                "element_count": encoding.element_count,
                "presence_at": layout.presence,
                "digits_at": list(layout.digits),
                "maximum": exact_text(encoding.maximum),
                "published": {str(k): exact_text(encoding.published_value(k)) for k in (0, 1, 2)},
                "cases": cases,
            }
        )
    return vectors


def submission_vectors() -> list[dict[str, Any]]:
    """A whole submission: two numbers and a category, in study order."""
    category = FigureEncoding.category(3, blank_allowed=True)
    encodings = [encoding_of(ENCODINGS[0]), category, encoding_of(ENCODINGS[1])]
    figures = ["41", "1", "7"]
    vector = encode_submission(encodings, [Decimal(figure) for figure in figures])
    return [{"radices": [[4, 16], [3], [10, 10]], "figures": figures, "vector": texts(vector)}]


def session_keys_of(session: tuple[int, ...], t: int) -> tuple[dict[int, SessionKeys], dict[str, Any]]:
    own = {i: own_keys(i, session, t, ScriptedRandomness(b"protocol vectors: party %d" % i)) for i in session}
    keys = {i: assemble(own[i], {j: own[j].message_to(i) for j in session if j != i}) for i in session}
    messages = [
        {"from": i, "to": j, "message": b64(own[i].message_to(j))} for i in session for j in session if i != j
    ]
    return keys, {"session": list(session), "threshold": t, "messages": messages}


def session_vectors() -> list[dict[str, Any]]:
    job_id, operation, count = named("job"), 7, 4
    vectors = []
    for session, t in (((0, 1, 2), 1), ((0, 2, 3), 1), ((0, 1, 2, 3, 4), 2)):
        keys, vector = session_keys_of(session, t)
        jobs = {i: keys[i].for_job(job_id) for i in session}
        first, second = session[0], session[1]
        vector |= {
            "directions": [
                {"from": i, "to": j, "key": b64(key)}
                for i in session
                for j, key in keys[i].resharing_out.items()
            ],
            "subset_keys": [
                {"subset": list(subset), "key": b64(key)}
                for subset, key in sorted(
                    {s: k for i in session for s, k in keys[i].subset_keys.items()}.items()
                )
            ],
            "tags": {
                "resharing": RESHARING_TAG.decode(),
                "random": RANDOM_TAG.decode(),
                "zero": ZERO_TAG.decode(),
            },
            "job_id": b64(job_id),
            "operation": operation,
            "resharing_first_to_second": packed(jobs[first].resharing_out(second, operation, count)),
            "random": {
                str(i): packed(random_shares(jobs[i], session, i, t, operation, count)) for i in session
            },
            "zero": {str(i): packed(zero_shares(jobs[i], session, i, t, operation, count)) for i in session},
        }
        vectors.append(vector)
    return vectors


def failure(action: Callable[[], Any]) -> dict[str, Any]:
    try:
        action()
    except ProtocolError as error:
        nearest = getattr(error, "nearest", None)
        return {"error": type(error).__name__} | ({"nearest": nearest} if nearest is not None else {})
    raise AssertionError("a failing vector passes")


def failing_vectors() -> dict[str, Any]:
    refused_parameters: list[dict[str, Any]] = [
        ENCODINGS[0] | {"radices": [4, 1]},
        ENCODINGS[0] | {"radices": [4, 129]},
        ENCODINGS[0] | {"radices": []},
        ENCODINGS[0] | {"radices": [128] * 9},
        ENCODINGS[0] | {"allow_exact": False},
        ENCODINGS[0] | {"publish_step": "4"},
        ENCODINGS[0] | {"publish_step": "64"},
        ENCODINGS[0] | {"radices": [4, 5, 3], "publish_step": "3"},
        ENCODINGS[0] | {"step": "0"},
        ENCODINGS[0] | {"step": "-1"},
        ENCODINGS[0] | {"minimum": "1e999999999"},
        ENCODINGS[0] | {"minimum": "NaN"},
        ENCODINGS[0] | {"minimum": "1/3"},
    ]
    number = encoding_of(ENCODINGS[3] | {"blank_allowed": False})
    figures = ["-0.01", "2555", "0.005", "0.014", "12.345", "1e40"]
    figures += ["1e999999999", "1e-999999999", "NaN", "Infinity"]
    at_points = fp.from_ints([5, 7, 10]).reshape(3, 1)
    return {
        "parameters": [p | failure(lambda p=p: encoding_of(p)) for p in refused_parameters],
        "figures": {
            "encoding": ENCODINGS[3] | {"blank_allowed": False},
            "cases": [
                {"figure": text} | failure(lambda text=text: number.encode(Decimal(text))) for text in figures
            ]
            + [{"figure": None} | failure(lambda: number.encode(None))],
        },
        "elements": [
            {"bytes": b64(data), "count": count} | failure(lambda d=data, c=count: fp.from_bytes(d, c))
            for data, count in (
                (fp.P.to_bytes(8, "little"), 1),
                (b"\xff" * 8, 1),
                (bytes(7), 1),
                (bytes(9), 1),
                (bytes(16), 1),
                (b"", 1),
            )
        ],
        "degrees": [
            {"points": [1, 2, 3], "shares": ["5", "7", "10"], "degree": 1}
            | failure(lambda: verify_degree([1, 2, 3], at_points, 1)),
            {"points": [1], "shares": ["5"], "degree": 1}
            | failure(lambda: reconstruct([1], at_points[:1], 1)),
        ],
    }


def build() -> dict[str, Any]:
    return {
        "field": field_vectors(),
        "keystream": keystream_vectors(),
        "sharing": sharing_vectors(),
        "encoding": encoding_vectors(),
        "submissions": submission_vectors(),
        "sessions": session_vectors(),
        "failing": failing_vectors(),
    }


def main(check: bool) -> int:
    return write_or_check(FILE, build, check=check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
