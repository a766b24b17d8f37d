// What everybody does who reads in a community: follow it from its fingerprint, see studies and results, each verified.

import { BadSignature } from "../core/errors.js";
import { findPinned, verifyResult, verifyStudy } from "../core/verification.js";

export class CommunityDesk {
  constructor({ gateway, fingerprint, randomBytes }) {
    Object.assign(this, { gateway, fingerprint, randomBytes });
    this.trusted = null;
  }

  /** The pinned community and its newest version, verified. */
  async follow() {
    this.trusted = await findPinned(await this.gateway.communities(), this.fingerprint);
    return this.trusted.current;
  }

  /** Every study that is in none of these states, verified; the state is the gateway's word. */
  async studiesBut(...states) {
    const found = [];
    for (const { terms, state } of await this.gateway.studies()) {
      if (!states.includes(state)) found.push(await this.study(terms));
    }
    return found.filter((study) => study !== null);
  }

  /** One study with what is said about it; null for one that not every party has approved. */
  async study(terms) {
    const file = await this.gateway.study(terms);
    try {
      const study = await verifyStudy(this.trusted, file.study, file.approvals, file.amendments);
      return study.termsDigest === terms ? { ...study, state: file.state, file } : null;
    } catch (error) {
      if (error instanceof BadSignature) return null;
      throw error;
    }
  }

  /** Results of one study that the gateway lists for this reader: { result, time }, its word. */
  async listed({ termsDigest }) {
    return (await this.gateway.results()).filter((one) => one.study === termsDigest);
  }

  /** One result with everything under it, verified; `own` proves a member's own row. */
  async verifiedResult({ file }, digest, own = null) {
    const { study, approvals, amendments, roster, checkedRoster } = file;
    const { result, query, asker } = await this.gateway.result(digest);
    const communities = this.trusted.envelopes;
    return verifyResult({ communities, study, approvals, amendments, roster, checkedRoster, query, asker, result, own }, this.fingerprint);
  }
}
