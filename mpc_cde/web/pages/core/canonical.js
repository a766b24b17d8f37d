// One value, one byte string: canonical JSON (RFC 8785) without floats and integers of 2^53 or more.

import { isUnicode, sameBytes, textOf, utf8 } from "./bytes.js";
import { BadDocument } from "./errors.js";

const MAX_BYTES = 1 << 20;

/** RFC 8785 bytes of a JSON value. Throws BadDocument for a float, a large integer, text that is not Unicode. */
export function canonicalBytes(value) {
  try {
    return utf8(canonicalText(value));
  } catch (error) {
    if (error instanceof RangeError) throw new BadDocument("no canonical form: nested too deep");
    throw error;
  }
}

/** A JSON object whose canonical bytes are exactly `bytes`; so no key is there twice. Throws BadDocument. */
export function parseCanonical(bytes, { maxBytes = MAX_BYTES } = {}) {
  if (bytes.length > maxBytes) throw new BadDocument(`expected at most ${maxBytes} bytes, found ${bytes.length}`);
  let value;
  try {
    value = JSON.parse(textOf(bytes));
  } catch (error) {
    // The parser's own message may quote the document, so it is not kept.
    throw error instanceof BadDocument ? error : new BadDocument("not strict JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new BadDocument("expected a JSON object");
  }
  if (!sameBytes(canonicalBytes(value), bytes)) {
    throw new BadDocument("the bytes differ from their canonical form (RFC 8785)");
  }
  return value;
}

function canonicalText(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new BadDocument("no canonical form: only integers below 2^53");
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    const keys = Object.keys(value).sort(byCodeUnit); // by UTF-16 code units, as the standard says
    return `{${keys.map((key) => `${quoted(key)}:${canonicalText(value[key])}`).join(",")}}`;
  }
  throw new BadDocument("no canonical form: not a JSON value");
}

/** ECMAScript's own writing, which RFC 8785 takes; but lone surrogates have none. */
function quoted(text) {
  if (!isUnicode(text)) throw new BadDocument("no canonical form: text that is not Unicode");
  return JSON.stringify(text);
}

function byCodeUnit(a, b) {
  return a < b ? -1 : Number(a > b);
}
