// A verified result and everything it rests on, in the one file that `mpc-cde result verify` reads, offline, for ever.
//
// Only signatures that verification needs go in, each once, sorted; so the file has one form (mpc_cde/client/export.py).

import { decodeBase64url, encodeBase64url } from "./bytes.js";
import { canonicalBytes } from "./canonical.js";
import { Envelope, hasSignature, keyidOf, openEnvelope } from "./envelope.js";

/** The file's bytes; `verified` is what `verifyResult` returned. */
export async function exportResult({ evidence, trusted, study, checked, result }) {
  const { community } = study;
  const keysOf = ({ cards }) => cards.map(({ identity_key: key }) => key);
  const everybody = keysOf(community);
  const named = (parties) => parties.map((party) => everybody[party]);
  const steward = community.stewards.find(({ name }) => name === study.study.steward);
  const certifiers = [...community.registrars.map(({ key }) => key), ...everybody];
  const communities = evidence.communities.map((envelope, at) => (
    only(envelope, trusted.versions.slice(Math.max(at - 1, 0), at + 1).flatMap(keysOf))
  ));
  const askedBy = evidence.asker === null ? null : await askerOf(evidence.asker, { trusted, certifiers, keysOf });
  return canonicalBytes({
    type: "export/v1",
    communities: await Promise.all(communities),
    study: await only(evidence.study, [steward.key]),
    amendments: await Promise.all(evidence.amendments.map((envelope) => only(envelope, everybody))),
    approvals: await byParty(evidence.approvals, "approval/v1", everybody),
    roster: await only(evidence.roster, everybody),
    checked_roster: await only(evidence.checkedRoster, named(checked.parties)),
    query: evidence.query && (await only(evidence.query, askedBy === null ? [] : [askedBy.key])),
    asker: evidence.asker && (await only(evidence.asker, askedBy.certifiedBy)),
    result: await only(evidence.result, named(result.parties)),
    own: evidence.own && (await ownPart(evidence.own, { certifiers, everybody })),
  });
}

async function ownPart({ membership, submission, receipts, proof }, { certifiers, everybody }) {
  const { signing_key: key } = openEnvelope(membership, "membership/v1");
  return {
    membership: await only(membership, certifiers),
    submission: await only(submission, [key]),
    receipts: await byParty(receipts, "receipt/v1", everybody),
    proof,
  };
}

/** Whose key signed a query, and whose keys certify the document that says so. */
async function askerOf(envelope, { trusted, certifiers, keysOf }) {
  if (envelope.payloadType.includes("membership")) {
    return { key: openEnvelope(envelope, "membership/v1").signing_key, certifiedBy: certifiers };
  }
  const { signing_key: key, community } = openEnvelope(envelope, "researcher/v1");
  return { key, certifiedBy: keysOf(trusted.versions[trusted.digests.indexOf(community)]) };
}

/** One envelope a party, each with that party's signature alone. */
async function byParty(envelopes, type, everybody) {
  const found = new Map(envelopes.map((envelope) => [openEnvelope(envelope, type).party, envelope]));
  const sorted = [...found].sort(([a], [b]) => a - b);
  return Promise.all(sorted.map(([party, envelope]) => only(envelope, [everybody[party]])));
}

/** The envelope's JSON with the valid signatures of these keys alone, each once, with its own hint, sorted. */
async function only(envelope, keys) {
  const kept = new Map();
  for (const key of new Set(keys)) {
    const keyid = encodeBase64url(await keyidOf(decodeBase64url(key)));
    const { signatures } = envelope.json;
    const hinted = [...signatures.filter((one) => one.keyid === keyid), ...signatures.filter((one) => one.keyid !== keyid)];
    for (const { sig } of hinted) {
      const single = new Envelope({ ...envelope.json, signatures: [{ keyid, sig }] });
      if (!kept.has(keyid) && (await hasSignature(single, key))) kept.set(keyid, sig);
    }
  }
  const hex = (text) => [...decodeBase64url(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const signatures = [...kept].map(([keyid, sig]) => ({ keyid, sig })).sort((a, b) => (hex(a.keyid) < hex(b.keyid) ? -1 : 1));
  return { ...envelope.json, signatures };
}
