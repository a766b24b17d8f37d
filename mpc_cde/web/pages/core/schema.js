// Small strict checks, put together into documents: no unknown field, no coercion, everything written out.
//
// A check takes a value and its path, and throws BadDocument naming the path, never the value. Byte strings stay
// base64url text, in their one form, so comparing text compares bytes.

import { decodeBase64url } from "./bytes.js";
import { BadDocument } from "./errors.js";

// Control characters save the line feed, line and paragraph separators, and marks that reorder what is shown.
const HIDDEN = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/;

export function fail(path, expected) {
  throw new BadDocument(`${path || "document"}: expected ${expected}`);
}

export function text({ min = 0, max, pattern = null }) {
  return (value, path) => {
    if (typeof value !== "string") fail(path, "text");
    const length = [...value].length;
    if (length < min || length > max) fail(path, `${min} to ${max} characters`);
    if (pattern !== null && !pattern.test(value)) fail(path, `text of the form ${pattern}`);
  };
}

/** Text for people: no hidden characters, normal form C, no white space at either end. */
export function shown({ min = 0, max, lines = false }) {
  const sized = text({ min, max });
  return (value, path) => {
    sized(value, path);
    if (!lines && value.includes("\n")) fail(path, "one line");
    if (HIDDEN.test(value)) fail(path, "text without control characters");
    if (value.normalize("NFC") !== value) fail(path, "text in normal form C");
    if (value.trim() !== value) fail(path, "text without white space at its ends");
  };
}

export function integer(min, max = Number.MAX_SAFE_INTEGER) {
  return (value, path) => {
    if (!Number.isSafeInteger(value) || value < min || value > max) fail(path, `an integer from ${min} to ${max}`);
  };
}

export function boolean(value, path) {
  if (typeof value !== "boolean") fail(path, "true or false");
}

export function bytes(min, max = min) {
  return (value, path) => {
    if (typeof value !== "string") fail(path, "base64url");
    const length = decodeBase64url(value).length;
    if (length < min || length > max) fail(path, `${min} to ${max} bytes`);
  };
}

export function oneOf(...allowed) {
  return (value, path) => {
    if (!allowed.includes(value)) fail(path, `one of ${allowed.join(", ")}`);
  };
}

export function nullable(check) {
  return (value, path) => {
    if (value !== null) check(value, path);
  };
}

export function either(...checks) {
  return (value, path) => {
    const fits = checks.some((check) => {
      try {
        check(value, path);
        return true;
      } catch (error) {
        if (error instanceof BadDocument) return false;
        throw error;
      }
    });
    if (!fits) fail(path, "another kind of value");
  };
}

export function list(check, { min = 0, max }) {
  return (value, path) => {
    if (!Array.isArray(value)) fail(path, "a list");
    if (value.length < min || value.length > max) fail(path, `${min} to ${max} entries`);
    value.forEach((entry, index) => check(entry, `${path}.${index}`));
  };
}

export function dictionary(key, check, { max }) {
  return (value, path) => {
    if (!isObject(value)) fail(path, "an object");
    const names = Object.keys(value);
    if (names.length > max) fail(path, `at most ${max} entries`);
    for (const name of names) {
      key(name, path);
      check(value[name], `${path}.${name}`);
    }
  };
}

/** An object with exactly these fields; `rules` look at it as a whole, after its fields. */
export function object(fields, ...rules) {
  const names = Object.keys(fields);
  return (value, path = "") => {
    if (!isObject(value)) fail(path, "an object");
    for (const name of Object.keys(value)) if (!Object.hasOwn(fields, name)) fail(path, `no field ${name.slice(0, 40)}`);
    for (const name of names) {
      if (!Object.hasOwn(value, name)) fail(path, `a field ${name}`);
      fields[name](value[name], path ? `${path}.${name}` : name);
    }
    for (const rule of rules) rule(value, path);
  };
}

/** For rules: `holds`, or the document is refused. */
export function requireThat(holds, path, otherwise) {
  if (!holds) throw new BadDocument(`${path || "document"}: ${otherwise}`);
}

export function areUnique(values) {
  return new Set(values).size === values.length;
}

/** Whether texts strictly ascend by their raw bytes. */
export function ascend(values) {
  return values.every((value, index) => index === 0 || compareBytes(values[index - 1], value) < 0);
}

function compareBytes(a, b) {
  const [left, right] = [decodeBase64url(a), decodeBase64url(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] !== right[at]) return left[at] - right[at];
  }
  return left.length - right.length;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
