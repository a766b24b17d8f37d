// A result and everything under it, from the pinned fingerprint up; values come out only when all holds.
//
// Community versions -> study, signed by its steward and approved by every party -> roster, signed by every party ->
// checked roster, signed by the 2t + 1 parties it names -> result, signed by every party it names. A member's own way
// in: membership -> submission -> a receipt of every party -> its row under the roster's Merkle root.

import {
  openFirstCommunity, openFromAllParties, openFromComputingParties, openFromMember, openFromParty, openMembership,
  openNextCommunity, openProposedStudy, openQuery,
} from "./authority.js";
import { decodeBase64url, digestOf } from "./bytes.js";
import { canonicalBytes } from "./canonical.js";
import { rosterProof, termsDigest } from "./documents.js";
import { Envelope, openEnvelope } from "./envelope.js";
import { BadDocument, BadProof, BadSignature, NotCounted } from "./errors.js";
import { verifyInclusion } from "./merkle.js";
import { verifyCells } from "./release_rules.js";

const MAX_VERSIONS = 1000;

/** All versions from the pinned one to the newest, each checked; `digests` beside them. */
export async function verifyCommunity(envelopes, fingerprint) {
  if (envelopes.length === 0 || envelopes.length > MAX_VERSIONS) {
    throw new BadDocument(`expected 1 to ${MAX_VERSIONS} versions of the community`);
  }
  const versions = [await openFirstCommunity(envelopes[0], fingerprint)];
  const digests = [await envelopes[0].digest()];
  for (const envelope of envelopes.slice(1)) {
    versions.push(await openNextCommunity(versions.at(-1), digests.at(-1), envelope));
    digests.push(await envelope.digest());
  }
  return { fingerprint, versions, digests, envelopes, current: versions.at(-1) };
}

/** The pinned community among versions that a gateway offers, oldest first. */
export async function findPinned(envelopes, fingerprint) {
  for (let start = 0; start < envelopes.length; start += 1) {
    try {
      return await verifyCommunity(envelopes.slice(start), fingerprint);
    } catch (error) {
      const isLast = start === envelopes.length - 1;
      if (isLast || !(error instanceof BadDocument) || error.whom !== "whoever served it") throw error;
    }
  }
  return verifyCommunity([], fingerprint);
}

/** The version that a document names by digest. Throws BadDocument. */
export function versionNamed(trusted, digest, what) {
  const index = trusted.digests.indexOf(digest);
  if (index < 0) throw new BadDocument(`${what} names a version of the community that is not among the signed ones`);
  return trusted.versions[index];
}

/** A study that its steward signed and every party approved, with its presentation after all amendments. */
export async function verifyStudy(trusted, envelope, approvals, amendments = []) {
  const claimed = openEnvelope(envelope, "study/v1");
  const community = versionNamed(trusted, claimed.terms.community, "study: it");
  const study = await during("study", () => openProposedStudy(envelope, community));
  const terms = await termsDigest(study);
  let presentation = study.presentation;
  let previous = await envelope.digest();
  for (const [index, amended] of amendments.entries()) {
    await during(`amendment ${index + 1}`, async () => {
      const amendment = await openFromAllParties(amended, "amendment/v1", community);
      requireThat(amendment.study_terms === terms, "it is about another study");
      requireThat(amendment.previous === previous, "it does not follow the document before it");
      const after = amendment.presentation;
      const follows = after.opens === presentation.opens && after.closes >= presentation.closes;
      requireThat(follows, "it moves the opening, or an earlier closing");
      presentation = after;
      previous = await amended.digest();
    });
  }
  const found = await verifyApprovals(community, await envelope.digest(), terms, approvals);
  return { community, study, presentation, approvals: found, termsDigest: terms };
}

/** Receipts by party, accepting or not; a Map. */
export async function verifyReceipts(study, submission, envelopes) {
  const found = new Map();
  for (const envelope of envelopes) {
    await during("receipt", async () => {
      const receipt = await openFromParty(envelope, "receipt/v1", study.community);
      requireThat(receipt.study_terms === study.termsDigest, "it is about another study");
      requireThat(receipt.submission === submission, "it is about another submission");
      found.set(receipt.party, receipt);
    });
  }
  return found;
}

