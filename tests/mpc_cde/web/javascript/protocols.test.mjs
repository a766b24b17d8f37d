// The browser encodes and shares as Python does: tests/vectors/protocols.json, failing ones too.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeBase64url as raw, encodeBase64url as b64 } from "../../../../mpc_cde/web/pages/core/bytes.js";
import { categoryEncoding, encodeSubmission, numberEncoding } from "../../../../mpc_cde/web/pages/core/encoding.js";
import { BadFigure, OutOfRange } from "../../../../mpc_cde/web/pages/core/errors.js";
import { Rational } from "../../../../mpc_cde/web/pages/core/rational.js";
import { elementBytes, expandSeed, seedHash, seedsForParty, shareVector, subsets } from "../../../../mpc_cde/web/pages/core/sharing.js";
import { vectors } from "./vectors.js";

const VECTORS = vectors("protocols");
const encodingFrom = (v) => numberEncoding({
  minimum: v.minimum, step: v.step, publishStep: v.publish_step, radices: v.radices,
  allowExact: v.allow_exact ?? false, blankAllowed: v.blank_allowed ?? true,
});
const figureFrom = (text) => (text === null ? null : Rational.parse(text));

test("keystreams", async () => {
  for (const { seed, count, elements } of VECTORS.keystream.expand) {
    assert.equal(b64(elementBytes(await expandSeed(raw(seed), count))), elements);
  }
  for (const { seed, hash } of VECTORS.keystream.seed_hashes) assert.equal(b64(await seedHash(raw(seed))), hash);
});

test("sharing", async () => {
  for (const vector of VECTORS.sharing) {
    const seeds = vector.seeds.map(raw);
    const shared = await shareVector(
      BigUint64Array.from(vector.vector, BigInt), vector.parties, vector.threshold, async () => seeds.shift(),
    );
    assert.deepEqual(subsets(vector.parties, vector.threshold), vector.subsets);
    assert.equal(b64(elementBytes(shared.correction)), vector.correction);
    vector.of_party.forEach((own, party) => assert.deepEqual(seedsForParty(shared, party).map(b64), own.seeds));
  }
});

test("encoding", () => {
  for (const vector of VECTORS.encoding) {
    const encoding = encodingFrom(vector);
    assert.equal(Number(encoding.half), vector.half);
    assert.equal(encoding.publishedDigits, vector.published_digits);
    assert.equal(encoding.elementCount, vector.element_count);
    assert.equal(String(encoding.maximum), vector.maximum);
    for (const [prefix, value] of Object.entries(vector.published)) {
      assert.equal(String(encoding.publishedValue(prefix)), value);
    }
    for (const { figure, u, indicators } of vector.cases) {
      const found = encoding.encode(figureFrom(figure));
      assert.equal(found === null ? null : Number(found), u);
      assert.deepEqual(encoding.indicators(found), indicators);
    }
  }
});

test("a whole submission", () => {
  const [first, , second] = [VECTORS.encoding[0], null, VECTORS.encoding[1]].map((v) => v && encodingFrom(v));
  const encodings = [first, categoryEncoding(3, { blankAllowed: true }), second];
  for (const { figures, vector } of VECTORS.submissions) {
    assert.deepEqual([...encodeSubmission(encodings, figures.map(figureFrom))].map(String), vector);
  }
});

test("parameters that do not fit are refused", () => {
  for (const vector of VECTORS.failing.parameters) assert.throws(() => encodingFrom(vector), OutOfRange);
});

test("figures that do not fit are refused, with the nearest that would", () => {
  const encoding = encodingFrom(VECTORS.failing.figures.encoding);
  for (const { figure, nearest } of VECTORS.failing.figures.cases) {
    if (figure === "1e40") continue; // exponents are no numbers in a form
    assert.throws(() => encoding.encode(figureFrom(figure)), (error) => (
      error instanceof BadFigure && (nearest === undefined || String(error.nearest) === nearest)
    ));
  }
});

test("a vector that is not canonical is not shared", async () => {
  const vector = BigUint64Array.of((1n << 61n) - 1n);
  await assert.rejects(shareVector(vector, 3, 1, async (count) => new Uint8Array(count)), OutOfRange);
  await assert.rejects(shareVector(BigUint64Array.of(1n), 4, 2, async (count) => new Uint8Array(count)), OutOfRange);
});
