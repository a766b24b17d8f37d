"""Study templates: a TOML file that says what a study asks and answers, before it belongs to any community.

- `template`   the values: figures, groups and the rules of their classes, functions, columns of the members' table
- `reader`     `read_template`, `parse_template`: strict, with the key, what was expected and what was found
- `radices`    `choose_radices`: from a wished range and grid to the radices that figures are shared in
- `proposal`   `study_from_template`: adds what only a community knows (its digest, the steward, the dates)
- `table`      one table of the file, read key by key

The format is described in docs/study-templates.md.
"""

from mpc_cde.study_templates.proposal import study_from_template
from mpc_cde.study_templates.radices import NoRadices, choose_radices
from mpc_cde.study_templates.reader import parse_template, read_template
from mpc_cde.study_templates.table import BadTemplate
from mpc_cde.study_templates.template import (
    StudyTemplate,
    TemplateClass,
    TemplateFigure,
    TemplateFunction,
    TemplateGroup,
)

__all__ = [
    "BadTemplate",
    "NoRadices",
    "StudyTemplate",
    "TemplateClass",
    "TemplateFigure",
    "TemplateFunction",
    "TemplateGroup",
    "choose_radices",
    "parse_template",
    "read_template",
    "study_from_template",
]
