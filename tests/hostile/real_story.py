"""A story among real processes: a gateway, three nodes, and between everybody and the gateway a hostile proxy.

Fourteen bakeries submit. One is kept from a party, one reaches a party altered, one withdraws and a party is not
told; meanwhile answers are lost, cut and forged at every door. The rest is computed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx

from mpc_cde.client import http
from mpc_cde.client.connection import Connection, connect
from mpc_cde.client.evidence import verified_result
from mpc_cde.client.receipts import read_receipts
from mpc_cde.client.verification import VerifiedStudy
from mpc_cde.demo.cast import assemble
from mpc_cde.demo.comparison import Comparison, compare
from mpc_cde.demo.machines import Machines
from mpc_cde.demo.material import DATA, Material, load_material
from mpc_cde.demo.organisations import Organisations, free_addresses
from mpc_cde.demo.report import Narrator, progress_console
from mpc_cde.demo.story import DemoMember, Story
from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.envelope import Envelope, open_envelope, sign_document
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import MpcCdeError
from protocols.randomness import SystemRandomness
from tests.hostile.inventions import signed_as
from tests.mpc_cde.client.paper import sealing_key

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = 14
KEPT_FROM_2, SPOILT_FOR_1, WITHDRAWS = 0, 1, 2
LEFT_OUT = (KEPT_FROM_2, SPOILT_FOR_1, WITHDRAWS)
LOOK_SECONDS = 0.1
WAIT_SECONDS = 60.0
FEED_OF_0, FEED_OF_1, FEED_OF_2 = (f"GET /v1/parties/{party}/feed" for party in range(3))
STUDY, RESULT = r"GET /v1/studies/[^/]+", r"GET /v1/results/[^/]+"
Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """How it ended; `words` what somebody read, by the name of the attack."""

    words: Mapping[str, str]
    comparison: Comparison
    roster_count: int
    not_done: Sequence[Rule]


@dataclass
class HostileProxy:
    """The process between everybody and the gateway, and what it is told to do from now on."""

    directory: Path
    port: int = 0
    gateway: str = ""
    rules: list[Rule] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, target: str, fault: str, **options: Any) -> None:
        """One more rule, after those that stand."""
        self.rules.append({"target": target, "fault": fault, **options})
        self.write()

    def write(self) -> None:
        new = self.directory / "plan.json.new"
        new.write_text(json.dumps({"gateway": self.gateway, "rules": self.rules}))
        new.rename(self.directory / "plan.json")

    def body(self, name: str, content: bytes) -> str:
        """A file whose content is served in place of an answer."""
        path = self.directory / name
        path.write_bytes(content)
        return str(path)

    def not_done(self) -> list[Rule]:
        """Rules that no answer ever met."""
        seen = self.directory / "seen.jsonl"
        lines = seen.read_text().splitlines() if seen.exists() else []
        done = {json.loads(line)["rule"] for line in lines}
        return [rule for number, rule in enumerate(self.rules) if number not in done]


@contextmanager
def hostile_proxy(directory: Path) -> Iterator[HostileProxy]:
    """The proxy runs, honestly, until the block ends."""
    directory.mkdir()
    proxy = HostileProxy(directory)
    proxy.write()
    command = [sys.executable, "-m", "tests.hostile.proxy", str(directory / "plan.json")]
    with (directory / "log.txt").open("wb") as log:
        process = start_tied(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        end = time.monotonic() + WAIT_SECONDS
        while not (directory / "run.json").exists():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((directory / "log.txt").read_text())
            time.sleep(LOOK_SECONDS)
        proxy.port = json.loads((directory / "run.json").read_bytes())["port"]
        yield proxy
    finally:
        process.terminate()
        process.wait(10)


def few_bakeries(directory: Path, rows: Sequence[int], name: str) -> Material:
    """These rows of the example's table, from 0."""
    lines = (DATA / "bakery_energy.csv").read_text("utf-8").splitlines()
    table = directory / name
    table.write_text("\n".join([lines[0], *(lines[1 + row] for row in rows)]) + "\n", "utf-8")
    return load_material(table, DATA / "bakery_energy.toml")


