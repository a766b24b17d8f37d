// One figure over the periods that this device remembers: one's own and the median as lines, and the same as a table.

import { showPlain } from "../core/numbers.js";
import { Rational } from "../core/rational.js";
import { drawnToFit, el, stackingTable, svg } from "./dom.js";

const EDGE = 52;
const TOP = 22;
const HEIGHT = 96;
const LINES = ["median", "own"];

/** `points` are { title, closes, own, median } from the earliest on, numbers in plain text or null. */
export function seriesChart({ label, points, format, t }) {
  const day = (closes) => new Date(closes).toLocaleDateString(t.language, { dateStyle: "medium" });
  const shown = (text) => (text === null ? "–" : showPlain(text, format));
  const words = points.map((point) => `${day(point.closes)}: ${LINES.map((name) => `${t(`series.${name}`)} ${shown(point[name])}`).join(", ")}`);
  const title = `${label}. ${words.join("; ")}`;
  return el("div", { class: "series" }, drawnToFit((width) => drawing(points, { width, title, day, t })),
    el("details", {}, el("summary", {}, t("series.table")), stackingTable(t("series.table"), ["period", ...LINES].map((name) => t(`series.${name}`)),
      points.map((point) => [el("th", { scope: "row" }, point.title, " ", el("small", {}, day(point.closes))), ...LINES.map((name) => el("td", { class: "number" }, shown(point[name])))]))));
}

function drawing(points, { width, title, day, t }) {
  const times = points.map(({ closes }) => Date.parse(closes));
  const numbers = points.flatMap((point) => LINES.map((name) => point[name])).filter((text) => text !== null).map(numberOf);
  const [first, last, low, high] = [times[0], times.at(-1), Math.min(...numbers), Math.max(...numbers)];
  const x = (at) => EDGE + ((times[at] - first) / Math.max(last - first, 1)) * (width - 2 * EDGE);
  const y = (number) => TOP + (1 - (number - low) / (high - low || 1)) * HEIGHT;
  const text = (attributes, content) => {
    const element = svg("text", attributes);
    element.textContent = content;
    return element;
  };
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${TOP + HEIGHT + 34}`, role: "img", "aria-label": title });
  for (const name of LINES) {
    const places = points.flatMap((point, at) => (point[name] === null ? [] : [[x(at), y(numberOf(point[name]))]]));
    if (places.length === 0) continue;
    const mark = ([at, up]) => (name === "own" ? `M${at} ${up - 6}l6 6-6 6-6-6z` : `M${at - 5} ${up - 5}h10v10h-10z`);
    chart.append(svg("polyline", { class: `line-${name}`, points: places.map((place) => place.join(",")).join(" ") }),
      ...places.map((place) => svg("path", { class: name === "own" ? "own" : "mark-median", d: mark(place) })));
    const [at, up] = places.at(-1);
    chart.append(text({ class: name === "own" ? "own-text" : "median-text", x: at, y: up - 10, "text-anchor": "end" }, t(`series.${name}`)));
  }
  points.forEach((point, at) => {
    if (at === 0 || at === points.length - 1) chart.append(text({ class: "faint", x: x(at), y: TOP + HEIGHT + 26, "text-anchor": at === 0 ? "start" : "end" }, day(point.closes)));
  });
  return chart;
}

function numberOf(text) {
  return Rational.parse(text).toNumber();
}
