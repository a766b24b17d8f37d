// The register as it was read or typed; it stays through other places and languages, and leaves this machine never.

import { el } from "../shared/dom.js";

export const register = {
  table: "register_id,name\n",

  /** The two fields for it: a file, or text. */
  fields(t) {
    const text = el("textarea", { id: "register", rows: 8, spellcheck: false, value: this.table, oninput: () => { this.table = text.value; } });
    const file = el("input", { id: "register-file", type: "file", accept: ".csv,.txt", onchange: async () => {
      if (file.files.length === 0) return;
      this.table = await file.files[0].text();
      text.value = this.table;
    } });
    return [
      el("div", { class: "field" }, el("label", { htmlFor: "register-file" }, t("registrar.register_file")), file),
      el("div", { class: "field" }, el("label", { htmlFor: "register" }, t("registrar.register")), text),
    ];
  },
};
