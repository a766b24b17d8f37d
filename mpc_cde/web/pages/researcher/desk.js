// What a researcher does, apart from how it looks: be enrolled, see what may be asked, ask, read what is answered.

import { openFromAllParties } from "../core/authority.js";
import { encodeBase64url } from "../core/bytes.js";
import { canonicalBytes } from "../core/canonical.js";
import { openEnvelope } from "../core/envelope.js";
import { BadSignature } from "../core/errors.js";
import { itemsOf, permittedFunctions, signQuestion } from "../core/questions.js";
import { X_WING } from "../core/sealing.js";
import { verifyDecisions, versionNamed } from "../core/verification.js";
import { CommunityDesk } from "../shared/community_desk.js";
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

export class ResearcherDesk extends CommunityDesk {
  constructor(given) {
    super(given);
    this.enrolment = null;
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

  /** Studies that every party approved. */
  studies() {
    return this.studiesBut("proposed", "refused", "cancelled");
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
}
