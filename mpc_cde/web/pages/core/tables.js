// What people have in spreadsheets -> cells by figure: pasted text, CSV files, sheets.
//
// A table is a list of rows, each a list of texts. Three shapes are understood: figures across with their names in the
// first row, figures down with their names in the first column, and bare numbers in the study's order.

import { CallerError } from "./errors.js";
import { harmless } from "./result_csv.js";

export const TEMPLATE_MARK = "mpc-cde";

/** A table of figures that does not fit; `reason` names why, `cell` where, such as "B5". */
export class TableRefused extends CallerError {
  constructor(reason, details = {}) {
    super(`the table does not fit: ${reason}`);
    this.reason = reason;
    this.details = details;
  }
}

/** Rows of text with tabs, semicolons or commas between cells, quoted as spreadsheets quote. */
export function parseText(text) {
  const body = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  // A comma stands between cells only where there are names: bare numbers may have it as their decimal sign.
  const separator = ["\t", ";"].find((sign) => body.includes(sign)) ?? (/\p{L}/u.test(body) ? "," : null);
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < body.length; at += 1) {
    const sign = body[at];
    if (quoted) {
      if (sign === '"' && body[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (sign === '"') quoted = false;
      else cell += sign;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === separator || sign === "\n") {
      row.push(cell.trim());
      cell = "";
      if (sign === "\n") {
        rows.push(row);
        row = [];
      }
    } else cell += sign;
  }
  if (quoted) throw new TableRefused("quotes_open");
  rows.push([...row, cell.trim()]);
  return trimmed(rows);
}

/**
 * Texts by name of input, from a table in one of the three shapes; `where` says which cell each came from.
 * `inputs` are { name, label } in the study's order; `terms` is the study's digest. Throws TableRefused.
 */
export function readFigures(rows, { inputs, terms, from = inputs[0]?.name }) {
  if (rows.length === 0) throw new TableRefused("empty");
  const body = withoutMark(rows, terms);
  const offset = rows.length - body.length;
  const names = new Map(inputs.flatMap(({ name, label }) => [[key(name), name], [key(label), name]]));
  const known = (cells) => cells.map((cell) => names.get(key(cell)) ?? null);
  const across = known(body[0] ?? []);
  if (new Set(across.filter(Boolean)).size > 1 || (body.length > 1 && across.length === 1 && across[0])) {
    return acrossShape(body, across, offset);
  }
  const down = known(body.map(([first]) => first ?? ""));
  if (down.some(Boolean)) return downShape(body, down, { offset, isTemplate: offset > 0 });
  return bareShape(body, inputs, from, offset);
}

/** A blank template, figures down: name, label, unit, value. No text in it is a formula. */
export function templateRows({ terms, inputs }) {
  return [[TEMPLATE_MARK, terms], ...inputs.map(({ name, label, unit }) => [name, harmless(label), harmless(unit ?? ""), ""])];
}

/** The same as CSV for any spreadsheet. */
export function templateText(asked) {
  const quote = (cell) => (/[";\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const rows = templateRows(asked);
  return `\ufeff${rows.map((row) => row.map(quote).join(";")).join("\r\n")}\r\n`;
}

/** The name of a cell as spreadsheets write it: row 5, column 2 (from 1) is B5. */
export function cellName(row, column) {
  let letters = "";
  for (let rest = column; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  }
  return `${letters}${row}`;
}

function withoutMark(rows, terms) {
  if (rows[0][0]?.toLowerCase() !== TEMPLATE_MARK) return rows;
  if (rows[0][1] !== terms) throw new TableRefused("other_study");
  return rows.slice(1);
}

function acrossShape(body, across, offset) {
  const filled = body.slice(1).filter((row) => row.some((cell) => cell !== ""));
  if (filled.length === 0) throw new TableRefused("no_values");
  if (filled.length > 1) throw new TableRefused("several_rows", { rows: filled.length });
  const row = body.indexOf(filled[0]);
  const unknown = body[0].filter((cell, at) => cell !== "" && across[at] === null);
  const found = across.map((name, at) => [name, filled[0][at] ?? "", cellName(offset + row + 1, at + 1)]);
  return collect(found.filter(([name]) => name !== null), unknown);
}

/** Names in the first column; values in the last of a row, or where templates have them: blanks shorten a row. */
function downShape(body, down, { offset, isTemplate }) {
  const found = [];
  const unknown = [];
  const isWide = isTemplate || body.some((row) => row.length >= 4);
  body.forEach((row, at) => {
    if (down[at] === null) {
      if ((row[0] ?? "") !== "") unknown.push(row[0]);
      return;
    }
    const column = isWide ? 3 : Math.max(1, row.length - 1);
    found.push([down[at], row[column] ?? "", cellName(offset + at + 1, column + 1)]);
  });
  if (found.every(([, text]) => text === "")) throw new TableRefused("no_values");
  return collect(found, unknown);
}

function bareShape(body, inputs, from, offset) {
  const numbers = body.flatMap((row, at) => row.map((cell, column) => [cell, cellName(offset + at + 1, column + 1)]));
  const start = inputs.findIndex(({ name }) => name === from);
  if (body.length > 1 && body.some((row) => row.length > 1)) throw new TableRefused("no_names");
  if (numbers.length > inputs.length - start) {
    throw new TableRefused("too_many", { found: numbers.length, expected: inputs.length - start });
  }
  return collect(numbers.map(([text, cell], at) => [inputs[start + at].name, text, cell]), []);
}

function collect(found, unknown) {
  const texts = new Map();
  const where = new Map();
  for (const [name, text, cell] of found) {
    if (texts.has(name)) throw new TableRefused("twice", { name, cell });
    texts.set(name, text);
    where.set(name, cell);
  }
  return { texts, where, unknown };
}

function key(text) {
  return text.trim().toLowerCase().replace(/\s+/g, " ");
}

function trimmed(rows) {
  const filled = rows.map((row) => row.some((cell) => cell !== ""));
  const [first, last] = [filled.indexOf(true), filled.lastIndexOf(true)];
  return first < 0 ? [] : rows.slice(first, last + 1);
}
