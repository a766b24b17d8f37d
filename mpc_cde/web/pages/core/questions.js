// Questions inside a study: the cells of its functions, and the query that whoever asks signs.

import { encodeBase64url } from "./bytes.js";
import { signDocument } from "./envelope.js";
import { askedParameters, groupValues } from "./release_rules.js";

const VALID_MS = 3_600_000;

/** Every cell of one function of a study: one for all members, or one for each value of its group, in order. */
export function itemsOf(one, terms) {
  const groups = one.by === null ? [null] : groupValues(one.by, terms).map((value) => ({ attribute: one.by, value }));
  return groups.map((group) => ({ function: one.function, figures: one.figures, group, parameters: askedParameters(one) }));
}

/** The functions of a study that this researcher may ask for: not scheduled, not for members about themselves. */
export function permittedFunctions(terms, termsDigest, researcher) {
  const everyStudy = researcher.studies === null || researcher.studies.includes(termsDigest);
  return terms.functions.filter((one) => everyStudy && !one.scheduled && one.audience !== "self" && researcher.functions.includes(one.function));
}

/** A query, signed. `kind` is researcher or member, `asker` the digest of the document that names the signer's key. */
export async function signQuestion({ studyTerms, items, kind, asker, signer, randomBytes, now = Date.now() }) {
  const expires = new Date(now + VALID_MS).toISOString().replace(/\.\d{3}Z$/, "Z");
  const nonce = encodeBase64url(await randomBytes(16));
  return signDocument({ type: "query/v1", study_terms: studyTerms, items, asker_kind: kind, asker, nonce, expires }, signer);
}
