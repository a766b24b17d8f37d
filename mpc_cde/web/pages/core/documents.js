// The documents that a member and a reader of results need, as strictly as Python reads them.
//
// Parsed documents are the JSON values themselves: byte strings stay base64url text in its one form.

import { canonicalBytes, parseCanonical } from "./canonical.js";
import { digestOf, sha256, utf8 } from "./bytes.js";
import { leadingDigits, product } from "./encoding.js";
import { BadDocument } from "./errors.js";
import { Rational } from "./rational.js";
import * as s from "./schema.js";

const MIB = 1 << 20;

/** The cell of the members that left a category blank. */
export const BLANK = "blank";

const PUBLIC_KEY_BYTES = { "x-wing/hkdf-sha256/aes-256-gcm": 1216, "x25519/hkdf-sha256/aes-256-gcm": 32 };

const digest = s.bytes(32);
const identifier = s.text({ min: 1, max: 64, pattern: /^[a-z][a-z0-9_]*$/ });
const functionName = s.text({ min: 1, max: 80, pattern: /^[a-z][a-z0-9_]*@[1-9][0-9]*$/ });
const decimal = s.text({ max: 64, pattern: /^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$/ });
const shortText = s.shown({ min: 1, max: 200 });
const longText = s.shown({ max: 20_000, lines: true });
const language = s.text({ min: 1, max: 35, pattern: /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/ });
const partyIndex = s.integer(0, 15);
const sequence = s.integer(1);
const count = s.integer(0);

function timestamp(value, path) {
  s.text({ max: 20, pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/ })(value, path);
  const moment = new Date(value);
  const same = !Number.isNaN(moment.getTime()) && moment.toISOString() === value.replace("Z", ".000Z");
  if (!same || value.startsWith("0000")) s.fail(path, "a time in UTC to the second");
}

export const SCALARS = { decimal, timestamp, identifier, function: functionName };

const sealingKey = s.object({
  suite: s.oneOf(...Object.keys(PUBLIC_KEY_BYTES)), key: s.bytes(32, 1216),
}, (key, path) => s.bytes(PUBLIC_KEY_BYTES[key.suite])(key.key, `${path}.key`));

const role = s.object({ name: identifier, label: shortText, key: digest });

const partyCard = s.object({
  type: s.oneOf("party-card/v1"),
  name: shortText,
  role: shortText,
  identity_key: digest,
  mesh_address: s.text({ max: 300, pattern: /^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[1-9][0-9]{0,4}$/ }),
  mesh_certificate: s.bytes(64, 8192),
  pages_origin: s.nullable(s.text({
    max: 300,
    pattern: /^(https:\/\/([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])|http:\/\/(127\.0\.0\.1|localhost|\[::1\]))(:[1-9][0-9]{0,4})?$/,
  })),
  contact: shortText,
}, (card, path) => {
  const port = Number(card.mesh_address.slice(card.mesh_address.lastIndexOf(":") + 1));
  s.requireThat(port <= 65535, path, "a port is at most 65535");
});

const community = s.object({
  type: s.oneOf("community/v1"),
  name: shortText,
  cards: s.list(partyCard, { min: 3, max: 16 }),
  threshold: s.integer(1, 7),
  registrars: s.list(role, { min: 1, max: 64 }),
  stewards: s.list(role, { min: 1, max: 64 }),
  membership_rule: s.oneOf("countersigned", "registrar_alone"),
  suites: s.list(s.oneOf(...Object.keys(PUBLIC_KEY_BYTES)), { min: 1, max: 2 }),
  version: s.integer(1, 1_000_000),
  previous: s.nullable(digest),
}, (value, path) => {
  s.requireThat(2 * value.threshold + 1 <= value.cards.length, path, "2 t + 1 may not exceed the number of parties");
  for (const name of ["name", "identity_key", "mesh_address", "mesh_certificate"]) {
    s.requireThat(s.areUnique(value.cards.map((card) => card[name])), path, `the parties' ${name} must differ`);
  }
  for (const roles of [value.registrars, value.stewards]) {
    for (const name of ["name", "key"]) s.requireThat(s.areUnique(roles.map((one) => one[name])), path, `${name} must differ`);
  }
  s.requireThat(s.areUnique(value.suites), path, "suites must differ");
  s.requireThat((value.version === 1) === (value.previous === null), path, "version 1 alone names none before it");
});

const membership = s.object({
  type: s.oneOf("membership/v1"),
  community: digest,
  member: s.bytes(16),
  signing_key: digest,
  sealing_key: sealingKey,
  attributes: s.dictionary(identifier, shortText, { max: 64 }),
  holding: s.nullable(shortText),
  sole_trader: s.boolean,
  valid_from: timestamp,
  valid_until: timestamp,
  registrar: identifier,
  register_id: digest,
}, validityHasLength);

