"""Makes tests/vectors/browser.json: what a browser does with a whole study, and what it must refuse.

`python -m tests.vectors.generate_browser` writes it; `--check` compares, with exit status 1 if they differ. All of it
comes from the community on paper (tests/mpc_cde/client/paper.py). Failing evidence is a good export with one field
replaced, and the kind of error that Python raises.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from mpc_cde.client.export import ExportFile, export_result
from mpc_cde.client.figures import FigureColumn, columns_of
from mpc_cde.client.query import signed_query
from mpc_cde.client.recovery_file import lock_keys
from mpc_cde.client.release_rules import items_of
from mpc_cde.client.verification import Evidence, verify_result, verify_withdrawal_receipts
from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import encode_base64url as b64
from mpc_cde.documents.envelope import Envelope, add_signature, open_envelope
from mpc_cde.documents.figure import Figure, Formula
from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import BadDocument, BadFigure, BadSignature, PeerError
from mpc_cde.reader_signatures import sign_read
from mpc_cde.result_csv import csv_of_result
from mpc_cde.sealing import ResultContext
from protocols import field as fp
from protocols.encoding import encode_submission
from protocols.randomness import ScriptedRandomness
from protocols.sharing import share_vector
from tests.mpc_cde.client.paper import PaperCommunity, sealing_key, secret, signed
from tests.vectors.vector_file import write_or_check

FILE = Path(__file__).with_name("browser.json")
SEED = b"browser vectors: submission"
OWN = 3
PAPER = PaperCommunity()
GOOD = PAPER.evidence(own=OWN)


def scripted_vectors() -> dict[str, Any]:
    stream = ScriptedRandomness(b"browser vectors: stream")
    return {
        "seed_text": "browser vectors: stream",
        "pieces": [b64(stream.random_bytes(n)) for n in (1, 15, 17, 32, 0, 3)],
    }


def reader_vectors() -> dict[str, Any]:
    key, nonce = PAPER.member_key(OWN), secret("reader nonce")[:16]
    url = "https://gateway.example/v1/memberships/own?x=1"
    return {
        "secret": b64(key.secret_bytes()),
        "public": b64(key.public_bytes),
        "method": "GET",
        "target_uri": url,
        "created": 1_764_000_000,
        "nonce": b64(nonce),
        "headers": sign_read(key, method="GET", target_uri=url, created=1_764_000_000, nonce=nonce),
    }


def submission_vectors() -> dict[str, Any]:
    """Figures of one member under scripted randomness; envelopes differ from run to run, so they are not here."""
    terms = PAPER.study.terms
    cases = []
    for values in (
        {"sales": "1234", "margin": "3.5"},
        {"sales": "0", "margin": None},
        {"sales": "9994", "margin": "-5"},
    ):
        figures = [None if text is None else Decimal(text) for text in values.values()]
        vector = encode_submission(encodings_of(terms), figures)
        shared = share_vector(vector, PAPER.m, PAPER.t, ScriptedRandomness(SEED))
        correction = fp.to_bytes(shared.correction)
        cases.append(
            {
                "values": values,
                "seed_hashes": [b64(digest) for digest in shared.seed_hashes()],
                "correction": b64(correction),
                "correction_digest": b64(hashlib.sha256(correction).digest()),
                "seeds_of_party": [
                    [b64(seed.secret_bytes()) for seed in shared.seeds_for_party(party)]
                    for party in range(PAPER.m)
                ],
            }
        )
    return {
        "seed_text": SEED.decode(),
        "member_secret": b64(PAPER.member_key(OWN).secret_bytes()),
        "sealing_secrets": [b64(key.secret_bytes()) for key in PAPER.sealing_keys],
        "membership": json.loads(PAPER.membership_envelope(OWN).to_json()),
        "consent_digest": b64(terms.consent_digest),
        "cases": cases,
    }


def signed_result(**changes: Any) -> Envelope:
    """A result with other content, honestly signed by the session: caught by what it says alone."""
    result = PAPER.result()
    fields = {name: getattr(result, name) for name in type(result).model_fields} | changes
    return signed(Result(**fields), [PAPER.party_keys[j] for j in PAPER.session])


def with_cell(number: int, **changes: Any) -> Evidence:
    cells = list(PAPER.result().cells)
    cells[number] = cells[number].model_copy(update=changes)
    return replace(GOOD, result=signed_result(cells=tuple(cells)))


def resigned(field: str, keys: list[Any]) -> Evidence:
    envelope = getattr(GOOD, field).model_copy(update={"signatures": ()})
    for key in keys:
        envelope = add_signature(envelope, key)
    return replace(GOOD, **{field: envelope})


def with_own(**changes: Any) -> Evidence:
    assert GOOD.own is not None
    return replace(GOOD, own=replace(GOOD.own, **changes))


def failing_evidence() -> list[tuple[str, Evidence]]:
    other, removed = PaperCommunity(members=11).evidence(), PaperCommunity(removed=(OWN,)).evidence(own=OWN)
    receipt = Receipt(
        study_terms=PAPER.study.terms_digest(),
        submission=PAPER.submission(OWN).digest(),
        party=2,
        verdict="accepted",
    )
    assert GOOD.own is not None
    alone = PAPER.membership_envelope(OWN).model_copy(update={"signatures": ()})
    return [
        ("a study that its steward did not sign", resigned("study", [])),
        ("a roster that one party did not sign", resigned("roster", PAPER.party_keys[:2])),
        ("a checked roster without one of its parties", resigned("checked_roster", PAPER.party_keys[1:])),
        ("a result without one of its parties", resigned("result", PAPER.party_keys[:2])),
        ("a researcher that one party did not enrol", resigned("asker", PAPER.party_keys[:2])),
        ("a query that somebody else signed", resigned("query", [PAPER.steward_key])),
        ("a party did not approve", replace(GOOD, approvals=GOOD.approvals[:2])),
        ("the roster of other members", replace(GOOD, roster=other.roster)),
        ("the checked roster of other members", replace(GOOD, checked_roster=other.checked_roster)),
        (
            "rosters of other members",
            replace(GOOD, roster=other.roster, checked_roster=other.checked_roster),
        ),
        ("too few contributors", with_cell(0, contributors=4, values=("4",))),
        ("a count of others", with_cell(0, values=("13",))),
        ("percentiles that descend", with_cell(2, values=("450", "120"))),
        ("a percentile off the grid", with_cell(2, values=("121", "450"))),
        ("a percentile too few", with_cell(2, values=("120",))),
        ("an answer to another question", with_cell(1, function="mean@1")),
        ("a cell too few", replace(GOOD, result=signed_result(cells=PAPER.result().cells[:4]))),
        ("another engine", replace(GOOD, result=signed_result(engine="verified"))),
        ("more contributors than rows", with_cell(1, contributors=13)),
        ("two counts of the same members", with_cell(1, contributors=11)),
        ("no query", replace(GOOD, result=signed_result(query=None, scheduled_function=0))),
        ("another query", replace(GOOD, result=signed_result(query=b"q" * 32))),
        ("the proof of somebody else", with_own(proof=PAPER.proof(4))),
        ("a forged proof", with_own(proof=PAPER.proof(4).model_copy(update={"entry": PAPER.entry(OWN)}))),
        ("a receipt too few", with_own(receipts=GOOD.own.receipts[:2])),
        (
            "a receipt that another party signed",
            with_own(receipts=(*GOOD.own.receipts[:2], signed(receipt, PAPER.party_keys[:1]))),
        ),
        (
            "a membership that nobody countersigned",
            with_own(membership=add_signature(alone, PAPER.registrar_keys[0])),
        ),
        ("a removed submission", removed),
    ]


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """As an exported file has it, also where the export itself would refuse."""

    def part(value: Any) -> Any:
        if isinstance(value, tuple):
            return [part(item) for item in value]
        if value is None or not isinstance(value, Part):
            return value
        return json.loads(value.payload_bytes())

    fields = {
        name: part(getattr(evidence, name)) for name in ExportFile.model_fields if name not in ("type", "own")
    }
    own = evidence.own
    names = ("membership", "submission", "receipts", "proof")
    shown = None if own is None else {name: part(getattr(own, name)) for name in names}
    return {**fields, "own": shown, "type": "export/v1"}


def evidence_vectors() -> dict[str, Any]:
    good = json.loads(export_result(verify_result(GOOD, PAPER.fingerprint)))
    failing = []
    for why, evidence in failing_evidence():
        try:
            verify_result(evidence, PAPER.fingerprint)
        except PeerError as error:
            kind = type(error).__name__
        else:
            raise AssertionError(f"failing evidence passes: {why}")
        file = evidence_json(evidence)
        changed = {name: value for name, value in file.items() if value != good[name]}
        failing.append({"why": why, "error": kind, "changed": changed})
    _, following = PAPER.next_community()
    return {
        "fingerprint": PAPER.fingerprint,
        "own_row": PAPER.proof(OWN).row,
        "good": good,
        "failing": failing,
        "next_community": json.loads(following.to_json()),
    }


FORM_FIGURES = (
    Figure(
        name="sales",
        label="Sales",
        minimum="0",
        step="0.01",
        radices=(16, 16, 10, 10, 10),
        publish_step="10",
        blank_allowed=False,
    ),
    Figure(
        name="rounded",
        label="Rounded",
        minimum="-60",
        step="0.5",
        radices=(8, 10, 4),
        publish_step="2",
        rounds=True,
    ),
    Figure(
        name="trade", label="Trade", kind="category", categories=("food", "Clothing", "other"), radices=(3,)
    ),
    Figure(
        name="per_head",
        label="Per head",
        minimum="0",
        step="1",
        radices=(10, 10, 10),
        publish_step="10",
        derived=Formula(operation="ratio", operands=("takings", "heads"), scale="100"),
    ),
    Figure(
        name="growth",
        label="Growth",
        minimum="-100",
        step="1",
        radices=(10, 10, 2),
        publish_step="2",
        derived=Formula(operation="growth", operands=("now", "before"), scale="100"),
    ),
)
FORM_CELLS: tuple[dict[str, dict[str, str]], ...] = (
    {"sales": {"sales": "1234.56"}},
    {"sales": {"sales": ""}},
    {"sales": {"sales": "2555"}},
    {"sales": {"sales": "-0.01"}},
    {"sales": {"sales": "0.005"}},
    {"sales": {"sales": "12.345"}},
    {"sales": {"sales": "1,5"}},
    {"sales": {"sales": "1e3"}},
    {"sales": {"sales": "7."}},
    {"rounded": {"rounded": "-60.25"}},
    {"rounded": {"rounded": "-60.26"}},
    {"rounded": {"rounded": "0.25"}},
    {"rounded": {"rounded": "-0.25"}},
    {"rounded": {"rounded": "98.74"}},
    {"rounded": {"rounded": "98.75"}},
    {"rounded": {"rounded": ""}},
    {"trade": {"trade": "Clothing"}},
    {"trade": {"trade": "clothing"}},
    {"trade": {"trade": ""}},
    {"per_head": {"takings": "100", "heads": "3"}},
    {"per_head": {"takings": "10", "heads": "3"}},
    {"per_head": {"takings": "1", "heads": "0"}},
    {"per_head": {"takings": "", "heads": "3"}},
    {"per_head": {"takings": "999", "heads": "1"}},
    {"growth": {"now": "90", "before": "80"}},
    {"growth": {"now": "0", "before": "80"}},
)


def form_vectors() -> dict[str, Any]:
    columns = {figure.name: column for figure, column in _columns()}
    cases = []
    for case in FORM_CELLS:
        for name, cells in case.items():
            answer = _answer(columns[name], cells)
            cases.append({"figure": name, "cells": cells, **answer})
    return {"figures": [json.loads(figure.payload_bytes()) for figure in FORM_FIGURES], "cases": cases}


def _columns() -> list[tuple[Figure, FigureColumn]]:
    # columns_of takes terms; a figure at a time keeps the operands of formulas free of other figures' rules
    terms = PAPER.study.terms.model_copy(update={"figures": FORM_FIGURES})
    return list(zip(FORM_FIGURES, columns_of(terms), strict=True))


def _answer(column: FigureColumn, cells: dict[str, str]) -> dict[str, Any]:
    try:
        value = column.parse_cells(cells)
    except BadFigure as error:
        return {"error": "BadFigure", "nearest": error.nearest}
    return {"value": None if value is None else str(value)}


PLACE_CASES: tuple[tuple[tuple[int, ...], int | None], ...] = (
    ((47, 54, 61), 40),
    ((0, 0, 0), 0),
    ((48, 55, 62), None),
    ((106, 107, 108), None),
    ((47, 54, 62), None),
    ((fp.P - 1, fp.P - 7, fp.P - 13), 5),
    ((fp.P, 0, 0), None),
)
"""Shares of the parties, and the place that they come to: none off the line, between the steps, beyond the others."""


def place_vectors() -> dict[str, Any]:
    """A member's own place: HPKE's info for each share, and what the shares come to; the reader seals them itself."""
    key, member, job = sealing_key("all members"), PAPER.membership(OWN), secret("job")
    contexts = [ResultContext(job, member.member, party, 2) for party in PAPER.session]
    return {
        "secret": b64(key.secret_bytes()),
        "public": b64(key.public.key),
        "member": b64(member.member),
        "job": b64(job),
        "cell": 2,
        "infos": [context.info(key.public.suite).decode() for context in contexts],
        "cases": [
            {"shares": [str(share) for share in shares], "place": place} for shares, place in PLACE_CASES
        ],
    }


def withdrawal_vectors() -> dict[str, Any]:
    """A member's withdrawal with the receipts of all parties, and receipts that are not theirs or not for it."""
    withdrawal = PAPER.withdrawal(OWN)
    receipts = PAPER.withdrawal_receipts(withdrawal)
    study = verify_result(GOOD, PAPER.fingerprint).study
    elsewhere = WithdrawalReceipt(study_terms=bytes(32), withdrawal=withdrawal.digest(), party=0)
    resigned_by_another = signed(open_envelope(receipts[0], WithdrawalReceipt), PAPER.party_keys[1:2])
    failing = {
        "another withdrawal": (PAPER.withdrawal_receipts(PAPER.withdrawal(OWN, sequence=2))[0], BadDocument),
        "another study": (signed(elsewhere, PAPER.party_keys[:1]), BadDocument),
        "a submission": (PAPER.receipts(OWN)[0], BadDocument),
        "another party": (resigned_by_another, BadSignature),
    }
    for envelope, error in failing.values():
        try:
            verify_withdrawal_receipts(study, withdrawal.digest(), [envelope])
        except error:
            continue
        raise AssertionError("a failing receipt passes")
    return {
        "withdrawal": json.loads(withdrawal.to_json()),
        "digest": b64(withdrawal.digest()),
        "receipts": [json.loads(receipt.to_json()) for receipt in receipts],
        "failing": [
            {"why": why, "error": error.__name__, "receipt": json.loads(envelope.to_json())}
            for why, (envelope, error) in failing.items()
        ],
    }


