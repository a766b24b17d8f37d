// Sealing to one party's key: HPKE (RFC 9180, base mode) whose `info` says where the envelope belongs.

import { canonicalBytes } from "./canonical.js";
import { concat, decodeBase64url, utf8 } from "./bytes.js";
import { OutOfRange } from "./errors.js";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, XWing } from "../vendor/hpke.js";

export const X_WING = "x-wing/hkdf-sha256/aes-256-gcm";
const VERSION_HEADER = concat(utf8("mpccde"), Uint8Array.of(0, 1));
const KEMS = { [X_WING]: XWing, "x25519/hkdf-sha256/aes-256-gcm": DhkemX25519HkdfSha256 };
const ENCAPSULATION_RANDOM_BYTES = { [X_WING]: 64 };

/** Where an envelope belongs: HPKE's `info`, the same bytes in Python. Digests and ids as base64url. */
export function sealingInfo(suite, { studyTerms, member, sequence, party, kind = "submission" }) {
  return canonicalBytes({ protocol: "mpc-cde/v1", suite, kind, study_terms: studyTerms, member, sequence, party });
}

/** Where one party's share of a value for one member alone belongs: its job, the member, who seals, the cell's number. */
export function resultInfo(suite, { job, member, party, cell }) {
  return canonicalBytes({ protocol: "mpc-cde/v1", suite, kind: "result", job, member, party, cell });
}

/** Plaintext of a submission's envelope: version header, then seeds in the order of their subsets. */
export function packSeeds(seeds) {
  if (seeds.length === 0 || seeds.some((seed) => seed.length !== 32)) throw new OutOfRange("expected seeds of 32 bytes");
  return concat(VERSION_HEADER, ...seeds);
}

/** Encapsulation and ciphertext for one context; see `sealingInfo`. */
export function seal(key, plaintext, context, randomBytes) {
  return sealWithInfo(key, plaintext, sealingInfo(key.suite, context), randomBytes);
}

/** The same for what belongs where `info` says. `randomBytes` feeds the encapsulation where the suite takes it from outside. */
export async function sealWithInfo({ suite, key }, plaintext, info, randomBytes) {
  const cipher = suiteOf(suite);
  const recipientPublicKey = await cipher.kem.deserializePublicKey(decodeBase64url(key));
  const count = ENCAPSULATION_RANDOM_BYTES[suite];
  const ekm = count === undefined ? {} : { ekm: (await randomBytes(count)).buffer };
  const sender = await cipher.createSenderContext({ recipientPublicKey, info, ...ekm });
  return concat(new Uint8Array(sender.enc), new Uint8Array(await sender.seal(plaintext)));
}

/** The plaintext, if it was sealed to this key (its 32 secret bytes) for exactly this context; see `sealingInfo`. */
export function openSealed(suite, secret, sealed, context) {
  return openWithInfo(suite, secret, sealed, sealingInfo(suite, context));
}

/** The same for what belongs where `info` says. Throws if it was sealed to another key or for another place. */
export async function openWithInfo(suite, secret, sealed, info) {
  const cipher = suiteOf(suite);
  const { encSize } = cipher.kem;
  const recipientKey = await cipher.kem.importKey("raw", secret.slice().buffer, false);
  const receiver = await cipher.createRecipientContext({ recipientKey, enc: sealed.slice(0, encSize), info });
  return new Uint8Array(await receiver.open(sealed.slice(encSize)));
}

/** The public half of an X-Wing key from its 32 secret bytes. */
export async function publicSealingKey(secret) {
  const { publicKey } = await new XWing().generateKeyPairDerand(secret.slice());
  return new Uint8Array(publicKey.key);
}

function suiteOf(suite) {
  const Kem = KEMS[suite];
  if (Kem === undefined) throw new OutOfRange("a sealing suite that is not known here");
  return new CipherSuite({ kem: new Kem(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
}
