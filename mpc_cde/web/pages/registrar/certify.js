// Requests that members sent back: compared by code, given their certified attributes, signed.

import { el, fill, saveFile, stackingTable } from "../shared/dom.js";

export async function certifyView(page) {
  const { room, t } = page;
  const found = await room.look("overview");
  const message = el("div", { "aria-live": "polite" });
  const place = el("div");
  const take = async (texts) => {
    try {
      const requests = await room.act("read", { requests: texts });
      fill(place, requestsCard(page, found, texts, requests, message));
      fill(message);
    } catch (error) {
      fill(message, page.trouble(error));
    }
  };
  const files = el("input", { id: "requests", type: "file", accept: ".json,application/json", multiple: true, onchange: async () => {
    if (files.files.length > 0) await take(await Promise.all([...files.files].map((file) => file.text())));
  } });
  const text = el("textarea", { id: "request-text", rows: 4, spellcheck: false, onchange: () => takeText(), oninput: () => { if (isWhole(text.value)) takeText(); } });
  let taken = "";
  const takeText = () => {
    if (text.value.trim() === taken) return; // what was chosen for it stays
    taken = text.value.trim();
    if (taken !== "") take([taken]);
  };
  return el("div", {}, el("h1", {}, t("registrar.certify_heading")), el("p", { class: "lead" }, t("registrar.certify_lead", { issued: found.issued })),
    el("section", { class: "card" },
      el("div", { class: "field" }, el("label", { htmlFor: "requests" }, t("registrar.requests")), files),
      el("div", { class: "field" }, el("label", { htmlFor: "request-text" }, t("registrar.request_text")), text), message),
    place);
}

/** Whether a pasted request has come to its end, so that nobody has to leave the field first. */
function isWhole(text) {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

function requestsCard(page, { attributes }, texts, requests, message) {
  const { room, t } = page;
  const names = Object.keys(attributes).sort((a, b) => Number(attributes[b].needed) - Number(attributes[a].needed));
  const chosen = requests.map(() => ({}));
  const choice = (row, name) => el("select", { "aria-label": `${attributes[name].label}: ${requests[row].register_id}`, onchange: (event) => { chosen[row][name] = event.target.value; } },
    el("option", { value: "" }, t(attributes[name].needed ? "steward.choose" : "registrar.not_needed")), ...attributes[name].values.map((value) => el("option", { value }, value)));
  const checked = el("input", { type: "checkbox" });
  const sign = page.button(t("registrar.sign"), async () => {
    const row = requests.findIndex((_, at) => names.some((name) => attributes[name].needed && !chosen[at][name]));
    if (row >= 0) return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("registrar.attribute_missing", { id: requests[row].register_id })));
    if (!checked.checked) {
      checked.focus();
      return el("div", { class: "notice ask", role: "alert" }, el("p", {}, t("registrar.first_compare")));
    }
    const done = await room.act("certify", { requests: texts, attributes: chosen });
    return el("div", { class: "notice good", role: "status" }, el("h2", {}, t("registrar.certified", { count: done.fresh })), el("p", {}, t("registrar.second_lead")),
      el("div", { class: "actions" }, el("button", { type: "button", class: "primary", onclick: () => saveFile("memberships.jsonl", done.file, "application/jsonl") }, t("registrar.save_memberships"))));
  }, { message, class: "primary" });
  return el("section", { class: "card" }, el("h2", {}, t("registrar.read", { count: requests.length })),
    stackingTable(t("registrar.requests"), [t("registrar.id"), t("registrar.code"), ...names.map((name) => attributes[name].label)],
      requests.map(({ register_id: id, code }, row) => [el("th", { scope: "row" }, id), el("td", { class: "code" }, code), ...names.map((name) => el("td", {}, choice(row, name)))])),
    el("label", { class: "check" }, checked, t("registrar.compared")), el("div", { class: "actions" }, sign));
}
