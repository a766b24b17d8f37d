// What a researcher sees: a key and a request, what may be asked and what it reveals, who agrees, what came of it.

import { sha256 } from "../core/bytes.js";
import { formatFingerprint } from "../core/documents.js";
import { el, fill, saveFile } from "../shared/dom.js";
import { shortCode } from "../shared/gateway.js";
import { keyForm, recoverCard } from "../shared/key_forms.js";
import { showTime } from "../shared/language.js";
import { isPilot, pilotBanner } from "../shared/pilot.js";
import { decisionRefusal, technical } from "../shared/refusals.js";
import { kindInWords, revealed, rulesList } from "../shared/study_sheet.js";
import { functionInWords, wordsOf } from "../shared/words.js";
import { requestOf } from "./desk.js";

/** Nobody is known here: a name, a passphrase, and a recovery file; or the file of an earlier visit. */
export function keyView({ t, fingerprint, isPinned, made, onMake, onRecover, problem }) {
  const name = el("input", { id: "name", type: "text", required: true, maxLength: 200, autocomplete: "organization", "aria-describedby": "name-help" });
  const form = keyForm({
    t, problem, made,
    fields: [el("div", { class: "field" }, el("label", { htmlFor: "name" }, t("researcher.name")), name, el("p", { class: "quiet", id: "name-help" }, t("researcher.name_help")))],
    saved: t("researcher.key_saved"),
    onMake: (passphrase) => onMake(name.value.trim(), passphrase),
  });
  return el("div", {}, el("h1", {}, t("researcher.heading")), el("p", { class: "lead" }, t("researcher.lead")),
    el("div", { class: "notice" }, el("p", {}, t(isPinned ? "public.pinned" : "public.compare"), " ", el("strong", { class: "code" }, formatFingerprint(fingerprint)))),
    el("section", { class: "card" }, el("h2", {}, t("researcher.key_heading")), form), recoverCard({ t, onRecover }));
}

/** The public half for a registrar; then every party signs. */
export async function requestView({ t, keyring, waitingFor, onLook }) {
  const request = new TextDecoder().decode(requestOf(keyring));
  const code = shortCode(await sha256(requestOf(keyring)));
  return el("div", {}, el("h1", {}, t("researcher.request_heading")),
    el("section", { class: "card" }, el("p", { class: "lead" }, t("researcher.request_lead")),
      el("p", {}, t("request.public"), " ", t("request.code"), " ", el("strong", { class: "code whole" }, code)),
      el("div", { class: "actions" }, el("button", { class: "primary", type: "button", onclick: () => saveFile("researcher-request.json", request) }, t("request.save")))),
    el("section", { class: "card" }, el("p", { role: "status" }, waitingFor.length ? t("researcher.waiting_for", { names: waitingFor.join(", ") }) : t("researcher.waiting")),
      el("div", { class: "actions" }, el("button", { type: "button", onclick: onLook }, t("request.look")))));
}

/** Every study with how many questions this researcher may ask of it. */
export function studiesView({ t, studies, permitted, onOpen, enrolled }) {
  const entry = (study) => el("li", {}, el("button", { type: "button", onclick: () => onOpen(study) },
    el("span", { class: "tag" }, t(t.has(`operator.state.${study.state}`) ? `operator.state.${study.state}` : "state.other")),
    el("h2", {}, wordsOf(study, t.language).title), el("small", {}, t("researcher.questions", { count: permitted(study).length }))));
  return el("div", {}, el("h1", {}, t("studies.heading")), el("p", {}, t("researcher.enrolled", { name: enrolled.name, until: showTime(enrolled.valid_until, t.language) })),
    studies.length ? el("ul", { class: "studies" }, ...studies.map(entry)) : el("section", { class: "card" }, el("p", {}, t("researcher.no_study"))));
}

