// Byte strings: unpadded base64url in its one form, UTF-8, SHA-256.

import { BadDocument } from "./errors.js";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Map([...ALPHABET].map((character, value) => [character, value]));
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Unpadded base64url. */
export function encodeBase64url(bytes) {
  const letters = [];
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const word = (a << 16) | (b << 8) | c;
    for (let letter = 0; letter < Math.min(bytes.length - at, 3) + 1; letter += 1) {
      letters.push(ALPHABET[(word >> (18 - 6 * letter)) & 63]);
    }
  }
  return letters.join("");
}

/** The bytes of unpadded base64url in its one canonical form: spare bits are zero. Throws BadDocument. */
export function decodeBase64url(text) {
  const spare = text.length % 4;
  if (typeof text !== "string" || spare === 1) throw new BadDocument("expected unpadded base64url");
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of text) {
    const value = VALUES.get(letter);
    if (value === undefined) throw new BadDocument("expected unpadded base64url");
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at] = (bits >> held) & 255;
      at += 1;
    }
  }
  if ((bits & ((1 << held) - 1)) !== 0) throw new BadDocument("expected unpadded base64url in canonical form");
  return bytes;
}

/** Padded base64 of RFC 4648, section 4: what HTTP signatures are written in. */
export function encodeBase64(bytes) {
  const text = encodeBase64url(bytes).replaceAll("-", "+").replaceAll("_", "/");
  return text + "=".repeat((4 - (text.length % 4)) % 4);
}

/** Whether no surrogate stands alone. */
export function isUnicode(text) {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}

/** UTF-8 of text; a lone surrogate is refused, since it would be replaced in silence. */
export function utf8(text) {
  if (!isUnicode(text)) throw new BadDocument("the text is not Unicode");
  return ENCODER.encode(text);
}

/** The text of UTF-8. Throws BadDocument. */
export function textOf(bytes) {
  try {
    return DECODER.decode(bytes);
  } catch {
    throw new BadDocument("the bytes are not UTF-8");
  }
}

/** One byte string after another. */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether two byte strings are the same; for public values. */
export function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** SHA-256, 32 bytes. */
export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** SHA-256 as unpadded base64url: how documents name each other. */
export async function digestOf(bytes) {
  return encodeBase64url(await sha256(bytes));
}