def csv_vectors() -> list[dict[str, Any]]:
    """Results as spreadsheets read them: one on paper, one whose texts would like to be formulas."""
    terms = PAPER.study.terms

    def cell(function: str, group: str | None = None, **changes: Any) -> Cell:
        fields: dict[str, Any] = {
            "parameters": {},
            "values": ("7",),
            "withheld": None,
            "contributors": 9,
        } | changes
        return Cell(
            function=function,
            figures=(terms.figures[0].name,),
            group=None if group is None else GroupCell(attribute="size", value=group),
            definition=fields.pop("definition", "as defined"),
            **fields,
        )

    hostile = PAPER.result().model_copy(
        update={
            "cells": (
                cell("sum@1", '=HYPERLINK("https://evil.example";"x")', definition="@SUM(1+1)"),
                cell(
                    "sum@1",
                    "+1",
                    values=("-5",),
                    parameters={"grid": "0.1", "other": True, "many": ("1", "2")},
                ),
                cell("sum@1", '-1, "quoted"', definition="two\nlines"),
                cell("histogram@1", parameters={"edges": ("-10", "20")}, values=("5", "6", "7")),
                cell("percentiles@1", parameters={"quantiles": ("1/4", "1/2")}, values=("1", "2.5")),
                cell(
                    "percentiles@1",
                    parameters={"quantiles": ("1/4", "1/2")},
                    values=None,
                    withheld="minimum",
                    contributors=None,
                ),
                cell(
                    "histogram@1",
                    parameters={"edges": ("1",)},
                    values=None,
                    withheld="disclosure",
                    contributors=None,
                ),
                cell("own_rank@1", values=None, sealed=(b"s" * 48,) * 3),
            )
        }
    )
    return [
        {"result": json.loads(result.payload_bytes()), "csv": csv_of_result(result).decode()}
        for result in (PAPER.result(), hostile)
    ]


