// Exact amounts: fractions of two BigInts, from and to the decimal text that documents hold.

import { BadFigure, OutOfRange } from "./errors.js";

const MAX_EXPONENT = 100;
const PLAIN = /^([+-]?)(\d*)(?:\.(\d*))?$/;

/** An exact number in lowest terms, `denominator` positive. */
export class Rational {
  constructor(numerator, denominator = 1n) {
    if (denominator === 0n) throw new RangeError("division by zero");
    const sign = denominator < 0n ? -1n : 1n;
    const common = gcd(numerator < 0n ? -numerator : numerator, denominator * sign);
    this.numerator = (sign * numerator) / common;
    this.denominator = (sign * denominator) / common;
    Object.freeze(this);
  }

  /** From plain decimal text: digits, one point, a sign, nothing else. Throws BadFigure. */
  static parse(text) {
    const found = text.length <= 2 * MAX_EXPONENT ? PLAIN.exec(text) : null;
    if (found === null || !/\d/.test(text)) throw new BadFigure("not a plain number", { kind: "not_a_number" });
    const [, sign, whole, part = ""] = found;
    if (part.length > MAX_EXPONENT) throw new BadFigure("too many decimal places", { kind: "not_a_number" });
    const digits = BigInt(`${whole}${part}`);
    return new Rational(sign === "-" ? -digits : digits, 10n ** BigInt(part.length));
  }

  plus(other) {
    return new Rational(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    );
  }

  minus(other) {
    return this.plus(new Rational(-other.numerator, other.denominator));
  }

  times(other) {
    return new Rational(this.numerator * other.numerator, this.denominator * other.denominator);
  }

  over(other) {
    return new Rational(this.numerator * other.denominator, this.denominator * other.numerator);
  }

  /** Negative, zero or positive, as this is below, equal to or above the other. */
  compare(other) {
    const difference = this.numerator * other.denominator - other.numerator * this.denominator;
    return difference < 0n ? -1 : Number(difference > 0n);
  }

  equals(other) {
    return this.compare(other) === 0;
  }

  get isInteger() {
    return this.denominator === 1n;
  }

  /** The largest integer that is not above it. */
  floor() {
    const quotient = this.numerator / this.denominator;
    return this.numerator < 0n && quotient * this.denominator !== this.numerator ? quotient - 1n : quotient;
  }

  /** For drawing only. */
  toNumber() {
    return Number(this.numerator) / Number(this.denominator);
  }

  /** The one text of an exact amount: no exponent, no trailing zeros, no "-0". Throws OutOfRange without an end. */
  toString() {
    let [rest, places] = [this.denominator, 0];
    for (const prime of [10n, 2n, 5n]) {
      while (rest % prime === 0n) {
        rest /= prime;
        places += 1;
      }
    }
    if (rest !== 1n) throw new OutOfRange("the number has no exact decimal form");
    const negative = this.numerator < 0n;
    const scaled = ((negative ? -this.numerator : this.numerator) * 10n ** BigInt(places)) / this.denominator;
    const digits = scaled.toString().padStart(places + 1, "0");
    const whole = digits.slice(0, digits.length - places);
    const part = places ? digits.slice(-places).replace(/0+$/, "") : "";
    return `${negative ? "-" : ""}${whole}${part ? `.${part}` : ""}`;
  }
}

export const ZERO = new Rational(0n);

function gcd(a, b) {
  while (b !== 0n) [a, b] = [b, a % b];
  return a === 0n ? 1n : a;
}
