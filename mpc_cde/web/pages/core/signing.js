// An Ed25519 key that signs and does not show its secret.

import { concat, decodeBase64url } from "./bytes.js";
import { OutOfRange } from "./errors.js";

const PKCS8_HEADER = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20);

/** From a non-extractable private key and the 32 public bytes. */
export function signerOf(privateKey, publicBytes) {
  return Object.freeze({
    publicBytes,
    privateKey,
    async sign(message) {
      return new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, message));
    },
  });
}

/** From 32 secret bytes; the private key that stays cannot be exported. */
export async function signerFromSecret(secret) {
  if (secret.length !== 32) throw new OutOfRange("a signing key has 32 secret bytes");
  const pkcs8 = concat(PKCS8_HEADER, secret);
  const shown = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", shown); // the only way to the public half
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  pkcs8.fill(0);
  return signerOf(privateKey, decodeBase64url(x));
}
