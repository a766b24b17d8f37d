"""Rules for what registrars, stewards and all parties together sign: who is who, and which studies there are."""

from __future__ import annotations

from mpc_cde.coded_text import worded
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.study import Study
from mpc_cde.errors import BadSignature
from mpc_cde.gateway import communities
from mpc_cde.gateway.admission import Context, Rule
from mpc_cde.gateway.communities import party_keys, registrar_keys
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.standing import is_revoked
from mpc_cde.gateway.store_view import StoredDocument, StoreView
from mpc_cde.gateway.study_files import find_study, get_study
from mpc_cde.life_cycles import study as life


def community_rule(envelope: Envelope, context: Context) -> Rule:
    """A version: any of the parties that must sign it may begin."""
    community = open_envelope(envelope, Community)
    digest = envelope.digest()
    keys = communities.may_be_kept(community, digest, context.chain, fingerprint=context.fingerprint)

    def guard(view: StoreView) -> None:
        if view.count_documents(Community.type_name()) >= context.pending_communities + len(
            context.chain.stored
        ):
            raise RequestRefused(
                ProblemKind.CONFLICT,
                "too many proposals of a community wait for signatures here",
                hint="Pin the gateway to the fingerprint of yours.",
            )

    return Rule(Community.type_name(), keys, (), guard=guard)


def membership_rule(envelope: Envelope, context: Context) -> Rule:
    """Its registrar begins; other registrars and parties countersign. One entry of the register, one member."""
    membership = open_envelope(envelope, Membership)
    community = context.chain.named(membership.community)
    registrar = _registrar(community, membership.registrar)

    def guard(view: StoreView) -> None:
        kind = Membership.type_name()
        for stored in view.documents(kind, subject=membership.member):
            if parse_stored(stored, Membership).register_id != membership.register_id:
                raise _taken(worded("taken_member", "the member id belongs to another membership already"))
        for stored in view.documents(kind, register_id=membership.register_id):
            if _is_anothers(stored, view):
                raise _taken(
                    worded(
                        "taken_entry",
                        "the entry of the external register belongs to another membership already",
                    )
                )
        for stored in view.documents(kind, reader_key=membership.signing_key):
            if _is_anothers(stored, view):
                raise _taken(worded("taken_key", "the signing key belongs to another membership already"))

    def _is_anothers(stored: StoredDocument, view: StoreView) -> bool:
        holder = parse_stored(stored, Membership).member
        return holder != membership.member and not is_revoked(view, context.chain, holder)

    return Rule(
        Membership.type_name(),
        registrar_keys(community) | party_keys(community),
        ((registrar.key, f"registrar {registrar.name}"),),
        subject=membership.member,
        reader_key=membership.signing_key,
        register_id=membership.register_id,
        guard=guard,
    )


def revocation_rule(envelope: Envelope, context: Context) -> Rule:
    """A registrar, or parties one by one until there are t + 1."""
    revocation = open_envelope(envelope, Revocation)
    community = context.chain.named(revocation.community)
    keys = registrar_keys(community) | party_keys(community)
    return Rule(Revocation.type_name(), keys, (), subject=revocation.subject)


def researcher_rule(envelope: Envelope, context: Context) -> Rule:
    """A registrar or a party begins; it counts when every party has signed."""
    researcher = open_envelope(envelope, Researcher)
    community = context.chain.named(researcher.community)
    keys = registrar_keys(community) | party_keys(community)
    return Rule(Researcher.type_name(), keys, (), reader_key=researcher.signing_key)


def study_rule(envelope: Envelope, context: Context) -> Rule:
    """The steward it names, for the version of the community in force. The same terms once at a time."""
    study = open_envelope(envelope, Study)
    community = context.chain.named(study.terms.community)
    if community != context.chain.current:
        raise RequestRefused(
            ProblemKind.CONFLICT,
            worded("community_old", "the study names a version of the community that is no longer in force"),
        )
    steward = community.steward(study.steward)
    if steward is None:
        raise BadSignature(f"the community has no steward {study.steward}", whom=study.steward)
    terms = study.terms_digest()

    def guard(view: StoreView) -> None:
        standing = find_study(view, context.chain, terms, context.now)
        if standing is not None and not standing.is_ended:
            raise RequestRefused(
                ProblemKind.CONFLICT,
                worded("study_here", "a study with the same terms is here already"),
                hint="To change only its presentation, let every party sign an amendment.",
            )

    whom = f"steward {steward.name}"
    return Rule(Study.type_name(), {steward.key}, ((steward.key, whom),), study=terms, guard=guard)


def amendment_rule(envelope: Envelope, context: Context) -> Rule:
    """Any party begins; it counts when every party has signed."""
    amendment = open_envelope(envelope, Amendment)
    file = get_study(context.view, context.chain, amendment.study_terms, context.now)
    if all(stored.digest != envelope.digest() for stored in file.amendments):
        newest = file.amendments[-1].digest if file.amendments else file.stored.digest
        if amendment.previous != newest or not amendment.follows(file.presentation):
            raise RequestRefused(
                ProblemKind.CONFLICT,
                "it must name the study or its latest amendment, keep the opening, and not close earlier",
            )
    return Rule(
        Amendment.type_name(),
        party_keys(file.community),
        (),
        study=amendment.study_terms,
        subject=amendment.previous,
    )


def closing_rule(envelope: Envelope, context: Context) -> Rule:
    """The steward it names proposes, while the study is open; it counts when every party has signed."""
    closing = open_envelope(envelope, Closing)
    file = get_study(context.view, context.chain, closing.study_terms, context.now)
    steward = file.community.steward(closing.steward)
    if steward is None:
        raise BadSignature(f"the community has no steward {closing.steward}", whom=closing.steward)

    def guard(view: StoreView) -> None:
        if not isinstance(file.state, life.Open):
            raise RequestRefused(
                ProblemKind.STUDY_NOT_OPEN,
                worded(
                    "closing_state", "only an open study can be closed; it is {state}", state=file.state.name
                ),
            )

    return Rule(
        Closing.type_name(),
        party_keys(file.community) | {steward.key},
        ((steward.key, f"steward {steward.name}"),),
        study=closing.study_terms,
        guard=guard,
    )


def _registrar(community: Community, name: str) -> RoleKey:
    registrar = community.registrar(name)
    if registrar is None:
        raise BadSignature(f"the community has no registrar {name}", whom=name)
    return registrar


def _taken(why: str) -> RequestRefused:
    return RequestRefused(ProblemKind.CONFLICT, why)
