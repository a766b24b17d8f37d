// Counts in classes as bars, each with its words and number beside it; the table says the same.

import { drawnToFit, svg } from "./dom.js";

const ROW = 30;
const NUMBER = 56;

/** `bars` are { what, shown, size }, size a count. */
export function barChart(shown) {
  return drawnToFit((width) => drawing(shown, width));
}

function drawing({ label, bars }, width) {
  const words = Math.min(0.45 * width, 9 * Math.max(...bars.map(({ what }) => what.length)));
  const most = Math.max(1, ...bars.map(({ size }) => size));
  const title = `${label}. ${bars.map(({ what, shown }) => `${what}: ${shown}`).join("; ")}`;
  const text = (attributes, content) => {
    const element = svg("text", attributes);
    element.textContent = content;
    return element;
  };
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${bars.length * ROW + 8}`, role: "img", "aria-label": title },
    ...bars.flatMap(({ what, shown, size }, at) => {
      const y = at * ROW + 6;
      const long = ((width - words - NUMBER) * size) / most;
      return [
        text({ x: words - 8, y: y + 15, "text-anchor": "end" }, what),
        svg("rect", { class: "core", x: words, y, width: Math.max(long, 1), height: ROW - 9, rx: 4 }),
        text({ class: "faint", x: words + Math.max(long, 1) + 8, y: y + 15 }, shown),
      ];
    }));
}