def recovery_vectors() -> dict[str, Any]:
    """A member's keys in a file that Python made."""
    signing, sealing = PAPER.member_key(OWN), sealing_key("all members")
    passphrase = "flour, wa\u0308ter & yeast"  # not in normal form C
    file = lock_keys(
        community=PAPER.fingerprint,
        register_id="B1",
        signing_key=signing,
        sealing_key=sealing,
        passphrase=passphrase,
        randomness=ScriptedRandomness(b"recovery"),
        iterations=100_000,
    )
    return {
        "file": file.decode(),
        "passphrase": passphrase,
        "signing": b64(signing.secret_bytes()),
        "sealing": b64(sealing.secret_bytes()),
    }


def asking_terms() -> StudyTerms:
    """The study on paper with a secret category that may be blank, and functions of every kind of asking."""
    terms = PAPER.study.terms
    branch = Figure(
        name="branch",
        label="Branch",
        kind="category",
        categories=("Bread", "Pastry"),
        radices=(2,),
        blank_allowed=True,
    )
    first = terms.functions[0]
    asked = (
        first,
        first.model_copy(update={"by": "branch"}),
        first.model_copy(update={"by": "size", "scheduled": True}),
        first.model_copy(update={"function": "own_rank@1", "audience": "self"}),
        first.model_copy(update={"function": "histogram@1", "by": "size", "edges": ("100", "2500")}),
        first.model_copy(update={"function": "mean@1", "grid": "5"}),
    )
    return terms.model_copy(update={"figures": (*terms.figures, branch), "functions": asked})


