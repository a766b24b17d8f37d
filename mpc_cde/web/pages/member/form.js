// The form of a study: typed, pasted or from a file; red for what cannot be, yellow for "are you sure", blank is fine.

import { BadFigure } from "../core/errors.js";
import { columnsOf, inputNames } from "../core/figures.js";
import { isAmbiguous, readTyped, showPlain } from "../core/numbers.js";
import { Rational, ZERO } from "../core/rational.js";
import { parseText, readFigures, TableRefused, templateRows, templateText } from "../core/tables.js";
import { readWorkbook } from "../core/xlsx.js";
import { workbookOf } from "../core/xlsx_template.js";
import { el, fill, saveFile } from "../shared/dom.js";

const FACTOR = new Rational(1000n);
const FAR = new Rational(100n);
const SAVE_AFTER_MS = 400;
const SETTLE_MS = 200; // what is said on leaving a field moves what is below: not under a finger that is pressing it

export class FigureForm {
  /** `words` gives labels and help in the reader's language; `last` the figures sent before, by name. */
  constructor({ study, words, t, format, texts, last, onDraft }) {
    Object.assign(this, { study, words, t, format, last, onDraft });
    this.columns = columnsOf(study.study.terms);
    this.inputs = inputNames(this.columns).map((name) => {
      const figure = study.study.terms.figures.find((one) => one.name === name) ?? null;
      return { name, figure, label: words.label(name), unit: figure?.unit ?? "" };
    });
    this.texts = new Map(this.inputs.map(({ name }) => [name, texts[name] ?? ""]));
    this.confirmed = new Map();
    this.touched = new Set();
    this.where = new Map();
    this.rows = new Map();
    this.fields = new Map();
    this.message = el("div", { "aria-live": "polite" });
    this.element = this.#build();
    this.#judgeAll();
  }

