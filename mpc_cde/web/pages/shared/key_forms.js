// A key under a passphrase: the form that makes one with its recovery file, and the one that opens such a file.

import { MIN_PASSPHRASE_CHARACTERS } from "../core/recovery.js";
import { el, fill, saveFile } from "./dom.js";

/**
 * `onMake(passphrase)` gives { file, name, onKept }: `file` is saved as `name`, `onKept` goes on; `saved` says so,
 * `fields` stand first. `made` is what it gave before this form was made anew, so that no key is made twice.
 */
export function keyForm({ t, fields = [], saved, onMake, problem, made = null }) {
  const passphrase = el("input", { id: "passphrase", type: "password", autocomplete: "new-password", minLength: MIN_PASSPHRASE_CHARACTERS, required: true, "aria-describedby": "passphrase-help" });
  const shown = el("input", { type: "checkbox", onchange: () => { passphrase.type = shown.checked ? "text" : "password"; } });
  const message = el("div", { "aria-live": "polite" });
  const make = el("button", { class: "primary", type: "submit" }, t("key.make"));
  const form = el("form", { onsubmit: async (event) => {
    event.preventDefault();
    if ([...passphrase.value].length < MIN_PASSPHRASE_CHARACTERS) {
      fill(message, el("div", { class: "notice wrong", role: "alert" }, el("p", {}, t("key.too_short", { least: MIN_PASSPHRASE_CHARACTERS }))));
      passphrase.focus();
      return;
    }
    make.disabled = true;
    fill(message, el("p", { class: "quiet spinner" }, t("key.making")));
    try {
      const given = await onMake(passphrase.value);
      saveFile(given.name, given.file);
      show(given).focus();
    } catch (error) {
      make.disabled = false;
      fill(message, problem(error));
    }
  } },
  ...fields,
  el("div", { class: "field" }, el("label", { htmlFor: "passphrase" }, t("key.passphrase")), passphrase,
    el("label", { class: "check" }, shown, t("key.show")), el("p", { class: "quiet", id: "passphrase-help" }, t("key.passphrase_help", { least: MIN_PASSPHRASE_CHARACTERS }))),
  message, el("div", { class: "actions" }, make));
  const show = ({ file, name, onKept }) => {
    const kept = el("button", { class: "primary", type: "button", onclick: () => { kept.disabled = true; onKept(); } }, t("key.have_it"));
    fill(form, el("div", { class: "notice good" }, el("h2", {}, t("key.saved_heading")), el("p", {}, saved)),
      el("div", { class: "actions" }, kept, el("button", { type: "button", onclick: () => saveFile(name, file) }, t("key.save_again"))));
    return kept;
  };
  if (made !== null) show(made);
  return form;
}

/** A second device, or one that forgot; `onRecover(bytes, passphrase)` gives what to tell of trouble, or null. */
export function recoverCard({ t, onRecover, lead = null, lost = null }) {
  const file = el("input", { id: "recovery-file", type: "file", accept: ".json,application/json" });
  const passphrase = el("input", { id: "recovery-passphrase", type: "password", autocomplete: "current-password" });
  const message = el("div", { "aria-live": "polite" });
  const form = el("form", { onsubmit: async (event) => {
    event.preventDefault();
    if (file.files.length === 0) return;
    fill(message, el("p", { class: "quiet spinner" }, t("recover.opening")));
    fill(message, await onRecover(new Uint8Array(await file.files[0].arrayBuffer()), passphrase.value));
  } },
  el("div", { class: "field" }, el("label", { htmlFor: "recovery-file" }, t("recover.file")), file),
  el("div", { class: "field" }, el("label", { htmlFor: "recovery-passphrase" }, t("recover.passphrase")), passphrase),
  message, el("div", { class: "actions" }, el("button", { type: "submit" }, t("recover.open"))));
  return el("section", { class: "card" }, el("details", {}, el("summary", {}, t("recover.heading")), lead && el("p", {}, lead), form, lost && el("p", { class: "quiet" }, lost)));
}
