// Personal links for the entries of a register: as a table for a mail merge, and as the text of each mail.

import { el, saveFile } from "../shared/dom.js";
import { register } from "./register.js";

const kept = { reply_to: "", pages: undefined }; // what was typed stays through other places and languages

export async function inviteView(page) {
  const { room, t } = page;
  const found = await room.look("overview");
  const message = el("div", { "aria-live": "polite" });
  const reply = el("input", { id: "reply", type: "email", value: kept.reply_to, oninput: () => { kept.reply_to = reply.value; } });
  kept.pages ??= found.pages[0] ?? "";
  const pages = el("input", { id: "pages", type: "url", value: kept.pages, oninput: () => { kept.pages = pages.value; } });
  const make = page.button(t("registrar.make_links"), async () => {
    const made = await room.act("invite", { ...kept, table: register.table });
    return links(made, found.community, t);
  }, { message, class: "primary" });
  return el("div", {}, el("h1", {}, t("registrar.invite_heading")), el("p", { class: "lead" }, t("registrar.invite_lead", { community: found.community })),
    found.pages.length === 0 ? el("div", { class: "notice wrong" }, el("p", {}, t("registrar.no_pages"))) : null,
    el("section", { class: "card" },
      ...register.fields(t),
      el("div", { class: "field" }, el("label", { htmlFor: "pages" }, t("registrar.pages")), pages),
      el("div", { class: "field" }, el("label", { htmlFor: "reply" }, t("registrar.reply")), reply),
      el("div", { class: "actions" }, make), message));
}

function links({ csv, people }, community, t) {
  const mails = people.map((one) => t("registrar.mail", { name: one.name || one.register_id, community, link: one.link }));
  const first = el("textarea", { class: "request", readOnly: true, rows: 10, value: mails[0] ?? "", "aria-label": t("registrar.mail_text") });
  return el("div", { class: "notice good", role: "status" }, el("h2", {}, t("registrar.links", { count: people.length })),
    el("p", {}, t("registrar.links_lead")), first,
    el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => saveFile("invitations.csv", `\ufeff${csv}`, "text/csv") }, t("registrar.save_links")),
      el("button", { type: "button", onclick: () => saveFile("mails.txt", mails.join(`\n\n${"-".repeat(40)}\n\n`), "text/plain") }, t("registrar.save_mails"))));
}
