"""What a page of the feed needs, got for all its items at once before they are taken one by one.

The rows that their checks look at come with a few queries. Where there is a process for it, that one verifies
signatures and opens envelopes while the items before them are taken; else signatures are verified side by side
beforehand, since the library lets other threads run meanwhile. What was found out is remembered by `is_signed` and in
`opened`, so the checks themselves stay as they are and find each answer ready; what is not there they find out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import (
    MAX_REMEMBERED_BYTES,
    Envelope,
    is_signed,
    keyid_of,
    note_verified,
    open_envelope,
    pre_authentication_encoding,
)
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument
from mpc_cde.feed_format import FeedFrame
from mpc_cde.sealing import SealingPrivateKey
from parties.envelope_opener import SealedPart, Task
from parties.errors import PartyError
from parties.gathered_rows import Interest
from parties.opener_process import OpenerProcess
from parties.share_store import StoreView
from parties.signature_filter import community_keys

AT_ONCE = 2
WORTH_THREADS = 8
ROUND = 16
"""Tasks that go to the other process together: few enough for the first answers to be there soon."""

PartOf = Callable[[FeedFrame], SealedPart | None]
"""The envelope that will be opened if the item passes its checks."""
SealingKeyOf = Callable[[bytes], SealingPrivateKey]


class LookingAhead:
    """What another process finds out about a page while it is taken; nothing, where there is none.

    `opened` holds what is in an envelope, None for one that does not open.
    """

    def __init__(
        self, opener: OpenerProcess | None = None, failed: Callable[[PartyError], None] = lambda _: None
    ) -> None:
        """`failed` hears why the process is no longer asked."""
        self.opened: dict[SealedPart, bytes | None] = {}
        self._opener = opener
        self._failed = failed
        self._waiting: deque[int] = deque()
        """Of each round that is not answered yet, the place in the page of its first task."""

    def is_ready_for(self, items: int) -> bool:
        """Whether the process can be asked about a page of so many items."""
        try:
            return self._opener is not None and self._opener.is_ready_for(items)
        except PartyError as error:
            self._do_without(error)
            return False

    def ask(self, tasks: Iterator[tuple[int, Task]], sealing_key_of: SealingKeyOf) -> None:
        """Hand over what is to be found out, each with its place in the page, ascending."""
        while self._opener is not None and (batch := list(islice(tasks, ROUND))):
            try:
                self._opener.ask([task for _, task in batch], sealing_key_of)
            except PartyError as error:
                self._do_without(error)
            self._waiting.append(batch[0][0])

    def reach(self, place: int) -> None:
        """Returns when what was asked about this place of the page has been answered, or never will be."""
        try:
            if self._opener is not None and self._waiting:
                self._opener.go_on()
            while self._opener is not None and self._waiting and self._waiting[0] <= place:
                for task, answer in self._opener.answers():
                    for (key, signature), holds in zip(task.claims, answer.holds, strict=True):
                        note_verified(key, signature, task.message, holds=holds)
                    if task.part is not None and answer.is_tried:
                        self.opened[task.part] = answer.plaintext
                self._waiting.popleft()
        except PartyError as error:
            self._do_without(error)

    def _do_without(self, error: PartyError) -> None:
        opener, self._opener = self._opener, None
        if opener is not None:
            opener.give_up()
            self._failed(error)


def look_ahead(
    view: StoreView,
    items: Sequence[FeedFrame],
    community: Community,
    *,
    opener: OpenerProcess | None,
    part_of: PartOf,
    sealing_key_of: SealingKeyOf,
    failed: Callable[[PartyError], None],
) -> LookingAhead:
    """Gather the rows, and see to the signatures and envelopes, that taking these items will ask for."""
    interests = [_interest_of(item.envelope) for item in items]
    view.gather(interests)
    office = {keyid_of(key): key for key in community_keys(community)}
    tasks = (
        (place, task)
        for place, (item, interest) in enumerate(zip(items, interests, strict=True))
        if (task := _task_of(view, item, interest, office, part_of)) is not None
    )
    ahead = LookingAhead(opener, failed)
    if ahead.is_ready_for(len(items)):
        ahead.ask(tasks, sealing_key_of)
    else:
        _verify_side_by_side([task for _, task in tasks])
    return ahead


def _verify_side_by_side(tasks: Sequence[Task]) -> None:
    if len(tasks) < WORTH_THREADS:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="signatures") as threads:
        list(threads.map(_verify, (tasks[start::AT_ONCE] for start in range(AT_ONCE))))


def _verify(tasks: Sequence[Task]) -> None:
    for task in tasks:
        for key, signature in task.claims:
            is_signed(key, signature, task.message)


def _task_of(
    view: StoreView, item: FeedFrame, interest: Interest, office: dict[bytes, bytes], part_of: PartOf
) -> Task | None:
    """Who signed goes by the hints alone; where a hint lies, the check itself finds out."""
    envelope = item.envelope
    if len(envelope.payload) >= MAX_REMEMBERED_BYTES // 2:
        return None
    keys = office | {keyid_of(key): key for key in _keys_of_members(view, interest)}
    claims = tuple((keys[each.keyid], each.sig) for each in envelope.signatures if each.keyid in keys)
    if not claims:
        return None
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    return Task(message, claims, part_of(item))


def _keys_of_members(view: StoreView, interest: Interest) -> list[bytes]:
    return [
        stored.parse(Membership).signing_key
        for member in interest.members
        for stored in view.documents(Membership.type_name(), subject=member)
    ]


def _interest_of(envelope: Envelope) -> Interest:
    """What the checks of this document look at; more is looked up when it is asked for."""
    digest = frozenset({envelope.digest()})
    try:
        if envelope.payload_type == Membership.payload_type():
            membership = open_envelope(envelope, Membership)
            register = frozenset({membership.register_id})
            return Interest(digest, frozenset({membership.member}), register_ids=register)
        if envelope.payload_type == Submission.payload_type():
            member = frozenset({open_envelope(envelope, Submission).member})
            return Interest(digest, digest | member, member)
        if envelope.payload_type == Withdrawal.payload_type():
            member = frozenset({open_envelope(envelope, Withdrawal).member})
            return Interest(digest, member, member)
        if envelope.payload_type == Receipt.payload_type():
            return Interest(digest, frozenset({open_envelope(envelope, Receipt).submission}))
        if envelope.payload_type == WithdrawalReceipt.payload_type():
            return Interest(digest, frozenset({open_envelope(envelope, WithdrawalReceipt).withdrawal}))
    except BadDocument:
        pass  # its own check says so
    return Interest(digest)
