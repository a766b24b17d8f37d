// The frame around every view: whose page this is, language, number format, steps, and messages that lose nothing.

import { el, fill } from "./dom.js";
import { MARK } from "./files.js";
import { chooseLanguage, loadLanguage } from "./language.js";
import { FORMATS, formatOf } from "../core/numbers.js";

const FORMAT_KEPT = "mpc-cde/format";
const STEPS = ["key", "certified", "figures", "results"];

/** { t, format, frame } in a language and this device's number format; `again(language)` shows a page after another choice. */
export async function frameIn(language, { root, settings, again }) {
  const t = await loadLanguage(language);
  const kept = localStorage.getItem(FORMAT_KEPT);
  const format = kept in FORMATS ? kept : formatOf(navigator.language.startsWith(language) ? navigator.language : language);
  const onFormat = (chosen) => {
    localStorage.setItem(FORMAT_KEPT, chosen);
    return again(language);
  };
  return { t, format, frame: new Frame(root, { t, settings, format, onLanguage: again, onFormat }) };
}

class Frame {
  constructor(root, { t, settings, onLanguage, onFormat, format }) {
    Object.assign(this, { root, t, settings, onLanguage, onFormat, format });
    this.communityName = "";
  }

  /** Show one view. `step` is where the member stands; the heading takes the focus, so readers hear it. */
  show(view, { step = null, heading = null } = {}) {
    const main = el("main", { id: "main", tabIndex: -1 }, step && this.#steps(step), view);
    fill(this.root, this.#top(), main);
    const title = heading ?? main.querySelector("h1")?.textContent ?? "";
    document.title = [title, this.communityName].filter(Boolean).join(" – ") || "mpc-cde";
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    return main;
  }

  /** A problem in words: what it is, what to do next; the details for whoever helps. */
  problem(error, { retry = null } = {}) {
    const { t } = this;
    const key = `problem.${error.kind ?? error.code ?? ""}`;
    const known = [key, `problem.${error.code}`].find((name) => t.has(name)) ?? "problem.other";
    const details = [error.message, error.hint].filter(Boolean).join(" ");
    return el("div", { class: "notice wrong", role: "alert" },
      el("p", {}, el("strong", {}, t(known))),
      el("p", { class: "quiet", lang: "en" }, details),
      retry && el("div", { class: "actions" }, el("button", { onclick: retry }, t("try_again"))));
  }

  #top() {
    const { t } = this;
    const languages = el("select", { onchange: (event) => this.#language(event.target.value) },
      ...[["en", "English"], ["nl", "Nederlands"]].map(([value, name]) => el("option", { value, selected: value === t.language }, name)));
    const formats = el("select", { onchange: (event) => this.onFormat(event.target.value) },
      ...Object.entries(FORMATS).map(([value, { example }]) => el("option", { value, selected: value === this.format }, example)));
    return el("header", { class: "top" },
      el("span", { class: "brand" }, el("img", { src: MARK, alt: "" }), this.communityName || this.settings.party || "mpc-cde"),
      el("label", {}, t("top.numbers"), formats),
      el("label", {}, t("top.language"), languages));
  }

  #steps(current) {
    const at = STEPS.indexOf(current);
    return el("ol", { class: "steps", "aria-label": this.t("steps.label") }, ...STEPS.map((step, index) => (
      el("li", { "data-state": index < at ? "done" : "open", "aria-current": index === at ? "step" : null }, this.t(`steps.${step}`))
    )));
  }

  #language(language) {
    chooseLanguage(language);
    this.onLanguage(language);
  }
}