const researcher = s.object({
  type: s.oneOf("researcher/v1"),
  community: digest,
  name: shortText,
  signing_key: digest,
  sealing_key: sealingKey,
  functions: s.list(functionName, { min: 1, max: 64 }),
  studies: s.nullable(s.list(digest, { max: 256 })),
  valid_from: timestamp,
  valid_until: timestamp,
}, validityHasLength, (value, path) => {
  s.requireThat(s.areUnique(value.functions) && s.areUnique(value.studies ?? []), path, "functions and studies must differ");
});

const formula = s.object({
  operation: s.oneOf("sum", "product", "difference", "ratio", "growth"),
  operands: s.list(identifier, { min: 2, max: 16 }),
  scale: decimal,
}, (value, path) => {
  const two = ["difference", "ratio", "growth"].includes(value.operation);
  s.requireThat(!two || value.operands.length === 2, path, `${value.operation} takes two operands`);
});

const figure = s.object({
  name: identifier,
  label: shortText,
  unit: s.shown({ max: 40 }),
  kind: s.oneOf("number", "category"),
  categories: s.list(shortText, { max: 128 }),
  minimum: s.nullable(decimal),
  step: s.nullable(decimal),
  radices: s.list(s.integer(2, 128), { min: 1, max: 59 }),
  publish_step: s.nullable(decimal),
  rounds: s.boolean,
  soft_minimum: s.nullable(decimal),
  soft_maximum: s.nullable(decimal),
  blank_allowed: s.boolean,
  derived: s.nullable(formula),
  tier: s.oneOf("open", "restricted", "private"),
}, figureIsSound);

const parameterText = s.shown({ max: 80 });
const parameters = s.dictionary(
  identifier,
  s.either(s.boolean, s.integer(Number.MIN_SAFE_INTEGER), parameterText, s.list(parameterText, { max: Infinity })),
  { max: 16 },
);
const names = s.list(identifier, { min: 1, max: 64 });

const functionTerms = s.object({
  function: functionName,
  figures: names,
  by: s.nullable(identifier),
  parameters,
  grid: s.nullable(decimal),
  edges: s.list(decimal, { max: 128 }),
  epsilon: s.nullable(decimal),
  delta: s.nullable(decimal),
  scheduled: s.boolean,
  audience: s.oneOf("public", "contributors", "researchers", "self"),
}, (value, path) => {
  const edges = value.edges.map(Rational.parse);
  s.requireThat(edges.every((edge, at) => at === 0 || edges[at - 1].compare(edge) < 0), path, "edges must ascend");
  const twice = ["grid", "edges"].find((name) => Object.hasOwn(value.parameters, name));
  s.requireThat(twice === undefined, path, `${twice} stands in its own field, not among the parameters`);
});

const minimum = s.integer(2, 1_000_000);
const disclosure = s.object({
  name: identifier,
  minimum_contributors: minimum,
  minimum_contributors_group: minimum,
  minimum_contributors_negative: s.nullable(minimum),
  allow_exact: s.boolean,
  dominance: s.nullable(s.object({ contributors: s.integer(1, 16), percent: s.integer(1, 99) })),
  p_percent: s.nullable(digest),
  complementary: s.boolean,
  waivers: s.boolean,
  reciprocity: s.boolean,
  minimum_age_months: s.integer(0, 120),
}, (value, path) => {
  const least = value.minimum_contributors;
  s.requireThat(value.minimum_contributors_group >= least, path, "groups may not be looser");
  s.requireThat((value.minimum_contributors_negative ?? least) >= least, path, "negative figures may not be looser");
});

const studyTerms = s.object({
  type: s.oneOf("study-terms/v1"),
  community: digest,
  title: shortText,
  purpose: longText,
  language,
  consent: longText,
  figures: s.list(figure, { min: 1, max: 256 }),
  groups: s.list(s.object({
    attribute: identifier, label: shortText, values: s.list(shortText, { min: 1, max: 256 }),
  }, (group, path) => s.requireThat(s.areUnique(group.values), path, "values must differ")), { max: 64 }),
  eligibility: s.list(s.object({
    attribute: identifier, values: s.list(shortText, { min: 1, max: 256 }),
  }), { max: 16 }),
  eligible_list: s.nullable(digest),
  roster_cap: s.integer(2, 1 << 27),
  functions: s.list(functionTerms, { min: 1, max: 1024 }),
  disclosure,
  engine: s.oneOf("passive", "verified"),
  budget: s.object({ queries: s.integer(0, 1_000_000), epsilon: s.nullable(decimal), delta: s.nullable(decimal) }),
  retention_days: s.integer(1, 3660),
}, namesResolve);

