// What a researcher does, apart from how it looks: be enrolled, see what may be asked, ask, read what is answered.

import { openFromAllParties } from "../core/authority.js";
import { encodeBase64url } from "../core/bytes.js";
import { canonicalBytes } from "../core/canonical.js";
import { openEnvelope } from "../core/envelope.js";
import { BadSignature } from "../core/errors.js";
import { itemsOf, permittedFunctions, signQuestion } from "../core/questions.js";
import { X_WING } from "../core/sealing.js";
import { findPinned, verifyDecisions, verifyResult, verifyStudy, versionNamed } from "../core/verification.js";
import { progressOf } from "../shared/progress.js";

const EVERY_FUNCTION = [
  "correlation@1", "count@1", "histogram@1", "mean@1", "own_rank@1", "percentiles@1", "percentiles_linear@1",
  "ratio_of_totals@1", "standard_deviation@1", "sum@1", "variance@1",
];

/** What a registrar needs to draft an enrolment, as `mpc-cde registrar enrol-researcher` reads it. */
export function requestOf(keyring) {
  return canonicalBytes({
    type: "researcher-request/v1",
    name: keyring.registerId,
    signing_key: encodeBase64url(keyring.signer.publicBytes),
    sealing_key: { suite: X_WING, key: keyring.sealingKey },
    functions: EVERY_FUNCTION,
    studies: null,
  });
}

export class ResearcherDesk {
  constructor({ gateway, fingerprint, randomBytes }) {
    Object.assign(this, { gateway, fingerprint, randomBytes });
    this.trusted = null;
    this.enrolment = null;
  }

  async follow() {
    this.trusted = await findPinned(await this.gateway.communities(), this.fingerprint);
    return this.trusted.current;
  }

  /** { enrolled: document or null, waitingFor }: enrolled once every party has signed this very key. */
  async enrolled(keyring) {
    const found = await this.gateway.ownEnrolment();
    if (found === null) return { enrolled: null, waitingFor: [] };
    const claimed = openEnvelope(found.envelope, "researcher/v1");
    const community = versionNamed(this.trusted, claimed.community, "the enrolment");
    try {
      const document = await openFromAllParties(found.envelope, "researcher/v1", community);
      if (document.signing_key !== encodeBase64url(keyring.signer.publicBytes)) return { enrolled: null, waitingFor: [] };
      this.enrolment = { document, digest: await found.envelope.digest() };
      return { enrolled: document, waitingFor: [] };
    } catch (error) {
      if (!(error instanceof BadSignature)) throw error;
      return { enrolled: null, waitingFor: found.waitingFor };
    }
  }

  /** Studies that every party approved, each verified; the state is the gateway's word. */
  async studies() {
    const found = [];
    for (const { terms, state } of await this.gateway.studies()) {
      if (!["proposed", "refused", "cancelled"].includes(state)) found.push(await this.study(terms));
    }
    return found.filter((study) => study !== null);
  }

  async study(terms) {
    const file = await this.gateway.study(terms);
    try {
      const study = await verifyStudy(this.trusted, file.study, file.approvals, file.amendments);
      return study.termsDigest === terms ? { ...study, state: file.state, file } : null;
    } catch (error) {
      if (error instanceof BadSignature) return null; // not approved by every party
      throw error;
    }
  }

  permitted({ study: { terms }, termsDigest }) {
    return permittedFunctions(terms, termsDigest, this.enrolment.document);
  }

  /** Ask for all cells of these functions; the digest of the query. */
  async ask(study, functions, keyring) {
    const { terms } = study.study;
    const items = [];
    for (const item of functions.flatMap((one) => itemsOf(one, terms))) {
      if (!items.some((other) => JSON.stringify(other) === JSON.stringify(item))) items.push(item);
    }
    const envelope = await signQuestion({
      studyTerms: study.termsDigest, items, kind: "researcher", asker: this.enrolment.digest, signer: keyring.signer, randomBytes: this.randomBytes,
    });
    return this.gateway.ask(envelope);
  }

  progress(query, signal) {
    return progressOf(this.gateway.url, query, { signal });
  }

  /** What each party said, each signed by it. */
  async decisions(study, query) {
    return verifyDecisions(study, query, (await this.gateway.query(query)).decisions);
  }

  /** The answers of a study that this researcher may read: digests and times, the gateway's word. */
  async answers(study) {
    return (await this.gateway.results()).filter(({ study: terms }) => terms === study.termsDigest);
  }

  /** One answer with everything under it, verified. */
  async answer(study, digest) {
    const { file } = await this.study(study.termsDigest);
    const { result, query, asker } = await this.gateway.result(digest);
    const evidence = {
      communities: this.trusted.envelopes, study: file.study, approvals: file.approvals, amendments: file.amendments,
      roster: file.roster, checkedRoster: file.checkedRoster, query, asker, result, own: null,
    };
    return verifyResult(evidence, this.fingerprint);
  }
}
