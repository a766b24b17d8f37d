"""What may be asked of the demo, and playing it: wiring only."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from mpc_cde.demo.cast import Cast, assemble
from mpc_cde.demo.comparison import Comparison, compare, item_of, opened_cell
from mpc_cde.demo.generated import generated_material
from mpc_cde.demo.material import Material, default_material, load_material
from mpc_cde.demo.open_pages import page_origins, serve_pages
from mpc_cde.demo.organisations import Organisations, ended_by_sigterm
from mpc_cde.demo.report import (
    DemoReport,
    Narrator,
    answer_console,
    print_json,
    print_report,
    progress_console,
)
from mpc_cde.demo.story import DemoMember, Ending, Story
from mpc_cde.errors import CallerError
from protocols.randomness import Randomness, SystemRandomness

MAX_PARTIES = 16


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`figures` and `study` come together or not at all, and `p_percent` with them; `keep` is a directory to leave
    everything in."""

    figures: Path | None = None
    study: Path | None = None
    p_percent: int | None = None
    members: int | None = None
    parties: int = 3
    threshold: int = 1
    serve: bool = False
    json: bool = False
    everything: bool = False
    keep: Path | None = None


def parse_options(arguments: Sequence[str]) -> DemoOptions:
    """Options of the command line. Ends the process for --help and for what argparse refuses; raises CallerError."""
    parser = argparse.ArgumentParser(
        prog="mpc-cde demo",
        description="The whole story on this machine: a gateway and independent parties as processes, members "
        "who submit secret-shared figures over HTTP, a verified result, compared with the plain calculation.",
    )
    parser.add_argument("--figures", type=Path, metavar="FILE", help="a CSV, one member a row")
    parser.add_argument("--study", type=Path, metavar="FILE", help="its study, see docs/study-templates.md")
    parser.add_argument(
        "--p-percent", type=int, metavar="P", help="the unpublished p of its p%% rule, if any"
    )
    parser.add_argument(
        "--members", type=int, metavar="N", help="N generated stores, five figures, deciles (no --figures)"
    )
    parser.add_argument("--parties", type=int, default=3, metavar="N", help="how many parties (3)")
    parser.add_argument(
        "--threshold", type=int, metavar="T", help="how many of them may collude and learn nothing"
    )
    parser.add_argument("--serve", action="store_true", help="keep everything running after the result")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--all", action="store_true", help="print every cell, with the definitions")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave all directories there")
    given = parser.parse_args(list(arguments))
    if (given.figures is None) != (given.study is None):
        raise CallerError(
            "--figures and --study come together", hint="docs/study-templates.md has an example."
        )
    if given.p_percent is not None and (given.study is None or not 1 <= given.p_percent <= 100):
        raise CallerError(
            "--p-percent goes with --study and lies from 1 to 100", hint="Such as --p-percent 15."
        )
    if given.members is not None and given.figures is not None:
        raise CallerError("--members and --figures exclude each other")
    threshold = (given.parties - 1) // 2 if given.threshold is None else given.threshold
    if not (3 <= given.parties <= MAX_PARTIES and threshold >= 1 and 2 * threshold + 1 <= given.parties):
        raise CallerError(
            f"{given.parties} parties with a threshold of {threshold} cannot be",
            hint=f"3 to {MAX_PARTIES} parties, threshold at least 1, and 2t + 1 not above the parties.",
        )
    if given.keep is not None and given.keep.exists():
        raise CallerError(f"{given.keep} is there already", hint="Name a directory that does not exist yet.")
    return DemoOptions(
        given.figures,
        given.study,
        given.p_percent,
        given.members,
        given.parties,
        threshold,
        given.serve,
        given.json,
        given.all,
        given.keep,
    )


def run(options: DemoOptions) -> int:
    """Play the demo; 0 if every cell equals the plain calculation, 1 if not. Raises MpcCdeError."""
    narrator = Narrator(progress_console())
    try:
        with ended_by_sigterm():
            report = play(options, narrator=narrator, randomness=SystemRandomness(), serve=options.serve)
    except KeyboardInterrupt:
        narrator.say("Interrupted; every process is ended.")
        return 130
    return report.exit_status


