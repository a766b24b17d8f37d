// A verified result, figure by figure: charts where there are any, a table of everything, who signed.

import { exportResult } from "../core/export.js";
import { showPlain } from "../core/numbers.js";
import { Rational } from "../core/rational.js";
import { minimumFor } from "../core/release_rules.js";
import { bucketNames, csvOfResult } from "../core/result_csv.js";
import { barChart } from "./bar_chart.js";
import { el, saveFile, stacked } from "./dom.js";
import { showTime } from "./language.js";
import { isPilot, pilotBanner } from "./pilot.js";
import { placeChart } from "./place_chart.js";
import { functionInWords, quantileInWords } from "./words.js";

const MOST_UNFOLDED = 8; // cells that are seen at once

/**
 * `verified` is what `verifyResult` returned. For a member: `own` maps names of figures to plain text on this device,
 * `attributes` are its certified ones, `places` its own places by figure (see own_place_view.js), `before` says
 * what changed since the last period.
 */
export function resultView({ verified, words, format, t, own = {}, attributes = null, places = null, before = null }) {
  const { result, study, ownRow, roster } = verified;
  const { terms } = study.study;
  const spoken = { words, format, t };
  const parts = { terms, attributes, cellsOf: (name) => result.cells.filter(({ figures }) => figures.length === 1 && figures[0] === name), ...spoken };
  const figures = terms.figures.filter(({ name }) => result.cells.some((cell) => cell.figures.length === 1 && cell.figures[0] === name));
  const together = result.cells.filter((cell) => cell.figures.length > 1);
  const section = el("section", { class: "card result-card" },
    isPilot(terms) ? pilotBanner(t) : null,
    el("h2", {}, t("result.heading")),
    el("p", { class: "verified" }, `✓ ${t("result.verified", { parties: verified.signers.join(", ") })}`),
    el("p", { class: "quiet" }, `${t("provenance.time")}: ${showTime(result.time, t.language)}`),
    ownRow === null ? null : el("p", { class: "quiet" }, t("result.own_row", { row: ownRow + 1, count: roster.count })),
    ...figures.map((figure) => figureView({ ...parts, figure, own: own[figure.name], more: [places?.(figure.name), before?.(figure, words.label(figure.name))] })),
    together.length ? el("div", { class: "result" }, el("h3", {}, t("result.together")), withTable(together, parts, together.length <= MOST_UNFOLDED)) : null,
    el("details", {}, el("summary", {}, t("result.provenance")), provenance(verified, t)),
    el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => printWhole(section) }, t("result.print")),
      el("button", { type: "button", onclick: () => saveFile("result.csv", `\ufeff${csvOfResult(result)}`, "text/csv") }, t("result.csv")),
      el("button", { type: "button", onclick: async () => saveFile("result.json", await exportResult(verified)) }, t("result.json"))));
  return section;
}

/** Everything that is folded is printed too. */
export function printWhole(element) {
  const folded = [...element.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
  globalThis.print();
  for (const one of folded) one.open = false;
}

function figureView({ figure, cellsOf, terms, attributes, own, more, words, format, t }) {
  const cells = cellsOf(figure.name);
  const label = words.label(figure.name);
  const ownValue = own === undefined || own === "" || figure.kind === "category" ? null : Rational.parse(own);
  const isOwn = ({ group }) => group !== null && attributes?.[group.attribute] === group.value;
  const chart = (some, name) => {
    const marks = marksOf(some);
    return marks.length ? placeChart({ label: name, unit: figure.unit, marks, own: ownValue, format, t }) : null;
  };
  const whole = chart(cells.filter(({ group }) => group === null), label) ?? noPlace(cells, t);
  const groups = [...new Set(cells.filter(isOwn).map(({ group }) => group.attribute))].map((attribute) => {
    const name = t("result.peers", { group: words.label(attribute), value: attributes[attribute] });
    const some = cells.filter((cell) => isOwn(cell) && cell.group.attribute === attribute);
    const shown = chart(some, `${label}, ${name}`) ?? (some.some(({ values }) => values !== null) ? null : el("p", { class: "quiet" }, t("result.no_peers")));
    return shown && el("div", { class: "peers" }, el("h4", {}, name), shown);
  });
  const bars = cells.filter(({ function: name, values }) => name.startsWith("histogram@") && values !== null).flatMap((cell) => [
    cell.group === null ? null : el("h4", {}, groupInWords(cell, words, t)),
    barChart({ label: [label, groupInWords(cell, words, t)].join(", "), bars: rowsOf(cell, { terms, words, format, t }).map(([what, shown], at) => ({ what, shown, size: Number(cell.values[at]) })) }),
  ]);
  return el("div", { class: "result" },
    el("h3", {}, label, figure.unit ? el("small", {}, ` (${figure.unit})`) : null),
    whole, ...more, ...groups, ...bars, withTable(cells, { terms, attributes, words, format, t }, whole === null && groups.length === 0 && bars.length === 0));
}

/** Why there is no chart where there could be one. */
function noPlace(cells, t) {
  const withheld = cells.find(({ function: name, group, withheld: rule }) => name.startsWith("percentiles") && group === null && rule !== null);
  return withheld ? el("p", { class: "quiet" }, t(`result.no_place.${withheld.withheld}`)) : null;
}

/** Percentiles of all cells together, each quantile once, ascending. */
export function marksOf(cells) {
  const marks = new Map();
  for (const { function: name, parameters, values } of cells) {
    if (!name.startsWith("percentiles") || values === null) continue;
    parameters.quantiles.forEach((quantile, at) => marks.set(quantile, values[at]));
  }
  const size = (quantile) => quantile.split("/").map(Number).reduce((a, b) => a / b);
  return [...marks].map(([quantile, value]) => ({ quantile, value })).sort((a, b) => size(a.quantile) - size(b.quantile));
}

/** The numbers as a table, with what each is; `open` where there is nothing else to see. */
function withTable(cells, spoken, open) {
  const { t } = spoken;
  const functions = [...new Set(cells.map(({ function: name }) => name.split("@")[0]))].filter((name) => t.has(`definition.${name}`));
  return el("details", { open }, el("summary", {}, t("result.table")),
    el("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": t("result.table") }, tableOf(cells, spoken)),
    el("dl", { class: "quiet definitions" }, ...functions.flatMap((name) => [el("dt", {}, t(`short.${name}`)), el("dd", {}, t(`definition.${name}`))])));
}

