// One study as a sheet, with the two answers that an organisation can give: approve, or refuse with a reason.

import { el, fill } from "../shared/dom.js";
import { showTime } from "../shared/language.js";
import { isPilot, pilotBanner } from "../shared/pilot.js";
import { reasonsList, sentence } from "../shared/refusals.js";
import { differencesTable, figuresTable, learnList, questionsList, rulesList } from "../shared/study_sheet.js";
import { wordsOf } from "../shared/words.js";

export async function decisionView(page, digest) {
  const { t, format } = page;
  const found = await page.room.look("study", { digest });
  const { terms, presentation } = found.study;
  const words = wordsOf({ study: found.study, presentation }, t.language);
  const section = (name, ...content) => el("section", { class: "card" }, el("h2", {}, t(`sheet.heading.${name}`)), ...content);
  return el("div", {}, isPilot(terms) ? pilotBanner(t) : null, el("h1", {}, words.title),
    el("p", {}, el("span", { class: "tag" }, t(t.has(`operator.state.${found.state}`) ? `operator.state.${found.state}` : "state.other"))),
    el("p", { class: "lead" }, words.purpose),
    el("p", {}, t("sheet.dates", { opens: showTime(presentation.opens, t.language), closes: showTime(presentation.closes, t.language) })),
    section("consent", el("p", { class: "prose" }, words.consent)),
    section("figures", figuresTable({ terms, words, format, t })),
    section("questions", questionsList({ terms, words, t })),
    section("learn", learnList({ terms, threshold: found.threshold, parties: found.parties.length, t })),
    section("rules", rulesList({ terms, t }), el("p", {}, t("sheet.own_minimum", { least: found.own_minimum, group: found.own_minimum_group }))),
    section("differences", differences(found, { words, format, t })),
    section("parties", partiesList(found, t)),
    decision(page, digest, found));
}

function differences(found, { words, format, t }) {
  if (found.last === null) return el("p", {}, t("sheet.no_last"));
  const lead = el("p", {}, t(found.differences.length ? "sheet.against" : "sheet.no_differences", { title: found.last }));
  return found.differences.length ? [lead, differencesTable({ differences: found.differences, words, format, t })] : [lead];
}

function partiesList({ parties, approved, refused, own_index: own }, t) {
  const answer = (index) => {
    const refusal = refused.find(({ party }) => party === index);
    if (refusal) return t("sheet.has_refused", { reason: refusal.reason });
    return t(approved.includes(index) ? "sheet.has_approved" : "sheet.has_not_answered");
  };
  return el("ul", {}, ...parties.map((name, index) => el("li", {}, el("strong", {}, index === own ? t("sheet.own", { name }) : name), `: ${answer(index)}`)));
}

function decision(page, digest, found) {
  const { t } = page;
  const approvedHere = found.approved.includes(found.own_index);
  const parts = [];
  if (!approvedHere && found.state === "proposed") parts.push(approval(page, digest, found));
  if (found.may_be_refused) parts.push(refusal(page, digest, approvedHere));
  return parts.length ? parts : el("section", { class: "card" }, el("h2", {}, t("decide.heading")), el("p", {}, t("decide.nothing")));
}

function approval(page, digest, found) {
  const { t } = page;
  if (found.reasons.length) {
    return el("section", { class: "card" }, el("h2", {}, t("decide.approve_heading")),
      el("div", { class: "notice wrong" }, el("p", {}, el("strong", {}, t("decide.cannot"))),
        reasonsList(found.reasons, t), el("p", {}, t("decide.cannot_hint"))));
  }
  const message = el("div", { "aria-live": "polite" });
  const read = el("input", { type: "checkbox", id: "have-read" });
  const file = found.needs_p ? el("input", { type: "file", id: "p-file", accept: ".json,application/json" }) : null;
  const approve = page.button(t("decide.approve"), async () => {
    if (!read.checked) {
      read.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("operator.first_read")));
    }
    if (file !== null && file.files.length === 0) {
      file.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("decide.p_missing")));
    }
    const p = file === null ? {} : { p_percent: await file.files[0].text() };
    const { delivery } = await page.room.act("approve", { digest, ...p });
    await page.go("#", t("operator.signed", { delivery: sentence(delivery, t) }));
    return null;
  }, { message, class: "primary" });
  return el("section", { class: "card" }, el("h2", {}, t("decide.approve_heading")), el("p", { class: "prose" }, t("decide.means")),
    file && el("div", { class: "field" }, el("label", { htmlFor: "p-file" }, t("decide.p_file")), file, el("p", { class: "quiet" }, t("decide.p_help"))),
    el("label", { class: "check" }, read, t("operator.have_read")), message, el("div", { class: "actions" }, approve));
}

function refusal(page, digest, approvedHere) {
  const { t } = page;
  const message = el("div", { "aria-live": "polite" });
  const reason = el("textarea", { id: "reason", maxLength: 500, rows: 3, "aria-describedby": "reason-help" });
  const refuse = page.button(t("decide.refuse"), async () => {
    if (reason.value.trim() === "") {
      reason.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("decide.reason_missing")));
    }
    const sure = page.button(t("decide.refuse_sure"), async () => {
      const { delivery } = await page.room.act("refuse", { digest, reason: reason.value });
      await page.go("#", t("decide.refused", { delivery: sentence(delivery, t) }));
      return null;
    }, { message, class: "danger", "data-first": "" });
    const back = el("button", { type: "button", onclick: () => { fill(message); reason.focus(); } }, t("room.back"));
    return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t(approvedHere ? "decide.refuse_approved" : "decide.refuse_lead")),
      el("p", {}, el("q", {}, reason.value.trim())), el("div", { class: "actions" }, sure, back));
  }, { message, class: "danger" });
  return el("section", { class: "card" }, el("h2", {}, t(approvedHere ? "decide.take_back_heading" : "decide.refuse_heading")),
    el("div", { class: "field" }, el("label", { htmlFor: "reason" }, t("decide.reason")), reason, el("p", { class: "quiet", id: "reason-help" }, t("decide.reason_help"))),
    message, el("div", { class: "actions" }, refuse));
}
