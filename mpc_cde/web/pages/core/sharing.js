// Sharing a vector over F_p, p = 2^61 - 1: fresh seeds for every t-subset of the parties, one correction for all.
//
// c = v - sum_T Expand(s_T); Expand is AES-256-CTR from block 0, read as little-endian uint64, 61 bits, p to 0.

import { concat, sha256, utf8 } from "./bytes.js";
import { OutOfRange } from "./errors.js";

export const P = (1n << 61n) - 1n;
export const SEED_BYTES = 32;
const ELEMENT_BYTES = 8;
const SEED_TAG = utf8("mpc-cde/seed/v1\0");

/** All t-subsets of party indices 0 .. m-1, ascending lists in lexicographic order. */
export function subsets(m, t) {
  if (t < 1 || 2 * t + 1 > m) throw new OutOfRange(`threshold ${t} does not fit ${m} parties`);
  const found = [];
  const extend = (chosen, from) => {
    if (chosen.length === t) {
      found.push(chosen);
      return;
    }
    for (let party = from; party < m; party += 1) extend([...chosen, party], party + 1);
  };
  extend([], 0);
  return found;
}

/** `count` field elements from a 32-byte seed. */
export async function expandSeed(seed, count) {
  const key = await crypto.subtle.importKey("raw", seed, "AES-CTR", false, ["encrypt"]);
  const parameters = { name: "AES-CTR", counter: new Uint8Array(16), length: 128 };
  const stream = await crypto.subtle.encrypt(parameters, key, new Uint8Array(count * ELEMENT_BYTES));
  const elements = elementsFrom(new Uint8Array(stream));
  for (let index = 0; index < count; index += 1) {
    const masked = elements[index] & P;
    elements[index] = masked === P ? 0n : masked;
  }
  return elements;
}

/** SHA-256("mpc-cde/seed/v1" || 0x00 || s): what the signed submission lists. */
export function seedHash(seed) {
  return sha256(concat(SEED_TAG, seed));
}

/** Seeds in the order of the subsets, and the correction. `randomBytes(count)` gives fresh bytes. */
export async function shareVector(vector, m, t, randomBytes) {
  if (vector.some((element) => element >= P)) throw new OutOfRange("expected elements below p");
  const seeds = [];
  const correction = BigUint64Array.from(vector);
  for (const _ of subsets(m, t)) seeds.push(await randomBytes(SEED_BYTES));
  for (const seed of seeds) {
    const mask = await expandSeed(seed, vector.length);
    for (let index = 0; index < correction.length; index += 1) {
      const difference = correction[index] + P - mask[index];
      correction[index] = difference >= P ? difference - P : difference;
    }
  }
  return { seeds, correction, parties: m, threshold: t };
}

/** What is sealed to one party: the seeds of the subsets without it, in order. */
export function seedsForParty({ seeds, parties, threshold }, party) {
  const all = subsets(parties, threshold);
  return seeds.filter((_, index) => !all[index].includes(party));
}

/** Eight bytes an element, little endian. */
export function elementBytes(elements) {
  const view = new DataView(new ArrayBuffer(elements.length * ELEMENT_BYTES));
  elements.forEach((element, index) => view.setBigUint64(index * ELEMENT_BYTES, element, true));
  return new Uint8Array(view.buffer);
}

/** The 64-bit words of packed bytes, not reduced. */
function elementsFrom(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.length / ELEMENT_BYTES;
  const elements = new BigUint64Array(count);
  for (let index = 0; index < count; index += 1) elements[index] = view.getBigUint64(index * ELEMENT_BYTES, true);
  return elements;
}
