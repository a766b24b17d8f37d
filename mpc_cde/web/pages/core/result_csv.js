// A verified result as a table for spreadsheets: the same bytes as mpc_cde/result_csv.py and the gateway make.

const COLUMNS = ["function", "figures", "group", "group_value", "parameter", "value", "withheld", "contributors", "definition"];
const FORMULA_SIGNS = /^[=+\-@\t\r]/;

/** One line a value, or one for a cell that is withheld; sealed cells have none. */
export function csvOfResult({ cells }) {
  const lines = [COLUMNS, ...cells.filter(({ sealed }) => sealed === null).flatMap(linesOf)];
  return `${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** Text that a spreadsheet would run as a formula, so that it does not. */
export function harmless(text) {
  return FORMULA_SIGNS.test(text) ? `'${text}` : text;
}

/** A name for each value that a cell has: its bucket; null where there is only one. */
export function bucketNames({ parameters: { edges } }, between) {
  if (!Array.isArray(edges) || edges.length === 0) return null;
  const inner = edges.slice(1).map((high, at) => between(edges[at], high));
  return [between(null, edges[0]), ...inner, between(edges.at(-1), null)];
}

function linesOf(cell) {
  const { group } = cell;
  const begin = [cell.function, cell.figures.join(" "), harmless(group?.attribute ?? ""), harmless(group?.value ?? "")];
  const end = [cell.withheld ?? "", cell.contributors === null ? "" : String(cell.contributors), harmless(cell.definition)];
  const values = cell.values ?? [""];
  const names = namesOf(cell, values.length);
  return values.map((value, at) => [...begin, harmless(names[at]), value, ...end]);
}

/** The percentile or bucket of each value; for one value, and for a withheld cell, all parameters. */
function namesOf(cell, count) {
  const { parameters } = cell;
  if (Array.isArray(parameters.quantiles) && parameters.quantiles.length === count) return parameters.quantiles;
  const words = (low, high) => (low === null ? `below ${high}` : high === null ? `${low} and more` : `${low} to below ${high}`);
  const buckets = cell.values === null ? null : bucketNames(cell, words);
  if (buckets?.length === count) return buckets;
  if (cell.values !== null && count > 1) return Array(count).fill("");
  const named = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return Array(count).fill(named.map(([name, value]) => `${name}=${shown(value)}`).join("; "));
}

function shown(value) {
  if (Array.isArray(value)) return value.join(" ");
  return typeof value === "boolean" ? (value ? "True" : "False") : String(value);
}

function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
