// The frame around every view: whose page this is, language, number format, steps, and messages that lose nothing.

import { el, fill } from "./dom.js";
import { MARK } from "./files.js";
import { chooseLanguage, loadLanguage, remember, remembered } from "./language.js";
import { sentence, technical } from "./refusals.js";
import { FORMATS, formatOf } from "../core/numbers.js";

const FORMAT_KEPT = "mpc-cde/format";
const STEPS = ["key", "certified", "figures", "results"];

/**
 * { t, format, frame } in a language and this device's number format; `again(language)` shows a page after another
 * choice, in which what was typed stays. `isRoom`: with the words of rooms.
 */
export async function frameIn(language, { root, settings, again, isRoom = false }) {
  const t = await loadLanguage(language, { isRoom });
  const inPlace = async (chosen) => {
    const typed = new Map(fieldsOf(root).map(asTyped));
    const note = ({ target }) => isKept(target) && typed.set(...asTyped(target));
    root.addEventListener("input", note); // the old page takes keys until the new one is there
    try {
      await again(chosen);
    } finally {
      root.removeEventListener("input", note);
    }
    putBack(root, typed);
  };
  const kept = remembered(FORMAT_KEPT);
  const format = kept in FORMATS ? kept : formatOf(navigator.language.startsWith(language) ? navigator.language : language);
  const onFormat = (chosen) => {
    remember(FORMAT_KEPT, chosen);
    return inPlace(language);
  };
  return { t, format, frame: new Frame(root, { t, settings, format, onLanguage: inPlace, onFormat }) };
}

/** The fields whose text outlives a page that is made anew. Figures know themselves; files cannot be put back. */
function fieldsOf(root) {
  return [...root.querySelectorAll("main :is(input, select, textarea)[id]")].filter(isKept);
}

function isKept(field) {
  return field.id !== "" && field.type !== "file" && field.closest("main") !== null && field.closest(".figure") === null;
}

function asTyped({ id, value, checked }) {
  return [id, { value, checked }];
}

function putBack(root, typed) {
  for (const field of fieldsOf(root).filter(({ id }) => typed.has(id))) {
    const { value, checked } = typed.get(field.id);
    const isSame = field.value === value && field.checked === checked;
    Object.assign(field, field.type === "checkbox" ? { checked } : { value });
    if (!isSame && field.localName !== "select") for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
  }
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

  /** A problem in words: what it is, what to do next; what has no words in this language for whoever helps. */
  problem(error, { retry = null } = {}) {
    const { t } = this;
    const key = `problem.${error.kind ?? error.code ?? ""}`;
    const known = [key, `problem.${error.code}`].find((name) => t.has(name)) ?? "problem.other";
    const words = (error.said ?? []).map((one) => sentence(one, t)).filter((one) => one !== null);
    const details = [error.message, error.hint].filter(Boolean).join(" ");
    return el("div", { class: "notice wrong", role: "alert" },
      el("p", {}, el("strong", {}, t(known))),
      ...words.map((one) => el("p", {}, one)),
      words.length === 0 && !error.reasons?.length && details !== "" ? technical(details, t) : null,
      retry && el("div", { class: "actions" }, el("button", { type: "button", onclick: retry }, t("try_again"))));
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
