// Why something was refused: a code, which has its words in every language; else its own words, in English.

import { el } from "./dom.js";
import { showTime } from "./language.js";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const NAMED = { state: "operator.state", field: "field" }; // values that are names of ours have their words too
const MOST_NESTED = 4;

/** Of a submission: what stands in the party's receipt. */
export function receiptRefusal({ reason, explanation }, t) {
  return inWords(`receipts.reason.${reason}`, explanation, t);
}

/** Of a question: what stands in the party's decision. */
export function decisionRefusal({ rule, explanation }, t) {
  return inWords(`decision.rule.${rule}`, explanation, t);
}

/** A sentence { code, values, text } in the reader's language; null if its code has no words here. */
export function sentence({ code, values }, t, nested = 0) {
  const key = `reason.${code}`;
  if (!t.has(key) || nested > MOST_NESTED) return null;
  return t(key, Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, valueInWords(name, value, t, nested)])));
}

function valueInWords(name, value, t, nested) {
  if (typeof value === "object" && value !== null) return sentence(value, t, nested + 1) ?? value.text;
  const key = `${NAMED[name]}.${value}`;
  if (name in NAMED && t.has(key)) return t(key);
  if (TIME.test(value)) return showTime(value, t.language);
  return name === "why" ? `“${value}”` : value; // what another program said, in its own words
}

/** The same as an element; in its own words, in English, if it has none here. */
export function said(one, t, name = "span") {
  const words = sentence(one, t);
  return words === null ? el(name, { lang: "en" }, one.text) : el(name, {}, words);
}

/** Sentences that a room gives, as a list. */
export function reasonsList(reasons, t) {
  return el("ul", {}, ...reasons.map((one) => said(one, t, "li")));
}

/** What only somebody who helps wants to read: folded, in English. */
export function technical(text, t) {
  return el("details", { class: "technical" }, el("summary", {}, t("problem.details")), el("p", { class: "code", lang: "en" }, text));
}

function inWords(key, explanation, t) {
  return t.has(key) ? el("span", {}, t(key)) : el("span", { lang: "en" }, explanation);
}
