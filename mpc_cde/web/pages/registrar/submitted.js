// Which members have submitted, never what: entry by entry of the register, and reminders for those who have not.

import { el, fill, saveFile, stackingTable } from "../shared/dom.js";
import { showTime } from "../shared/language.js";
import { register } from "./register.js";

const STANDINGS = ["to_remind", "not_joined", "submitted", "not_eligible"];

export async function submittedView(page) {
  const { room, t } = page;
  const studies = await room.look("studies");
  const lead = el("p", { class: "lead" }, t("registrar.submitted_lead"));
  const heading = el("h1", {}, t("registrar.submitted_heading"));
  if (studies.length === 0) return el("div", {}, heading, lead, el("section", { class: "card" }, el("p", {}, t("registrar.no_open_study"))));
  const message = el("div", { "aria-live": "polite" });
  const place = el("div");
  const choose = el("select", { id: "study", onchange: () => fill(place) },
    ...studies.map(({ study, title }) => el("option", { value: study }, title)));
  const look = page.button(t("registrar.look"), async () => {
    const study = studies.find((one) => one.study === choose.value);
    const found = await room.act("turnout", { study: study.study, table: register.table });
    fill(place, turnoutCard(found, study, t));
    queueMicrotask(() => place.querySelector("h2").scrollIntoView());
    return null;
  }, { message, class: "primary" });
  return el("div", {}, heading, lead,
    el("section", { class: "card" },
      el("ul", { class: "plain" }, ...studies.map((one) => el("li", {}, el("h2", {}, one.title),
        el("p", { class: "meter" }, t("registrar.turnout", { count: one.submitted, all: one.submitted + one.to_remind })),
        el("p", {}, t("steward.closes", { time: showTime(one.closes, t.language) })))))),
    el("section", { class: "card" }, el("h2", {}, t("registrar.entries_heading")),
      el("div", { class: "field" }, el("label", { htmlFor: "study" }, t("operator.studies.study")), choose),
      ...register.fields(t), message, el("div", { class: "actions" }, look)),
    place);
}

function turnoutCard({ entries, csv }, study, t) {
  const of = (standing) => entries.filter((one) => one.standing === standing);
  const remind = of("to_remind");
  const closes = showTime(study.closes, t.language);
  const mails = remind.map((one) => t("registrar.reminder", { name: one.name || one.register_id, title: study.title, closes }));
  const sorted = STANDINGS.flatMap(of);
  return el("section", { class: "card" }, el("h2", {}, t("registrar.still_to_come", { count: remind.length })),
    el("ul", {}, ...STANDINGS.filter((standing) => of(standing).length > 0).map((standing) => el("li", {}, t(`registrar.count.${standing}`, { count: of(standing).length })))),
    mails.length === 0 ? null : [
      el("textarea", { class: "request", readOnly: true, rows: 9, value: mails[0], "aria-label": t("registrar.reminder_text") }),
      el("div", { class: "actions" },
        el("button", { type: "button", onclick: () => saveFile("reminders.txt", mails.join(`\n\n${"-".repeat(40)}\n\n`), "text/plain") }, t("registrar.save_reminders")),
        el("button", { type: "button", onclick: () => saveFile("reminders.csv", `\ufeff${csv}`, "text/csv") }, t("registrar.save_reminders_table"))),
    ],
    stackingTable(t("registrar.submitted_heading"), ["id", "name", "standing"].map((name) => t(`registrar.${name}`)),
      sorted.map((one) => [el("th", { scope: "row" }, one.register_id), el("td", {}, one.name || "–"), el("td", {}, t(`registrar.standing.${one.standing}`))])));
}
