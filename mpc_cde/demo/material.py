"""The figures and the study that a demo runs on, checked completely before any process is started.

Two views of one table are made here and never mixed: `Shop`, from which the member side submits, and the facts
for the plain calculation, which reads the file again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mpc_cde.client.figures import Value, check_figures, columns_of
from mpc_cde.client.tables import Table, read_table
from mpc_cde.demo import plain_facts
from mpc_cde.demo.plain import PlainCell, calculate
from mpc_cde.demo.plain_table import read_rows
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.errors import CallerError
from mpc_cde.study_templates import StudyTemplate, read_template, study_from_template

DATA = Path(__file__).parent / "data"
SHOPS_P_PERCENT = 15
_NOWHERE = bytes(32)
_EARLY, _LATE = "2000-01-01T00:00:00Z", "2000-01-02T00:00:00Z"


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member: what its registrar knows, and the figures that only it knows."""

    row: int
    register_id: str
    holding: str | None
    sole_trader: bool
    attributes: Mapping[str, str]
    figures: Mapping[str, Value]

    def __repr__(self) -> str:
        return f"MemberRow(row={self.row}, figures=<redacted>)"


@dataclass(frozen=True, slots=True)
class Material:
    """A checked table and template; `path` is read again by the plain calculation alone.

    `p_percent` is the unpublished p of the study's p% rule, None without one.
    """

    path: Path
    template: StudyTemplate
    members: tuple[MemberRow, ...]
    p_percent: int | None = field(default=None, repr=False)

    def study(
        self, *, community: bytes, steward: str, opens: str, closes: str, p_percent: bytes | None = None
    ) -> Study:
        """The study that the steward proposes; `p_percent` is the commitment to its p, if there is one."""
        return study_from_template(
            self.template,
            community=community,
            steward=steward,
            opens=opens,
            closes=closes,
            p_percent=p_percent,
        )

    def expected(
        self,
        items: Iterable[QueryItem],
        terms: StudyTerms,
        *,
        row: int | None = None,
        earlier: Iterable[PlainCell] = (),
    ) -> list[PlainCell]:
        """What the plain calculation says of these cells; `row` asks for its own place."""
        return calculate(
            read_rows(str(self.path)),
            plain_facts.plain_figures(terms),
            plain_facts.plain_classes(self.template),
            plain_facts.plain_study(terms),
            [plain_facts.plain_item(item, row=row) for item in items],
            plain_facts.plain_rules(terms, self.p_percent),
            earlier,
        )


def default_material() -> Material:
    """400 real shops and their study, out of the package."""
    return load_material(
        DATA / "clothing_stores.csv", DATA / "clothing_stores.toml", p_percent=SHOPS_P_PERCENT
    )


def load_material(figures: Path, study: Path | StudyTemplate, *, p_percent: int | None = None) -> Material:
    """Read and check a table with a template. Raises CallerError naming file, row, column or key."""
    template = study if isinstance(study, StudyTemplate) else read_template(study)
    named = study.name if isinstance(study, Path) else "the template"
    table = read_table(figures)
    missing = template.missing_columns(table.headings)
    if missing:
        found = ", ".join(table.headings[:30])
        raise CallerError(
            f"{figures.name}: row 1: missing column {', '.join(missing)}; found {found}",
            hint=f"The columns that {named} names must stand in the first row.",
        )
    terms = study_from_template(
        template, community=_NOWHERE, steward="steward", opens=_EARLY, closes=_LATE
    ).terms
    checked = check_figures(table, columns_of(terms))
    if len(checked.rows) > template.roster_cap:
        raise CallerError(
            f"{figures.name}: {len(checked.rows)} rows, more than the roster_cap of {template.roster_cap}",
            hint=f"Raise roster_cap in {named}.",
        )
    values = {row.row: row.values for row in checked.rows}
    return Material(figures, template, _members(table, template, values), p_percent)


def _members(
    table: Table, template: StudyTemplate, values: Mapping[int, Mapping[str, Value]]
) -> tuple[MemberRow, ...]:
    members = []
    for row in table.rows:
        attributes = template.attributes_of(row.cells)
        for group in template.groups:
            if group.attribute not in attributes:
                known = ", ".join(one.value for one in group.classes)
                raise CallerError(
                    f"row {row.number}, column {group.column}: fits no class of {group.attribute} ({known})",
                    hint="The classes of a group have to hold every member; widen one or add one.",
                )
        members.append(
            MemberRow(
                row=row.number,
                register_id=_cell(row.cells, template.register_column) or f"row {row.number}",
                holding=_cell(row.cells, template.holding_column) or None,
                sole_trader=_cell(row.cells, template.sole_trader_column).casefold() in ("yes", "true", "1"),
                attributes=attributes,
                figures=values[row.number],
            )
        )
    return tuple(members)


def _cell(cells: Mapping[str, str | None], column: str | None) -> str:
    return "" if column is None else (cells.get(column) or "").strip()
