"""What a worker makes of a job's specification and its columns, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.documents.figure import Figure
from mpc_cde.encodings import encoding_of
from parties import job_runner
from parties.column_file import ColumnFile, writing_columns
from parties.job_runner import (
    CostMeter,
    anonymous_bytes,
    cells_found,
    open_records,
    pack_mask,
    released_of,
    unpack_mask,
    unpack_masks,
)
from parties.worker_pipe import JobMask, JobSpecification
from protocols.cells import CellOutcome
from protocols.engine import Shared
from protocols.errors import OutOfRange
from protocols.records import arrange

FIGURE = Figure(
    name="sales", label="Sales", minimum="0", step="1", publish_step="2", radices=(4, 2), blank_allowed=True
)


def job_of(records: int, masks: tuple[JobMask, ...] = ()) -> JobSpecification:
    return JobSpecification(
        job_id=bytes(32),
        kind="answer_query",
        roster=bytes(32),
        figures=(FIGURE,),
        records=records,
        masks=masks,
    )


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_masks_travel_as_bits(selected: list[bool]) -> None:
    mask = pack_mask("all", np.array(selected, dtype=np.uint8))
    assert unpack_mask(mask, len(selected)).tolist() == selected
    assert len(mask.bits) == -(-len(selected) // 8)


@pytest.mark.parametrize("bits", [b"", b"\x01", b"\x01\x02\x03", b"\xff\x80"])
def test_mask_of_another_size_than_the_roster_is_refused(bits: bytes) -> None:
    with pytest.raises(OutOfRange):
        unpack_mask(JobMask(name="all", bits=bits), 15)


def test_two_masks_of_one_name_are_refused() -> None:
    mask = pack_mask("all", np.ones(8, dtype=np.uint8))
    with pytest.raises(OutOfRange, match="same name"):
        unpack_masks(job_of(8, (mask, mask)))


def write(path: Path, matrix: np.ndarray[tuple[int, int], np.dtype[np.uint64]]) -> None:
    """The columns of these shares."""
    with writing_columns(path, [encoding_of(FIGURE, allow_exact=False)], matrix.shape[1]) as take:
        take(matrix[:, :3].copy())
        take(matrix[:, 3:].copy())


def test_columns_are_mapped_and_cut_into_figures(tmp_path: Path) -> None:
    matrix = np.arange(5 * 7, dtype=np.uint64).reshape(5, 7)
    path = tmp_path / "shares.u64"
    write(path, matrix)
    records = open_records(job_of(7), str(path))
    figure = records["sales"]
    assert figure.presence is not None
    assert figure.presence.values.tolist() == matrix[0].tolist()
    assert [digit.values.shape for digit in figure.digits] == [(3, 7), (1, 7)]
    made = arrange(matrix, [("sales", figure.encoding)])["sales"]
    assert [rows.values.tolist() for rows in (*figure.running, figure.limb_rows)] == [
        rows.values.tolist() for rows in (*made.running, made.limb_rows)
    ]
    for rows in (*figure.digits, *figure.running, figure.limb_rows):
        assert not rows.values.flags.writeable


@pytest.mark.parametrize("size", [0, 8 * 7 * 8 - 8, 8 * 7 * 8 + 8, 5 * 7 * 8])
def test_columns_of_another_size_are_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "shares.u64"
    path.write_bytes(bytes(size))
    with pytest.raises(OutOfRange, match="need 448"):
        open_records(job_of(7), str(path))


def test_columns_stay_mapped_until_another_file_takes_their_place(tmp_path: Path) -> None:
    path = tmp_path / "shares.u64"
    column_file = ColumnFile()

    def first_number() -> tuple[int, int]:
        presence = open_records(job_of(7), str(path), column_file)["sales"].presence
        assert presence is not None
        return int(presence.values[0]), presence.values.ctypes.data

    write(path, np.full((5, 7), 1, dtype=np.uint64))
    assert first_number() == first_number()
    other = tmp_path / "built again"
    write(other, np.full((5, 7), 2, dtype=np.uint64))
    other.rename(path)
    assert first_number()[0] == 2


def test_job_over_figures_without_columns_is_refused() -> None:
    with pytest.raises(OutOfRange):
        open_records(job_of(7), None)


def test_job_over_no_figures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shares.u64"
    path.touch()
    with pytest.raises(OutOfRange, match="needs figures"):
        open_records(job_of(7).model_copy(update={"figures": ()}), str(path))


def test_a_share_for_one_member_is_not_given_out_without_that_member() -> None:
    own = CellOutcome(None, (), None, own_share=Shared(np.ones(1, dtype=np.uint64)))
    with pytest.raises(OutOfRange, match="the member that asks"):
        cells_found(job_of(7), [own], party=0)


def test_memory_is_looked_at_ten_times_a_second_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([5.0, 5.0, 5.09, 5.11])
    monkeypatch.setattr(job_runner.time, "perf_counter", lambda: next(moments))
    meter = CostMeter()
    assert [meter.look() for _ in range(3)] == [True, False, True]


def test_figures_become_encodings() -> None:
    encoding = encoding_of(FIGURE, allow_exact=True)
    assert (encoding.radices, encoding.half, encoding.published_digits) == ((4, 2), 1, 1)
    category = Figure(name="kind", label="Kind", kind="category", categories=("a", "b", "c"), radices=(3,))
    assert encoding_of(category, allow_exact=False).radices == (3,)


@pytest.mark.parametrize("text", ["", "1/0", "x", "1/2/3"])
def test_released_quantile_that_is_no_fraction_is_refused(text: str) -> None:
    with pytest.raises(OutOfRange):
        released_of((text,))


def test_anonymous_memory_is_measured() -> None:
    assert anonymous_bytes() > 1 << 20
    assert anonymous_bytes(2**22 - 1) == 0