def question_vectors() -> dict[str, Any]:
    """Cells of each function, which functions a researcher may ask for, and a question signed by one."""
    terms, digest = asking_terms(), PAPER.study.terms_digest()
    enrolled = [
        PAPER.researcher().model_copy(update={"functions": functions, "studies": studies})
        for functions in (("histogram@1", "mean@1"), ("own_rank@1",))
        for studies in (None, (digest,), (secret("another study"),))
    ]
    now = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    askable = [one for one in terms.functions if not one.scheduled and one.audience != "self"]
    study = PAPER.verified_study()
    items = tuple(item for function in askable for item in items_of(function, terms))
    question = signed_query(
        study,
        items,
        PAPER.researcher_key,
        asker_kind="researcher",
        asker=PAPER.researcher().digest(),
        randomness=ScriptedRandomness(b"browser vectors: question"),
        now=now,
        valid_seconds=3600,
    )
    return {
        "terms": json.loads(terms.payload_bytes()),
        "terms_digest": b64(digest),
        "items": [
            [json.loads(item.payload_bytes()) for item in items_of(function, terms)]
            for function in terms.functions
        ],
        "researchers": [
            {
                "document": json.loads(one.payload_bytes()),
                "permitted": [
                    number
                    for number, function in enumerate(terms.functions)
                    if function in askable and one.may_ask(function.function, digest)
                ],
            }
            for one in enrolled
        ],
        "question": {
            "seed_text": "browser vectors: question",
            "secret": b64(PAPER.researcher_key.secret_bytes()),
            "asker": b64(PAPER.researcher().digest()),
            "now": now.isoformat(),
            "envelope": json.loads(question.to_json()),
        },
    }


def build() -> dict[str, Any]:
    return {
        "withdrawal": withdrawal_vectors(),
        "scripted": scripted_vectors(),
        "reader": reader_vectors(),
        "submission": submission_vectors(),
        "evidence": evidence_vectors(),
        "form": form_vectors(),
        "place": place_vectors(),
        "questions": question_vectors(),
        "csv": csv_vectors(),
        "recovery": recovery_vectors(),
    }


def main(check: bool) -> int:
    return write_or_check(FILE, build, check=check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