  /** Exact values by name of figure, or null after showing what is missing. */
  values() {
    for (const column of this.columns) this.touched.add(column.name);
    const verdicts = this.columns.map((column) => [column, this.#judge(column)]);
    this.#judgeAll();
    const open = verdicts.filter(([, { state }]) => state === "wrong" || state === "ask");
    if (open.length > 0) {
      this.#summary(open);
      return null;
    }
    fill(this.message);
    return new Map(verdicts.map(([column, { value }]) => [column.name, value]));
  }

  /** No draft is written from here any more, since another form takes over. */
  stop() {
    this.stopped = true;
    clearTimeout(this.saving);
  }

  /** What was typed, by name of input. */
  typed() {
    return Object.fromEntries(this.texts);
  }

  /** What each input means in plain decimal text or as a category, for the device's own record. */
  plainTexts() {
    return Object.fromEntries(this.inputs.map(({ name, figure }) => [name, figure?.kind === "category" ? this.texts.get(name) : readTyped(this.texts.get(name), this.format)]));
  }

  #build() {
    const { t } = this;
    const file = el("input", { type: "file", accept: ".csv,.txt,.tsv,.xlsx", hidden: true, onchange: () => this.#takeFile(file.files[0]) });
    const form = el("section", { class: "card", "aria-labelledby": "figures-heading" },
      el("h2", { id: "figures-heading" }, t("form.heading")),
      el("p", { class: "prose" }, t("form.blank_is_fine")),
      el("div", { class: "tools" },
        el("button", { class: "link", type: "button", onclick: () => file.click() }, t("form.use_file")),
        el("span", {}, t("form.template"), ...["xlsx", "csv"].map((kind) => (
          [" ", el("button", { class: "link", type: "button", "aria-label": t(`form.template_${kind}`), onclick: () => this.#saveTemplate(kind) }, kind.toUpperCase())])).flat())),
      el("p", { class: "quiet" }, t("form.paste_hint"), file),
      this.message,
      ...this.columns.map((column) => this.#row(column)));
    form.addEventListener("dragover", (event) => {
      event.preventDefault();
      form.classList.add("drop");
    });
    form.addEventListener("dragleave", () => form.classList.remove("drop"));
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      form.classList.remove("drop");
      this.#takeFile(event.dataTransfer.files[0]);
    });
    return form;
  }

  #row(column) {
    const { t } = this;
    const { figure, name } = column;
    const help = this.words.help(name);
    const feedback = el("div", { class: "feedback", id: `feedback-${name}`, "aria-live": "polite" });
    const optional = figure.derived !== null ? t("form.calculated") : figure.blank_allowed ? t("form.may_be_blank") : t("form.needed");
    const describedBy = [help ? `help-${name}` : null, `feedback-${name}`].filter(Boolean).join(" ");
    const words = el("div", { class: "words" },
      figure.derived === null ? el("label", { htmlFor: `figure-${name}` }, this.words.label(name)) : el("strong", { id: `label-${name}` }, this.words.label(name)),
      " ", el("span", { class: "optional" }, optional),
      help ? el("p", { class: "help quiet", id: `help-${name}` }, help) : null);
    const output = figure.derived === null ? null : el("output", { id: `figure-${name}` });
    const entry = figure.derived === null ? this.#entry(column, name, describedBy) : this.#made(column, output, describedBy);
    const row = el("div", { class: "figure", "data-name": name, "data-state": "" }, words, entry, feedback);
    this.rows.set(name, { row, feedback, output, shown: null });
    return row;
  }

  #entry(column, name, describedBy) {
    const { figure } = column;
    if (figure !== null && figure.kind === "category") {
      const select = el("select", { id: `figure-${name}`, "aria-describedby": describedBy, onchange: () => this.#changed(name, select.value, true) },
        el("option", { value: "" }, this.t("form.no_answer")),
        ...figure.categories.map((value) => el("option", { value, selected: value === this.texts.get(name) }, value)));
      this.fields.set(name, select);
      return el("div", { class: "entry" }, select);
    }
    return el("div", { class: "entry" }, this.#input(name, `figure-${name}`, describedBy, column.minimum.compare(ZERO) < 0), figure.unit ? el("span", { class: "unit" }, figure.unit) : null);
  }

  /** The number pad of many telephones has no minus. */
  #input(name, id, describedBy, maybeNegative = false) {
    const input = el("input", {
      id, type: "text", inputMode: maybeNegative ? "text" : "decimal", autocomplete: "off", spellcheck: false, value: this.texts.get(name), "aria-describedby": describedBy,
      oninput: () => {
        this.where.delete(name);
        this.#changed(name, input.value, false);
      },
      onblur: () => setTimeout(() => this.#changed(name, input.value, true), SETTLE_MS),
      onpaste: (event) => this.#pasted(event, name),
    });
    this.fields.set(name, input);
    return input;
  }

  #made(column, output, describedBy) {
    const isAsked = (name) => this.fields.has(name) || this.study.study.terms.figures.some((figure) => figure.name === name && figure.derived === null);
    const known = column.headings.filter(isAsked).map(this.words.label).join(", ");
    const operands = column.headings.filter((name) => !isAsked(name)).map((name) => {
      const id = `operand-${name}`;
      return el("div", {}, el("label", { htmlFor: id }, this.words.label(name)), el("div", { class: "entry" }, this.#input(name, id, describedBy)));
    });
    const unit = column.figure.unit ? ` ${column.figure.unit}` : "";
    return el("div", { class: "made" }, known && el("p", { class: "quiet" }, this.t("form.made_from", { label: known })), ...operands, el("p", {}, this.t("form.makes"), " ", output, unit));
  }

  #changed(name, text, left) {
    this.texts.set(name, text);
    for (const column of this.columns) {
      if (column.headings.includes(name)) {
        if (left) this.touched.add(column.name);
        this.#show(column);
      }
    }
    clearTimeout(this.saving);
    if (!this.stopped) this.saving = setTimeout(() => this.onDraft(this.typed()), SAVE_AFTER_MS);
  }

  /** { state, value, key, values }: what is to be said about one figure now. */
  #judge(column) {
    const { figure, name } = column;
    const isBlank = column.headings.every((heading) => this.texts.get(heading).trim() === "");
    try {
      const plain = new Map(column.headings.map((heading) => [heading, column.isCategory ? this.texts.get(heading) : readTyped(this.texts.get(heading), this.format)]));
      const value = column.parseCells(plain);
      if (value === null) return { state: "", value, key: isBlank ? null : "form.counts_as_blank" };
      if (column.isCategory) return { state: "ok", value, key: null };
      const shown = showPlain(String(value), this.format);
      const doubt = this.#doubt(column, value);
      if (doubt !== null) {
        const isSure = this.confirmed.get(name) === String(value);
        return { state: isSure ? "ok" : "ask", isSure, doubted: true, value, key: doubt.key, values: { shown, ...doubt.values } };
      }
      const typed = figure.derived === null ? plain.get(name) : null;
      const rounded = typed !== null && !Rational.parse(typed).equals(value);
      return { state: "ok", value, shown, key: rounded ? "form.rounded_to" : "form.read_as", values: { shown } };
    } catch (error) {
      if (!(error instanceof BadFigure)) throw error;
      const nearest = error.nearest === null ? null : typeof error.nearest === "string" ? error.nearest : showPlain(String(error.nearest), this.format);
      const values = {
        nearest, minimum: showPlain(String(column.minimum), this.format), maximum: showPlain(String(column.maximum), this.format),
        step: column.isCategory ? "" : showPlain(String(column.encoding.step), this.format),
      };
      if (error.kind === "range") return { state: "wrong", value: null, key: this.#isThousandAway(column) ? "form.wrong.range_thousand" : "form.wrong.range", values, nearest: null };
      return { state: "wrong", value: null, key: `form.wrong.${error.kind}`, values, nearest };
    }
  }

  /** Whether a figure out of range would be a usual one if it were a thousand times smaller. */
  #isThousandAway(column) {
    const value = Rational.parse(readTyped(this.texts.get(column.name), this.format)).over(FACTOR);
    const { soft_minimum: low, soft_maximum: high } = column.figure;
    return low !== null && high !== null && value.compare(Rational.parse(low)) >= 0 && value.compare(Rational.parse(high)) <= 0;
  }

  /** A reason to ask "are you sure?", or null: soft bounds, a factor of 1,000, far from last time, a sign that may mean two things. */
  #doubt(column, value) {
    const { figure, name } = column;
    const bound = (text) => (text === null ? null : Rational.parse(text));
    const [low, high] = [bound(figure.soft_minimum), bound(figure.soft_maximum)];
    const inside = (number) => (low === null || number.compare(low) >= 0) && (high === null || number.compare(high) <= 0);
    const show = (number) => showPlain(String(number), this.format);
    const before = this.last[name];
    if (before !== undefined && figure.derived === null) {
      const last = Rational.parse(before.text);
      if (last.numerator !== 0n && value.numerator !== 0n) {
        const ratio = value.over(last);
        const size = ratio.compare(ZERO) < 0 ? ratio.times(new Rational(-1n)) : ratio;
        if (size.compare(FAR) >= 0 || size.times(FAR).compare(new Rational(1n)) <= 0) return { key: "form.ask.last_time", values: { last: show(last) } };
      }
    }
    if (!inside(value)) {
      const thousandth = value.over(FACTOR);
      const hint = value.numerator !== 0n && (inside(thousandth) || inside(value.times(FACTOR)));
      const key = hint ? "form.ask.thousand" : low !== null && value.compare(low) < 0 ? "form.ask.low" : "form.ask.high";
      return { key, values: { low: low === null ? "" : show(low), high: high === null ? "" : show(high) } };
    }
    if (figure.derived === null && isAmbiguous(this.texts.get(name), this.format)) return { key: "form.ask.sign", values: {} };
    return null;
  }

  #judgeAll() {
    for (const column of this.columns) this.#show(column);
  }

  #show(column) {
    const verdict = this.#judge(column);
    const place = this.rows.get(column.name);
    const quiet = verdict.state === "wrong" && !this.touched.has(column.name);
    const state = quiet ? "" : verdict.state;
    place.row.dataset.state = state;
    const field = this.fields.get(column.name);
    if (field) field.setAttribute("aria-invalid", String(state === "wrong"));
    if (place.output) place.output.textContent = verdict.value === null ? "–" : showPlain(String(verdict.value), this.format);
    const what = quiet ? null : verdict;
    const signature = JSON.stringify([state, what?.key, what?.values, column.isCategory]);
    if (signature === place.shown) return;
    place.shown = signature;
    const hadFocus = place.feedback.contains(document.activeElement);
    fill(place.feedback, ...this.#feedback(column, state, what));
    if (hadFocus) place.feedback.querySelector("input, button")?.focus();
  }

  #feedback(column, state, verdict) {
    if (verdict === null || verdict.key === null) return [];
    const { t } = this;
    const cell = state === "wrong" ? this.where.get(column.name) : undefined;
    const text = `${cell ? `${cell}: ` : ""}${t(verdict.key, verdict.values)}`;
    if (verdict.doubted) {
      const value = String(verdict.value);
      const box = el("input", { type: "checkbox", checked: verdict.isSure, onchange: () => {
        this.confirmed.set(column.name, box.checked ? value : null);
        this.#show(column);
      } });
      const question = el("p", {}, verdict.isSure ? `✓ ${t("form.read_as", verdict.values)}` : `${t("form.ask.sure")} ${text}`);
      return [question, el("label", { class: "check" }, box, t("form.ask.yes"))];
    }
    const use = state === "wrong" && verdict.nearest && column.figure.derived === null
      ? el("button", { class: "link", type: "button", onclick: () => this.#set(column.name, verdict.nearest) }, t("form.use_nearest", { nearest: verdict.nearest }))
      : null;
    return [el("p", {}, state === "ok" ? `✓ ${text}` : text, use ? " " : "", use)];
  }

  #set(name, text) {
    const field = this.fields.get(name);
    field.value = text;
    this.#changed(name, text, true);
    field.focus();
  }

  #pasted(event, name) {
    const text = event.clipboardData.getData("text/plain").replace(/[\r\n]+$/, "");
    if (!/[\t\n]/.test(text)) return;
    event.preventDefault();
    this.#take(() => [{ name: null, rows: parseText(text) }], { from: name, plain: false });
  }

  async #takeFile(file) {
    if (file === undefined) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const isWorkbook = bytes[0] === 0x50 && bytes[1] === 0x4b;
    await this.#take(async () => (isWorkbook ? readWorkbook(bytes) : [{ name: null, rows: parseText(new TextDecoder().decode(bytes)) }]), { plain: isWorkbook });
  }

  /** Read a table and put it into the form; what stood there before comes back by one press. */
  async #take(read, { from = undefined, plain }) {
    const { t } = this;
    const before = new Map(this.texts);
    let sheets = [];
    let sheet = null;
    try {
      sheets = await read();
      sheet = sheets.find(({ rows }) => rows.length > 0) ?? sheets[0];
      const found = readFigures(sheet.rows, { inputs: this.inputs, terms: this.study.termsDigest, from });
      const inSheet = (cell) => (sheet.name === null ? cell : `${sheet.name} ${cell}`);
      for (const [name, text] of found.texts) {
        const isNumber = plain && /^-?\d+(\.\d+)?$/.test(text);
        this.where.set(name, inSheet(found.where.get(name)));
        this.#put(name, isNumber ? showPlain(text, this.format) : text);
      }
      const undo = el("button", { class: "link", type: "button", onclick: () => {
        for (const [name, text] of before) this.#put(name, text);
        fill(this.message);
      } }, t("form.undo"));
      const unknown = found.unknown.length ? el("p", { class: "quiet" }, t("form.not_asked", { names: found.unknown.join(", ") })) : null;
      fill(this.message, el("div", { class: "notice good" }, el("p", {}, t("form.filled", { count: found.texts.size }), " ", undo), unknown));
    } catch (error) {
      if (!(error instanceof TableRefused)) throw error;
      const sheetName = sheet?.name ? `${sheet.name}: ` : "";
      fill(this.message, el("div", { class: "notice wrong", role: "alert" }, el("p", {}, sheetName, t(`table.${error.reason}`, error.details))));
    }
  }

  #put(name, text) {
    const field = this.fields.get(name);
    field.value = text;
    this.#changed(name, text, true);
  }

  #saveTemplate(kind) {
    const asked = { terms: this.study.termsDigest, inputs: this.inputs };
    const { title } = this.study.study.terms;
    const name = `${title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}.${kind}`;
    if (kind === "csv") saveFile(name, templateText(asked), "text/csv");
    else saveFile(name, workbookOf(templateRows(asked), { sheet: title }), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
  }

  #summary(open) {
    const { t } = this;
    const link = ([column, { state }]) => el("li", {}, el("button", { class: "link", type: "button", onclick: () => this.fields.get(column.headings[0])?.focus() },
      this.words.label(column.name)), ` – ${t(state === "ask" ? "form.to_confirm" : "form.to_correct")}`);
    const notice = el("div", { class: "notice wrong", role: "alert", tabIndex: -1 }, el("h2", {}, t("form.look_again", { count: open.length })), el("ul", {}, ...open.map(link)));
    fill(this.message, notice);
    notice.focus();
  }
}
