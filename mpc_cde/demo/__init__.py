"""The whole story on one machine: independent organisations as processes, members over HTTP, a verified answer.

options         what may be asked of the demo, and `run`, which plays it
organisations   child processes, each with its own directory and an empty environment; none is left behind
cast            who takes part: the gateway, the parties' nodes, registrars, steward, members, researcher
story           the acts, from the first party card to the verified result
material        the figures and the study template, checked before anything starts
generated       stores as many as wanted, drawn from the real ones
plain           the same answers from the open figures, written independently (and plain_table, plain_functions,
                plain_study, plain_rules); plain_facts is what it is told of a study
places          what members who asked for their own place read
comparison      one against the other, cell by cell
node_logs       what the parties' own logs say of jobs and failures
report          progress, the JSON document and the exit status; report_tables: the tables
data            figures of 400 real shops with their study, and a second example
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Play the demo that these command-line arguments describe; its exit status. Raises MpcCdeError."""
    from mpc_cde.demo.options import parse_options, run

    return run(parse_options(arguments))
