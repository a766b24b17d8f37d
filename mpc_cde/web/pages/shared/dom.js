// Elements without markup: text stays text, whatever is in it.

/** An element with properties, attributes (names with a dash or in ATTRIBUTES), listeners (on...) and children. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key.includes("-") || !(key in element)) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An SVG element; presentation by attributes and classes only, since inline styles are not allowed. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat().filter(Boolean));
  return element;
}

/** What may be wider than the page: it scrolls by itself, by keyboard too, under a name that readers hear. */
export function scrolling(label, ...children) {
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, ...children);
}

/**
 * A table that has columns where there is room, and where there is none (a telephone) a small sheet for each row.
 * `heads` are texts, `rows` lists of cells; the first cell of a row is its name.
 */
export function stackingTable(label, heads, rows) {
  return scrolling(label, stacked(heads, rows));
}

/** The table alone. */
export function stacked(heads, rows) {
  for (const cells of rows) cells.forEach((cell, at) => { cell.dataset.label = heads[at]; });
  const isNumber = (at) => rows.some((cells) => cells[at].classList.contains("number"));
  return el("table", { class: "stack" },
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", class: isNumber(at) ? "number" : null }, head)))),
    el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells))));
}

const WIDE = 640;
const NARROW = 330; // so that words in a drawing keep their size on a telephone

/** What `draw(width)` makes for the room there is, and again when that changes: a telephone is turned, a page is printed. */
export function drawnToFit(draw) {
  const narrow = matchMedia("(max-width: 40rem)");
  const place = el("div");
  const again = () => fill(place, draw(narrow.matches ? NARROW : WIDE));
  const changed = () => (place.isConnected ? again() : narrow.removeEventListener("change", changed));
  narrow.addEventListener("change", changed);
  again();
  return place;
}

/** Put other children into an element, in one go. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Hand a file to the person. */
export function saveFile(name, content, type = "application/json") {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