function tableOf(cells, spoken) {
  const { words, format, t, attributes } = spoken;
  const rows = cells.flatMap((cell) => rowsOf(cell, spoken).map(([what, value]) => {
    const isOwn = cell.group !== null && attributes?.[cell.group.attribute] === cell.group.value;
    const group = `${groupInWords(cell, words, t)}${isOwn ? ` (${t("result.yours")})` : ""}`;
    const contributors = cell.contributors === null ? "" : showPlain(String(cell.contributors), format);
    const number = cell.withheld === null ? "number" : "withheld";
    return [el("td", {}, group), el("td", {}, what), el("td", { class: number }, value), el("td", { class: "number" }, contributors)];
  }));
  return stacked(["group", "what", "value", "contributors"].map((name) => t(`result.${name}`)), rows);
}

function groupInWords({ group }, words, t) {
  return group === null ? t("result.everybody") : `${words.label(group.attribute)}: ${group.value}`;
}

/** [what, value] for each value of a cell, or one with the rule by which it is withheld. */
function rowsOf(cell, { terms, words, format, t }) {
  const [name] = cell.function.split("@");
  const short = t(t.has(`short.${name}`) ? `short.${name}` : "short.other", { name });
  const what = cell.figures.length === 1 ? short : functionInWords({ ...cell, by: null }, words, t);
  if (cell.withheld !== null) return [[what, t(`withheld.${cell.withheld}`, { least: minimumFor(cell.figures, cell.group !== null, terms) })]];
  if (cell.values === null) return [[what, t("result.sealed")]];
  const { quantiles } = cell.parameters;
  const show = (text) => showPlain(text, format);
  const between = (low, high) => (
    low === null ? t("bucket.below", { high: show(high) }) : high === null ? t("bucket.above", { low: show(low) }) : t("bucket.between", { low: show(low), high: show(high) })
  );
  const names = Array.isArray(quantiles) ? quantiles.map((quantile) => quantileInWords(quantile, t)) : bucketNames(cell, between);
  return cell.values.map((value, at) => [names?.length === cell.values.length ? names[at] : what, show(value)]);
}

function provenance({ result, roster, checked, study, trusted, signers }, t) {
  const { cards } = study.community;
  const signed = (names) => el("ul", { class: "signatures" }, ...names.map((name) => el("li", {}, el("span", { class: "verified", "aria-hidden": "true" }, "✓ "), name)));
  const entry = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
  const everybody = cards.map(({ name }) => name);
  return el("dl", { class: "quiet provenance" },
    ...entry(t("provenance.signed"), signed(signers)),
    ...entry(t("provenance.roster"), t("provenance.members", { count: roster.count }), signed(everybody)),
    ...entry(t("provenance.checked"), t("provenance.removed", { count: checked.removed.length }), signed(checked.parties.map((party) => cards[party].name))),
    ...entry(t("provenance.approved"), signed(everybody)),
    ...entry(t("provenance.time"), showTime(result.time, t.language)),
    ...entry(t("provenance.study"), el("span", { class: "code" }, study.termsDigest)),
    ...entry(t("provenance.job"), el("span", { class: "code" }, result.job)),
    ...entry(t("provenance.community"), el("span", { class: "code" }, trusted.fingerprint)));
}
