// A member's own place: asked by the member itself, answered in sealed shares that only its key opens.
//
// Every party that computed sealed its share for this member; all must lie on one polynomial of the promised degree,
// else nothing is read. The same answers as mpc_cde/client/own_place.py.

import { decodeBase64url } from "./bytes.js";
import { BadProof, CallerError } from "./errors.js";
import { itemsOf, signQuestion } from "./questions.js";
import { openWithInfo, resultInfo } from "./sealing.js";
import { P } from "./sharing.js";

export const OWN_RANK = "own_rank@1";
const STEP_PERCENT = 5n;

/** The places that the study tells this member: over everybody, and in the groups that it was certified for. */
export function ownItems(terms, attributes) {
  const isOwn = ({ group }) => group === null || attributes[group.attribute] === group.value;
  return terms.functions.filter((one) => one.function === OWN_RANK).flatMap((one) => itemsOf(one, terms).filter(isOwn));
}

/** A query that the member signs about itself; `membership` is the digest of its membership. */
export async function askOwnPlace({ items, membership, ...more }) {
  if (items.length === 0) throw new CallerError("this study tells members no place of their own", { said: "no_places" });
  return signQuestion({ items, kind: "member", asker: membership, ...more });
}

/**
 * The place in percent for each sealed cell of a verified result, null for the others: so many percent of the others
 * lie below. `secret` are the 32 bytes of the sealing key. Throws BadProof where shares do not open or disagree.
 */
export async function openOwnPlaces({ result, threshold, member, suite, secret }) {
  const places = [];
  for (const [cell, { sealed }] of result.cells.entries()) {
    places.push(sealed === null ? null : await openPlace({ result, threshold, member, suite, secret, cell, sealed }));
  }
  return places;
}

async function openPlace({ result: { job, parties }, threshold, member, suite, secret, cell, sealed }) {
  const what = `cell ${cell + 1}`;
  const points = parties.map((party) => BigInt(party + 1));
  const shares = [];
  for (const [at, party] of parties.entries()) {
    let plain;
    try {
      plain = await openWithInfo(suite, secret, decodeBase64url(sealed[at]), resultInfo(suite, { job, member, party, cell }));
    } catch {
      throw new BadProof(`${what}: what party ${party} sealed does not open with the key on this device`);
    }
    const share = plain.length === 8 ? new DataView(plain.buffer, plain.byteOffset).getBigUint64(0, true) : P;
    if (share >= P) throw new BadProof(`${what}: party ${party} sealed something else than a share`);
    shares.push(share);
  }
  const [first, on] = [points.slice(0, threshold + 1), shares.slice(0, threshold + 1)];
  for (let at = threshold + 1; at < points.length; at += 1) {
    if (interpolate(first, on, points[at]) !== shares[at]) throw new BadProof(`${what}: the parties' shares of your place disagree`);
  }
  const place = interpolate(first, on, 0n);
  if (place % STEP_PERCENT !== 0n || place > 100n) throw new BadProof(`${what}: what the parties' shares come to is no place`);
  return Number(place);
}

/** The value at `at` of the polynomial through these points over F_p. */
function interpolate(points, values, at) {
  let total = 0n;
  points.forEach((point, i) => {
    let [above, below] = [values[i], 1n];
    points.forEach((other, j) => {
      if (i === j) return;
      above = (above * modulo(at - other)) % P;
      below = (below * modulo(point - other)) % P;
    });
    total = (total + above * power(below, P - 2n)) % P;
  });
  return total;
}

function modulo(number) {
  return ((number % P) + P) % P;
}

function power(base, exponent) {
  let [result, square] = [1n, base];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}