const texts = s.dictionary(identifier, longText, { max: 512 });
const presentation = s.object({
  help: texts,
  translations: s.dictionary(language, s.object({
    title: shortText, purpose: longText, consent: longText,
    labels: s.dictionary(identifier, shortText, { max: 512 }), help: texts,
  }), { max: 32 }),
  opens: timestamp,
  closes: timestamp,
}, (value, path) => s.requireThat(value.opens < value.closes, path, "closes must come after opens"));

const study = s.object({ type: s.oneOf("study/v1"), terms: studyTerms, presentation, steward: identifier });
const amendment = s.object({ type: s.oneOf("amendment/v1"), study_terms: digest, previous: digest, presentation });
const approval = s.object({
  type: s.oneOf("approval/v1"), study: digest, study_terms: digest, party: partyIndex, sealing_key: sealingKey,
});

const submission = s.object({
  type: s.oneOf("submission/v1"),
  study_terms: digest,
  member: s.bytes(16),
  sequence,
  replaces: s.nullable(digest),
  seed_hashes: s.list(digest, { min: 3, max: 11440 }),
  correction: digest,
  envelopes: s.list(digest, { min: 3, max: 16 }),
  consent: digest,
  waiver: s.boolean,
}, (value, path) => {
  const m = value.envelopes.length;
  const possible = Array.from({ length: Math.floor((m - 1) / 2) }, (_, t) => binomial(m, t + 1));
  s.requireThat(possible.includes(value.seed_hashes.length), path, "expected a seed for every t-subset");
  s.requireThat(s.areUnique(value.seed_hashes), path, "every subset has its own seed");
  s.requireThat(value.replaces !== null || value.sequence <= 1000, path, "a first sequence is at most 1000");
});

const withdrawal = s.object({ type: s.oneOf("withdrawal/v1"), study_terms: digest, member: s.bytes(16), sequence });

const receipt = s.object({
  type: s.oneOf("receipt/v1"),
  study_terms: digest,
  submission: digest,
  party: partyIndex,
  verdict: s.oneOf("accepted", "refused"),
  reason: s.nullable(identifier),
  explanation: s.nullable(shortText),
}, (value, path) => {
  const refused = value.verdict === "refused";
  const fits = (value.reason !== null) === refused && (value.explanation !== null) === refused;
  s.requireThat(fits, path, "reasons are given exactly when the submission is refused");
});

const withdrawalReceipt = s.object({
  type: s.oneOf("withdrawal-receipt/v1"), study_terms: digest, withdrawal: digest, party: partyIndex,
});

const groups = s.dictionary(identifier, shortText, { max: 64 });
const rosterEntry = s.object({ submission: digest, membership: digest, holding: s.nullable(shortText), groups });

/** What a gateway answers with: the own entry, its row, the way to the root. */
export const rosterProof = s.object({ entry: rosterEntry, row: count, proof: s.list(digest, { max: 32 }) });

const roster = s.object({
  type: s.oneOf("roster/v1"),
  study_terms: digest,
  count,
  merkle_root: digest,
  registrars: s.list(s.object({ registrar: identifier, count }), { max: 64 }),
}, (value, path) => {
  const sum = value.registrars.reduce((total, entry) => total + entry.count, 0);
  s.requireThat(value.registrars.length === 0 || sum === value.count, path, "registrars must add up to the count");
  const sorted = value.registrars.every((entry, at) => at === 0 || value.registrars[at - 1].registrar < entry.registrar);
  s.requireThat(sorted, path, "registrars must be sorted");
});

const checkedRoster = s.object({
  type: s.oneOf("checked-roster/v1"),
  study_terms: digest,
  roster: digest,
  removed: s.list(s.object({ submission: digest, fault: identifier }), { max: 1 << 17 }),
  parties: s.list(partyIndex, { min: 3, max: 15 }),
}, (value, path) => {
  s.requireThat(s.ascend(value.removed.map((entry) => entry.submission)), path, "removed must be sorted");
  s.requireThat(integersAscend(value.parties) && value.parties.length % 2 === 1, path, "parties: 2 t + 1, sorted");
});

