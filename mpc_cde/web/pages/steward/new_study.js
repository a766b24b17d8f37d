// A new study: choose a template, change it if need be, look at it as a member will, then propose it.

import { FigureForm } from "../member/form.js";
import { aboutCard } from "../member/study_views.js";
import { el, fill } from "../shared/dom.js";
import { isPilot, pilotBanner } from "../shared/pilot.js";
import { questionsList, rulesList } from "../shared/study_sheet.js";
import { wordsOf } from "../shared/words.js";

const kept = { text: "", days: 28, pilot: false }; // what was typed stays through other places and languages

export async function newStudyView(page) {
  const { room, t } = page;
  const templates = await room.look("templates");
  const message = el("div", { "aria-live": "polite" });
  const preview = el("div");
  const text = el("textarea", { id: "template-text", class: "code", rows: 14, spellcheck: false, value: kept.text, oninput: () => { kept.text = text.value; fill(preview); } });
  const choose = el("select", { id: "trade", onchange: async () => {
    if (choose.value === "") return;
    kept.text = (await room.look("template", { name: choose.value })).text;
    text.value = kept.text;
    fill(preview);
  } }, el("option", { value: "" }, t("steward.choose")), ...templates.map(({ name, titles, figures }) => el("option", { value: name }, t("steward.template", { title: titles[t.language] ?? titles.en, count: figures }))));
  const file = el("input", { id: "template-file", type: "file", accept: ".toml", onchange: async () => {
    if (file.files.length === 0) return;
    kept.text = await file.files[0].text();
    text.value = kept.text;
    fill(preview);
  } });
  const days = el("input", { id: "days", type: "number", min: 1, max: 366, value: String(kept.days), oninput: () => { kept.days = Number(days.value); } });
  const pilot = el("input", { type: "checkbox", checked: kept.pilot, onchange: () => { kept.pilot = pilot.checked; fill(preview); } });
  const look = page.button(t("steward.preview"), async () => {
    if (kept.text.trim() === "") {
      choose.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("steward.no_template")));
    }
    const draft = await room.act("draft", { ...kept });
    fill(preview, previewOf(page, draft), proposal(page, draft));
    queueMicrotask(() => preview.querySelector("h2").scrollIntoView());
    return null;
  }, { message, class: "primary" });
  return el("div", {}, el("h1", {}, t("steward.new")), el("p", { class: "lead" }, t("steward.new_lead")),
    el("section", { class: "card" },
      el("div", { class: "field" }, el("label", { htmlFor: "trade" }, t("steward.from_template")), choose),
      el("div", { class: "field" }, el("label", { htmlFor: "template-file" }, t("steward.own_file")), file),
      el("details", { open: kept.text !== "" }, el("summary", {}, t("steward.text")), el("label", { htmlFor: "template-text", class: "quiet" }, t("steward.text_lead")), text),
      el("div", { class: "field" }, el("label", { htmlFor: "days" }, t("steward.days")), days),
      el("label", { class: "check" }, pilot, t("steward.pilot")), el("p", { class: "quiet" }, t("steward.pilot_help")),
      message, el("div", { class: "actions" }, look)),
    preview);
}

/** The very form that members get; nothing that is typed here goes anywhere. */
function previewOf(page, { study, terms, community }) {
  const { t, format } = page;
  const words = wordsOf({ study, presentation: study.presentation }, t.language);
  const seen = { study, presentation: study.presentation, termsDigest: terms, community };
  const form = new FigureForm({ study: seen, words, t, format, texts: {}, last: {}, onDraft: () => {} });
  return el("section", { class: "preview", "aria-labelledby": "preview-heading" }, el("h2", { id: "preview-heading" }, t("steward.as_member")),
    el("p", { class: "quiet" }, t("steward.as_member_lead")), isPilot(study.terms) ? pilotBanner(t) : null,
    el("h3", {}, words.title), el("div", { class: "columns" }, form.element, aboutCard({ study: seen, words, t })));
}

function proposal(page, { study }) {
  const { t } = page;
  const words = wordsOf({ study, presentation: study.presentation }, t.language);
  const message = el("div", { "aria-live": "polite" });
  const read = el("input", { type: "checkbox" });
  const propose = page.button(t("steward.propose"), async () => {
    if (!read.checked) {
      read.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("operator.first_read")));
    }
    const { title } = await page.room.act("propose", { ...kept });
    kept.text = "";
    await page.go("#studies", t("steward.proposed", { title }));
    return null;
  }, { message, class: "primary" });
  return el("section", { class: "card" }, el("h2", {}, t("sheet.heading.questions")), questionsList({ terms: study.terms, words, t }),
    el("h2", {}, t("sheet.heading.rules")), rulesList({ terms: study.terms, t }),
    el("p", {}, t("steward.propose_lead")), el("label", { class: "check" }, read, t("operator.have_read")), message, el("div", { class: "actions" }, propose));
}
