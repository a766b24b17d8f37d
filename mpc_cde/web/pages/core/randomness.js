// The one door to randomness: whoever needs some is handed a function from a count to fresh bytes.

import { concat, sha256, utf8 } from "./bytes.js";

const BLOCK_BYTES = 16;

/** The browser's generator. */
export async function systemRandomBytes(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** The same bytes for the same seed, however they are cut, as Python's ScriptedRandomness. Never for secrets. */
export async function scriptedRandomBytes(seed) {
  const raw = await sha256(concat(utf8("mpc-cde/scripted-randomness/v1\0"), seed));
  const key = await crypto.subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
  let position = 0;
  return async (count) => {
    const block = Math.floor(position / BLOCK_BYTES);
    const skipped = position % BLOCK_BYTES;
    const counter = new Uint8Array(BLOCK_BYTES);
    new DataView(counter.buffer).setBigUint64(8, BigInt(block));
    position += count;
    const parameters = { name: "AES-CTR", counter, length: 128 };
    const stream = await crypto.subtle.encrypt(parameters, key, new Uint8Array(skipped + count));
    return new Uint8Array(stream).slice(skipped);
  };
}
