// Wiring of the researcher's page: key, enrolment, studies, one question on its way, its answer.

import { parseFingerprint } from "../core/documents.js";
import { CallerError } from "../core/errors.js";
import { systemRandomBytes } from "../core/randomness.js";
import { Keyring } from "../member/keyring.js";
import { el, fill } from "../shared/dom.js";
import { frameIn } from "../shared/frame.js";
import { Gateway } from "../shared/gateway.js";
import { preferredLanguage } from "../shared/language.js";
import { resultView } from "../shared/result_view.js";
import { Vault } from "../shared/vault.js";
import { wordsOf } from "../shared/words.js";
import { ResearcherDesk } from "./desk.js";
import { catalogueView, keyView, ProgressCard, refusalCard, requestView, studiesView } from "./views.js";

const LOOK_AGAIN_MS = 4000;

class Page {
  constructor({ root, settings, vault }) {
    Object.assign(this, { root, settings, vault });
    this.shown = 0;
    this.watching = null;
  }

  async start() {
    await this.#speak(preferredLanguage());
    await this.#go(async () => {
      if (this.vault === null) throw new CallerError("this browser keeps nothing", { said: "no_storage" });
      const given = new URLSearchParams(location.hash.slice(1)).get("community");
      this.keyring = await Keyring.load(this.vault);
      const fingerprint = this.keyring?.community ?? (given === null ? this.settings.fingerprint : parseFingerprint(given));
      if (fingerprint === null) throw new CallerError("no community is known here yet", { said: "no_community" });
      Object.assign(this, { fingerprint, isPinned: given !== null });
      await this.#begin();
    });
  }

  async #speak(language) {
    const again = async (chosen) => {
      await this.#speak(chosen);
      await this.#go(this.again);
    };
    Object.assign(this, await frameIn(language, { root: this.root, settings: this.settings, again }));
    this.frame.communityName = this.desk?.trusted?.current.name ?? "";
  }

  /** Do what leads to another view; whatever goes wrong is told, and can be tried again. */
  async #go(action) {
    this.again = action;
    this.watching?.abort();
    try {
      await action();
    } catch (error) {
      console.info("mpc-cde:", error.code ?? error.name, error.message);
      this.#show(el("div", {}, el("h1", {}, this.t("researcher.heading")), this.frame.problem(error, { retry: () => this.#go(action) })));
    }
  }

  #show(view) {
    this.shown += 1;
    this.frame.show(view);
  }

  #problem = (error) => {
    console.info("mpc-cde:", error.code ?? error.name, error.message);
    return this.frame.problem(error);
  };

  async #begin() {
    const gateway = new Gateway(this.settings.gateway || location.origin, { randomBytes: systemRandomBytes, signer: this.keyring?.signer ?? null });
    this.desk = new ResearcherDesk({ gateway, fingerprint: this.fingerprint, randomBytes: systemRandomBytes });
    this.frame.communityName = (await this.desk.follow()).name;
    if (this.keyring === null) return this.#key();
    const { enrolled, waitingFor } = await this.desk.enrolled(this.keyring);
    if (enrolled === null) return this.#request(waitingFor);
    return this.#studies();
  }

  #key() {
    const enter = (keyring) => this.#go(async () => {
      this.keyring = keyring;
      await this.#begin();
    });
    this.#show(keyView({
      t: this.t, fingerprint: this.fingerprint, isPinned: this.isPinned, made: this.made ?? null, problem: this.#problem,
      onMake: async (name, passphrase) => {
        const { file, keep } = await Keyring.make({
          community: this.fingerprint, registerId: name, passphrase, randomBytes: systemRandomBytes, vault: this.vault, iterations: this.settings.iterations,
        });
        this.made = { file, name: "recovery-researcher.json", onKept: async () => enter(await keep()) };
        return this.made;
      },
      onRecover: async (bytes, passphrase) => {
        try {
          await enter(await Keyring.recover({ bytes, passphrase, vault: this.vault }));
          return null;
        } catch (error) {
          return this.frame.problem(error);
        }
      },
    }));
  }

  async #request(waitingFor) {
    this.#show(await requestView({ t: this.t, keyring: this.keyring, waitingFor, onLook: () => this.#go(() => this.#begin()) }));
    const view = this.shown;
    const look = async () => {
      if (this.shown !== view) return;
      const found = await this.desk.enrolled(this.keyring).catch(() => ({ enrolled: null, waitingFor }));
      if (this.shown !== view) return;
      if (found.enrolled !== null || found.waitingFor.join() !== waitingFor.join()) await this.#go(() => this.#begin());
      else setTimeout(look, LOOK_AGAIN_MS);
    };
    setTimeout(look, LOOK_AGAIN_MS);
  }

  async #studies() {
    const studies = await this.desk.studies();
    this.#show(studiesView({
      t: this.t, studies, permitted: (study) => this.desk.permitted(study), enrolled: this.desk.enrolment.document,
      onOpen: (study) => this.#go(() => this.#catalogue(study.termsDigest)),
    }));
  }

  async #catalogue(terms) {
    const study = await this.desk.study(terms);
    this.#show(catalogueView({
      study, t: this.t, functions: this.desk.permitted(study), answers: await this.desk.listed(study), problem: this.#problem,
      onAsk: async (functions) => {
        const query = await this.desk.ask(study, functions, this.keyring);
        await this.#go(() => this.#watch(study, query));
      },
      onAnswer: (digest) => this.#go(() => this.#answer(study, digest)),
      onBack: () => this.#go(() => this.#studies()),
    }));
  }

  /** Follow a question to its end; what each party said is then read again, signed. */
  async #watch(study, query) {
    const { t } = this;
    const card = new ProgressCard({ study, t });
    const outcome = el("div", { "aria-live": "polite" });
    const back = el("button", { type: "button", onclick: () => this.#go(() => this.#catalogue(study.termsDigest)) }, t("researcher.back"));
    this.#show(el("div", {}, el("h1", {}, wordsOf(study, t.language).title), card.element, outcome, el("div", { class: "actions" }, back)));
    this.watching = new AbortController();
    const { signal } = this.watching;
    let last = null;
    for await (const event of this.desk.progress(query, signal)) {
      last = event;
      card.show(event);
      const refused = event.decisions.some(({ answer }) => answer === "no");
      const silent = ["declined", "failed"].includes(event.state);
      if (refused || silent) fill(outcome, refusalCard({ decisions: await this.desk.decisions(study, query), state: event.state, t }));
      if (signal.aborted) return;
    }
    if (!signal.aborted && last.results.length > 0) await this.#go(() => this.#answer(study, last.results[0]));
  }

  async #answer(study, digest) {
    const { t, format } = this;
    const verified = await this.desk.verifiedResult(study, digest);
    const words = wordsOf(study, t.language);
    const back = el("button", { type: "button", onclick: () => this.#go(() => this.#catalogue(study.termsDigest)) }, t("researcher.back"));
    this.#show(el("div", {}, el("h1", {}, words.title), resultView({ verified, words, format, t }), el("div", { class: "actions" }, back)));
  }
}

const answer = await fetch(new URL("../settings.json", import.meta.url), { cache: "no-store" });
const page = new Page({ root: document.getElementById("page"), settings: await answer.json(), vault: await Vault.open("mpc-cde-researcher").catch(() => null) });
await page.start();