def play(
    options: DemoOptions,
    *,
    narrator: Narrator,
    randomness: Randomness,
    serve: bool = False,
    before_query: Callable[[Cast], Awaitable[None]] | None = None,
) -> DemoReport:
    """The story, its report printed; no process runs when this returns. Raises MpcCdeError, KeyboardInterrupt."""
    given = _given_material(options)  # whatever is wrong with it is said before anything is made
    directory = options.keep or Path(tempfile.mkdtemp(prefix="mpc-cde-demo-"))
    try:
        with Organisations(directory) as organisations:
            material = given or generated_material(options.members or 0, directory)
            pages = page_origins(options.parties) if serve else []
            report, cast, visitor = anyio.run(
                _play, options, material, organisations, narrator, randomness, before_query, pages
            )
            _print(report, options)
            if serve:
                serve_pages(cast, organisations, pages, visitor, narrator=narrator, randomness=randomness)
                _serve(cast, organisations, narrator)
            return report
    finally:
        if options.keep is None:
            shutil.rmtree(directory, ignore_errors=True)


async def _play(
    options: DemoOptions,
    material: Material,
    organisations: Organisations,
    narrator: Narrator,
    randomness: Randomness,
    before_query: Callable[[Cast], Awaitable[None]] | None,
    pages: Sequence[str] = (),
) -> tuple[DemoReport, Cast, DemoMember]:
    began = time.monotonic()
    with narrator.phase(
        "start", f"a gateway and {options.parties} parties, each with its own directory and keys"
    ):
        cast = await assemble(
            organisations,
            parties=options.parties,
            threshold=options.threshold,
            name="Community of the demo",
            randomness=randomness,
            pages=pages,
        )
    ending = await Story(cast, material, narrator, randomness, before_query).tell()
    with narrator.phase("compare", "the plain calculation on the open figures"):
        terms = ending.study.study.terms
        comparison = compare_all(material, ending)
    narrator.seconds["total"] = time.monotonic() - began
    report = DemoReport(
        terms=terms,
        cells=ending.result.cells,
        places=ending.places,
        comparison=comparison,
        seconds=dict(narrator.seconds),
        bytes_sent_per_party=ending.bytes_sent_per_party,
        verified=ending.verified,
    )
    return report, cast, ending.visitor


def compare_all(material: Material, ending: Ending) -> Comparison:
    """The researcher's cells, then the places of the members that asked, beside the plain calculation."""
    terms = ending.study.study.terms
    expected = material.expected(ending.items, terms)
    found = compare(expected, ending.result.cells)
    for asked in ending.places:
        items = [item_of(place.cell) for place in asked.places]
        plain = material.expected(items, terms, row=asked.number, earlier=expected)
        found = found.joined(compare(plain, [opened_cell(place) for place in asked.places]))
    return found


def _given_material(options: DemoOptions) -> Material | None:
    """What the files say; None for members that are made up."""
    if options.members is not None:
        return None
    if options.figures is None or options.study is None:
        return default_material()
    return load_material(options.figures, options.study, p_percent=options.p_percent)


def _print(report: DemoReport, options: DemoOptions) -> None:
    if options.json:
        print_json(report, answer_console())
    else:
        print_report(report, answer_console(), everything=options.everything)


def _serve(cast: Cast, organisations: Organisations, narrator: Narrator) -> None:
    """Keep everything running until Ctrl-C. Raises KeyboardInterrupt, OrganisationError if a process ends."""
    narrator.say(f"gateway     {cast.gateway_url}")
    for name, node in cast.nodes.items():
        if "operations" in node.address:
            narrator.say(f"{name}: operations {node.address['operations']}")
    narrator.say(f"fingerprint {cast.fingerprint}")
    narrator.say("Everything keeps running until Ctrl-C.")
    while True:
        organisations.verify_alive()
        time.sleep(0.5)
