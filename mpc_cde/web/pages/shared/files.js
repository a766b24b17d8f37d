// Files of the pages that are no modules: from the origin that served this one, or from inside a page that was saved.

const kept = globalThis.document?.getElementById("saved-files") ?? null;
const saved = kept === null ? null : JSON.parse(kept.textContent);

/** A JSON file by its path under the origin. */
export async function readFile(path) {
  if (saved !== null) return saved[path];
  const answer = await fetch(new URL(`../${path}`, import.meta.url), { cache: path === "settings.json" ? "no-store" : "default" });
  return answer.json();
}

/** The address of the mark beside the name. */
export const MARK = saved === null ? "style/mark.svg" : saved["style/mark.svg"];
