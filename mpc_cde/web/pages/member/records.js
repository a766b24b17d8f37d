// What this member did in each study, on this device: submissions, withdrawals, drafts and last figures.
//
// What is about to be sent is written down first, so that after a crash the sequence goes on and nothing is sent twice
// under one number. Everything lies in the vault under the wrapping key.

import { Envelope, openEnvelope } from "../core/envelope.js";

const MAX_PERIODS = 50;
const EMPTY = Object.freeze({ submissions: [], withdrawn: 0, used: 0, figures: null });

export class Records {
  constructor(vault, wrappingKey) {
    this.vault = vault;
    this.key = wrappingKey;
  }

  /** { submissions: [{ envelope, membership, texts }], withdrawn, used } of one study. */
  async load(terms) {
    return (await this.vault.getSealed(`study ${terms}`, this.key)) ?? EMPTY;
  }

  async save(terms, record) {
    await this.vault.putSealed(`study ${terms}`, record, this.key);
  }

  /** What was typed and not sent yet: texts by name of input. */
  async draft(terms) {
    return (await this.vault.getSealed(`draft ${terms}`, this.key)) ?? null;
  }

  async saveDraft(terms, texts) {
    await this.vault.putSealed(`draft ${terms}`, texts, this.key);
  }

  async dropDraft(terms) {
    await this.vault.delete(`draft ${terms}`);
  }

  /** The last figures that were sent under these names in any study: plain text by name. */
  async lastFigures() {
    return (await this.vault.getSealed("last figures", this.key)) ?? {};
  }

  async saveLastFigures(study, texts) {
    const known = await this.lastFigures();
    const dated = Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== "").map(([name, text]) => [name, { text, study }]));
    await this.vault.putSealed("last figures", { ...known, ...dated }, this.key);
  }

  /** What came back in each study that this device has seen, oldest knowledge included. */
  async periods() {
    return (await this.vault.getSealed("periods", this.key)) ?? [];
  }

  async savePeriod(terms, period) {
    const others = (await this.periods()).filter((one) => one.terms !== terms);
    await this.vault.putSealed("periods", [...others.slice(-MAX_PERIODS), { terms, ...period }], this.key);
  }
}

/** The newest submission of a record, unless it was withdrawn: { envelope, document, membership, texts }, or null. */
export function standing(record) {
  const newest = record.submissions.at(-1);
  if (newest === undefined) return null;
  const envelope = new Envelope(newest.envelope);
  const document = openEnvelope(envelope, "submission/v1");
  const membership = newest.membership ? new Envelope(newest.membership) : null; // records of earlier versions have none
  return document.sequence <= record.withdrawn ? null : { envelope, document, membership, texts: newest.texts };
}

/** One more than anything used so far. */
export function nextSequence(record) {
  return 1 + Math.max(record.used, record.withdrawn);
}
