// A study as a sheet in plain language: what is asked, what each answer reveals, what is withheld, what is new.

import { showPlain } from "../core/numbers.js";
import { el, stackingTable } from "./dom.js";
import { functionInWords } from "./words.js";

/** What members are asked: one row a figure. */
export function figuresTable({ terms, words, format, t }) {
  const range = (figure) => (figure.kind === "category" ? figure.categories.join(", ")
    : t("sheet.range", { minimum: showPlain(figure.minimum, format), maximum: showPlain(largest(figure), format), step: showPlain(figure.step, format) }));
  const heads = ["figure", "asked", "published", "blank"].map((name) => t(`sheet.${name}`));
  return stackingTable(t("sheet.heading.figures"), heads, terms.figures.map((figure) => [
    el("th", { scope: "row" }, words.label(figure.name), figure.unit ? el("small", {}, ` (${figure.unit})`) : null),
    el("td", {}, range(figure)),
    el("td", {}, figure.publish_step === null ? t("sheet.published_whole") : t("sheet.published_step", { step: showPlain(figure.publish_step, format) })),
    el("td", {}, t(figure.blank_allowed ? "form.may_be_blank" : "form.needed")),
  ]));
}

/** The largest figure that the grid allows, as plain decimal text: minimum + step (product of radices - 1 - half). */
export function largest({ minimum, step, publish_step: publishStep, radices }) {
  const places = Math.max(...[minimum, step, publishStep].map((text) => (text.split(".")[1] ?? "").length));
  const scaled = (text) => BigInt((([whole, part = ""]) => whole + part.padEnd(places, "0"))(text.split(".")));
  const [low, by, shown] = [minimum, step, publishStep].map(scaled);
  const half = shown === by ? 0n : shown / by / 2n;
  const most = low + by * (radices.reduce((product, radix) => product * BigInt(radix), 1n) - 1n - half);
  const digits = (most < 0n ? -most : most).toString().padStart(places + 1, "0");
  const cut = digits.length - places;
  const text = places === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`.replace(/\.?0+$/, "");
  return `${most < 0n ? "-" : ""}${text}`;
}

/** Every question that may be asked, for whom, and what its answer reveals: questions of one kind together. */
export function questionsList({ terms, words, t, permitted = null }) {
  const kinds = new Map();
  for (const one of terms.functions) {
    if (permitted !== null && !permitted(one)) continue;
    const kind = `${one.function} ${one.audience}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), one]);
  }
  return el("ul", { class: "questions" }, ...[...kinds.values()].map((functions) => el("li", {},
    el("h3", {}, kindInWords(functions[0].function, t), " ", el("span", { class: "tag" }, t(`sheet.to.${functions[0].audience}`))),
    el("ul", {}, ...functions.map((one) => el("li", {}, functionInWords(one, words, t)))),
    el("p", { class: "quiet" }, t("sheet.reveals"), " ", revealed(functions[0].function, t)))));
}

/** What a function is called among others. */
export function kindInWords(functionName, t) {
  const [name] = functionName.split("@");
  return t.has(`short.${name}`) ? t(`short.${name}`) : t("short.other", { name });
}

/** What an answer of this function reveals, as the catalogue of functions has it. */
export function revealed(functionName, t) {
  const [name] = functionName.split("@");
  return t.has(`reveals.${name}`) ? t(`reveals.${name}`) : t("reveals.other", { name });
}

/** What somebody could learn beside the answers, and with whose help. */
export function learnList({ terms, threshold, parties, t }) {
  return el("ul", {},
    el("li", {}, t("sheet.learn_parties", { count: threshold + 1, parties })),
    el("li", {}, t("sheet.learn_registrar")),
    el("li", {}, t("sheet.learn_gateway")),
    el("li", {}, t("sheet.learn_submitted")),
    el("li", {}, t("sheet.learn_queries", { queries: terms.budget.queries })));
}

/** The study's rules of what is withheld, one sentence each. */
export function rulesList({ terms, t }) {
  const { disclosure } = terms;
  const least = { least: disclosure.minimum_contributors, group: disclosure.minimum_contributors_group };
  const rules = [
    t("rule.minimum", least),
    disclosure.minimum_contributors_negative === null ? null : t("rule.negative", { least: disclosure.minimum_contributors_negative }),
    disclosure.dominance === null ? null : t("rule.dominance", { largest: disclosure.dominance.contributors, percent: disclosure.dominance.percent }),
    disclosure.p_percent === null ? null : t("rule.p_percent"),
    disclosure.complementary ? t("rule.complementary") : null,
    disclosure.allow_exact ? t("rule.allow_exact") : null,
    t("rule.cap", { cap: terms.roster_cap }),
    t("rule.retention", { days: terms.retention_days }),
  ];
  return el("ul", {}, ...rules.filter((rule) => rule !== null).map((rule) => el("li", {}, rule)));
}

/** What is other than in the last study, from the room's own comparison. */
export function differencesTable({ differences, words, format, t }) {
  const number = (given) => (typeof given === "string" && /^-?\d+(\.\d+)?$/.test(given) ? showPlain(given, format) : null);
  const value = (given) => (given === null ? "–" : number(given) ?? inWords(given, words, t));
  return stackingTable(t("sheet.heading.differences"), ["what", "before", "now"].map((name) => t(`diff.${name}`)), differences.map((one) => [
    el("th", { scope: "row" }, nameInWords(one, words, t)), el("td", {}, value(one.before)), el("td", {}, value(one.after)),
  ]));
}

function nameInWords({ kind, name, field, before, after }, words, t) {
  if (field === "order") return t(`diff.order.${kind}`);
  if (kind === "rule") return t.has(`diff.rule.${name}`) ? t(`diff.rule.${name}`) : name.replaceAll(/[._]/g, " ");
  if (kind === "text") return t(`diff.text.${name}`);
  const change = field !== null ? "changed" : before === null ? "added" : "removed";
  const label = kind === "function" ? functionInWords(after ?? before, words, t) : (after ?? before)?.label ?? words.label(name);
  const part = field === null ? "" : ` (${t.has(`diff.field.${field}`) ? t(`diff.field.${field}`) : field.replaceAll("_", " ")})`;
  return `${t(`diff.${kind}.${change}`)}: ${label}${part}`;
}

function inWords(value, words, t) {
  if (value === true || value === false) return t(value ? "diff.yes" : "diff.no");
  if (Array.isArray(value)) return value.map((one) => inWords(one, words, t)).join(", ");
  if (typeof value !== "object") return String(value);
  if ("audience" in value) return t(`audience.${value.audience}`);
  if ("label" in value) return [value.label, value.unit].filter(Boolean).join(", ");
  return Object.entries(value).map(([name, one]) => `${name.replaceAll("_", " ")} ${one}`).join(", ");
}
