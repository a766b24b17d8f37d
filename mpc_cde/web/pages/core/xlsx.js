// The cells of an XLSX file: a ZIP archive of XML, read with what the browser has and nothing else.
//
// Only what a sheet of figures needs: shared strings, inline strings, numbers as they are stored. Formulas give the
// value that was saved beside them. Anything that does not look right is refused rather than guessed.

import { textOf } from "./bytes.js";
import { TableRefused } from "./tables.js";

const MAX_FILE_BYTES = 8 << 20;
const MAX_PART_BYTES = 16 << 20;
const MAX_CELLS = 100_000;
const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

/** Sheets in order: { name, rows }, rows as lists of texts; numbers in plain decimal text. Throws TableRefused. */
export async function readWorkbook(bytes) {
  if (bytes.length > MAX_FILE_BYTES) throw new TableRefused("file_too_large");
  const parts = directoryOf(bytes);
  const part = async (path) => (parts.has(path) ? textOf(await inflate(bytes, parts.get(path))) : null);
  const workbook = await part("xl/workbook.xml");
  const relations = await part("xl/_rels/workbook.xml.rels");
  if (workbook === null || relations === null) throw new TableRefused("not_xlsx");
  const targets = new Map(elements(relations, "Relationship").map(({ attributes: a }) => [a.get("Id"), a.get("Target")]));
  const strings = elements((await part("xl/sharedStrings.xml")) ?? "", "si").map(({ body }) => plainText(body));
  const sheets = [];
  for (const { attributes } of elements(workbook, "sheet")) {
    const target = targets.get(attributes.get("r:id")) ?? "";
    const path = target.startsWith("/") ? target.slice(1) : `xl/${target}`;
    const sheet = await part(path);
    if (sheet !== null) sheets.push({ name: attributes.get("name") ?? "", rows: rowsOf(sheet, strings) });
  }
  if (sheets.length === 0) throw new TableRefused("not_xlsx");
  return sheets;
}

function rowsOf(sheet, strings) {
  const rows = [];
  let cells = 0;
  for (const { attributes, body } of elements(sheet, "c")) {
    cells += 1;
    if (cells > MAX_CELLS) throw new TableRefused("file_too_large");
    const place = /^([A-Z]{1,3})([1-9][0-9]{0,6})$/.exec(attributes.get("r") ?? "");
    if (place === null) throw new TableRefused("not_xlsx");
    const column = [...place[1]].reduce((sum, letter) => 26 * sum + letter.charCodeAt(0) - 64, 0) - 1;
    const row = Number(place[2]) - 1;
    if (row > MAX_CELLS || column > 16_384) throw new TableRefused("file_too_large");
    const text = cellText(attributes.get("t"), body, strings);
    if (text === "") continue;
    while (rows.length <= row) rows.push([]);
    cells += Math.max(0, column - rows[row].length); // cells that are not in the file are made, so they count
    if (cells > MAX_CELLS) throw new TableRefused("file_too_large");
    while (rows[row].length < column) rows[row].push("");
    rows[row][column] = text;
  }
  return rows;
}

function cellText(kind, body, strings) {
  if (kind === "inlineStr") return plainText(body).trim();
  const value = elements(body, "v")[0]?.body ?? "";
  if (kind === "s") return (strings[Number(value)] ?? "").trim();
  if (kind === "str") return unescape(value).trim();
  if (kind === "e") return unescape(value); // such as #DIV/0!: no number, so the form says so
  return kind === undefined || kind === "n" ? numberText(value) : "";
}

/** A stored double as plain decimals, at the 15 digits that spreadsheets show. */
function numberText(stored) {
  const number = Number(stored);
  if (stored === "" || !Number.isFinite(number)) return stored;
  const [digits, exponent] = number.toExponential(14).split("e");
  const significant = digits.replace(/[-.]/g, "").replace(/0+$/, "") || "0";
  const point = Number(exponent) + 1;
  const whole = point > 0 ? significant.slice(0, point).padEnd(point, "0") : "0";
  const part = point > 0 ? significant.slice(point) : "0".repeat(-point) + significant;
  return `${number < 0 ? "-" : ""}${whole}${part && significant !== "0" ? `.${part}` : ""}`;
}

/** Where each file of the archive lies, from its central directory. */
function directoryOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new TableRefused("not_xlsx");
  const parts = new Map();
  let at = view.getUint32(end + 16, true);
  try {
    for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
      if (view.getUint32(at, true) !== DIRECTORY_ENTRY) throw new TableRefused("not_xlsx");
      const [method, packed, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
      const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
      const local = view.getUint32(at + 42, true);
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      parts.set(textOf(bytes.subarray(at + 46, at + 46 + name)), { method, size, start, end: start + packed });
      at += 46 + name + extra + comment;
    }
  } catch (error) {
    throw error instanceof RangeError ? new TableRefused("not_xlsx") : error;
  }
  return parts;
}

async function inflate(bytes, { method, size, start, end }) {
  if (size > MAX_PART_BYTES || end > bytes.length) throw new TableRefused("file_too_large");
  const packed = bytes.subarray(start, end);
  if (method === 0) return packed;
  if (method !== 8) throw new TableRefused("not_xlsx");
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const pieces = [];
  let length = 0;
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      length += piece.value.length;
      if (length > MAX_PART_BYTES) throw new TableRefused("file_too_large"); // whatever the directory claims
      pieces.push(piece.value);
    }
  } catch (error) {
    throw error instanceof TableRefused ? error : new TableRefused("not_xlsx");
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** Every element of a name, in order, with its attributes and what stands inside it. Elements do not nest in their like. */
function elements(xml, name) {
  const found = [];
  const open = new RegExp(`<(?:\\w+:)?${name}(\\s[^<>]*?)?(/)?>`, "g");
  for (let match = open.exec(xml); match !== null; match = open.exec(xml)) {
    const attributes = new Map(
      [...(match[1] ?? "").matchAll(/([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(([, key, a, b]) => [key, unescape(a ?? b)]),
    );
    let body = "";
    if (match[2] === undefined) {
      const close = new RegExp(`</(?:\\w+:)?${name}\\s*>`, "g");
      close.lastIndex = open.lastIndex;
      const ending = close.exec(xml);
      if (ending === null) throw new TableRefused("not_xlsx");
      body = xml.slice(open.lastIndex, ending.index);
      open.lastIndex = close.lastIndex;
    }
    found.push({ attributes, body });
  }
  return found;
}

/** The text of all <t> inside, without phonetic hints. */
function plainText(xml) {
  return elements(xml.replace(/<(?:\w+:)?rPh[\s>].*?<\/(?:\w+:)?rPh>/gs, ""), "t").map(({ body }) => unescape(body)).join("");
}

function unescape(text) {
  const named = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(\w+));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) return named[name] ?? whole;
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : "";
  });
}