/** What each party said to a query, each signed by the party it names: { party, name, agrees, explanation, rule }, by party. */
export async function verifyDecisions(study, query, envelopes) {
  const found = [];
  for (const envelope of envelopes) {
    await during("decision", async () => {
      const { party, answer, explanation, rule, ...rest } = await openFromParty(envelope, "decision/v1", study.community);
      requireThat(rest.study_terms === study.termsDigest && rest.query === query, "it is about another query");
      found.push({ party, name: study.community.cards[party].name, agrees: answer === "yes", explanation, rule });
    });
  }
  return found.sort((a, b) => a.party - b.party);
}

/** Names of the parties that signed for a withdrawal, in the order of the community; without one nothing is withdrawn. */
export async function verifyWithdrawalReceipts(study, withdrawal, envelopes) {
  const found = new Set();
  for (const envelope of envelopes) {
    await during("receipt of the withdrawal", async () => {
      const receipt = await openFromParty(envelope, "withdrawal-receipt/v1", study.community);
      requireThat(receipt.study_terms === study.termsDigest, "it is about another study");
      requireThat(receipt.withdrawal === withdrawal, "it is about another withdrawal");
      found.add(receipt.party);
    });
  }
  return study.community.cards.filter((_, party) => found.has(party)).map(({ name }) => name);
}

/** Everything under a result, then the result. `evidence` holds envelopes; see `evidenceFrom`. */
export async function verifyResult(evidence, fingerprint) {
  const trusted = await during("community", () => verifyCommunity(evidence.communities, fingerprint));
  const study = await verifyStudy(trusted, evidence.study, evidence.approvals, evidence.amendments);
  const roster = await verifyRoster(study, evidence.roster);
  const checked = await verifyCheckedRoster(study, roster, await evidence.roster.digest(), evidence.checkedRoster);
  const query = evidence.query === null ? null : await verifyQuery(trusted, study, evidence);
  const result = await during("result", async () => {
    const document = await openFromComputingParties(evidence.result, "result/v1", study.community);
    const terms = study.study.terms;
    requireThat(document.study_terms === study.termsDigest, "it is about another study");
    requireThat(document.checked_roster === (await evidence.checkedRoster.digest()), "it is about another checked roster");
    requireThat(document.query === (query === null ? null : await evidence.query.digest()), "it answers another query");
    requireThat(document.engine === terms.engine, `it was not made by the ${terms.engine} engine`);
    verifyCells(document, terms, query, roster.count - checked.removed.length);
    return document;
  });
  const ownRow = evidence.own === null ? null : await verifyOwnPlace(study, roster, checked, evidence.own);
  const signers = result.parties.map((party) => study.community.cards[party].name);
  return { evidence, trusted, study, roster, checked, query, result, ownRow, signers };
}

/** Envelopes from the JSON of an exported result, or from what a gateway answered. */
export function evidenceFrom(json) {
  const one = (value) => (value === null || value === undefined ? null : new Envelope(value));
  const own = json.own ?? null;
  return {
    communities: json.communities.map(one),
    study: one(json.study),
    approvals: json.approvals.map(one),
    amendments: json.amendments.map(one),
    roster: one(json.roster),
    checkedRoster: one(json.checked_roster),
    query: one(json.query),
    asker: one(json.asker),
    result: one(json.result),
    own: own && {
      membership: one(own.membership), submission: one(own.submission), receipts: own.receipts.map(one), proof: own.proof,
    },
  };
}

/** The roster of the study, signed by every party. */
export function verifyRoster(study, envelope) {
  return during("roster", async () => {
    const roster = await openFromAllParties(envelope, "roster/v1", study.community);
    requireThat(roster.study_terms === study.termsDigest, "it is about another study");
    requireThat(roster.count <= study.study.terms.roster_cap, "it has more rows than the study allows");
    return roster;
  });
}

