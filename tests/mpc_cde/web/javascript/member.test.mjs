// What only pages have: numbers as people write them, tables, recovery files, personal links, words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../../../mpc_cde/web/pages/core/bytes.js";
import { BadDocument, BadFigure, CallerError } from "../../../../mpc_cde/web/pages/core/errors.js";
import { parseInvitation } from "../../../../mpc_cde/web/pages/core/invitation.js";
import { formatOf, isAmbiguous, readTyped, showPlain } from "../../../../mpc_cde/web/pages/core/numbers.js";
import { Rational } from "../../../../mpc_cde/web/pages/core/rational.js";
import { lockKeys, readRecoveryFile, unlockKeys } from "../../../../mpc_cde/web/pages/core/recovery.js";
import { cellName, parseText, readFigures, TableRefused, templateRows, templateText } from "../../../../mpc_cde/web/pages/core/tables.js";
import { workbookOf } from "../../../../mpc_cde/web/pages/core/xlsx_template.js";
import { readWorkbook } from "../../../../mpc_cde/web/pages/core/xlsx.js";

const INPUTS = [
  { name: "sales", label: "Annual sales", unit: "EUR" },
  { name: "margin", label: "Margin; of all goods", unit: "%" },
  { name: "staff", label: "Staff", unit: "" },
];
const TERMS = "the-study";
const read = (text, more = {}) => Object.fromEntries(readFigures(parseText(text), { inputs: INPUTS, terms: TERMS, ...more }).texts);
const refused = (reason) => (error) => error instanceof TableRefused && error.reason === reason;

test("formats of locales", () => {
  assert.deepEqual(["nl-NL", "de-DE", "en-GB", "en-US"].map(formatOf), ["comma", "comma", "point", "point"]);
});

test("numbers are read in the person's own format", () => {
  const cases = [
    ["1.234,56", "comma", "1234.56"], ["1,234.56", "point", "1234.56"], ["1234,5", "comma", "1234.5"], ["-12", "comma", "-12"],
    [" 1 234 567 ", "point", "1234567"], ["\u2212" + "5", "point", "-5"], ["€ 1.000", "comma", "1000"], ["12 %", "comma", "12"],
    ["1'000", "point", "1000"], [",5", "comma", "0.5"], ["5,", "comma", "5"], ["", "point", ""], ["   ", "point", ""], ["1.234", "comma", "1234"],
    ["1.234", "point", "1.234"], ["0012", "point", "0012"],
  ];
  for (const [typed, format, plain] of cases) assert.equal(readTyped(typed, format), plain, typed);
});

test("what is no number, or one of another format, is refused with the way to write it", () => {
  const cases = [
    ["1234.56", "comma", "1.234,56"], ["1.234,56", "point", "1,234.56"], ["12.34.56", "comma", null], ["1e3", "point", null],
    ["abc", "point", null], ["1,2,3", "point", null], ["--1", "point", null], ["1".repeat(41), "point", null], ["NaN", "point", null], ["1.23", "comma", "1,23"],
  ];
  for (const [typed, format, nearest] of cases) {
    assert.throws(() => readTyped(typed, format), (error) => error instanceof BadFigure && error.nearest === nearest, typed);
  }
});

test("a sign that may mean two things is asked about", () => {
  assert.equal(isAmbiguous("1.234", "point"), true);
  for (const typed of ["1,234", "1.23", "1234.567", "0.234"]) assert.equal(isAmbiguous(typed, "point"), false, typed);
});

test("numbers are shown as people write them, and read back", () => {
  for (const plain of ["0", "-0.5", "1234567.89", "100", "-1000", "12.5"]) {
    for (const format of ["comma", "point"]) assert.equal(readTyped(showPlain(plain, format), format), plain);
  }
  assert.equal(showPlain("1234567.8", "comma"), "1.234.567,8");
});

test("rationals", () => {
  assert.equal(String(new Rational(-7n, 2n)), "-3.5");
  assert.equal(new Rational(-7n, 2n).floor(), -4n);
  assert.equal(new Rational(6n, -4n).numerator, -3n);
  assert.throws(() => Rational.parse("1/2"), BadFigure);
});

