// Why a party said no: its reason is a code, which has its words in every language; else its own words, in English.

import { el } from "./dom.js";

/** Of a submission: what stands in the party's receipt. */
export function receiptRefusal({ reason, explanation }, t) {
  return inWords(`receipts.reason.${reason}`, explanation, t);
}

/** Of a question: what stands in the party's decision. */
export function decisionRefusal({ rule, explanation }, t) {
  return inWords(`decision.rule.${rule}`, explanation, t);
}

/** Sentences that a room gives: { code, values, text }, as a list. */
export function reasonsList(reasons, t) {
  return el("ul", {}, ...reasons.map(({ code, values, text }) => {
    const key = `reason.${code}`;
    return t.has(key) ? el("li", {}, t(key, values)) : el("li", { lang: "en" }, text);
  }));
}

function inWords(key, explanation, t) {
  return t.has(key) ? el("span", {}, t(key)) : el("span", { lang: "en" }, explanation);
}
