// Whether a signed result answers what was asked, and keeps to the rules of its own study.

import { BLANK, canonicalKey } from "./documents.js";
import { product } from "./encoding.js";
import { BadDocument } from "./errors.js";
import { Rational } from "./rational.js";

/** Returns if the cells are those asked for and each may be released; `rows` are those of the checked roster. */
export function verifyCells(result, terms, query, rows) {
  const items = query === null ? scheduledItems(result, terms) : query.items;
  if (items.length !== result.cells.length) {
    throw new BadDocument(`expected ${items.length} cells, found ${result.cells.length}`);
  }
  result.cells.forEach((cell, index) => {
    const what = `cell ${index + 1}`;
    const asked = ({ function: name, figures, group, parameters }) => canonicalKey([name, figures, group, parameters]);
    if (asked(cell) !== asked(items[index])) throw new BadDocument(`${what}: it answers another question than was asked`);
    const one = functionOf(cell, terms);
    if (one === undefined) throw new BadDocument(`${what}: the study has no such function`);
    if (cell.withheld !== null) return;
    verifyReleased(cell, one, { terms, rows, sealedBy: result.parties.length, what });
    if (cell.values !== null) verifyValues(cell, terms, what);
  });
  verifyContributors(result, terms);
  verifyPercentiles(result, terms);
}

/** How many contributors a cell of these figures needs. */
export function minimumFor(figures, isGroup, terms) {
  const { minimum_contributors: least, minimum_contributors_group: group, minimum_contributors_negative: negative } = terms.disclosure;
  const usual = isGroup ? group : least;
  const lowest = figures.map((name) => terms.figures.find((figure) => figure.name === name)?.minimum ?? null);
  const mayBeNegative = lowest.some((text) => text !== null && Rational.parse(text).numerator < 0n);
  return mayBeNegative && negative !== null ? Math.max(usual, negative) : usual;
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

function verifyReleased(cell, one, { terms, rows, sealedBy, what }) {
  const least = minimumFor(cell.figures, cell.group !== null, terms);
  if (cell.contributors === null || cell.contributors < least || cell.contributors > rows) {
    throw new BadDocument(`${what}: released with fewer contributors than the ${least} of the study, or more than there are`);
  }
  if ((cell.sealed !== null) !== (one.audience === "self")) {
    throw new BadDocument(`${what}: sealed is what is for the asker alone, and nothing else`);
  }
  if (cell.sealed !== null && cell.sealed.length !== sealedBy) {
    throw new BadDocument(`${what}: expected a sealed share of each party that computed`);
  }
}

/** Cells of the same figures and group have the same contributors; groups leave nobody, or enough, of all. */
function verifyContributors({ cells }, terms) {
  const known = new Map();
  for (const { figures, group, contributors } of cells) {
    if (contributors === null) continue;
    const key = canonicalKey(figures);
    if (!known.has(key)) known.set(key, { figures, whole: null, groups: new Map() });
    const place = known.get(key);
    const name = canonicalKey([group]);
    const before = group === null ? place.whole : place.groups.get(name) ?? null;
    if (before !== null && before !== contributors) {
      throw new BadDocument(`two cells of ${figures.join(", ")} have other contributors`);
    }
    if (group === null) place.whole = contributors;
    else place.groups.set(name, contributors);
  }
  for (const { figures, whole, groups } of known.values()) {
    if (whole === null || groups.size === 0) continue;
    const left = whole - [...groups.values()].reduce((sum, number) => sum + number, 0);
    if (left < 0 || (terms.disclosure.complementary && left > 0 && left < minimumFor(figures, true, terms))) {
      throw new BadDocument(`${figures.join(", ")}: groups leave too few contributors of all`);
    }
  }
}

/** Enough contributors on each side of every percentile, and between those of one figure and group. */
function verifyPercentiles({ cells }, terms) {
  const found = new Map();
  for (const { function: name, figures, group, parameters, contributors, values } of cells) {
    if (values === null || contributors === null || !Array.isArray(parameters.quantiles)) continue;
    const key = canonicalKey([figures, group]);
    if (!found.has(key)) found.set(key, { figures, least: minimumFor(figures, group !== null, terms), contributors, spans: new Map() });
    for (const quantile of parameters.quantiles) found.get(key).spans.set(`${name} ${quantile}`, ranksOf(name, quantile, contributors));
  }
  for (const { figures, least, contributors, spans } of found.values()) {
    const sorted = [...spans.values()].sort(([a, b], [c, d]) => a - c || b - d);
    const atEnds = sorted[0][0] - 1 >= least && sorted.every(([, high]) => contributors - high >= least);
    const between = sorted.every(([low], at) => at === 0 || low - sorted[at - 1][1] - 1 >= least);
    if (!atEnds || !between) throw new BadDocument(`${figures.join(", ")}: percentiles with too few contributors between`);
  }
}

/** The first and last rank that a percentile is made of, from 1. */
function ranksOf(name, quantile, number) {
  const [numerator, denominator] = quantile.split("/").map(Number);
  if (!name.startsWith("percentiles_linear@")) {
    const rank = Math.ceil((numerator * number) / denominator);
    return [rank, rank];
  }
  const product = numerator * (number - 1);
  const low = Math.floor(product / denominator) + 1;
  return [low, low + Number(product % denominator > 0)];
}

function verifyValues(cell, terms, what) {
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
