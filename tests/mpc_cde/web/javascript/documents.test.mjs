// The browser reads and writes documents as Python does: tests/vectors/documents.json, failing ones too.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeBase64url as raw, digestOf, encodeBase64url as b64, utf8 } from "../../../../mpc_cde/web/pages/core/bytes.js";
import { canonicalBytes } from "../../../../mpc_cde/web/pages/core/canonical.js";
import {
  DOCUMENT_TYPES, SCALARS, consentDigest, fingerprintOf, formatFingerprint, parseDocument, parseFingerprint,
  payloadTypeOf, termsDigest,
} from "../../../../mpc_cde/web/pages/core/documents.js";
import {
  Envelope, hasSignature, keyidOf, openEnvelope, preAuthenticationEncoding, signDocument,
} from "../../../../mpc_cde/web/pages/core/envelope.js";
import { BadDocument, BadProof } from "../../../../mpc_cde/web/pages/core/errors.js";
import { leafHash, verifyInclusion } from "../../../../mpc_cde/web/pages/core/merkle.js";
import { Rational } from "../../../../mpc_cde/web/pages/core/rational.js";
import { openSealed, publicSealingKey, seal, sealingInfo, X_WING } from "../../../../mpc_cde/web/pages/core/sealing.js";
import { signerFromSecret } from "../../../../mpc_cde/web/pages/core/signing.js";
import { vectors } from "./vectors.js";

const VECTORS = vectors("documents");
const plain = (bytes) => new TextDecoder().decode(bytes);

test("canonical values", () => {
  for (const { value, text } of VECTORS.canonical) assert.equal(plain(canonicalBytes(value)), text);
});

test("what has no canonical form is refused", () => {
  for (const value of [1.5, NaN, 2 ** 53, undefined, "\ud800", { "\udc00": 1 }, new Date(), 1n]) {
    assert.throws(() => canonicalBytes({ value: [value] }), BadDocument);
  }
  let deep = [];
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  assert.throws(() => canonicalBytes(deep), BadDocument);
});

test("decimal texts", () => {
  for (const { amount, text } of VECTORS.decimals) {
    if (!amount.includes("E")) assert.equal(String(Rational.parse(amount)), text);
  }
  assert.throws(() => new Rational(1n, 3n).toString());
});

test("documents", async (t) => {
  const signer = await signerFromSecret(raw(VECTORS.signing.secret));
  const read = VECTORS.documents.filter(({ type }) => DOCUMENT_TYPES.includes(type));
  assert.equal(read.length, DOCUMENT_TYPES.length);
  for (const vector of read) {
    await t.test(vector.type, async () => {
      const document = parseDocument(vector.type, raw(vector.payload));
      assert.equal(b64(canonicalBytes(document)), vector.payload);
      assert.equal(payloadTypeOf(vector.type), vector.payload_type);
      const envelope = await signDocument(document, signer);
      assert.equal(await envelope.digest(), vector.digest);
      assert.equal(envelope.json.signatures[0].sig, vector.sig);
    });
  }
});

test("envelope", async () => {
  const { signing } = VECTORS;
  const envelope = new Envelope(JSON.parse(signing.envelope_text));
  assert.equal(plain(envelope.toBytes()), signing.envelope_text);
  assert.equal(b64(preAuthenticationEncoding(envelope.payloadType, envelope.payload)), signing.pae);
  assert.equal(b64(await keyidOf(raw(signing.public))), signing.keyid);
  assert.equal(await hasSignature(envelope, signing.public), true);
  assert.equal(openEnvelope(envelope, "withdrawal/v1").sequence, 1);
  assert.throws(() => openEnvelope(envelope, "submission/v1"), BadDocument);
});

