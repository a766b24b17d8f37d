// Figure <-> u <-> one-hot digits of mixed radices, as protocols/encoding.py does it.
//
// u = (x - minimum) / step + half, half = publish_step / (2 step). For digit d and symbol b the indicator is 1 if
// digit d of u is b; shared are all symbols but the last, and presence first where a figure may be blank.

import { BadFigure, OutOfRange } from "./errors.js";
import { Rational, ZERO } from "./rational.js";

const MIN_RADIX = 2;
const MAX_RADIX = 128;
const MAX_SIZE = 1n << 60n;
const ONE = new Rational(1n);

/** How one figure is encoded; made by `numberEncoding` or `categoryEncoding`, which check it. */
export class FigureEncoding {
  constructor(parts) {
    Object.assign(this, parts);
    this.size = product(this.radices);
    this.maximum = this.minimum.plus(this.step.times(new Rational(this.size - 1n - this.half)));
    this.elementCount = Number(this.blankAllowed) + this.radices.reduce((sum, radix) => sum + radix - 1, 0);
    Object.freeze(this);
  }

  /** u of an exact figure, null for a blank. Throws BadFigure with the closest allowed value. */
  encode(figure) {
    if (figure === null) {
      if (!this.blankAllowed) throw new BadFigure("this figure may not be blank", { kind: "blank" });
      return null;
    }
    const nearest = this.nearest(figure);
    if (figure.compare(this.minimum) < 0 || figure.compare(this.maximum) > 0) {
      throw new BadFigure(`out of range: from ${this.minimum} to ${this.maximum}`, { kind: "range", nearest });
    }
    const steps = figure.minus(this.minimum).over(this.step);
    if (!steps.isInteger) throw new BadFigure(`not a multiple of ${this.step}`, { kind: "step", nearest });
    return steps.numerator + this.half;
  }

  /** The closest allowed value; ties up. */
  nearest(figure) {
    const steps = figure.minus(this.minimum).over(this.step);
    const rounded = new Rational(2n * steps.numerator + steps.denominator, 2n * steps.denominator).floor();
    const last = this.size - 1n - this.half;
    const kept = rounded < 0n ? 0n : rounded > last ? last : rounded;
    return this.minimum.plus(this.step.times(new Rational(kept)));
  }

  /** The digits of u, most significant first. */
  digits(u) {
    if (u < 0n || u >= this.size) throw new OutOfRange("u is out of range");
    const found = [];
    for (const radix of [...this.radices].reverse()) {
      found.unshift(Number(u % BigInt(radix)));
      u /= BigInt(radix);
    }
    return found;
  }

  /** What is shared: presence if it may be blank, then all symbols but the last of every digit. */
  indicators(u) {
    if (u === null && !this.blankAllowed) throw new OutOfRange("this figure may not be blank");
    const shared = this.blankAllowed ? [Number(u !== null)] : [];
    const digits = u === null ? this.radices.map(() => null) : this.digits(u);
    digits.forEach((digit, position) => {
      for (let symbol = 0; symbol < this.radices[position] - 1; symbol += 1) shared.push(Number(digit === symbol));
    });
    return shared;
  }

  /** What is published for the leading digits: minimum + publish_step * prefix, exactly. */
  publishedValue(prefix) {
    if (this.kind === "category") throw new OutOfRange("a category has no order");
    return this.minimum.plus(this.publishStep.times(new Rational(BigInt(prefix))));
  }
}

/** A number on a grid; amounts as decimal text. Throws OutOfRange for parameters that do not fit. */
export function numberEncoding({ minimum, step, publishStep, radices, allowExact, blankAllowed }) {
  const [low, grid, published] = [minimum, step, publishStep].map(parameter);
  verifyRadices(radices);
  if (grid.compare(ZERO) <= 0 || published.compare(ZERO) <= 0) throw new OutOfRange("steps are positive");
  const ratio = published.over(grid);
  const publishedDigits = leadingDigits(radices, ratio);
  if (publishedDigits === null) throw new OutOfRange("publish_step / step is the product of the last radices");
  const isExact = ratio.equals(ONE);
  if (isExact && !allowExact) throw new OutOfRange("publish_step equals step only where exact figures are allowed");
  if (!isExact && ratio.numerator % 2n !== 0n) throw new OutOfRange("publish_step / step is even");
  const half = isExact ? 0n : ratio.numerator / 2n;
  const kind = "number";
  return new FigureEncoding({
    minimum: low, step: grid, publishStep: published, radices, publishedDigits, half, blankAllowed, kind,
  });
}

/** One of several categories: one digit, no rounding; u is the symbol's number. */
export function categoryEncoding(count, { blankAllowed }) {
  verifyRadices([count]);
  const parts = { minimum: ZERO, step: ONE, publishStep: ONE, radices: [count], publishedDigits: 1, half: 0n };
  return new FigureEncoding({ ...parts, blankAllowed, kind: "category" });
}

/** The encoding of a figure of a study. */
export function encodingOf(figure, { allowExact }) {
  const blankAllowed = figure.blank_allowed;
  if (figure.kind === "category") return categoryEncoding(figure.categories.length, { blankAllowed });
  return numberEncoding({
    minimum: figure.minimum, step: figure.step, publishStep: figure.publish_step, radices: figure.radices,
    allowExact, blankAllowed,
  });
}

/** The encodings of all figures, in study order. */
export function encodingsOf(terms) {
  return terms.figures.map((figure) => encodingOf(figure, { allowExact: terms.disclosure.allow_exact }));
}

/** The vector of all figures of a submission as BigInts, in study order; a figure is a Rational or null. */
export function encodeSubmission(encodings, figures) {
  if (encodings.length !== figures.length) throw new OutOfRange("the figures are not those of the study");
  const elements = encodings.flatMap((encoding, index) => encoding.indicators(encoding.encode(figures[index])));
  return BigUint64Array.from(elements, BigInt);
}

/** How many leading radices stand above a ratio that is the product of the others; null if none fits. */
export function leadingDigits(radices, ratio) {
  for (let kept = radices.length; kept > 0; kept -= 1) {
    if (ratio.equals(new Rational(product(radices.slice(kept))))) return kept;
  }
  return null;
}

export function product(numbers) {
  return numbers.reduce((result, number) => result * BigInt(number), 1n);
}

function verifyRadices(radices) {
  if (radices.length === 0 || radices.some((radix) => !(radix >= MIN_RADIX && radix <= MAX_RADIX))) {
    throw new OutOfRange(`a radix lies between ${MIN_RADIX} and ${MAX_RADIX}`);
  }
  if (product(radices) >= MAX_SIZE) throw new OutOfRange("the product of the radices stays below 2^60");
}

function parameter(text) {
  try {
    return Rational.parse(text);
  } catch {
    throw new OutOfRange("minimum, step and publish_step are plain decimals");
  }
}