/** The roster after the input checks, signed by the 2t + 1 parties it names. */
export function verifyCheckedRoster(study, roster, rosterDigest, envelope) {
  return during("checked roster", async () => {
    const checked = await openFromComputingParties(envelope, "checked-roster/v1", study.community);
    requireThat(checked.study_terms === study.termsDigest, "it is about another study");
    requireThat(checked.roster === rosterDigest, "it is about another roster");
    requireThat(checked.removed.length <= roster.count, "it removes more rows than the roster has");
    return checked;
  });
}

/** The row of the member's own submission. Throws BadProof, NotCounted and as above. */
export async function verifyOwnPlace(study, roster, checked, own) {
  const membership = await during("membership", () => openMembership(own.membership, study.community));
  const submission = await during("submission", async () => {
    const document = await openFromMember(own.submission, "submission/v1", membership);
    requireThat(document.study_terms === study.termsDigest, "it is about another study");
    return own.submission.digest();
  });
  const receipts = await verifyReceipts(study, submission, own.receipts);
  for (const [party, card] of study.community.cards.entries()) {
    const receipt = receipts.get(party);
    if (receipt === undefined) throw new BadProof(`there is no receipt of ${card.name}`, { whom: card.name });
    if (receipt.verdict !== "accepted") {
      throw new NotCounted(`${card.name} refused the submission: ${receipt.explanation}`, { whom: card.name, reason: "refused", refusal: receipt });
    }
  }
  await during("proof of the own row", async () => {
    rosterProof(own.proof, "proof");
    const { entry, row, proof } = own.proof;
    if (entry.submission !== submission) throw new BadProof("the proof is about another submission");
    const steps = proof.map(decodeBase64url);
    const root = decodeBase64url(roster.merkle_root);
    await verifyInclusion(canonicalBytes(entry), { index: row, count: roster.count, proof: steps, root });
    requireThat(entry.membership === (await own.membership.digest()), "it counts by another membership than the one shown");
    const certified = Object.entries(entry.groups).every(([name, value]) => membership.attributes[name] === value);
    requireThat(certified, "a group is not as the registrar certified it");
    requireThat(entry.holding === membership.holding, "the holding is not as the registrar certified it");
  });
  const removed = checked.removed.find((entry) => entry.submission === submission);
  if (removed) throw new NotCounted(`the submission was removed by the input checks: ${removed.fault}`, { reason: removed.fault });
  return own.proof.row;
}

async function verifyApprovals(community, studyDigest, terms, envelopes) {
  const found = new Map();
  for (const envelope of envelopes) {
    await during("approval", async () => {
      const approval = await openFromParty(envelope, "approval/v1", community);
      const { name } = community.cards[approval.party];
      const concerns = approval.study === studyDigest && approval.study_terms === terms;
      requireThat(concerns, `that of ${name} is about another study`);
      const known = found.get(approval.party);
      const same = known === undefined || (await digestOf(canonicalBytes(known))) === (await envelope.digest());
      requireThat(same, `there are two different ones of ${name}`);
      found.set(approval.party, approval);
    });
  }
  return community.cards.map((card, party) => {
    if (!found.has(party)) throw new BadSignature(`the study lacks the approval of ${card.name}`, { whom: card.name });
    return found.get(party);
  });
}

async function verifyQuery(trusted, study, evidence) {
  if (evidence.asker === null) throw new BadDocument("query: the document of who asked is missing");
  const asker = await during("asker", async () => {
    if (evidence.asker.payloadType.includes("membership")) return openMembership(evidence.asker, study.community);
    const claimed = openEnvelope(evidence.asker, "researcher/v1");
    const community = versionNamed(trusted, claimed.community, "it");
    return openFromAllParties(evidence.asker, "researcher/v1", community);
  });
  return during("query", async () => {
    const query = await openQuery(evidence.query, asker, await evidence.asker.digest());
    requireThat(query.study_terms === study.termsDigest, "it is about another study");
    return query;
  });
}

/** Errors inside name the document that is wrong. */
async function during(what, action) {
  try {
    return await action();
  } catch (error) {
    const known = [BadDocument, BadSignature, BadProof].find((kind) => error.constructor === kind);
    throw known ? new known(`${what}: ${error.message}`, { whom: error.whom }) : error;
  }
}

function requireThat(holds, otherwise) {
  if (!holds) throw new BadDocument(otherwise);
}
