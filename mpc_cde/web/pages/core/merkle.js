// Merkle proofs as in RFC 9162, section 2.1: leaf = SHA-256(0 || entry), node = SHA-256(1 || left || right).

import { concat, sameBytes, sha256 } from "./bytes.js";
import { BadProof } from "./errors.js";

const MAX_PROOF_STEPS = 32;

export function leafHash(entry) {
  return sha256(concat(Uint8Array.of(0), entry));
}

function nodeHash(left, right) {
  return sha256(concat(Uint8Array.of(1), left, right));
}

/** Returns if `entry` is number `index` of `count` under `root` (RFC 9162, 2.1.3.2). Throws BadProof. */
export async function verifyInclusion(entry, { index, count, proof, root }) {
  if (!(index >= 0 && index < count) || proof.length > MAX_PROOF_STEPS || proof.some((step) => step.length !== 32)) {
    throw new BadProof("the Merkle proof does not have the form of one");
  }
  let [first, last] = [index, count - 1];
  let current = await leafHash(entry);
  const halve = () => {
    first = Math.floor(first / 2);
    last = Math.floor(last / 2);
  };
  for (const step of proof) {
    if (last === 0) throw new BadProof("the Merkle proof is too long");
    if (first % 2 === 1 || first === last) {
      current = await nodeHash(step, current);
      while (first % 2 === 0 && first !== 0) halve();
    } else {
      current = await nodeHash(current, step);
    }
    halve();
  }
  if (last !== 0 || !sameBytes(current, root)) {
    throw new BadProof("the Merkle proof does not lead to the signed root");
  }
}
