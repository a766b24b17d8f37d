// A study in the reader's language, where its presentation has it; in its own words otherwise.

export function wordsOf({ study, presentation }, language) {
  const { terms } = study;
  const own = terms.language.slice(0, 2) === language;
  const key = Object.keys(presentation.translations).find((name) => name.slice(0, 2) === language);
  const translated = own || key === undefined ? null : presentation.translations[key];
  const figures = new Map(terms.figures.map((figure) => [figure.name, figure.label]));
  const groups = new Map(terms.groups.map((group) => [group.attribute, group.label]));
  return {
    title: translated?.title ?? terms.title,
    purpose: translated?.purpose ?? terms.purpose,
    consent: translated?.consent ?? terms.consent,
    label: (name) => translated?.labels[name] ?? figures.get(name) ?? groups.get(name) ?? name.replaceAll("_", " "),
    help: (name) => translated?.help[name] ?? presentation.help[name] ?? null,
  };
}

/** A function of a study as people call it: "median of Electricity, by Region". */
export function functionInWords(one, words, t) {
  const [name] = one.function.split("@");
  const key = t.has(`function.${name}`) ? `function.${name}` : "function.other";
  const figures = one.figures.map(words.label).join(", ");
  const { quantiles } = one.parameters;
  const which = Array.isArray(quantiles) ? quantiles.map((quantile) => quantileInWords(quantile, t)).join(", ") : "";
  const by = one.by === null || one.by === undefined ? "" : ` ${t("function.by", { group: words.label(one.by) })}`;
  return t(key, { figures, which, name }) + by;
}

/** "1/2" as "median", "1/5" as "20 %". */
export function quantileInWords(quantile, t) {
  if (quantile === "1/2") return t("quantile.median");
  const [numerator, denominator] = quantile.split("/").map(Number);
  return `${Number(((100 * numerator) / denominator).toFixed(2))} %`;
}