test("an altered payload, signature or key is refused", async () => {
  const { signing } = VECTORS;
  const json = JSON.parse(signing.envelope_text);
  const flip = (text, at) => {
    const bytes = raw(text);
    bytes[at] ^= 1;
    return b64(bytes);
  };
  const [signature] = json.signatures;
  const altered = [
    { ...json, payload: flip(json.payload, 5) },
    { ...json, signatures: [{ ...signature, sig: flip(signature.sig, 40) }] },
    { ...json, payloadType: json.payloadType.replace("withdrawal", "submission") },
    { ...json, signatures: [] },
  ];
  for (const one of altered) assert.equal(await hasSignature(new Envelope(one), signing.public), false);
  assert.equal(await hasSignature(new Envelope(json), flip(signing.public, 3)), false);
  const misled = { ...json, signatures: [{ ...signature, keyid: flip(signature.keyid, 0) }] };
  assert.equal(await hasSignature(new Envelope(misled), signing.public), true); // a hint decides nothing
  for (const [name, value] of [["payload", "e30="], ["payloadType", "text/plain"], ["signatures", {}]]) {
    assert.throws(() => new Envelope({ ...json, [name]: value }), BadDocument);
  }
});

test("names", async () => {
  const { names } = VECTORS;
  const study = parseDocument("study/v1", raw(names.study_payload));
  assert.equal(await termsDigest(study), names.study_terms_digest);
  assert.equal(await consentDigest(study.terms), names.consent_digest);
  assert.equal(await fingerprintOf(raw(names.community_digest)), names.fingerprint);
  assert.equal(formatFingerprint(names.fingerprint), names.fingerprint_shown);
  assert.equal(parseFingerprint(` ${names.fingerprint_shown.toUpperCase()} `), names.fingerprint);
  assert.throws(() => parseFingerprint("abcde"), BadDocument);
});

test("Merkle proofs, and none that leads elsewhere", async () => {
  for (const { entries, leaves, root, proofs } of VECTORS.merkle) {
    for (const [index, steps] of proofs.entries()) {
      const entry = raw(entries[index]);
      assert.equal(b64(await leafHash(entry)), leaves[index]);
      const claim = { index, count: entries.length, proof: steps.map(raw), root: raw(root) };
      await verifyInclusion(entry, claim);
      const wrong = [
        { ...claim, index: index + 1 },
        { ...claim, proof: [...claim.proof, new Uint8Array(32)] },
        { ...claim, root: new Uint8Array(32) },
        ...(steps.length ? [{ ...claim, proof: claim.proof.slice(1) }] : []),
      ];
      for (const one of wrong) await assert.rejects(verifyInclusion(entry, one), BadProof);
    }
  }
});

test("sealed envelopes open, and only where they belong", async () => {
  for (const vector of VECTORS.sealing) {
    const { suite, member, sequence, party, kind } = vector;
    const context = { studyTerms: vector.study_terms, member, sequence, party, kind };
    assert.equal(plain(sealingInfo(suite, context)), vector.info_text);
    const secret = raw(vector.secret);
    assert.equal(b64(await openSealed(suite, secret, raw(vector.sealed), context)), vector.plaintext);
    for (const elsewhere of [{ sequence: 8 }, { party: 2 }, { kind: "result" }, { studyTerms: vector.public.slice(0, 43) }]) {
      await assert.rejects(openSealed(suite, secret, raw(vector.sealed), { ...context, ...elsewhere }));
    }
    if (suite !== X_WING) continue;
    assert.equal(b64(await publicSealingKey(secret)), vector.public);
    const same = async (count) => new Uint8Array(count).fill(7);
    const sealed = await Promise.all([1, 2].map(() => seal({ suite, key: vector.public }, raw(vector.plaintext), context, same)));
    assert.equal(b64(sealed[0]), b64(sealed[1])); // all randomness comes through the one door
    assert.equal(b64(await openSealed(suite, secret, sealed[0], context)), vector.plaintext);
  }
});

test("failing documents are refused", async (t) => {
  for (const { type, why, text } of VECTORS.failing_documents) {
    await t.test(why, () => assert.throws(() => parseDocument(type, utf8(text)), BadDocument));
  }
});

test("failing scalars are refused", () => {
  const { base64url, ...scalars } = VECTORS.failing_scalars;
  for (const [kind, texts] of Object.entries(scalars)) {
    for (const one of texts) assert.throws(() => SCALARS[kind](one, kind), BadDocument, `${kind}: ${one}`);
  }
  for (const one of base64url) assert.throws(() => raw(one), BadDocument, one);
});

test("digests", async () => {
  assert.equal(await digestOf(new Uint8Array()), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
});
