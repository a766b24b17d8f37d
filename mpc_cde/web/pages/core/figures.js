// What a study asks for -> exact figures, with the same answers as mpc_cde/client/figures.py.
//
// Cells here hold plain decimal text ("1234.56"); how a person writes numbers is for numbers.js.

import { encodingOf } from "./encoding.js";
import { BadFigure } from "./errors.js";
import { Rational, ZERO } from "./rational.js";

const MAX_CHARACTERS = 40;
const PLAIN = /^-?(\d+(\.\d*)?|\.\d+)$/;
const HALF = new Rational(1n, 2n);

/** One figure as the form and files see it; `headings` are the cells that it is made from. */
export class FigureColumn {
  constructor(figure) {
    this.figure = figure;
    this.name = figure.name;
    this.headings = figure.derived === null ? [figure.name] : figure.derived.operands;
    this.encoding = encodingOf(figure, { allowExact: true });
    Object.freeze(this);
  }

  get isCategory() {
    return this.figure.kind === "category";
  }

  get minimum() {
    return this.encoding.minimum;
  }

  get maximum() {
    return this.encoding.maximum;
  }

  /** The figure from a Map of cells: a Rational, null for a blank, a category's number. Throws BadFigure. */
  parseCells(cells) {
    if (this.figure.derived !== null) return this.#derive(cells);
    const text = (cells.get(this.name) ?? "").trim();
    if (text === "") {
      if (this.figure.blank_allowed) return null;
      throw new BadFigure("expected a figure, found a blank", { kind: "blank" });
    }
    return this.isCategory ? this.#category(text) : this.#number(text);
  }

  #category(text) {
    const { categories } = this.figure;
    const index = categories.indexOf(text);
    if (index >= 0) return new Rational(BigInt(index));
    const alike = categories.find((category) => category.toLowerCase() === text.toLowerCase()) ?? null;
    throw new BadFigure("not one of the categories", { kind: "category", nearest: alike });
  }

  #number(text) {
    const number = parsePlain(text);
    const { step } = this.encoding;
    const slack = this.figure.rounds ? step.times(HALF) : ZERO;
    const inside = number.compare(this.minimum.minus(slack)) >= 0 && number.compare(this.maximum.plus(slack)) < 0;
    const nearest = this.encoding.nearest(number);
    if (!inside && !number.equals(this.maximum)) {
      throw new BadFigure(`expected ${this.minimum} to ${this.maximum}`, { kind: "range", nearest });
    }
    if (!nearest.equals(number) && !this.figure.rounds) {
      throw new BadFigure(`expected steps of ${step}`, { kind: "step", nearest });
    }
    return nearest;
  }

  #derive(cells) {
    const operands = this.headings.map((heading) => {
      const text = (cells.get(heading) ?? "").trim();
      return text === "" ? null : parsePlain(text);
    });
    let value;
    try {
      value = derive(this.figure.derived, operands);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new BadFigure("a division by zero", { kind: "division" });
    }
    if (value === null) {
      if (this.figure.blank_allowed) return null;
      throw new BadFigure("a blank among the cells it is made from", { kind: "blank" });
    }
    const nearest = this.encoding.nearest(value);
    const away = nearest.compare(value) < 0 ? value.minus(nearest) : nearest.minus(value);
    if (away.compare(this.encoding.step.times(HALF)) > 0) {
      throw new BadFigure(`expected a result from ${this.minimum} to ${this.maximum}`, { kind: "derived_range" });
    }
    return nearest;
  }
}

/** What a study asks for, in its order. */
export function columnsOf(terms) {
  return terms.figures.map((figure) => new FigureColumn(figure));
}

/** The cells that a person fills in: names of figures, and operands of formulas, each once. */
export function inputNames(columns) {
  return [...new Set(columns.flatMap((column) => column.headings))];
}

/** A number in plain text, as documents and files write it. Throws BadFigure. */
export function parsePlain(text) {
  if (text.length > MAX_CHARACTERS || !PLAIN.test(text)) {
    throw new BadFigure("not a plain number", { kind: "not_a_number" });
  }
  return Rational.parse(text);
}

/** The exact value of a formula before rounding; null if a cell is blank. Throws RangeError for x / 0. */
export function derive({ operation, scale }, operands) {
  if (operands.includes(null)) return null;
  const [first, second] = operands;
  const operations = {
    sum: () => operands.reduce((sum, number) => sum.plus(number), ZERO),
    product: () => operands.reduce((all, number) => all.times(number), new Rational(1n)),
    difference: () => first.minus(second),
    ratio: () => first.over(second),
    growth: () => first.minus(second).over(second),
  };
  return operations[operation]().times(Rational.parse(scale));
}
