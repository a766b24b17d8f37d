// One member's figures -> the parts of one request: nothing in the clear leaves this function.
//
// Under scripted randomness seeds, correction and envelopes are the same each time: the encapsulations' randomness
// comes through the same door.

import { concat, digestOf, encodeBase64url, utf8 } from "./bytes.js";
import { consentDigest } from "./documents.js";
import { encodeSubmission, encodingsOf } from "./encoding.js";
import { signDocument } from "./envelope.js";
import { CallerError } from "./errors.js";
import { packSeeds, seal } from "./sealing.js";
import { elementBytes, seedHash, seedsForParty, shareVector } from "./sharing.js";

/**
 * `values` by name of figure: a Rational, or null for a blank; a category is its symbol's number.
 * The study was verified; the membership is for the signer's key. Throws BadFigure, CallerError.
 */
export async function prepareSubmission({
  study, values, membership, signer, randomBytes, sequence = 1, replaces = null, waiver = false,
}) {
  if (membership.signing_key !== encodeBase64url(signer.publicBytes)) {
    throw new CallerError("the membership is for another key than the one on this device", { said: "membership_of_another_key" });
  }
  const { terms } = study.study;
  const { community } = study;
  const figures = terms.figures.map(({ name }) => {
    if (!values.has(name)) throw new CallerError(`the figures are not those of the study, missing: ${name}`, { said: "figure_missing", values: { name } });
    return values.get(name);
  });
  const vector = encodeSubmission(encodingsOf(terms), figures);
  const shared = await shareVector(vector, community.cards.length, community.threshold, randomBytes);
  const correction = elementBytes(shared.correction);
  const sealed = [];
  for (const { party, sealing_key: key } of study.approvals) {
    const context = { studyTerms: study.termsDigest, member: membership.member, sequence, party };
    sealed.push(await seal(key, packSeeds(seedsForParty(shared, party)), context, randomBytes));
  }
  const document = {
    type: "submission/v1",
    study_terms: study.termsDigest,
    member: membership.member,
    sequence,
    replaces,
    seed_hashes: await Promise.all(shared.seeds.map(async (seed) => encodeBase64url(await seedHash(seed)))),
    correction: await digestOf(correction),
    envelopes: await Promise.all(sealed.map(digestOf)),
    consent: await consentDigest(terms),
    waiver,
  };
  const envelope = await signDocument(document, signer);
  return { document, envelope, digest: await envelope.digest(), correction, sealed };
}

/** The multipart body of a submission; its boundary is fixed, so equal parts give equal bodies. */
export function multipartOf({ envelope, correction, sealed }) {
  const boundary = "mpc-cde-submission-c2f7b8e14d9a4c55";
  const part = (name, type, content) => [
    utf8(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`),
    content, utf8("\r\n"),
  ];
  const raw = "application/octet-stream";
  const body = concat(
    ...part("document", "application/json", envelope.toBytes()),
    ...part("correction", raw, correction),
    ...sealed.flatMap((bytes, party) => part(`envelope-${party}`, raw, bytes)),
    utf8(`--${boundary}--\r\n`),
  );
  return { body, contentType: `multipart/form-data; boundary=${boundary}` };
}