/** The catalogue of one study: every approved question with what it reveals, to be ticked; and earlier answers. */
export function catalogueView({ study, t, functions, answers, onAsk, onAnswer, onBack, problem }) {
  const words = wordsOf(study, t.language);
  const { terms } = study.study;
  const message = el("div", { "aria-live": "polite" });
  const boxes = new Map(functions.map((one, at) => [one, el("input", { type: "checkbox", id: `question-${at}` })]));
  const all = el("input", { type: "checkbox", onchange: () => { for (const box of boxes.values()) box.checked = all.checked; } });
  const names = [...new Set(functions.map((one) => one.function))];
  const mayAsk = ["checked", "answering"].includes(study.state);
  const ask = el("button", { class: "primary", type: "button", disabled: !mayAsk, onclick: async () => {
    const chosen = functions.filter((one) => boxes.get(one).checked);
    if (chosen.length === 0) {
      fill(message, el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("researcher.none_chosen"))));
      return;
    }
    ask.disabled = true;
    try {
      await onAsk(chosen);
    } catch (error) {
      ask.disabled = false;
      fill(message, problem(error));
    }
  } }, t("researcher.ask"));
  const group = (name) => el("fieldset", {}, el("legend", {}, kindInWords(name, t)),
    el("p", { class: "quiet" }, t("sheet.reveals"), " ", revealed(name, t)),
    ...functions.filter((one) => one.function === name).map((one) => el("label", { class: "check" }, boxes.get(one), functionInWords(one, words, t))));
  return el("div", {}, isPilot(terms) ? pilotBanner(t) : null, el("h1", {}, words.title), el("p", { class: "lead" }, words.purpose),
    el("section", { class: "card" }, el("h2", {}, t("sheet.heading.questions")),
      mayAsk ? null : el("div", { class: "notice ask" }, el("p", {}, t("researcher.not_yet"))),
      functions.length ? [el("label", { class: "check" }, all, t("researcher.all")), ...names.map(group)] : el("p", {}, t("researcher.no_question")),
      message, el("div", { class: "actions" }, ask, el("button", { type: "button", onclick: onBack }, t("room.back")))),
    el("section", { class: "card" }, el("h2", {}, t("sheet.heading.rules")), rulesList({ terms, t })),
    el("section", { class: "card" }, el("h2", {}, t("researcher.answers")), answers.length
      ? el("ul", {}, ...answers.map(({ result, time }) => el("li", {}, el("button", { class: "link", type: "button", onclick: () => onAnswer(result) }, showTime(time, t.language)))))
      : el("p", {}, t("researcher.no_answer"))));
}

/** A question on its way: what each party says, as it comes. `show(event)` is fed by the stream. */
export class ProgressCard {
  constructor({ study, t }) {
    Object.assign(this, { study, t });
    this.status = el("p", { class: "meter", role: "status" }, t("researcher.sent"));
    this.list = el("ul", { class: "parties" });
    this.element = el("section", { class: "card" }, this.status, this.list);
  }

  show({ state, decisions, signed, waiting_for: waitingFor }) {
    const { t } = this;
    const says = t.has(`query.${state}`) ? t(`query.${state}`) : t("query.other");
    this.status.textContent = waitingFor.length ? `${says} ${t("query.waiting_for", { names: waitingFor.join(", ") })}` : says;
    fill(this.list, ...this.study.community.cards.map(({ name }) => {
      const decision = decisions.find(({ party }) => party === name);
      const verdict = decision === undefined ? null : decision.answer === "yes" ? "accepted" : "refused";
      const words = verdict === null ? t("query.party.awaited") : t(verdict === "refused" ? "query.party.no" : signed.includes(name) ? "query.party.signed" : "query.party.yes");
      return el("li", { "data-verdict": verdict }, el("span", { class: "sign", "aria-hidden": "true" }, verdict === null ? "…" : verdict === "accepted" ? "✓" : "✗"), el("strong", {}, name), el("small", {}, words));
    }));
  }
}

/** Why a question was not answered: each party that said no, with its rule, as it signed it. */
export function refusalCard({ decisions, state, t }) {
  const no = decisions.filter(({ agrees }) => !agrees);
  const missing = no.length === 0;
  return el("div", { class: "notice wrong", role: "alert" }, el("h2", {}, t(state === "failed" ? "query.failed" : "query.declined")),
    missing ? el("p", {}, t(state === "failed" ? "query.why_failed" : "query.why_silent")) : null,
    ...no.map((one) => [el("p", {}, el("strong", {}, `${one.name}: `), decisionRefusal(one, t)), technical(`${one.rule}: ${one.explanation}`, t)]).flat());
}
