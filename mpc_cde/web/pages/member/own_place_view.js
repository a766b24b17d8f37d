// What is for one member alone: its own place, opened with its key, and what changed since the last time on this device.

import { showPlain } from "../core/numbers.js";
import { Rational } from "../core/rational.js";
import { el, fill } from "../shared/dom.js";
import { marksOf } from "../shared/result_view.js";
import { seriesChart } from "../shared/series_chart.js";

const LEAST_FOR_LINES = 3;
const SHOWN_PERIODS = 12;

/** A function from a figure's name to its places in words; `places` are { figures, group, percent, withheld }. */
export function placesOf(places, { words, t }) {
  return (name) => {
    const own = places.filter(({ figures }) => figures[0] === name);
    if (own.length === 0) return null;
    return el("ul", { class: "own-places" }, ...own.map(({ group, percent, withheld }) => {
      const among = group === null ? t("result.everybody") : `${words.label(group.attribute)}: ${group.value}`;
      return el("li", {}, withheld === null ? t("own_place.below", { percent, among }) : t("own_place.withheld", { among }));
    }));
  };
}

/** The offer to ask for one's own place; `onAsk` starts, `progress` is where waiting is told. */
export function askCard({ t, onAsk }) {
  const progress = el("div", { class: "quiet", role: "status" });
  const button = el("button", { type: "button", onclick: async () => {
    button.disabled = true;
    try {
      await onAsk((...said) => fill(progress, ...said));
    } finally {
      button.disabled = false;
    }
  } }, t("own_place.ask"));
  return el("section", { class: "card" }, el("h2", {}, t("own_place.heading")), el("p", { class: "prose" }, t("own_place.lead")), progress, el("div", { class: "actions" }, button));
}

/** What is worth remembering of a study until the next: own figures and published medians, by figure. */
export function periodOf({ study, verified, texts }) {
  const figures = {};
  for (const { name, unit, kind } of study.study.terms.figures) {
    if (kind === "category") continue;
    const cells = verified.flatMap(({ result }) => result.cells).filter((cell) => cell.figures.length === 1 && cell.figures[0] === name && cell.group === null);
    const median = marksOf(cells).find(({ quantile }) => quantile === "1/2")?.value ?? null;
    figures[name] = { unit, own: texts[name] || null, median };
  }
  return { title: study.study.terms.title, closes: study.presentation.closes, figures };
}

/** A function from a figure and its label to what changed since the last period that this device knows of; null without one. */
export function changesSince(periods, now, { format, t }) {
  const earlier = periods.filter(({ closes }) => closes < now.closes).sort((a, b) => (a.closes < b.closes ? 1 : -1));
  return ({ name, unit }, label) => {
    const known = earlier.filter(({ figures }) => figures[name]?.unit === unit);
    const last = known.find(({ figures }) => figures[name].own !== null);
    if (last === undefined) return null;
    const [before, after] = [last.figures[name], now.figures[name]];
    const line = (key, from, to) => {
      if (from === null || to === null) return null;
      const difference = Rational.parse(to).minus(Rational.parse(from));
      const sign = difference.numerator > 0n ? "+" : "";
      return el("li", {}, t(key, { from: showPlain(from, format), to: showPlain(to, format), change: `${sign}${showPlain(String(difference), format)}` }));
    };
    const lines = [line("change.own", before.own, after.own), line("change.median", before.median, after.median)].filter(Boolean);
    if (lines.length === 0) return null;
    const points = [now, ...known].slice(0, SHOWN_PERIODS).reverse().map(({ title, closes, figures }) => ({ title, closes, ...figures[name] }));
    return el("div", { class: "change" }, el("div", { class: "quiet" }, el("p", {}, t("change.since", { title: last.title })), el("ul", {}, ...lines)),
      points.length >= LEAST_FOR_LINES ? seriesChart({ label, points, format, t }) : null);
  };
}
