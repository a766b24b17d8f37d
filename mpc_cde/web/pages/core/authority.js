// Whose signatures a document needs: from an envelope to a document that may be relied on.
//
// Which key counts is decided by the role in the pinned community version, or by a membership or researcher that was
// itself opened here; never by a keyid. Every function throws BadSignature or BadDocument, naming whom.

import { decodeBase64url } from "./bytes.js";
import { fingerprintOf } from "./documents.js";
import { hasSignature, openEnvelope, verifySignature } from "./envelope.js";
import { BadDocument, BadSignature } from "./errors.js";

/** Returns if every one of these parties signed. */
export async function verifyParties(envelope, community, parties) {
  for (const index of parties) {
    const card = community.cards[index];
    if (card === undefined) throw new BadDocument(`${envelope.payloadType}: there is no party ${index}`);
    await verifySignature(envelope, card.identity_key, `party ${index} (${card.name})`);
  }
}

/** The community that was pinned by its fingerprint, once all its parties have signed. */
export async function openFirstCommunity(envelope, fingerprint) {
  if ((await fingerprintOf(decodeBase64url(await envelope.digest()))) !== fingerprint) {
    throw new BadDocument("the community's fingerprint is not the pinned one", { whom: "whoever served it" });
  }
  const community = openEnvelope(envelope, "community/v1");
  await verifyParties(envelope, community, community.cards.keys());
  return community;
}

/** Version v + 1, signed by every party of v and every party of v + 1. */
export async function openNextCommunity(current, currentDigest, envelope) {
  const following = openEnvelope(envelope, "community/v1");
  if (following.version !== current.version + 1 || following.previous !== currentDigest) {
    throw new BadDocument(`expected version ${current.version + 1} of the community, following version by digest`);
  }
  for (const community of [current, following]) await verifyParties(envelope, community, community.cards.keys());
  return following;
}

/** A membership that its registrar signed and, where the community asks for it, others countersigned. */
export async function openMembership(envelope, community) {
  const membership = openEnvelope(envelope, "membership/v1");
  const registrar = community.registrars.find((role) => role.name === membership.registrar);
  if (registrar === undefined) throw new BadSignature(`the community has no registrar ${membership.registrar}`);
  await verifySignature(envelope, registrar.key, `registrar ${registrar.name}`);
  if (community.membership_rule === "registrar_alone") return membership;
  for (const role of community.registrars) {
    if (role.key !== registrar.key && (await hasSignature(envelope, role.key))) return membership;
  }
  let parties = 0;
  for (const card of community.cards) {
    if (card.identity_key !== registrar.key && (await hasSignature(envelope, card.identity_key))) parties += 1;
  }
  if (parties <= community.threshold) {
    throw new BadSignature(`a membership needs a second registrar or ${community.threshold + 1} parties`);
  }
  return membership;
}

/** A study that the steward it names signed. */
export async function openProposedStudy(envelope, community) {
  const study = openEnvelope(envelope, "study/v1");
  const steward = community.stewards.find((role) => role.name === study.steward);
  if (steward === undefined) throw new BadSignature(`the community has no steward ${study.steward}`);
  await verifySignature(envelope, steward.key, `steward ${steward.name}`);
  return study;
}

/** A document of one party, signed by the very party it names inside. */
export async function openFromParty(envelope, type, community) {
  const document = openEnvelope(envelope, type);
  await verifyParties(envelope, community, [document.party]);
  return document;
}

/** A document that counts only when every party has signed it. */
export async function openFromAllParties(envelope, type, community) {
  await verifyParties(envelope, community, community.cards.keys());
  return openEnvelope(envelope, type);
}

/** A checked roster or a result, signed by all it names: 2t + 1, a result perhaps by more. */
export async function openFromComputingParties(envelope, type, community) {
  const document = openEnvelope(envelope, type);
  const needed = 2 * community.threshold + 1;
  const named = document.parties.length;
  if (named < needed || (type === "checked-roster/v1" && named !== needed)) {
    throw new BadSignature(`${envelope.payloadType}: expected ${needed} parties, found ${named}`);
  }
  await verifyParties(envelope, community, document.parties);
  return document;
}

/** A submission or withdrawal of exactly this member, signed with its key. */
export async function openFromMember(envelope, type, membership) {
  const document = openEnvelope(envelope, type);
  if (document.member !== membership.member) throw new BadSignature("the document names another member");
  await verifySignature(envelope, membership.signing_key, "the member it names");
  return document;
}

/** A query of exactly this asker (its document and that document's digest), signed with its key. */
export async function openQuery(envelope, asker, askerDigest) {
  const query = openEnvelope(envelope, "query/v1");
  const kind = asker.type === "researcher/v1" ? "researcher" : "member";
  if (query.asker_kind !== kind || query.asker !== askerDigest) {
    throw new BadSignature("the query names another asker", { whom: "the asker" });
  }
  await verifySignature(envelope, asker.signing_key, `the ${kind} it names`);
  return query;
}
