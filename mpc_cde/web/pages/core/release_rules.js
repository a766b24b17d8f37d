// Whether a signed result answers what was asked, and keeps to the rules of its own study.

import { BLANK, canonicalKey } from "./documents.js";
import { product } from "./encoding.js";
import { BadDocument } from "./errors.js";
import { Rational } from "./rational.js";

/** Returns if the cells are those asked for and each may be released. Throws BadDocument. */
export function verifyCells(result, terms, query) {
  const items = query === null ? scheduledItems(result, terms) : query.items;
  if (items.length !== result.cells.length) {
    throw new BadDocument(`expected ${items.length} cells, found ${result.cells.length}`);
  }
  result.cells.forEach((cell, index) => {
    const what = `cell ${index + 1}`;
    const asked = ({ function: name, figures, group, parameters }) => canonicalKey([name, figures, group, parameters]);
    if (asked(cell) !== asked(items[index])) throw new BadDocument(`${what}: it answers another question than was asked`);
    if (functionOf(cell, terms) === undefined) throw new BadDocument(`${what}: the study has no such function`);
    if (cell.values !== null) verifyValues(cell, terms, what);
  });
}

/** The function of the study that covers a cell, group value included; undefined if none does. */
export function functionOf(cell, terms) {
  return terms.functions.find((one) => (
    one.function === cell.function
    && one.by === (cell.group?.attribute ?? null)
    && canonicalKey([one.figures, askedParameters(one)]) === canonicalKey([cell.figures, cell.parameters])
    && (cell.group === null || groupValues(one.by, terms).includes(cell.group.value))
  ));
}

/** What the catalogue takes, under its names: parameters, with grid and edges where they are set. */
export function askedParameters({ parameters, grid, edges }) {
  return { ...parameters, ...(grid === null ? {} : { grid }), ...(edges.length ? { edges } : {}) };
}

/** The cells of a group: an attribute's values; of a category its own, and BLANK if it may be blank. */
export function groupValues(by, terms) {
  const group = terms.groups.find((one) => one.attribute === by);
  if (group) return group.values;
  const figure = terms.figures.find((one) => one.name === by && one.kind === "category");
  return figure === undefined ? [] : [...figure.categories, ...(figure.blank_allowed ? [BLANK] : [])];
}

function scheduledItems(result, terms) {
  const scheduled = terms.functions[result.scheduled_function];
  if (!scheduled?.scheduled) throw new BadDocument("it names no scheduled function of the study");
  const { function: name, figures, by } = scheduled;
  const parameters = askedParameters(scheduled);
  const groups = by === null ? [null] : groupValues(by, terms).map((value) => ({ attribute: by, value }));
  return groups.map((group) => ({ function: name, figures, group, parameters }));
}

function verifyValues(cell, terms, what) {
  const { disclosure } = terms;
  const least = cell.group === null ? disclosure.minimum_contributors : disclosure.minimum_contributors_group;
  if (cell.contributors === null || cell.contributors < least || cell.contributors > terms.roster_cap) {
    throw new BadDocument(`${what}: released with fewer contributors than the ${least} of the study`);
  }
  const { quantiles } = cell.parameters;
  if (cell.function.startsWith("percentiles@") && Array.isArray(quantiles)) {
    if (cell.values.length !== quantiles.length) {
      throw new BadDocument(`${what}: expected ${quantiles.length} values, found ${cell.values.length}`);
    }
    const numbers = cell.values.map(Rational.parse);
    if (numbers.some((number, at) => at > 0 && numbers[at - 1].compare(number) > 0)) {
      throw new BadDocument(`${what}: percentiles ascend`);
    }
    const figure = terms.figures.find((one) => one.name === cell.figures[0]);
    if (figure && !numbers.every((number) => isPublished(number, figure))) {
      throw new BadDocument(`${what}: a percentile is not on the published grid`);
    }
  }
  if (cell.function.startsWith("count@") && (cell.values.length !== 1 || cell.values[0] !== String(cell.contributors))) {
    throw new BadDocument(`${what}: a count is the number of contributors`);
  }
}

function isPublished(number, figure) {
  if (figure.minimum === null || figure.publish_step === null || figure.step === null) return true;
  const above = number.minus(Rational.parse(figure.minimum));
  const last = Rational.parse(figure.step).times(new Rational(product(figure.radices) - 1n));
  return above.over(Rational.parse(figure.publish_step)).isInteger && above.numerator >= 0n && above.compare(last) <= 0;
}
