"""MPyC behind our runtime, in three processes over the mesh: what it may compute, and what must not leak."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpc_cde.demo.tied_processes import start_tied
from parties.worker_process import worker_environment
from protocols.errors import PeerDeviation, ProtocolMisuse
from protocols.field import P
from protocols.mpyc_engine import _hop, _NoPickle
from tests.parties.communities import make_community
from tests.protocols.mpyc_party import candidates_of, numbers_behind

ROOT = Path(__file__).parents[2]
NUMBERS = [
    5,
    -5,
    17,
    -100,
    64,
    -64,
    99,
    1,
    -1,
    33,
    -77,
    120,
    -120,
    2,
    -2,
    50,
    -50,
    81,
    -13,
    7,
    -9,
    110,
    -31,
    28,
]


def run_parties(scenario: str, **task: Any) -> list[dict[str, Any]]:
    """Each party's answer, by index."""
    with make_community() as community:
        parties = [
            (peer.index, peer.name, peer.host, peer.port, base64.b64encode(peer.certificate).decode())
            for peer in community.parties
        ]
        running = []
        for index, bound in enumerate(community.sockets):
            process = start_tied(
                [sys.executable, "-m", "tests.protocols.mpyc_party", str(bound.fileno()), scenario],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(bound.fileno(),),
                env=worker_environment(None),
                cwd=ROOT,
                text=True,
            )
            key = community.credentials[index].private_key_pem.decode()
            words = json.dumps({"index": index, "parties": parties, "key": key, **task})
            running.append((process, words))
        for process, words in running:
            assert process.stdin is not None
            process.stdin.write(words)
            process.stdin.close()
            process.stdin = None
        answers = [process.communicate(timeout=60)[0] for process, _ in running]
    return [json.loads(answer) for answer in answers]


def test_secure_types_compute_without_pickle() -> None:
    answers = run_parties("secure_types")
    expected = {
        "total": [33, 1497, -21],
        "less": [1, 0, 0],
        "equal": [0, 0, 1],
        "scalar": 1,
    }
    assert answers == [expected] * 3


@pytest.mark.parametrize("careless", [False, True])
def test_pickled_payload_from_a_peer_ends_in_a_protocol_error(tmp_path: Path, careless: bool) -> None:
    marker = tmp_path / "executed"
    answers = run_parties("pickled", marker=str(marker), careless=careless)
    for answer in answers[:2]:
        assert answer["error"] in ("MalformedMessage", "PeerDeviation"), answer
    assert not marker.exists()
    if careless:
        assert "unpickles" in answers[0]["says"]


def test_pickled_payload_in_an_exchange_is_a_violation_that_names_the_peer(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    answers = run_parties("pickled_exchange", marker=str(marker))
    for answer in answers[:2]:
        assert (answer["error"], answer["peer"]) == ("PeerProtocolViolation", 2)
    assert not marker.exists()


def test_peer_that_lives_and_sends_nothing_is_named_at_the_deadline() -> None:
    answers = run_parties("silent_exchange")
    for answer in answers[:2]:
        assert answer["error"] == "WaitExpired"
        assert 2 in answer["peers"]


def test_leaking_and_connecting_operations_are_refused() -> None:
    [answer, *_] = run_parties("refused")
    assert answer == dict.fromkeys(
        ["reciprocal", "_is_zero", "transfer", "shutdown", "start"], "ProtocolMisuse"
    )


def interpolate(shares: list[list[int]], position: int) -> int:
    s1, s2, _ = (row[position] for row in shares)
    return (2 * s1 - s2) % P


def attack(original: bool) -> tuple[int, int, int]:
    """How many tested numbers and compared numbers party 1 finds among its candidates, of how many nonzero."""
    answers = run_parties("comparison", original=original, numbers=NUMBERS)
    curious = answers[1]
    assert curious["signs"] == [int(number < 0) for number in NUMBERS]
    tested_numbers = [
        interpolate([answer["own_shares"] for answer in answers], position)
        for position in range(len(NUMBERS))
    ]
    candidates = candidates_of(curious["products"], curious["own_shares"], own_point=2)
    tested_found = compared_found = nonzero = 0
    for position, number in enumerate(NUMBERS):
        if tested_numbers[position] == 0:
            continue  # the zero test was true: nothing but that shows
        nonzero += 1
        tested_found += tested_numbers[position] in candidates[position]
        masked = interpolate(curious["masked"], position)
        behind = [numbers_behind(candidate, masked) for candidate in candidates[position]]
        compared_found += any(number in numbers for numbers in behind)
    return tested_found, compared_found, nonzero


def test_attack_on_mpycs_own_zero_test_recovers_compared_numbers() -> None:
    """The checker finds the fault that it is made to find."""
    tested_found, compared_found, nonzero = attack(original=True)
    assert nonzero > 0
    assert tested_found == compared_found == nonzero


def test_attack_on_the_zero_test_with_a_zero_sharing_finds_nothing() -> None:
    tested_found, compared_found, nonzero = attack(original=False)
    assert nonzero > 0
    assert tested_found == compared_found == 0


def test_nothing_unpickles() -> None:
    with pytest.raises(PeerDeviation):
        _NoPickle.loads(b"")
    with pytest.raises(ProtocolMisuse):
        _NoPickle.dumps(None)


def test_program_counter_does_not_depend_on_the_build() -> None:
    assert _hop([1, 2]) == _hop([1, 2])
    assert _hop([0, 0]) == -2583067528643462741
    assert -(2**63) <= _hop([3, 4]) < 2**63


@pytest.mark.parametrize(
    ("name", "value"), [("READTHEDOCS", "False"), ("MPYC_MAXWORKERS", "4"), ("MPYC_NOPRSS", "1")]
)
def test_runtime_set_up_otherwise_is_refused(name: str, value: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from protocols.mpyc_engine import open_runtime\n"
        "try:\n"
        "    asyncio.run(open_runtime({1: None, 2: None}, 0, (0, 1, 2), 1))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, 'mpyc' in sys.modules)\n"
    )
    environment = {**worker_environment(None), name: value}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["ProtocolMisuse", "False"]
