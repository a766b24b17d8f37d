// Signatures over exact bytes (DSSE v1): a verifier checks the bytes it got and only then parses them.

import { canonicalBytes } from "./canonical.js";
import { concat, decodeBase64url, digestOf, encodeBase64url, sha256, utf8 } from "./bytes.js";
import { parseDocument, payloadTypeOf } from "./documents.js";
import { BadDocument, BadSignature } from "./errors.js";
import * as s from "./schema.js";

const check = s.object({
  payloadType: s.text({ max: 120, pattern: /^application\/vnd\.mpc-cde\.[a-z-]+\.v[1-9][0-9]*\+json$/ }),
  payload: s.bytes(2, 64 << 20),
  signatures: s.list(s.object({ keyid: s.bytes(16), sig: s.bytes(64) }), { max: 64 }),
});

/** A payload with its media type and signatures; `json` is what goes over the wire. Verifies nothing. */
export class Envelope {
  constructor(json) {
    check(json, "");
    this.json = json;
    this.payload = decodeBase64url(json.payload);
    Object.freeze(this);
  }

  get payloadType() {
    return this.json.payloadType;
  }

  /** Digest of the payload alone: signatures never count. */
  digest() {
    return digestOf(this.payload);
  }

  /** Canonical JSON of the envelope itself, for files and the wire. */
  toBytes() {
    return canonicalBytes(this.json);
  }
}

/** PAE of DSSE v1: what is signed. */
export function preAuthenticationEncoding(payloadType, payload) {
  const kind = utf8(payloadType);
  return concat(utf8(`DSSEv1 ${kind.length} `), kind, utf8(` ${payload.length} `), payload);
}

/** The hint to a key: the first 16 bytes of SHA-256 of the 32 public bytes. */
export async function keyidOf(publicKey) {
  return (await sha256(publicKey)).slice(0, 16);
}

/** An envelope of the document with one signature; `signer` has `publicBytes` and an async `sign(message)`. */
export async function signDocument(document, signer) {
  const payload = canonicalBytes(document);
  parseDocument(document.type, payload); // what would be refused elsewhere is never signed here
  const payloadType = payloadTypeOf(document.type);
  const sig = await signer.sign(preAuthenticationEncoding(payloadType, payload));
  const keyid = await keyidOf(signer.publicBytes);
  const signature = { keyid: encodeBase64url(keyid), sig: encodeBase64url(sig) };
  return new Envelope({ payloadType, payload: encodeBase64url(payload), signatures: [signature] });
}

/** Whether this key (base64url) signed these exact bytes; the keyid is a hint and decides nothing. */
export async function hasSignature(envelope, publicKey) {
  const raw = decodeBase64url(publicKey);
  const hint = encodeBase64url(await keyidOf(raw));
  let key;
  try {
    key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  } catch {
    return false;
  }
  const message = preAuthenticationEncoding(envelope.payloadType, envelope.payload);
  const hinted = envelope.json.signatures.filter(({ keyid }) => keyid === hint);
  const others = envelope.json.signatures.filter(({ keyid }) => keyid !== hint);
  for (const { sig } of [...hinted, ...others]) {
    if (await crypto.subtle.verify("Ed25519", key, decodeBase64url(sig), message)) return true;
  }
  return false;
}

/** Returns if this key signed these exact bytes. Throws BadSignature naming `whom`. */
export async function verifySignature(envelope, publicKey, whom) {
  if (!(await hasSignature(envelope, publicKey))) {
    throw new BadSignature(`${envelope.payloadType}: no valid signature by ${whom}`, { whom });
  }
}

/** The document inside; a claim until the signature of whom it names was verified. Throws BadDocument. */
export function openEnvelope(envelope, type) {
  if (envelope.payloadType !== payloadTypeOf(type)) {
    throw new BadDocument(`expected ${payloadTypeOf(type)}, found ${envelope.payloadType}`);
  }
  return parseDocument(type, envelope.payload);
}
