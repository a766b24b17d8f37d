// Public results, for everybody: nothing is shown that was not verified here, from the community's fingerprint down.
//
// The gateway may serve this page, since nothing is typed into it. A link with #community=FINGERPRINT pins the
// community; without one the reader is asked to compare the fingerprint.

import { formatFingerprint, parseFingerprint } from "../core/documents.js";
import { BadSignature, CallerError } from "../core/errors.js";
import { systemRandomBytes } from "../core/randomness.js";
import { CommunityDesk } from "../shared/community_desk.js";
import { el } from "../shared/dom.js";
import { readFile } from "../shared/files.js";
import { frameIn } from "../shared/frame.js";
import { Gateway } from "../shared/gateway.js";
import { preferredLanguage } from "../shared/language.js";
import { resultView } from "../shared/result_view.js";
import { wordsOf } from "../shared/words.js";

/** Every public result with its study, each verified; { trusted, pinned, studies: [{ study, results }] }. */
async function readResults(settings) {
  const given = new URLSearchParams(location.hash.slice(1)).get("community");
  const fingerprint = given === null ? settings.fingerprint : parseFingerprint(given);
  if (fingerprint === null) throw new CallerError("no community is known here yet", { said: "no_community" });
  const gateway = new Gateway(settings.gateway || location.origin, { randomBytes: systemRandomBytes });
  const desk = new CommunityDesk({ gateway, fingerprint, randomBytes: systemRandomBytes });
  await desk.follow();
  const studies = new Map();
  for (const { result: digest, study: terms } of await gateway.results()) {
    if (!studies.has(terms)) studies.set(terms, { study: await desk.study(terms), results: [] });
    const { study, results } = studies.get(terms);
    if (study === null) throw new BadSignature("a result is about a study that not every party approved");
    results.push(await desk.verifiedResult(study, digest));
  }
  return { trusted: desk.trusted, pinned: given !== null, studies: [...studies.values()] };
}

function view({ trusted, pinned, studies }, t, format) {
  const blocks = studies.flatMap(({ study, results }) => {
    const words = wordsOf(study, t.language);
    return [el("h2", {}, words.title), el("p", { class: "prose" }, words.purpose), ...results.map((verified) => resultView({ verified, words, format, t }))];
  });
  return el("div", {}, el("h1", {}, t("public.heading")),
    el("div", { class: "notice" }, el("p", {}, t(pinned ? "public.pinned" : "public.compare"), " ", el("strong", { class: "code" }, formatFingerprint(trusted.fingerprint)))),
    blocks.length ? blocks : el("section", { class: "card" }, el("p", {}, t("public.none"))));
}

async function start(settings) {
  let found = null;
  const show = async (language) => {
    const { t, format, frame } = await frameIn(language, { root: document.getElementById("page"), settings, again: show });
    try {
      found ??= await readResults(settings);
      frame.communityName = found.trusted.current.name;
      frame.show(view(found, t, format));
    } catch (error) {
      console.info("mpc-cde:", error.code ?? error.name, error.message);
      frame.show(el("div", {}, frame.problem(error, { retry: () => show(language) })));
    }
  };
  await show(preferredLanguage());
}

await start(await readFile("settings.json"));
