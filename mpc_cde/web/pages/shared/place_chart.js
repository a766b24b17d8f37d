// Percentiles of one figure as a band with "you are here": SVG, its words, and the same as a table.

import { showPlain } from "../core/numbers.js";
import { Rational } from "../core/rational.js";
import { drawnToFit, el, svg } from "./dom.js";
import { quantileInWords } from "./words.js";

const EDGE = 46;
const TOP = 44; // of it "you are here" takes most
const BAND = 34;
const LETTER = 7.5; // about as wide as one is
const LEAST_SPAN = 0.4; // of the larger end

/** `marks` are { quantile, value } ascending, value in plain text; `own` is a Rational or null. */
export function placeChart({ label, unit, marks, own, format, t }) {
  const points = marks.map(({ quantile, value }) => ({ quantile, number: Rational.parse(value), shown: showPlain(value, format) }));
  const words = own === null ? null : placeInWords(points, own, t);
  const summary = points.map(({ quantile, shown }) => `${quantileInWords(quantile, t)}: ${shown}`).join("; ");
  const title = [label, unit, summary, words].filter(Boolean).join(". ");
  return el("div", {}, drawnToFit((width) => drawing(points, own, { width, title, format, t })), words && el("p", { class: "place" }, words));
}

/** In which band a value lies, such as "between 20 % and the median". */
export function placeInWords(points, own, t) {
  const name = (at) => {
    const { quantile } = points[at];
    return quantile === "1/2" ? t("place.median") : t("place.mark", { percent: quantileInWords(quantile, t) });
  };
  const above = points.findIndex(({ number }) => own.compare(number) < 0);
  if (above === 0) return t("place.below", { first: name(0) });
  if (above < 0) return t("place.above", { last: name(points.length - 1) });
  return t("place.between", { lower: name(above - 1), upper: name(above) });
}

function drawing(points, own, { width, title, format, t }) {
  const top = own === null ? 12 : TOP;
  const anchor = (x) => (x < 90 ? "start" : x > width - 90 ? "end" : "middle");
  const numbers = [...points.map(({ number }) => number.toNumber()), ...(own === null ? [] : [own.toNumber()])];
  const [low, span] = domain(Math.min(...numbers), Math.max(...numbers));
  const at = (number) => EDGE + ((number.toNumber() - low) / span) * (width - 2 * EDGE);
  const middle = top + BAND / 2;
  const [first, last] = [at(points[0].number), at(points.at(-1).number)];
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${top + BAND + 46}`, role: "img", "aria-label": title },
    svg("line", { class: "axis", x1: 8, x2: width - 8, y1: middle, y2: middle }),
    svg("rect", { class: "band", x: first, y: top, width: Math.max(last - first, 2), height: BAND, rx: 6 }),
    ...points.map(({ number, quantile }) => svg("line", {
      class: quantile === "1/2" ? "middle" : "tick", x1: at(number), x2: at(number), y1: top - 4, y2: top + BAND + 4,
    })));
  const named = points.map(({ number, quantile, shown }) => ({ x: at(number), shown, name: quantileInWords(quantile, t), isMiddle: quantile === "1/2" }));
  for (const { x, shown, name } of withRoom(named, anchor)) {
    const text = svg("text", { x, y: top + BAND + 21, "text-anchor": anchor(x) });
    text.textContent = shown;
    const which = svg("text", { class: "faint", x, y: top + BAND + 38, "text-anchor": anchor(x) });
    which.textContent = name;
    chart.append(text, which);
  }
  if (own !== null) {
    const x = at(own);
    const text = svg("text", { class: "own-text", x, y: 16, "text-anchor": anchor(x) });
    text.textContent = `${t("place.you")}: ${showPlain(String(own), format)}`;
    chart.append(text, svg("line", { class: "own-line", x1: x, x2: x, y1: 23, y2: middle }),
      svg("path", { class: "own", d: `M${x} ${middle - 8}l8 8-8 8-8-8z` }));
  }
  return chart;
}

/** Those whose words do not run into each other, the middle before all others; the table beside has them all. */
function withRoom(named, anchor) {
  const taken = [];
  const begins = { start: 0, middle: 0.5, end: 1 };
  return [...named].sort((a, b) => Number(b.isMiddle) - Number(a.isMiddle)).filter(({ x, shown, name }) => {
    const long = LETTER * (Math.max(shown.length, name.length) + 1);
    const from = x - begins[anchor(x)] * long;
    if (taken.some(([low, high]) => from < high && from + long > low)) return false;
    return taken.push([from, from + long]);
  });
}

/** Where the axis begins and how long it is: never so short that a small difference looks like a great one. */
function domain(low, high) {
  const least = LEAST_SPAN * Math.max(Math.abs(low), Math.abs(high), Number.MIN_VALUE);
  const span = Math.max(high - low, least);
  return [(low + high - span) / 2, span];
}
