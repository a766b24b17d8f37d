// A verified result, cell by cell: charts where there are percentiles, a table of everything, who signed.

import { showPlain } from "../core/numbers.js";
import { Rational } from "../core/rational.js";
import { el, saveFile } from "./dom.js";
import { showTime } from "./language.js";
import { placeChart } from "./place_chart.js";
import { quantileInWords } from "./words.js";

/** `verified` is what `verifyResult` returned; `own` maps names of figures to plain text on this device. */
export function resultView({ verified, words, format, t, own = {}, attributes = null }) {
  const { result, study } = verified;
  const { terms } = study.study;
  const figures = terms.figures.filter(({ name }) => result.cells.some((cell) => cell.figures.includes(name)));
  return el("section", { class: "card result-card" },
    el("h2", {}, t("result.heading")),
    el("p", { class: "verified" }, `✓ ${t("result.verified", { parties: verified.signers.join(", ") })}`),
    verified.ownRow === null ? null : el("p", { class: "quiet" }, t("result.own_row", { row: verified.ownRow + 1, count: verified.roster.count })),
    ...figures.map((figure) => figureView({ figure, verified, words, format, t, own: own[figure.name], attributes })),
    el("details", {}, el("summary", {}, t("result.provenance")), provenance(verified, t)),
    el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => globalThis.print() }, t("result.print")),
      el("button", { type: "button", onclick: () => saveFile("result.csv", csvOf(verified, words), "text/csv") }, t("result.csv"))));
}

function figureView({ figure, verified, words, format, t, own, attributes }) {
  const cells = verified.result.cells.filter((cell) => cell.figures.length === 1 && cell.figures[0] === figure.name);
  const marks = marksOf(cells.filter(({ group }) => group === null));
  const ownValue = own === undefined || own === "" || figure.kind === "category" ? null : Rational.parse(own);
  return el("div", { class: "result" },
    el("h3", {}, words.label(figure.name), figure.unit ? el("small", {}, ` (${figure.unit})`) : null),
    marks.length ? placeChart({ label: words.label(figure.name), unit: figure.unit, marks, own: ownValue, format, t }) : noPlace(cells, t),
    el("details", {}, el("summary", {}, t("result.table")),
      el("div", { class: "scroll" }, tableOf(cells, words, format, t, attributes))));
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

function tableOf(cells, words, format, t, attributes) {
  const rows = cells.flatMap((cell) => rowsOf(cell, words, format, t).map(([what, value]) => {
    const isOwn = cell.group !== null && attributes?.[cell.group.attribute] === cell.group.value;
    const group = cell.group === null ? t("result.everybody") : `${words.label(cell.group.attribute)}: ${cell.group.value}${isOwn ? ` (${t("result.yours")})` : ""}`;
    const contributors = cell.contributors === null ? "" : showPlain(String(cell.contributors), format);
    return el("tr", {}, el("td", {}, group), el("td", {}, what), el("td", { class: "number" }, value), el("td", { class: "number" }, contributors));
  }));
  return el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("result.group")), el("th", { scope: "col" }, t("result.what")),
    el("th", { class: "number", scope: "col" }, t("result.value")), el("th", { class: "number", scope: "col" }, t("result.contributors")))), el("tbody", {}, ...rows));
}

function rowsOf(cell, words, format, t) {
  const [name] = cell.function.split("@");
  const what = t(t.has(`short.${name}`) ? `short.${name}` : "short.other", { name });
  if (cell.withheld !== null) return [[what, t(`withheld.${cell.withheld}`)]];
  if (cell.values === null) return [[what, t("result.sealed")]];
  const { quantiles } = cell.parameters;
  return cell.values.map((value, at) => [Array.isArray(quantiles) ? quantileInWords(quantiles[at], t) : what, showPlain(value, format)]);
}

function provenance({ result, roster, study, trusted, signers }, t) {
  const entry = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  return el("dl", { class: "quiet" },
    ...entry(t("provenance.signed"), signers.join(", ")),
    ...entry(t("provenance.time"), showTime(result.time, t.language)),
    ...entry(t("provenance.roster"), String(roster.count)),
    ...entry(t("provenance.study"), el("span", { class: "code" }, study.termsDigest)),
    ...entry(t("provenance.job"), el("span", { class: "code" }, result.job)),
    ...entry(t("provenance.community"), el("span", { class: "code" }, trusted.fingerprint)));
}

/** Every cell as a line: for a spreadsheet, with names as the study has them and plain numbers. */
export function csvOf({ result }, words) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [["function", "figures", "labels", "group", "quantile", "value", "withheld", "contributors"]];
  for (const cell of result.cells) {
    const group = cell.group === null ? "" : `${cell.group.attribute}=${cell.group.value}`;
    const common = [cell.function, cell.figures.join(" "), cell.figures.map(words.label).join(" / "), group];
    const tail = [cell.withheld ?? "", cell.contributors === null ? "" : String(cell.contributors)];
    const values = cell.values ?? [""];
    values.forEach((value, at) => lines.push([...common, cell.parameters.quantiles?.[at] ?? "", value, ...tail]));
  }
  return `${lines.map((line) => line.map((cell) => quote(/^[=+@\t]/.test(cell) ? `'${cell}` : cell)).join(",")).join("\r\n")}\r\n`;
}

