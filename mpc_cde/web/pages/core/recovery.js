// A member's keys in one file under a passphrase: how a second device, or tomorrow, gets them back.
//
// PBKDF2-SHA256 makes the key, AES-256-GCM locks the two secrets, everything else in the file is bound to them.

import { canonicalBytes, parseCanonical } from "./canonical.js";
import { decodeBase64url, encodeBase64url, utf8 } from "./bytes.js";
import { BadDocument, CallerError } from "./errors.js";
import * as s from "./schema.js";

export const ITERATIONS = 600_000;
export const MIN_PASSPHRASE_CHARACTERS = 10;
const SALT_BYTES = 16;
const NONCE = new Uint8Array(12); // the key comes from a fresh salt, so it locks one message only
const SECRET_BYTES = 32;

const check = s.object({
  type: s.oneOf("member-keys/v1"),
  community: s.text({ min: 25, max: 25, pattern: /^[a-z2-7]+$/ }),
  register_id: s.shown({ min: 1, max: 200 }),
  signing_key: s.bytes(32),
  sealing_key: s.bytes(1216),
  derivation: s.oneOf("pbkdf2-sha256"),
  iterations: s.integer(100_000, 10_000_000),
  salt: s.bytes(SALT_BYTES),
  locked: s.bytes(2 * SECRET_BYTES + 16),
});

/** The file's bytes. `secrets` are the two 32-byte secrets, `publics` base64url of the public halves. */
export async function lockKeys({ community, registerId, secrets, publics, passphrase, randomBytes, iterations = ITERATIONS }) {
  if ([...passphrase].length < MIN_PASSPHRASE_CHARACTERS) throw new CallerError("the passphrase is too short", { said: "passphrase_short", values: { least: MIN_PASSPHRASE_CHARACTERS } });
  const header = {
    type: "member-keys/v1",
    community,
    register_id: registerId,
    signing_key: publics.signing,
    sealing_key: publics.sealing,
    derivation: "pbkdf2-sha256",
    iterations,
    salt: encodeBase64url(await randomBytes(SALT_BYTES)),
  };
  const key = await deriveKey(passphrase, header, "encrypt");
  const plain = new Uint8Array([...secrets.signing, ...secrets.sealing]);
  const locked = await crypto.subtle.encrypt(parameters(header), key, plain);
  plain.fill(0);
  return canonicalBytes({ ...header, locked: encodeBase64url(new Uint8Array(locked)) });
}

/** What the file says without its passphrase. Throws BadDocument for another file. */
export function readRecoveryFile(bytes) {
  const file = parseCanonical(bytes, { maxBytes: 1 << 16 });
  check(file, "");
  return file;
}

/** The two secrets. Throws CallerError for another passphrase. */
export async function unlockKeys(file, passphrase) {
  const { locked, ...header } = file;
  const key = await deriveKey(passphrase, header, "decrypt");
  let plain;
  try {
    plain = new Uint8Array(await crypto.subtle.decrypt(parameters(header), key, decodeBase64url(locked)));
  } catch {
    throw new CallerError("the passphrase does not open this file", { said: "passphrase_wrong" });
  }
  if (plain.length !== 2 * SECRET_BYTES) throw new BadDocument("the recovery file is damaged");
  return { signing: plain.slice(0, SECRET_BYTES), sealing: plain.slice(SECRET_BYTES) };
}

function parameters(header) {
  return { name: "AES-GCM", iv: NONCE, additionalData: canonicalBytes(header) };
}

async function deriveKey(passphrase, { salt, iterations }, usage) {
  const material = await crypto.subtle.importKey("raw", utf8(passphrase.normalize("NFC")), "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt: decodeBase64url(salt), iterations };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, [usage]);
}