@dataclass(slots=True)
class HostileStory(Story):
    """The demo's acts, with the proxy's plan changed between them."""

    proxy: HostileProxy = field(kw_only=True)
    words: dict[str, str] = field(default_factory=dict)

    async def tell_all(self, rest: Material) -> Told:
        """To the end; `rest` are the members that must count."""
        proxy = self.proxy
        proxy.add("POST /v1/(communities|memberships|approvals)", "lose", times=4)
        proxy.add(FEED_OF_1, "cut", times=5)
        proxy.add("GET /v1/community", "lose", times=1)
        await self._found_community()
        async with connect(self.cast.gateway_url, fingerprint=self.cast.fingerprint) as connection:
            members, memberships, researcher = await self._enrol(connection)
            study = await self._agree_on_study(connection)
            await self._forge_an_approval(connection, study)
            await self._plan_for_submissions(study, members, memberships)
            submissions = await self._submit(connection, study, members, memberships)
            await self._withdraw(connection, study, members, submissions)
            await self._swap_receipts(connection, study, submissions)
            proxy.add(FEED_OF_0, "spoil_signatures", type="roster/v1")
            await self._close(connection, study)
            items, result = await self._ask(connection, study, researcher)
            await self._lie_about_the_result(connection, result.result.digest(), researcher.envelope)
            await self._verify_as_member(
                connection,
                study,
                result,
                *(_without(LEFT_OUT, each) for each in (members, memberships)),
                _without(LEFT_OUT, submissions),
            )
        return Told(
            self.words,
            compare(rest.expected(items, study.study.terms), result.cells),
            result.roster.count,
            proxy.not_done(),
        )

    async def _words_of(self, name: str, failing: Any) -> None:
        """What the error says that must come of it."""
        try:
            await failing
        except MpcCdeError as error:
            self.words[name] = f"{type(error).__name__}: {error}"
        else:
            self.words[name] = "nothing was noticed"

    async def _honest(self, path: str) -> bytes:
        """An answer without the proxy."""
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://{self.proxy.gateway}{path}")).content

    async def _forge_an_approval(self, connection: Connection, study: VerifiedStudy) -> None:
        """The gateway's own sealing key in party 1's name, before anything is sealed."""
        terms = study.terms_digest
        file = json.loads(await self._honest(f"/v1/studies/{encode_base64url(terms)}"))
        true = next(approval for approval in study.approvals if approval.party == 1)
        document: Approval = true.model_copy(update={"sealing_key": sealing_key("the gateway's own").public})
        forged = signed_as(document.payload_type(), document.payload_bytes(), [study.community.party_key(1)])
        others = [
            a
            for a in file["approvals"]
            if Envelope.parse_json(json.dumps(a).encode()).digest() != true.digest()
        ]
        body = json.dumps(file | {"approvals": [*others, json.loads(forged.to_json())]}).encode()
        self.proxy.add(STUDY, "other_body", times=1, file=self.proxy.body("study.json", body))
        await self._words_of("approval invented", connection.verified_study(terms))

    async def _plan_for_submissions(
        self, study: VerifiedStudy, members: Sequence[DemoMember], memberships: Sequence[Envelope]
    ) -> None:
        ids = [json.loads(envelope.payload)["member"] for envelope in memberships]
        proxy = self.proxy
        proxy.add(FEED_OF_2, "leave_out", type="submission/v1", containing=ids[KEPT_FROM_2])
        proxy.add(FEED_OF_2, "leave_out", type="withdrawal/v1")
        proxy.add(FEED_OF_1, "spoil_part", type="submission/v1", containing=ids[SPOILT_FOR_1])
        proxy.add("POST /v1/submissions", "lose", times=3)

    async def _await_receipts(
        self, machines: Machines, study: VerifiedStudy, submissions: list[Envelope]
    ) -> None:
        """Every party has answered every submission that it got."""
        waiting = {number: envelope.digest() for number, envelope in enumerate(submissions)}
        end = time.monotonic() + WAIT_SECONDS
        while waiting and time.monotonic() < end:
            for number, digest in list(waiting.items()):
                with machines.one() as own:
                    status = await read_receipts(own, study, digest)
                answers = len(status.accepted) + len(status.refused)
                self.words[f"receipts of {number}"] = status.describe()
                if answers == (2 if number == KEPT_FROM_2 else 3):
                    del waiting[number]
            await anyio.sleep(LOOK_SECONDS)

    async def _withdraw(
        self,
        connection: Connection,
        study: VerifiedStudy,
        members: Sequence[DemoMember],
        submissions: Sequence[Envelope],
    ) -> None:
        member = open_envelope(submissions[WITHDRAWS], Submission).member
        document = Withdrawal(study_terms=study.terms_digest, member=member, sequence=1)
        await connection.calls.post("withdrawals", sign_document(document, members[WITHDRAWS].signing_key))

    async def _swap_receipts(
        self, connection: Connection, study: VerifiedStudy, submissions: Sequence[Envelope]
    ) -> None:
        own, other = (submissions[number].digest() for number in (-1, -2))
        body = await self._honest(f"/v1/submissions/{encode_base64url(other)}")
        path = f"GET /v1/submissions/{encode_base64url(own)}"
        self.proxy.add(path, "other_body", times=1, file=self.proxy.body("receipts.json", body))
        await self._words_of("receipts of another", read_receipts(connection, study, own))

    async def _lie_about_the_result(self, connection: Connection, digest: bytes, asker: Envelope) -> None:
        proxy = self.proxy

        async def read() -> None:
            await verified_result(connection, digest, reader=self._reader_of_the_demo, asker=asker)

        proxy.add(RESULT, "replace_text", times=1, text='"payload":"ey', by='"payload":"eX')
        await self._words_of("result altered", read())
        proxy.add(RESULT, "cut", times=1)
        await self._words_of("result cut", read())
        proxy.add("GET /v1/community", "drip", times=1)
        before, http.WHOLE_ANSWER_SECONDS = http.WHOLE_ANSWER_SECONDS, 1.0
        try:
            async with http.GatewayClient(self.cast.gateway_url, attempts=1) as client:
                await self._words_of("answer by bytes", client.get("/v1/community"))
        finally:
            http.WHOLE_ANSWER_SECONDS = before

    async def _enrol(self, connection: Connection) -> Any:
        members, memberships, researcher = await Story._enrol(self, connection)
        self._reader_of_the_demo = self._reader(researcher.signing_key)
        return members, memberships, researcher

    _reader_of_the_demo: Any = field(default=None, init=False)


def _without(numbers: Sequence[int], everything: Sequence[Any]) -> list[Any]:
    return [each for number, each in enumerate(everything) if number not in numbers]


async def tell(directory: Path) -> Told:
    """Begin the processes, tell the story, end them."""
    material = few_bakeries(directory, range(MEMBERS), "bakeries.csv")
    rest = few_bakeries(directory, [row for row in range(MEMBERS) if row not in LEFT_OUT], "rest.csv")
    randomness = SystemRandomness()
    with (
        hostile_proxy(directory / "proxy") as proxy,
        Organisations(directory / "organisations") as organisations,
    ):
        (proxy.gateway,) = free_addresses(1)
        proxy.write()
        settings = directory / "gateway.toml"
        settings.write_text(f'public_url = "{proxy.url}"\n')
        cast = await assemble(
            organisations,
            parties=3,
            threshold=1,
            name="Community behind a proxy",
            randomness=randomness,
            gateway_options=["--config", str(settings), "--port", proxy.gateway.rpartition(":")[2]],
        )
        story = HostileStory(cast, material, Narrator(progress_console()), randomness, proxy=proxy)
        return await story.tell_all(rest)
