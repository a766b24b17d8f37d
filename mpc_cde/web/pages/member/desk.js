// What a member does, apart from how it looks: follow the community, see studies, submit, correct, withdraw, read results.

import { encodeBase64url } from "../core/bytes.js";
import { openMembership } from "../core/authority.js";
import { Envelope, openEnvelope, signDocument } from "../core/envelope.js";
import { BadSignature, CallerError, GatewayRefused, NotCounted } from "../core/errors.js";
import { askOwnPlace, openOwnPlaces, ownItems } from "../core/own_place.js";
import { X_WING } from "../core/sealing.js";
import { multipartOf, prepareSubmission } from "../core/submission.js";
import {
  verifyCheckedRoster, verifyDecisions, verifyOwnPlace, verifyReceipts, verifyRoster, verifyWithdrawalReceipts, versionNamed,
} from "../core/verification.js";
import { CommunityDesk } from "../shared/community_desk.js";
import { nextSequence, standing } from "./records.js";

const MAX_DEVICES_SEQUENCES = 20;
const UNANSWERED = ["declined", "failed", "refused", "expired"];

/** A party said no to a question of this member. */
class QuestionRefused extends CallerError {
  constructor(refusal) {
    super(`${refusal.name}: ${refusal.explanation}`, { whom: refusal.name });
    this.refusal = refusal;
  }
}

export class Desk extends CommunityDesk {
  constructor(given) {
    super(given);
    this.membership = null;
  }

  /** The membership of this device's key once it counts; null while a registrar or its second is awaited. */
  async certified(keyring) {
    const envelope = await this.gateway.ownMembership();
    if (envelope === null) return null;
    const claimed = openEnvelope(envelope, "membership/v1");
    const community = versionNamed(this.trusted, claimed.community, "the membership");
    try {
      const membership = await openMembership(envelope, community);
      if (membership.signing_key !== encodeBase64url(keyring.signer.publicBytes)) return null;
      this.membership = { envelope, document: membership };
      return membership;
    } catch (error) {
      if (error instanceof BadSignature) return null; // not countersigned yet
      throw error;
    }
  }

  /** Every study that this member may see. */
  studies() {
    return this.studiesBut("proposed", "refused");
  }

  /** Why this member cannot take part, or null: an attribute that the study asks for. */
  notEligible({ study: { terms } }) {
    const { attributes } = this.membership.document;
    const rule = terms.eligibility.find(({ attribute, values }) => !values.includes(attributes[attribute]));
    if (rule) return rule;
    return terms.groups.find(({ attribute, values }) => !values.includes(attributes[attribute])) ?? null;
  }

