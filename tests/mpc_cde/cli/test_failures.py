"""Every error is a sentence and an exit code; no traceback reaches a person."""

from __future__ import annotations

import pytest

from mpc_cde.cli.failures import describe
from mpc_cde.errors import (
    BadDocument,
    BadFigure,
    BadSignature,
    CallerError,
    DeadlinePassed,
    MpcCdeError,
    OwnError,
    StoreDamaged,
    StoreUnavailable,
    TransportError,
)
from protocols.errors import EncodingError


@pytest.mark.parametrize(
    ("error", "sentences", "code"),
    [
        (CallerError("nothing was done"), "Nothing was done.", 1),
        (CallerError("the file is empty", hint="fill it"), "The file is empty. Fill it.", 1),
        (BadFigure(3, "sales", "a number"), "Row 3, column sales: expected a number.", 1),
        (BadSignature("no valid signature", whom="Party 1"), "No valid signature (from Party 1). ", 3),
        (BadDocument("roster: it is about another study"), "Roster: it is about another study. ", 3),
        (TransportError("the gateway is away"), "The gateway is away. Check the address", 3),
        (
            DeadlinePassed("no receipt of Party 2", deadline_seconds=1),
            "No receipt of Party 2. It may still come",
            3,
        ),
        (StoreDamaged("records.json: damaged"), "records.json: damaged. Restore", 1),
        (StoreUnavailable("store.sqlite: no room"), "store.sqlite: no room. Make room", 1),
        (OwnError("out of order"), "Out of order. ", 1),
        (MpcCdeError("something"), "Something.", 1),
        (EncodingError("out of range: from 0 to 9"), "Out of range: from 0 to 9.", 1),
        (KeyboardInterrupt(), "Stopped.", 130),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), "x.csv: No such file or directory.", 1),
        (ExceptionGroup("two", [CallerError("one of them")]), "One of them.", 1),
    ],
)
def test_error_is_said_in_plain_words(error: BaseException, sentences: str, code: int) -> None:
    said, found = describe(error)
    assert said.startswith(sentences)
    assert found == code


def test_fault_of_our_own_names_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPC_CDE_DEBUG", raising=False)
    said, code = describe(KeyError("7351"))
    assert "A fault of mpc-cde itself (KeyError)" in said
    assert "7351" not in said
    assert code == 1