test("tables across, down and bare", () => {
  const expected = { sales: "100", margin: "2,5", staff: "" };
  assert.deepEqual(read("sales\tmargin\tstaff\n100\t2,5\t"), expected);
  assert.deepEqual(read("Annual sales;\"Margin; of all goods\";Staff\n100;2,5;"), expected);
  assert.deepEqual(read("sales;100\nmargin;2,5\nstaff;"), expected);
  assert.deepEqual(read("100\n2,5\n7"), { sales: "100", margin: "2,5", staff: "7" });
  assert.deepEqual(read("2,5\t7", { from: "margin" }), { margin: "2,5", staff: "7" });
});

test("a blank template comes back as it went, filled", () => {
  const rows = parseText(templateText({ terms: TERMS, inputs: INPUTS }));
  assert.deepEqual(rows[2].slice(0, 3), ["margin", "Margin; of all goods", "%"]);
  rows[1][3] = "12";
  const { texts, where } = readFigures(rows, { inputs: INPUTS, terms: TERMS });
  assert.deepEqual([texts.get("sales"), where.get("sales")], ["12", "D2"]);
  assert.throws(() => readFigures(rows, { inputs: INPUTS, terms: "another" }), refused("other_study"));
});

test("the same as a workbook, which spreadsheets and this page read", async () => {
  const inputs = [{ name: "sales", label: "Sales <all> & more", unit: "\u20ac" }, { name: "staff", label: "=1+2", unit: "" }];
  const rows = templateRows({ terms: TERMS, inputs });
  const bytes = workbookOf(rows, { sheet: "Sales: of [all] shops? A name that is too long for a sheet" });
  const [sheet] = await readWorkbook(bytes);
  assert.equal(sheet.name, "Sales  of  all  shops  A name t");
  assert.deepEqual(sheet.rows, rows.map((row) => row.slice(0, row.findLastIndex((cell) => cell !== "") + 1)));
  assert.deepEqual(workbookOf(rows, { sheet: "Sales" }), workbookOf(rows, { sheet: "Sales" }));
  const filled = sheet.rows.map((row, at) => (at === 1 ? [...row.slice(0, 3), "12"] : row));
  assert.deepEqual(Object.fromEntries(readFigures(filled, { inputs, terms: TERMS }).texts), { sales: "12", staff: "" }); // a blank is no unit
  assert.throws(() => readFigures(sheet.rows, { inputs, terms: TERMS }), refused("no_values"));
});

test("no word of a study is a formula in the template", () => {
  const inputs = [{ name: "sales", label: "=HYPERLINK(\"https://evil.example\")", unit: "@SUM(1)" }, { name: "staff", label: "-1+2", unit: "+1" }];
  const cells = parseText(templateText({ terms: TERMS, inputs })).flat();
  assert.equal(cells.some((cell) => /^[=+\-@\t\r]/.test(cell)), false);
  assert.deepEqual(readFigures(parseText("sales;1\nstaff;2"), { inputs, terms: TERMS }).texts.get("staff"), "2");
});

test("tables that do not fit say why", () => {
  const cases = [
    ["", "empty"], ["sales\tmargin\n1\t2\n3\t4", "several_rows"], ["sales\tmargin\n\t", "no_values"], ["1\n2\n3\n4", "too_many"],
    ["a\tb\n1\t2", "no_names"], ["sales;1\nsales;2", "twice"], ["\"open", "quotes_open"],
  ];
  for (const [text, reason] of cases) assert.throws(() => read(text), refused(reason), reason);
});

test("names of cells", () => {
  assert.deepEqual([cellName(1, 1), cellName(5, 2), cellName(9, 26), cellName(9, 27), cellName(9, 703)], ["A1", "B5", "Z9", "AA9", "AAA9"]);
});