  /** Share, seal, sign and hand in; the gateway has stored it when this returns. `texts` are kept with it. */
  async submit(given) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#submitOnce(given);
      } catch (error) {
        const isUsed = error instanceof GatewayRefused && error.kind === "sequence-used"; // by another device of this member
        if (!isUsed || attempt === MAX_DEVICES_SEQUENCES) throw error;
      }
    }
  }

  async #submitOnce({ study, keyring, records, values, texts, onStep = () => {} }) {
    const terms = study.termsDigest;
    const record = await records.load(terms);
    const before = standing(record);
    const sequence = nextSequence(record);
    onStep("share");
    const prepared = await prepareSubmission({
      study, values, membership: this.membership.document, signer: keyring.signer, randomBytes: this.randomBytes,
      sequence, replaces: before === null ? null : await before.envelope.digest(),
    });
    const tried = { ...record, used: sequence };
    const entry = { envelope: prepared.envelope.json, membership: this.membership.envelope.json, texts };
    await records.save(terms, { ...tried, submissions: [...record.submissions, entry] });
    onStep("send");
    try {
      await this.gateway.submit(multipartOf(prepared));
    } catch (error) {
      const certain = error instanceof GatewayRefused && error.problem.status < 500 && error.problem.status !== 429;
      if (certain) await records.save(terms, tried); // refused for certain: what stood before stands
      throw error;
    }
    await records.saveLastFigures(study.study.terms.title, texts);
    await records.dropDraft(terms);
    return prepared.digest;
  }

  /** Take out everything submitted so far. */
  async withdraw({ study, keyring, records }) {
    const record = await records.load(study.termsDigest);
    const stands = standing(record);
    if (stands === null) throw new CallerError("there is nothing to withdraw", { said: "nothing_to_withdraw" });
    const document = {
      type: "withdrawal/v1", study_terms: study.termsDigest, member: stands.document.member, sequence: stands.document.sequence,
    };
    const envelope = await signDocument(document, keyring.signer);
    await this.gateway.withdraw(envelope);
    await records.save(study.termsDigest, { ...record, withdrawn: stands.document.sequence, withdrawal: envelope.json });
  }

  /** Names of the parties that signed for the withdrawal of a record; null if nothing was withdrawn from here. */
  async withdrawnAt(study, { withdrawal = null }) {
    if (withdrawal === null) return null;
    const digest = await new Envelope(withdrawal).digest();
    return verifyWithdrawalReceipts(study, digest, await this.gateway.withdrawalReceipts(digest));
  }

  /** Verified receipts by party: { party, name, verdict, reason, explanation } with verdict null while one is awaited. */
  async receipts(study, submission) {
    const envelopes = await this.gateway.receipts(submission);
    const found = await verifyReceipts(study, submission, envelopes);
    const parties = study.community.cards.map(({ name }, party) => {
      const receipt = found.get(party);
      return { party, name, verdict: receipt?.verdict ?? null, reason: receipt?.reason ?? null, explanation: receipt?.explanation ?? null };
    });
    return { parties, envelopes, held: parties.filter(({ verdict }) => verdict === "accepted").length };
  }

  /**
   * Whether what stands is in the signed roster and passed the input checks: { row, count }; null before the parties
   * have checked. Throws NotCounted.
   */
  async counted(study, stands) {
    const { roster, checkedRoster } = study.file;
    if (roster === null || checkedRoster === null) return null;
    const verified = await verifyRoster(study, roster);
    const checked = await verifyCheckedRoster(study, verified, await roster.digest(), checkedRoster);
    const row = await verifyOwnPlace(study, verified, checked, await this.#ownEvidence(study, stands));
    return { row, count: verified.count };
  }

  /** Whether the study tells this member a place of its own. */
  tellsPlaces({ study: { terms } }) {
    return ownItems(terms, this.membership.document.attributes).length > 0;
  }

  /** Ask for the own places; `onWait(names)` says whose decision is awaited. Returns when the answer is there. */
  async askPlaces({ study, keyring, onWait, pause }) {
    const { attributes } = this.membership.document;
    const question = await askOwnPlace({
      studyTerms: study.termsDigest, items: ownItems(study.study.terms, attributes), membership: await this.membership.envelope.digest(),
      signer: keyring.signer, randomBytes: this.randomBytes,
    });
    const query = await this.gateway.ask(question);
    for (;;) {
      const { decisions, results, state, waitingFor } = await this.gateway.query(query);
      if (results.length > 0) return;
      const refusal = (await verifyDecisions(study, query, decisions)).find(({ agrees }) => !agrees);
      if (refusal) throw new QuestionRefused(refusal);
      if (UNANSWERED.includes(state)) throw new CallerError(`the question is ${state}`, { said: "question_unanswered" });
      onWait(waitingFor);
      await pause();
    }
  }

  /** The places in verified results that are this member's own, opened: { figures, group, percent, withheld }. */
  async places({ results, study, keyring, vault }) {
    const found = [];
    for (const { result } of results) {
      const secret = await keyring.sealingSecret(vault);
      const percents = await openOwnPlaces({
        result, threshold: study.community.threshold, member: this.membership.document.member, suite: X_WING, secret,
      });
      secret.fill(0);
      result.cells.forEach(({ figures, group, withheld }, cell) => found.push({ figures, group, withheld, percent: percents[cell] }));
    }
    return found;
  }

  /** Whether the gateway lists anything for this member to read. */
  async hasResults(study) {
    return (await this.listed(study)).length > 0;
  }

  /** Results of one study, each verified down to the own row if this member counts. */
  async results(study, stands) {
    const verified = [];
    for (const { result: digest } of await this.listed(study)) {
      const own = stands === null ? null : await this.#ownEvidence(study, stands);
      verified.push({ digest, ...(await this.verifiedResult(study, digest, own)) });
    }
    return verified;
  }

  /** With the membership that the row names: this member may have been certified again since. */
  async #ownEvidence(study, { envelope, membership }) {
    const submission = await envelope.digest();
    const receipts = await this.gateway.receipts(submission);
    try {
      const proof = await this.gateway.proof(study.termsDigest, submission);
      const isBefore = membership !== null && (await membership.digest()) === proof.entry?.membership;
      return { membership: isBefore ? membership : this.membership.envelope, submission: envelope, receipts, proof };
    } catch (error) {
      if (!(error instanceof GatewayRefused) || error.kind !== "not-found") throw error;
      throw new NotCounted("the submission has no row in the roster", { reason: "no_row" });
    }
  }
}

