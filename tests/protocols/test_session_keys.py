"""Who holds which key of a session, how keys travel, and what a job derives from them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict
from itertools import combinations

import pytest

from protocols.errors import MalformedMessage, ProtocolMisuse
from protocols.keystream import Keystream, operation_block
from protocols.randomness import ScriptedRandomness
from protocols.session_keys import (
    assemble,
    establish_locally,
    key_subsets,
    message_bytes,
    own_keys,
    parse_message,
)

SESSIONS = [((0, 1, 2), 1), ((0, 2, 3), 1), ((1, 2, 4), 1), ((0, 1, 2, 3, 4), 2), ((0, 2, 3, 5, 6), 2)]
every_session = pytest.mark.parametrize(("session", "t"), SESSIONS)
JOB = b"\x07" * 32


@every_session
def test_both_ends_hold_the_same_key_of_a_direction_and_the_directions_differ(
    session: tuple[int, ...], t: int
) -> None:
    keys = establish_locally(session, t, ScriptedRandomness(b"keys"))
    found = set()
    for i in session:
        for j in session:
            if i != j:
                assert keys[i].resharing_out[j] == keys[j].resharing_in[i]
                assert keys[i].resharing_out[j] != keys[i].resharing_in[j]
                found.add(keys[i].resharing_out[j])
    assert len(found) == len(session) * (len(session) - 1)


@every_session
def test_a_subset_key_is_held_by_its_members_alone(session: tuple[int, ...], t: int) -> None:
    keys = establish_locally(session, t, ScriptedRandomness(b"keys"))
    seen = set()
    for subset in combinations(session, t + 1):
        held = {party: keys[party].subset_keys.get(subset) for party in session}
        assert {party for party, key in held.items() if key is not None} == set(subset)
        assert len({held[party] for party in subset}) == 1
        seen.add(held[subset[0]])
    assert len(seen) == len(key_subsets(session, t))


@every_session
def test_any_t_parties_lack_the_key_of_a_subset(session: tuple[int, ...], t: int) -> None:
    keys = establish_locally(session, t, ScriptedRandomness(b"keys"))
    for coalition in combinations(session, t):
        known = {subset for party in coalition for subset in keys[party].subset_keys}
        assert set(key_subsets(session, t)) - known == {tuple(p for p in session if p not in coalition)}


@every_session
def test_a_message_holds_what_the_receiver_needs_and_nothing_else(session: tuple[int, ...], t: int) -> None:
    drawn = {i: own_keys(i, session, t, ScriptedRandomness(b"%d" % i)) for i in session}
    for i in session:
        for j in session:
            if i == j:
                continue
            message = drawn[i].message_to(j)
            assert len(message) == message_bytes(session, t, i, j)
            direction, subset_keys = parse_message(drawn[j], i, message)
            assert direction == drawn[i].directions[j]
            assert subset_keys == {s: k for s, k in drawn[i].subsets.items() if j in s}
            for subset, key in drawn[i].subsets.items():
                assert (key in message) == (j in subset)
            assert all(key not in message for peer, key in drawn[i].directions.items() if peer != j)


@pytest.mark.parametrize("change", [lambda m: b"", lambda m: m[:-1], lambda m: m + b"\x00", lambda m: m + m])
def test_a_key_message_of_another_length_is_refused_by_name(change: object) -> None:
    session = (0, 1, 2)
    drawn = {i: own_keys(i, session, 1, ScriptedRandomness(b"%d" % i)) for i in session}
    messages = {0: drawn[0].message_to(1), 2: drawn[2].message_to(1)}
    messages[2] = change(messages[2])  # type: ignore[operator]  # one of the lambdas above
    with pytest.raises(MalformedMessage) as caught:
        assemble(drawn[1], messages)
    assert caught.value.peer == 2


@pytest.mark.parametrize("senders", [(0,), (0, 2, 3), (), (0, 1, 2)])
def test_a_missing_or_surplus_key_message_is_refused(senders: tuple[int, ...]) -> None:
    own = own_keys(1, (0, 1, 2), 1, ScriptedRandomness(b"1"))
    with pytest.raises(ProtocolMisuse):
        assemble(own, dict.fromkeys(senders, bytes(64)))


@pytest.mark.parametrize(
    ("session", "t"),
    [
        ((0, 1), 1),
        ((0, 1, 2, 3), 1),
        ((1, 0, 2), 1),
        ((0, 0, 1), 1),
        ((0,), 0),
        ((0, 1, 2), 0),
        ((-1, 0, 1), 1),
    ],
)
def test_a_session_that_is_not_2t_plus_1_parties_in_order_is_refused(
    session: tuple[int, ...], t: int
) -> None:
    with pytest.raises(ProtocolMisuse):
        own_keys(session[0], session, t, ScriptedRandomness(b""))


def test_a_stranger_has_no_keys_and_gets_none() -> None:
    with pytest.raises(ProtocolMisuse):
        own_keys(3, (0, 1, 2), 1, ScriptedRandomness(b""))
    own = own_keys(0, (0, 1, 2), 1, ScriptedRandomness(b""))
    for peer in (0, 3):
        with pytest.raises(ProtocolMisuse):
            own.message_to(peer)


def test_job_streams_are_derived_by_hmac_under_their_tags() -> None:
    keys = establish_locally((0, 1, 2), 1, ScriptedRandomness(b"keys"))
    job = keys[0].for_job(JOB)

    def expected(key: bytes, tag: bytes) -> list[int]:
        derived = hmac.new(key, tag + b"\x00" + JOB, hashlib.sha256).digest()
        return Keystream(derived).elements(operation_block(5), 4).tolist()

    assert job.resharing_out(1, 5, 4).tolist() == expected(keys[0].resharing_out[1], b"mpc-cde/resharing/v1")
    assert job.resharing_in(1, 5, 4).tolist() == expected(keys[0].resharing_in[1], b"mpc-cde/resharing/v1")
    subset_key = keys[0].subset_keys[0, 2]
    assert job.random_stream((0, 2), 5, 4).tolist() == expected(subset_key, b"mpc-cde/prss/v1")
    assert job.zero_stream((0, 2), 5, 4).tolist() == expected(subset_key, b"mpc-cde/przs/v1")


def test_jobs_operations_and_purposes_never_share_a_stream() -> None:
    keys = establish_locally((0, 1, 2), 1, ScriptedRandomness(b"keys"))[0]
    streams = []
    for job_id in (JOB, b"\x08" * 32):
        job = keys.for_job(job_id)
        for operation in (0, 1):
            streams += [job.resharing_out(peer, operation, 50) for peer in (1, 2)]
            streams += [job.resharing_in(peer, operation, 50) for peer in (1, 2)]
            streams += [job.random_stream(subset, operation, 50) for subset in keys.subset_keys]
            streams += [job.zero_stream(subset, operation, 50) for subset in keys.subset_keys]
    values = [int(value) for stream in streams for value in stream]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_job_id_of_another_length_is_refused(length: int) -> None:
    keys = establish_locally((0, 1, 2), 1, ScriptedRandomness(b"keys"))[0]
    with pytest.raises(ProtocolMisuse):
        keys.for_job(bytes(length))


def test_no_key_is_ever_printed() -> None:
    own = own_keys(0, (0, 1, 2), 1, ScriptedRandomness(b"printed"))
    keys = establish_locally((0, 1, 2), 1, ScriptedRandomness(b"printed"))[0]
    secrets = [*own.directions.values(), *own.subsets.values()]
    secrets += [key for held in asdict(keys).values() for key in held.values()]
    for shown in (repr(own), str(own), repr(keys), repr([keys]), repr(keys.for_job(JOB))):
        for secret in secrets:
            assert secret.hex() not in shown
            assert repr(secret)[2:-1] not in shown
