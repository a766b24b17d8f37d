// A blank template as a workbook: one sheet of inline strings, in an archive of files that are stored as they are.

import { concat, utf8 } from "./bytes.js";
import { cellName } from "./tables.js";

const DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml";
const WIDTHS = [24, 48, 24, 18]; // of columns, in characters
const DATE = 0x21; // 1 January 1980, the first that an archive knows: the same template is the same bytes

/** The workbook of these rows of texts; empty cells are left out. */
export function workbookOf(rows, { sheet }) {
  const cell = (text, row, column) => (text === "" ? ""
    : `<c r="${cellName(row, column)}" t="inlineStr"><is><t xml:space="preserve">${escapeText(text)}</t></is></c>`);
  const lines = rows.map((cells, at) => `<row r="${at + 1}">${cells.map((text, column) => cell(text, at + 1, column + 1)).join("")}</row>`);
  const columns = WIDTHS.map((width, at) => `<col min="${at + 1}" max="${at + 1}" width="${width}" customWidth="1"/>`);
  const name = escapeText(sheet.replace(/[:\\/?*[\]']/g, " ").slice(0, 31).trim() || "Sheet");
  return archiveOf({
    "[Content_Types].xml": `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>`
      + `<Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${TYPE}.worksheet+xml"/></Types>`,
    "_rels/.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    "xl/workbook.xml": `<workbook xmlns="${SHEETS}" xmlns:r="${OFFICE}"><sheets><sheet name="${name}" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
    "xl/worksheets/sheet1.xml": `<worksheet xmlns="${SHEETS}"><cols>${columns.join("")}</cols><sheetData>${lines.join("")}</sheetData></worksheet>`,
  });
}

/** A ZIP archive of texts: local files, the directory, its end (APPNOTE.TXT 4.3; method 0). */
function archiveOf(texts) {
  const files = [];
  const directory = [];
  let offset = 0;
  for (const [path, text] of Object.entries(texts)) {
    const [name, content] = [utf8(path), utf8(DECLARATION + text)];
    // version 2.0, no flags, stored, time and date, checksum, sizes, length of the name, no extra field
    const shared = fields([20, 2], [0, 2], [0, 2], [0, 2], [DATE, 2], [checksum(content), 4], [content.length, 4], [content.length, 4], [name.length, 2], [0, 2]);
    files.push(fields([0x04034b50, 4]), shared, name, content);
    directory.push(fields([0x02014b50, 4], [20, 2]), shared, fields([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), name);
    offset += 4 + shared.length + name.length + content.length;
  }
  const listed = concat(...directory);
  const count = Object.keys(texts).length;
  return concat(...files, listed, fields([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [listed.length, 4], [offset, 4], [0, 2]));
}

/** Numbers as little-endian bytes: [value, how many]. */
function fields(...pairs) {
  return new Uint8Array(pairs.flatMap(([value, count]) => Array.from({ length: count }, (_, at) => (value >>> (8 * at)) & 255)));
}

/** CRC-32 as archives have it, bit by bit: a template is small. */
function checksum(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

function escapeText(text) {
  const named = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, " ").replace(/[&<>"]/g, (sign) => named[sign]);
}