test("what is no workbook is refused", async () => {
  for (const bytes of [new Uint8Array(), utf8("PK\u0003\u0004 but no more"), new Uint8Array(100).fill(80)]) {
    await assert.rejects(readWorkbook(bytes), refused("not_xlsx"));
  }
});

/** A ZIP archive of uncompressed files: { path: text }. */
function archive(files) {
  const entries = Object.entries(files).map(([path, text]) => ({ path: utf8(path), body: utf8(text) }));
  const [locals, directory] = [[], []];
  let at = 0;
  for (const { path, body } of entries) {
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, path.length, true);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint32(20, body.length, true);
    entry.setUint32(24, body.length, true);
    entry.setUint16(28, path.length, true);
    entry.setUint32(42, at, true);
    locals.push(new Uint8Array(local.buffer), path, body);
    directory.push(new Uint8Array(entry.buffer), path);
    at += 30 + path.length + body.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(16, at, true);
  return new Uint8Array([...locals, ...directory, new Uint8Array(end.buffer)].flatMap((piece) => [...piece]));
}

function sheetOf(cells) {
  return archive({
    "xl/workbook.xml": '<workbook><sheet name="1" r:id="a"/></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="a" Target="s.xml"/></Relationships>',
    "xl/s.xml": cells.map((place) => `<c r="${place}"><v>1</v></c>`).join(""),
  });
}

test("a few cells far to the right do not become a sheet that fills the memory", async () => {
  assert.deepEqual(await readWorkbook(sheetOf(["B2"])), [{ name: "1", rows: [[], ["", "1"]] }]);
  await assert.rejects(readWorkbook(sheetOf([1, 2, 3, 4, 5, 6, 7].map((row) => `XFC${row}`))), refused("file_too_large"));
});

test("a recovery file opens with its passphrase alone", async () => {
  const secrets = { signing: new Uint8Array(32).fill(1), sealing: new Uint8Array(32).fill(2) };
  const publics = { signing: "A".repeat(43), sealing: "A".repeat(1621) + "A" };
  publics.sealing = Buffer.alloc(1216).toString("base64url");
  const passphrase = "flour water salt yeast";
  const file = await lockKeys({
    community: "a".repeat(25), registerId: "B1", secrets, publics, passphrase, randomBytes: async (n) => new Uint8Array(n).fill(9), iterations: 100_000,
  });
  const parsed = readRecoveryFile(file);
  assert.deepEqual(await unlockKeys(parsed, passphrase), secrets);
  await assert.rejects(unlockKeys(parsed, "flour water salt yeasT"), CallerError);
  await assert.rejects(unlockKeys({ ...parsed, register_id: "B2" }, passphrase), CallerError); // bound to the rest
  assert.throws(() => readRecoveryFile(utf8("{}")), BadDocument);
  assert.equal(new TextDecoder().decode(file).includes(Buffer.from(secrets.signing).toString("base64url")), false);
  const short = { community: "a".repeat(25), registerId: "B1", secrets, publics, passphrase: "short", randomBytes: async (n) => new Uint8Array(n) };
  await assert.rejects(lockKeys(short), CallerError);
});

test("personal links", () => {
  const community = "abcde-fghij-klmno-pqrst-uvwxy";
  assert.deepEqual(parseInvitation(`#community=${community}&register=B1&name=A+%26+B&reply=a%40b.example`), {
    community: community.replaceAll("-", ""), registerId: "B1", name: "A & B", replyTo: "a@b.example",
  });
  assert.equal(parseInvitation(""), null);
  assert.equal(parseInvitation(`#community=${community}&register=B1&reply=a@b?cc=c@d`).replyTo, null);
  assert.throws(() => parseInvitation(`#community=${community}`), BadDocument);
  assert.throws(() => parseInvitation("#community=abc&register=B1"), BadDocument);
  for (const hidden of ["\u202e", "\u2066", "\u0007", "\n"]) {
    for (const field of ["register", "name"]) {
      const link = new URLSearchParams({ community, register: "B1", [field]: `A${hidden}B` });
      assert.throws(() => parseInvitation(`#${link}`), BadDocument, field);
    }
  }
});