const groupCell = s.nullable(s.object({ attribute: identifier, value: shortText }));
const queryItem = s.object({ function: functionName, figures: names, group: groupCell, parameters });
const query = s.object({
  type: s.oneOf("query/v1"),
  study_terms: digest,
  items: s.list(queryItem, { min: 1, max: 1024 }),
  asker_kind: s.oneOf("researcher", "member"),
  asker: digest,
  nonce: s.bytes(16),
  expires: timestamp,
}, (value, path) => {
  s.requireThat(s.areUnique(value.items.map((item) => canonicalKey(item))), path, "items must differ");
});

const decision = s.object({
  type: s.oneOf("decision/v1"),
  study_terms: digest,
  query: digest,
  checked_roster: digest,
  party: partyIndex,
  answer: s.oneOf("yes", "no"),
  rule: identifier,
  explanation: shortText,
});

const cell = s.object({
  function: functionName,
  figures: names,
  group: groupCell,
  parameters,
  values: s.nullable(s.list(decimal, { min: 1, max: 1024 })),
  sealed: s.nullable(s.list(s.bytes(48, 1 << 16), { min: 3, max: 15 })),
  withheld: s.nullable(s.oneOf("minimum", "disclosure")),
  contributors: s.nullable(count),
  definition: longText,
}, (value, path) => {
  const given = [value.values, value.sealed, value.withheld].filter((part) => part !== null).length;
  s.requireThat(given === 1, path, "a cell is answered, or says by which rule it is withheld");
  s.requireThat(value.withheld === null || value.contributors === null, path, "a withheld cell counts nobody");
});

const result = s.object({
  type: s.oneOf("result/v1"),
  job: digest,
  study_terms: digest,
  checked_roster: digest,
  query: s.nullable(digest),
  scheduled_function: s.nullable(count),
  cells: s.list(cell, { min: 1, max: 4096 }),
  engine: s.oneOf("passive", "verified"),
  parties: s.list(partyIndex, { min: 3, max: 16 }),
  time: timestamp,
  log_heads: s.list(s.object({ party: partyIndex, head: digest, length: count }), { max: 16 }),
}, (value, path) => {
  const heads = value.log_heads.map((head) => head.party);
  s.requireThat(integersAscend(value.parties) && integersAscend(heads), path, "parties must be sorted");
  s.requireThat((value.query === null) === (value.scheduled_function !== null), path, "a query, or a scheduled function");
});

/** Check and size of every type that is read here. */
const KINDS = {
  "party-card/v1": [partyCard, MIB],
  "community/v1": [community, MIB],
  "membership/v1": [membership, MIB],
  "researcher/v1": [researcher, MIB],
  "study/v1": [study, MIB],
  "amendment/v1": [amendment, MIB],
  "approval/v1": [approval, MIB],
  "submission/v1": [submission, MIB],
  "withdrawal/v1": [withdrawal, MIB],
  "receipt/v1": [receipt, MIB],
  "withdrawal-receipt/v1": [withdrawalReceipt, MIB],
  "roster/v1": [roster, MIB],
  "checked-roster/v1": [checkedRoster, 16 * MIB],
  "query/v1": [query, MIB],
  "decision/v1": [decision, MIB],
  "result/v1": [result, 8 * MIB],
};

export const DOCUMENT_TYPES = Object.freeze(Object.keys(KINDS));

/** The document whose canonical bytes are exactly `payload`. Throws BadDocument, quoting no value. */
export function parseDocument(type, payload) {
  const kind = KINDS[type];
  if (kind === undefined) throw new BadDocument(`a type of document that is not read here: ${type}`);
  const [check, maxBytes] = kind;
  const document = parseCanonical(payload, { maxBytes });
  check(document, "");
  return document;
}

/** The media type that is signed with a payload: "study/v1" -> application/vnd.mpc-cde.study.v1+json. */
export function payloadTypeOf(type) {
  const [name, version] = type.split("/");
  return `application/vnd.mpc-cde.${name}.${version}+json`;
}

/** Digest of the study's terms: its name everywhere else. */
export function termsDigest(document) {
  return digestOf(canonicalBytes(document.terms));
}

/** SHA-256 of the consent text in the study's own language. */
export function consentDigest(terms) {
  return digestOf(utf8(terms.consent));
}

/** 25 lower-case base32 characters of SHA-256 over a payload digest (its bytes). */
export async function fingerprintOf(payloadDigest) {
  const letters = "abcdefghijklmnopqrstuvwxyz234567";
  let bits = 0n;
  for (const byte of await sha256(payloadDigest)) bits = (bits << 8n) | BigInt(byte);
  let shownText = "";
  for (let at = 0; at < 25; at += 1) shownText += letters[Number((bits >> BigInt(251 - 5 * at)) & 31n)];
  return shownText;
}

