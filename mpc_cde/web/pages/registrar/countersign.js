// Memberships that another registrar issued: counted by what they certify, compared with the register, signed.

import { el, fill, scrolling } from "../shared/dom.js";

export async function countersignView(page) {
  const { room, t } = page;
  const message = el("div", { "aria-live": "polite" });
  const place = el("div");
  const file = el("input", { id: "memberships", type: "file", accept: ".jsonl,.json", onchange: async () => {
    if (file.files.length === 0) return;
    const text = await file.files[0].text();
    try {
      const found = await room.act("compare", { file: text });
      fill(message);
      fill(place, compared(page, found, text, message));
    } catch (error) {
      fill(place);
      fill(message, page.trouble(error));
    }
  } });
  return el("div", {}, el("h1", {}, t("registrar.countersign_heading")), el("p", { class: "lead" }, t("registrar.countersign_lead")),
    el("section", { class: "card" }, el("div", { class: "field" }, el("label", { htmlFor: "memberships" }, t("registrar.memberships_file")), file), message), place);
}

function compared(page, { memberships, counts }, text, message) {
  const { room, t } = page;
  const checked = el("input", { type: "checkbox" });
  const sign = page.button(t("registrar.countersign"), async () => {
    if (!checked.checked) {
      checked.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("registrar.first_compare")));
    }
    const { countersigned } = await room.act("countersign", { file: text });
    return el("div", { class: "notice good", role: "status" }, el("p", {}, t("registrar.countersigned", { count: countersigned })));
  }, { message, class: "primary" });
  return el("section", { class: "card" }, el("h2", {}, t("registrar.memberships", { count: memberships })),
    scrolling(t("registrar.memberships_file"), el("table", {},
      el("thead", {}, el("tr", {}, ...["attribute", "value", "members"].map((name) => el("th", { scope: "col" }, t(`registrar.${name}`))))),
      el("tbody", {}, ...counts.map(([attribute, value, count]) => el("tr", {}, el("th", { scope: "row" }, attribute), el("td", {}, value), el("td", { class: "number" }, String(count))))))),
    el("label", { class: "check" }, checked, t("registrar.compared_register")), el("div", { class: "actions" }, sign));
}
