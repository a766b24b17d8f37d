// One study as a member sees it: why, for whom, the figures, the last look, the receipts.

import { el, fill } from "../shared/dom.js";
import { keyFingerprint } from "../shared/key_fingerprint.js";
import { showTime } from "../shared/language.js";
import { receiptRefusal, technical } from "../shared/refusals.js";
import { functionInWords } from "../shared/words.js";

/** Why the figures are asked, what is published to whom, who holds the shares, when they are deleted. */
export function aboutCard({ study, words, t }) {
  const { terms } = study.study;
  const audiences = [...new Set(terms.functions.map(({ audience }) => audience))];
  const least = terms.disclosure.minimum_contributors;
  return el("section", { class: "card about" },
    el("h2", {}, t("about.heading")), el("p", {}, words.purpose),
    el("details", {}, el("summary", {}, t("about.published")),
      ...audiences.map((audience) => el("div", {}, el("h3", {}, t(`audience.${audience}`)),
        el("ul", {}, ...summaries(terms.functions.filter((one) => one.audience === audience), words, t).map((text) => el("li", {}, text))))),
      el("p", { class: "quiet" }, t("about.minimum", { least }))),
    el("details", {}, el("summary", {}, t("about.who", { count: study.community.cards.length })),
      el("ul", {}, ...study.community.cards.map(({ name, role, contact, identity_key: key }) => (
        el("li", {}, `${name} – ${role} · ${contact}`, el("br"), el("small", {}, t("parties.key"), " ", keyFingerprint(key)))))),
      el("p", {}, t("about.split"))),
    el("details", {}, el("summary", {}, t("about.deleted")), el("p", {}, t("about.deleted_text", { days: terms.retention_days }))),
    el("details", {}, el("summary", {}, t("about.consent")), el("p", {}, words.consent)));
}

function summaries(functions, words, t) {
  return [...new Set(functions.map((one) => functionInWords(one, words, t)))];
}

/** The last look: every figure as it was read, one box, one button. */
export function reviewView({ study, words, form, values, format, t, showPlain, onSend, onBack }) {
  const checked = el("input", { type: "checkbox", id: "checked", onchange: () => fill(message) });
  const message = el("div", { "aria-live": "polite" });
  const send = el("button", { class: "primary", type: "button", onclick: () => {
    if (checked.checked) return onSend();
    fill(message, el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("review.first_check"))));
    return checked.focus();
  } }, t("review.send"));
  const rows = study.study.terms.figures.map((figure) => {
    const value = values.get(figure.name);
    const shown = value === null ? t("review.blank") : figure.kind === "category" ? figure.categories[Number(value.numerator)] : showPlain(String(value), format);
    return el("tr", {}, el("th", { scope: "row" }, words.label(figure.name)), el("td", { class: "number" }, shown), el("td", {}, value === null ? "" : figure.unit));
  });
  return el("div", {}, el("h1", {}, t("review.heading")),
    el("section", { class: "card" }, el("p", { class: "lead" }, t("review.lead")),
      el("div", { class: "scroll" }, el("table", {}, el("caption", {}, words.title), el("tbody", {}, ...rows))),
      el("details", {}, el("summary", {}, t("about.consent")), el("p", { class: "prose" }, words.consent)),
      el("label", { class: "check" }, checked, t("review.checked")), message,
      el("div", { class: "actions" }, send, el("button", { type: "button", onclick: onBack }, t("review.back")))));
}

/** What happens while figures are sent, and afterwards who holds them. */
export class ReceiptsCard {
  constructor({ study, t }) {
    Object.assign(this, { study, t });
    this.count = study.community.cards.length;
    this.headline = el("p", { class: "meter", role: "status" }, t("send.share"));
    this.bar = el("progress", { class: "bar", max: this.count, value: 0, "aria-label": t("receipts.bar") });
    this.list = el("ul", { class: "parties" });
    this.element = el("section", { class: "card" }, this.headline, this.bar, this.list);
    this.show({ parties: study.community.cards.map(({ name }) => ({ name, verdict: null })), held: 0 }, false);
  }

  step(name) {
    this.headline.textContent = this.t(`send.${name}`);
  }

  /** Receipts as they are now. */
  show({ parties, held }, counted = true) {
    const { t } = this;
    if (counted) this.headline.textContent = t("receipts.held", { held, parties: parties.length });
    this.bar.value = held;
    this.list.replaceChildren(...parties.map(({ name, verdict, ...why }) => el("li", { "data-verdict": verdict ?? "awaited" },
      el("span", { class: "sign", "aria-hidden": "true" }, { accepted: "✓", refused: "✕" }[verdict] ?? "…"),
      el("strong", {}, name), el("small", {}, verdict === "refused" ? receiptRefusal(why, t) : t(`receipts.${verdict ?? "awaited"}`)))));
  }
}

/** What a member can do once its figures are in. */
export function afterwards({ study, t, canCorrect, canWithdraw, onCorrect, onWithdraw, onReceipts }) {
  const closes = showTime(study.presentation.closes, t.language);
  return el("section", { class: "card" }, el("h2", {}, t(canCorrect || canWithdraw ? "after.heading" : "after.closed_heading")),
    el("p", {}, canCorrect ? t("after.lead", { closes }) : t(canWithdraw ? "after.closing" : "after.closed")),
    el("p", { class: "quiet" }, t("after.receipts_lead")),
    el("div", { class: "actions" },
      canCorrect && el("button", { type: "button", onclick: onCorrect }, t("after.correct")),
      el("button", { type: "button", onclick: onReceipts }, t("after.receipts")),
      canWithdraw && el("button", { class: "danger", type: "button", onclick: onWithdraw }, t("after.withdraw"))));
}

/** Nobody sent anything from here in this study, or it was withdrawn; another device of this member may have. */
export function nothingSent(t, { withdrawn, isRecovered }) {
  return el("section", { class: "card" }, el("p", {}, t(isRecovered ? "standing.other_device" : "standing.nothing")), withdrawn);
}

/** Who signed that the figures are out, as it is known so far; `show(names)` tells it. */
export class WithdrawalStatus {
  constructor({ study, t }) {
    Object.assign(this, { parties: study.community.cards.length, t });
    this.element = el("p", { class: "quiet withdrawal", role: "status" });
  }

  /** Whether all have signed. */
  show(names) {
    const { t, parties } = this;
    const text = names.length === 0 ? t("withdraw.awaited") : t("withdraw.held", { held: names.length, parties, names: names.join(", ") });
    if (this.element.textContent !== text) this.element.textContent = text;
    return names.length === parties;
  }
}

/** The study is closed and the parties are at work. */
export function waitingCard(t) {
  return el("section", { class: "card" }, el("h2", {}, t("standing.waiting_heading")), el("p", {}, t("standing.waiting")));
}

/** The figures count: their row in the list that every party signed. */
export function countedCard({ row, count }, t) {
  return el("div", { class: "notice good" }, el("p", {}, `✓ ${t("counted.yes", { row: row + 1, count })}`));
}

/** The figures do not count, and why; the receipts prove what was promised. */
export function notCountedCard(error, t) {
  const key = `counted.no.${error.reason}`;
  return el("div", { class: "notice wrong", role: "alert" }, el("h2", {}, t("counted.no")),
    el("p", {}, t(t.has(key) ? key : "counted.no.other")),
    error.refusal ? el("p", {}, el("strong", {}, `${error.whom}: `), receiptRefusal(error.refusal, t)) : null,
    t.has(key) ? null : technical(error.message, t));
}
