// How a person writes numbers: read without guessing, shown back the same way.
//
// A format is its decimal sign and its sign between thousands. What fits the person's own format is taken; what only
// fits another one is refused with the way to write it, since a wrong guess is wrong by a factor of a thousand.

import { BadFigure } from "./errors.js";

const SPACES = /[\s\u00a0\u2009\u202f]/g;
const CURRENCY = /^(-?)(?:EUR|[€$£])|(?:EUR|[€$£%])$/g;
const MAX_CHARACTERS = 40;

export const FORMATS = Object.freeze({
  comma: { decimal: ",", thousands: ".", example: "1.234,56" },
  point: { decimal: ".", thousands: ",", example: "1,234.56" },
});

/** The format that a locale such as "nl-NL" writes numbers in. */
export function formatOf(locale) {
  const parts = new Intl.NumberFormat(locale).formatToParts(1234.5);
  return parts.find(({ type }) => type === "decimal").value === "," ? "comma" : "point";
}

/** Plain decimal text ("1234.56") of what was typed; "" for a blank. Throws BadFigure with `nearest` to write. */
export function readTyped(typed, format) {
  const text = typed.replace(/\u2212/g, "-").replace(SPACES, "").replace(CURRENCY, "$1").replace(/['’](?=\d{3})/g, "");
  if (text === "") return "";
  if (text.length > MAX_CHARACTERS) throw notANumber(null);
  const { decimal, thousands } = FORMATS[format];
  const plain = read(text, decimal, thousands);
  if (plain !== null) return plain;
  const other = read(text, thousands, decimal);
  throw notANumber(other === null ? null : showPlain(other, format));
}

/** Whether the text could mean something else in another format: one sign, three digits behind it. */
export function isAmbiguous(typed, format) {
  const text = typed.replace(SPACES, "");
  const { decimal } = FORMATS[format];
  return new RegExp(`^-?[1-9]\\d{0,2}\\${decimal}\\d{3}$`).test(text);
}

/** Plain decimal text, as `readTyped` or a verified document has it, in the person's own format, thousands separated. */
export function showPlain(plain, format) {
  const { decimal, thousands } = FORMATS[format];
  const [, sign, whole, part] = /^(-?)(\d*)(?:\.(\d*))?$/.exec(plain);
  const grouped = (whole || "0").replace(/\B(?=(\d{3})+$)/g, thousands);
  return `${sign}${grouped}${part ? `${decimal}${part}` : ""}`;
}

function read(text, decimal, thousands) {
  const [d, t] = [`\\${decimal}`, `\\${thousands}`];
  const form = new RegExp(`^(-?)(\\d{1,3}(?:${t}\\d{3})+|\\d+)?(?:${d}(\\d*))?$`);
  const found = form.exec(text);
  if (found === null || !/\d/.test(text)) return null;
  const [, sign, whole = "0", part = ""] = found;
  return `${sign}${whole.replaceAll(thousands, "")}${part ? `.${part}` : ""}`;
}

function notANumber(nearest) {
  return new BadFigure("not a number in the chosen format", { kind: "not_a_number", nearest });
}