/** Groups of five, for people and paper. */
export function formatFingerprint(fingerprint) {
  return fingerprint.match(/.{1,5}/g).join("-");
}

/** What a person typed, in any case, with spaces or dashes. Throws BadDocument. */
export function parseFingerprint(typed) {
  const fingerprint = typed.replaceAll(/[\s-]/g, "").toLowerCase();
  if (!/^[a-z2-7]{25}$/.test(fingerprint)) throw new BadDocument("expected 25 letters and digits in groups of five", { said: "no_fingerprint" });
  return fingerprint;
}

/** One text for equal JSON values, to compare parts of documents. */
export function canonicalKey(value) {
  return new TextDecoder().decode(canonicalBytes(value));
}

function validityHasLength(value, path) {
  s.requireThat(value.valid_from < value.valid_until, path, "valid_until must come after valid_from");
}

function integersAscend(numbers) {
  return numbers.every((number, at) => at === 0 || numbers[at - 1] < number);
}

function binomial(n, k) {
  let ways = 1;
  for (let at = 1; at <= k; at += 1) ways = (ways * (n - k + at)) / at;
  return ways;
}

function figureIsSound(value, path) {
  s.requireThat(product(value.radices) < 1n << 60n, path, "the product of the radices stays below 2^60");
  const amounts = [value.minimum, value.step, value.publish_step, value.soft_minimum, value.soft_maximum];
  if (value.kind === "category") {
    const oneDigit = value.radices.length === 1 && value.radices[0] === value.categories.length;
    s.requireThat(oneDigit && s.areUnique(value.categories), path, "a category is one digit with its symbols");
    const none = amounts.every((amount) => amount === null) && value.derived === null && !value.rounds;
    s.requireThat(none, path, "a category has no amounts, rounding or formula");
    const named = value.blank_allowed && value.categories.includes(BLANK);
    s.requireThat(!named, path, `"${BLANK}" names the cell of the members that leave it blank`);
    return;
  }
  s.requireThat(value.categories.length === 0, path, "a number has no categories");
  s.requireThat(amounts.slice(0, 3).every((amount) => amount !== null), path, "a number needs its grid");
  const [low, step, published] = amounts.slice(0, 3).map(Rational.parse);
  s.requireThat(step.numerator > 0n, path, "step must be positive");
  const ratio = published.over(step);
  s.requireThat(leadingDigits(value.radices, ratio) !== null, path, "publish_step does not fit the radices");
  const isExact = ratio.isInteger && ratio.numerator === 1n;
  s.requireThat(isExact || ratio.numerator % 2n === 0n, path, "publish_step / step must be even, or 1");
  const half = isExact ? 0n : ratio.numerator / 2n;
  const largest = low.plus(step.times(new Rational(product(value.radices) - 1n - half)));
  s.requireThat(largest.compare(low) >= 0, path, "the largest figure would lie below the minimum");
  const [softLow, softHigh] = amounts.slice(3).map((amount) => (amount === null ? null : Rational.parse(amount)));
  s.requireThat(softLow === null || softHigh === null || softLow.compare(softHigh) <= 0, path, "soft bounds are swapped");
}

function namesResolve(terms, path) {
  const figures = new Map(terms.figures.map((one) => [one.name, one]));
  const attributes = terms.groups.map((group) => group.attribute);
  s.requireThat(figures.size === terms.figures.length, path, "names of figures must differ");
  s.requireThat(s.areUnique(attributes), path, "attributes of groups must differ");
  s.requireThat(!attributes.some((name) => figures.has(name)), path, "a group may not have the name of a figure");
  const elements = terms.figures.reduce(
    (sum, one) => sum + Number(one.blank_allowed) + one.radices.reduce((all, radix) => all + radix - 1, 0), 0,
  );
  s.requireThat(elements <= 1 << 16, path, "a submission shares at most 65536 elements");
  for (const one of terms.figures) {
    const exact = one.kind === "number" && one.publish_step === one.step;
    s.requireThat(!exact || terms.disclosure.allow_exact, path, `${one.name}: exact figures are not allowed`);
  }
  for (const one of terms.functions) {
    s.requireThat(one.figures.every((name) => figures.has(name)), path, `${one.function}: a figure is missing`);
    const isPrivate = one.figures.some((name) => figures.get(name).tier === "private");
    s.requireThat(!isPrivate || one.audience === "self", path, `${one.function}: a private figure is for its owner`);
    const known = one.by === null || attributes.includes(one.by) || figures.get(one.by)?.kind === "category";
    s.requireThat(known, path, `${one.function}: no group or category ${one.by}`);
  }
}
