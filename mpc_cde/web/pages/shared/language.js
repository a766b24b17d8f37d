// The page's words: catalogues that a translator can edit, {names} replaced, plurals by the language's own rules.

import { readFile } from "./files.js";

const LANGUAGES = ["en", "nl"];
const KEPT = "mpc-cde/language";

/** The language that was chosen here, else the first of the browser's that there is. */
export function preferredLanguage() {
  const kept = remembered(KEPT);
  const wanted = [kept, ...navigator.languages].filter(Boolean).map((name) => name.slice(0, 2).toLowerCase());
  return wanted.find((name) => LANGUAGES.includes(name)) ?? "en";
}

/** A function from keys to texts; `isRoom`: with the words of rooms. Throws for a key without a text, so that tests find it. */
export async function loadLanguage(language, { isRoom = false } = {}) {
  const files = [`catalogues/${language}.json`, ...(isRoom ? [`catalogues/rooms/${language}.json`] : [])];
  const catalogue = Object.assign(Object.create(null), ...(await Promise.all(files.map((path) => readFile(path)))));
  const plural = new Intl.PluralRules(language);
  document.documentElement.lang = language;
  const translate = (key, values = {}) => {
    const forms = "count" in values ? [`${key}.${plural.select(values.count)}`, `${key}.other`, key] : [key];
    const found = forms.find((form) => form in catalogue);
    if (found === undefined) throw new Error(`catalogue ${language} has no ${key}`);
    return catalogue[found].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
  translate.language = language;
  translate.has = (key) => key in catalogue;
  return translate;
}

/** Remember a choice of language on this device. */
export function chooseLanguage(language) {
  remember(KEPT, language);
}

/** What this device remembers of how somebody likes to read; nothing where a browser keeps nothing. */
export function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Remember it, if the browser does. */
export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch (error) {
    console.info("mpc-cde: not remembered:", error.name);
  }
}

/** A moment in the person's own words. */
export function showTime(timestamp, language, style = "long") {
  return new Date(timestamp).toLocaleString(language, { dateStyle: style, timeStyle: "short" });
}
