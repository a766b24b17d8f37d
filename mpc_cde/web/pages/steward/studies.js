// Every study: who has approved it, how many have submitted, a reminder to send, and its closing.

import { el, fill } from "../shared/dom.js";
import { showTime } from "../shared/language.js";
import { pilotBanner } from "../shared/pilot.js";

export async function studiesView(page) {
  const { room, t } = page;
  const found = await room.look("overview");
  const view = page.shown;
  const seen = JSON.stringify(await room.look("pulse"));
  page.follow(view, async () => JSON.stringify(await room.look("pulse")) !== seen);
  return el("div", {}, el("h1", {}, t("steward.studies.heading")), el("p", { class: "lead" }, t("steward.studies.lead", { community: found.community, steward: found.steward })),
    found.studies.length ? found.studies.map((study) => studyCard(page, study)) : el("section", { class: "card" }, el("p", {}, t("steward.studies.none"))),
    el("div", { class: "actions" }, el("a", { class: "button primary", href: "#new" }, t("steward.new"))));
}

function studyCard(page, study) {
  const { t } = page;
  const approved = t("steward.approved", { approved: study.approved.length, parties: study.approved.length + study.missing.length });
  const state = t(t.has(`operator.state.${study.state}`) ? `operator.state.${study.state}` : "state.other");
  return el("section", { class: "card" }, study.pilot ? pilotBanner(t) : null,
    el("h2", {}, study.title, " ", el("span", { class: "tag" }, state)),
    el("p", {}, study.state === "proposed" && study.missing.length ? `${approved} ${t("query.waiting_for", { names: study.missing.join(", ") })}` : approved),
    study.closes ? el("p", {}, t(study.state === "open" ? "steward.closes" : "steward.dates", { time: showTime(study.closes, t.language) })) : null,
    study.state === "proposed" ? null : el("p", { class: "meter" }, t("steward.submitted", { count: study.members })),
    study.state === "open" ? [reminder(study, t), closing(page, study)] : null);
}

/** Text for a mail: registrars send it, each to those of its own members who have not submitted. */
function reminder(study, t) {
  const text = t("steward.reminder.text", { title: study.title, closes: showTime(study.closes, t.language) });
  return el("details", {}, el("summary", {}, t("steward.reminder.heading")), el("p", { class: "quiet" }, t("steward.reminder.lead")),
    el("textarea", { class: "request", readOnly: true, value: text, rows: 8, "aria-label": t("steward.reminder.heading") }));
}

function closing(page, study) {
  const { t } = page;
  const message = el("div", { "aria-live": "polite" });
  const close = page.button(t("steward.close"), async () => {
    const sure = page.button(t("steward.close_sure"), async () => {
      await page.room.act("close", { study: study.study });
      await page.show(t("steward.closing_proposed", { title: study.title }));
      return null;
    }, { message, class: "danger", "data-first": "" });
    return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("steward.close_lead", { count: study.members })),
      el("div", { class: "actions" }, sure, el("button", { type: "button", onclick: () => fill(message) }, t("room.back"))));
  }, { message });
  return el("details", {}, el("summary", {}, t("steward.close_heading")), message, el("div", { class: "actions" }, close));
}
