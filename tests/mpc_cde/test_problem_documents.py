"""The code beside a problem's detail: passed on by a gateway, read from one that nobody has to believe."""

from __future__ import annotations

from typing import Any

import pytest

from mpc_cde.coded_text import CodedText, coded, worded
from mpc_cde.problem_documents import code_members, coded_detail, kind_of


def test_a_code_and_its_values_come_through() -> None:
    detail = worded("study_full", "it takes {most} members", most=12)
    members = code_members(detail)
    assert members == {"code": "study_full", "values": {"most": "12"}}
    read = coded_detail(members, "Full: it takes 12 members")
    assert isinstance(read, CodedText)
    assert coded(read) == {**members, "text": "Full: it takes 12 members"}
    assert code_members("a sentence without one") == {}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"code": 3, "values": {}},
        {"code": "../reason", "values": {}},
        {"code": "a" * 65, "values": {}},
        {"code": "study_full"},
        {"code": "study_full", "values": [1]},
        {"code": "study_full", "values": {"most": {"code": "nested", "values": {}}}},
        {"code": "study_full", "values": {"most": "9" * 501}},
        {"code": "study_full", "values": {str(number): "9" for number in range(9)}},
    ],
)
def test_a_code_that_is_none_is_not_taken(members: dict[str, Any]) -> None:
    read = coded_detail(members, "shown")
    assert read == "shown"
    assert not isinstance(read, CodedText)


def test_only_a_type_of_ours_has_a_kind() -> None:
    assert kind_of("urn:mpc-cde:problem:not-found") == "not-found"
    assert kind_of("about:blank") is None
