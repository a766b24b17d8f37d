// Wiring of the member's page: which view is shown when, and nothing that is worth knowing elsewhere.

import { formatFingerprint } from "../core/documents.js";
import { CallerError, MpcCdeError, NotCounted } from "../core/errors.js";
import { parseInvitation } from "../core/invitation.js";
import { readTyped, showPlain } from "../core/numbers.js";
import { OWN_RANK } from "../core/own_place.js";
import { systemRandomBytes } from "../core/randomness.js";
import { el, fill, saveFile } from "../shared/dom.js";
import { readFile } from "../shared/files.js";
import { frameIn } from "../shared/frame.js";
import { Gateway } from "../shared/gateway.js";
import { preferredLanguage } from "../shared/language.js";
import { decisionRefusal } from "../shared/refusals.js";
import { resultView } from "../shared/result_view.js";
import { isPilot, pilotBanner } from "../shared/pilot.js";
import { Vault } from "../shared/vault.js";
import { wordsOf } from "../shared/words.js";
import { Desk } from "./desk.js";
import { FigureForm } from "./form.js";
import { Keyring } from "./keyring.js";
import { askCard, changesSince, periodOf, placesOf } from "./own_place_view.js";
import { Records, standing } from "./records.js";
import { aboutCard, afterwards, countedCard, notCountedCard, nothingSent, ReceiptsCard, reviewView, waitingCard, WithdrawalStatus } from "./study_views.js";
import { keyView, newKeyCard, requestView, studiesView, welcomeView } from "./views.js";

const POLL_MS = 1500;
const LOOK_AGAIN_MS = 4000;
const RESULTS_MS = 10_000;

class Page {
  constructor({ root, settings, vault, randomBytes }) {
    Object.assign(this, { root, settings, vault, randomBytes });
    this.shown = 0; // counts views, so that what comes late for an old one is dropped
  }

  async start() {
    await this.#speak(preferredLanguage());
    await this.#guarded(async () => {
      if (this.vault === null) throw new CallerError("this browser keeps nothing", { said: "no_storage" });
      this.invitation = parseInvitation(location.hash);
      this.keyring = await Keyring.load(this.vault);
      await this.#begin();
    });
  }

  async #speak(language) {
    const again = (chosen) => this.#restate(() => this.#speak(chosen));
    Object.assign(this, await frameIn(language, { root: this.root, settings: this.settings, again }));
    this.frame.communityName = this.desk?.trusted?.current.name ?? "";
  }

  /** Change how things are said and show the same view again, unless somebody went on meanwhile; what was typed stays. */
  async #restate(change) {
    const restating = Promise.resolve(this.restating).then(() => this.#sayAnew(change)); // one after the other
    this.restating = restating.catch(() => {});
    await restating;
  }

  async #sayAnew(change) {
    const [before, form, view] = [this.format, this.form, this.shown];
    await change();
    if (form === null || form === undefined) return this.#guarded(this.again);
    return this.#guarded(() => this.#fillIn(this.filling, () => {
      if (this.shown !== view) return null;
      form.stop();
      return convert(form.typed(), before, this.format);
    }));
  }

  /** Whatever goes wrong is told, and can be tried again. */
  async #guarded(action) {
    this.again = action;
    try {
      await action();
    } catch (error) {
      note(error);
      this.frame.show(el("div", {}, this.frame.problem(error, { retry: () => this.#guarded(action) })));
    }
  }

  #show(view, options) {
    this.shown += 1;
    return this.frame.show(view, options);
  }

  async #begin() {
    const fingerprint = this.keyring?.community ?? this.invitation?.community ?? null;
    if (fingerprint === null) {
      this.#show(welcomeView({ t: this.t, onRecover: (...given) => this.#recover(...given), onLink: (link) => this.#follow(link) }));
      return;
    }
    if (this.keyring !== null && this.invitation !== null && this.keyring.community !== this.invitation.community) {
      throw new CallerError("this device has keys for another community than the link names", { said: "key_of_another_community" });
    }
    if (this.settings.fingerprint !== null && this.settings.fingerprint !== fingerprint) {
      const values = { page: formatFingerprint(this.settings.fingerprint), link: formatFingerprint(fingerprint) };
      throw new CallerError(`this page is for ${values.page}, your link for ${values.link}`, { said: "page_of_another_community", values });
    }
    const signer = this.keyring?.signer ?? null;
    const gateway = new Gateway(this.settings.gateway, { randomBytes: this.randomBytes, signer });
    this.desk = new Desk({ gateway, fingerprint, randomBytes: this.randomBytes });
    const community = await this.desk.follow();
    this.frame.communityName = community.name;
    if (this.keyring === null) return this.#makeKey(community, fingerprint);
    history.replaceState(null, "", location.pathname);
    this.records = new Records(this.vault, this.keyring.wrappingKey);
    if ((await this.desk.certified(this.keyring)) === null) return this.#request();
    return this.#studies();
  }

  /** A personal link that was pasted; what is wrong with it, or null. */
  async #follow(link) {
    try {
      this.invitation = parseInvitation(link.includes("#") ? link.slice(link.indexOf("#")) : "");
      if (this.invitation === null) throw new CallerError("no personal link", { said: "no_personal_link" });
    } catch (error) {
      return this.frame.problem(error);
    }
    await this.#guarded(() => this.#begin());
    return null;
  }

  #makeKey(community, fingerprint) {
    const { t, invitation } = this;
    this.#show(keyView({
      t, invitation, community, fingerprint, made: this.made ?? null,
      onMake: async (passphrase, name) => {
        const { file, keep } = await Keyring.make({
          community: fingerprint, registerId: invitation.registerId, passphrase, randomBytes: this.randomBytes, vault: this.vault,
        });
        this.made = { file, name, onKept: () => this.#guarded(async () => {
          this.keyring ??= await keep();
          this.made = null;
          await this.#begin();
        }) };
        return this.made;
      },
      onRecover: (...given) => this.#recover(...given),
      problem: (error) => this.frame.problem(error),
    }), { step: "key" });
  }

  async #recover(bytes, passphrase) {
    try {
      this.keyring = await Keyring.recover({ bytes, passphrase, vault: this.vault });
    } catch (error) {
      return this.frame.problem(error);
    }
    await this.#guarded(() => this.#begin());
    return null;
  }

  async #request() {
    const look = () => this.#guarded(() => this.#begin());
    this.#show(await requestView({ t: this.t, keyring: this.keyring, invitation: this.invitation, onLook: look, onForget: () => this.#guarded(() => this.#forget()) }), { step: "certified" });
    const { shown: view, desk } = this;
    this.#every(LOOK_AGAIN_MS, view, async () => {
      if ((await desk.certified(this.keyring)) === null) return true;
      if (this.desk === desk) await this.#guarded(() => this.#studies()); // else somebody looked by hand meanwhile
      return false;
    });
  }

  /** The keys of this device are gone; its owner is as somebody who was just invited. */
  async #forget() {
    const { community, registerId } = this.keyring;
    await this.vault.clear();
    this.invitation ??= { community, registerId, name: null, replyTo: null };
    this.keyring = null;
    await this.#begin();
  }

  async #studies() {
    const { desk } = this;
    const studies = await desk.studies();
    if (this.desk !== desk) return undefined;
    const eligible = studies.filter((study) => desk.notEligible(study) === null);
    if (eligible.length === 1) return this.#guarded(() => this.#open(eligible[0].termsDigest));
    this.form = null;
    const others = studies.filter((study) => study.state === "open").map((study) => ({ study, rule: desk.notEligible(study) })).filter(({ rule }) => rule !== null);
    this.#show(studiesView({ t: this.t, studies: eligible, others, onOpen: (study) => this.#guarded(() => this.#open(study.termsDigest)) }), { step: "figures" });
    return undefined;
  }

  /** One study where it stands: the form, the receipts, or what came back. */
  async #open(terms, { correcting = false } = {}) {
    this.study = await this.desk.study(terms);
    const record = await this.records.load(terms);
    const stands = standing(record);
    this.form?.stop();
    this.form = null;
    if (this.study.state === "open" && (stands === null || correcting)) return this.#fillIn({ stands, record });
    return this.#standing(stands, record);
  }

  /** The form; `typed` gives what stands in another one that it replaces, at the last moment. */
  async #fillIn(filling, typed = null) {
    this.filling = filling;
    const { stands, record } = filling;
    const { study, t, format } = this;
    const terms = study.termsDigest;
    const words = wordsOf(study, t.language);
    const sent = stands === null ? {} : Object.fromEntries(Object.entries(stands.texts).map(([name, text]) => [name, shownText(text, format)]));
    const last = await this.records.lastFigures();
    const draft = await this.records.draft(terms);
    const isNew = stands === null && this.keyring.isRecovered;
    const said = stands !== null ? null : record.withdrawn > 0 ? "after.withdrawn" : isNew ? "form.other_device" : null;
    const withdrawal = said === "after.withdrawn" ? await this.#withdrawal(record) : null;
    const taken = typed?.() ?? null;
    if (typed !== null && taken === null) return; // another view is shown by now
    // nothing is waited for from here to where the new form is shown: the old one takes keys until then
    this.form = new FigureForm({ study, words, t, format, texts: taken ?? draft ?? sent, last, onDraft: (typed) => this.#keepDraft(typed) });
    const check = el("button", { class: "primary", type: "button", onclick: () => this.#review() }, t("form.check"));
    const keep = stands && el("button", { type: "button", onclick: () => this.#guarded(() => this.#open(terms)) }, t("form.keep"));
    const closes = new Date(study.presentation.closes).toLocaleString(t.language, { dateStyle: "full", timeStyle: "short" });
    const notice = said && el("div", { class: "notice" }, el("p", {}, t(said)), withdrawal?.element);
    this.formView = el("div", {}, isPilot(study.study.terms) ? pilotBanner(t) : null, el("h1", {}, words.title), el("p", { class: "lead" }, t("form.lead", { closes })), notice,
      el("div", { class: "columns" }, el("div", {}, this.form.element, el("div", { class: "actions" }, check, keep)), aboutCard({ study, words, t })));
    this.#show(this.formView, { step: "figures" });
    withdrawal?.follow(this.shown);
    if (taken !== null) await this.#keepDraft(taken);
  }

  /** What the parties signed about a withdrawal; `follow(view)` goes on asking until all have. Null if there is none. */
  async #withdrawal(record) {
    const { study, t, desk } = this;
    const names = await desk.withdrawnAt(study, record);
    if (names === null) return null;
    const status = new WithdrawalStatus({ study, t });
    const isWhole = status.show(names);
    const look = async () => !status.show(await desk.withdrawnAt(study, record));
    return { element: status.element, follow: (view) => !isWhole && this.#every(POLL_MS, view, look) };
  }

  #keepDraft(typed) {
    return this.records.saveDraft(this.study.termsDigest, typed);
  }

  async #review() {
    await this.restating; // in another language it is another form
    const values = this.form.values();
    if (values === null) return;
    const { study, t, format, form } = this;
    const words = wordsOf(study, t.language);
    this.#show(reviewView({
      study, words, form, values, format, t, showPlain,
      onBack: () => this.#show(this.formView, { step: "figures" }),
      onSend: () => this.#send(words, values),
    }), { step: "figures" });
  }

  async #send(words, values) {
    const { study, t } = this;
    const receipts = new ReceiptsCard({ study, t });
    const trouble = el("div");
    this.#show(el("div", {}, el("h1", {}, words.title), trouble, receipts.element), { step: "figures" });
    const texts = this.form.plainTexts();
    try {
      await this.desk.submit({ study, keyring: this.keyring, records: this.records, values, texts, onStep: (name) => receipts.step(name) });
    } catch (error) {
      note(error);
      const back = el("button", { type: "button", onclick: () => this.#show(this.formView, { step: "figures" }) }, t("review.back"));
      const revoked = error.kind === "membership-not-valid" ? newKeyCard({ t, onForget: () => this.#guarded(() => this.#forget()) }) : null;
      fill(trouble, this.frame.problem(error, { retry: () => this.#send(words, values) }), el("div", { class: "actions" }, back), revoked);
      return;
    }
    await this.#guarded(() => this.#open(study.termsDigest));
  }

  /** After sending: who holds what, whether it counts, what came back. */
  async #standing(stands, record) {
    const { study, t, desk, keyring } = this;
    const words = wordsOf(study, t.language);
    const isOpen = study.state === "open";
    const held = stands === null ? null : await this.#held(stands);
    const counts = isOpen || stands === null ? null : await this.#counts(stands);
    const results = isOpen ? [] : await desk.results(study, counts?.refused ? null : stands);
    const shown = await this.#cameBack(results, stands, words, counts?.refused ?? false);
    const withdrawal = stands === null ? await this.#withdrawal(record) : null;
    const waiting = !isOpen && results.length === 0;
    this.#show(el("div", {}, isPilot(study.study.terms) ? pilotBanner(t) : null, el("h1", {}, words.title), counts?.card, ...shown, el("div", { class: "columns" },
      el("div", {}, waiting && waitingCard(t), held === null ? nothingSent(t, { withdrawn: withdrawal?.element, isRecovered: keyring.isRecovered && withdrawal === null }) : [held.card.element, this.#changeOfMind(stands, words)]),
      aboutCard({ study, words, t }))), { step: isOpen ? "figures" : "results" });
    const view = this.shown;
    withdrawal?.follow(view);
    if (held?.isOpen) {
      this.#every(POLL_MS, view, async () => {
        const found = await desk.receipts(study, held.digest);
        held.card.show(found);
        return found.parties.some(({ verdict }) => verdict === null);
      });
    }
    if (waiting) {
      this.#every(RESULTS_MS, view, async () => {
        const { state, file } = await desk.study(study.termsDigest);
        const moved = state !== study.state || (file.checkedRoster === null) !== (study.file.checkedRoster === null) || (await desk.hasResults(study));
        if (moved) await this.#guarded(() => this.#open(study.termsDigest));
        return !moved;
      });
    }
  }

  async #held(stands) {
    const digest = await stands.envelope.digest();
    const card = new ReceiptsCard({ study: this.study, t: this.t });
    const found = await this.desk.receipts(this.study, digest);
    card.show(found);
    return { card, digest, isOpen: found.parties.some(({ verdict }) => verdict === null) };
  }

  /** Whether the parties counted what was sent, in words; `refused` if they did not. Null before they have checked. */
  async #counts(stands) {
    try {
      const counted = await this.desk.counted(this.study, stands);
      return counted && { card: countedCard(counted, this.t), refused: false };
    } catch (error) {
      if (!(error instanceof NotCounted)) throw error;
      return { card: notCountedCard(error, this.t), refused: true };
    }
  }

  #changeOfMind(stands, words) {
    const { study, t } = this;
    return afterwards({
      study, t, canCorrect: study.state === "open", canWithdraw: ["open", "closing"].includes(study.state),
      onCorrect: () => this.#guarded(() => this.#open(study.termsDigest, { correcting: true })),
      onWithdraw: () => this.#askToWithdraw(words),
      onReceipts: async () => {
        const { envelopes } = await this.desk.receipts(study, await stands.envelope.digest());
        const file = { type: "receipts/v1", submission: stands.envelope.json, receipts: envelopes.map(({ json }) => json) };
        saveFile("receipts.json", JSON.stringify(file, null, 1));
      },
    });
  }

  /** Results, with what is this member's own: its figures, its sealed places, what changed since the last period. */
  async #cameBack(results, stands, words, isRefused) {
    const { study, t, format, desk, records, keyring, vault } = this;
    if (results.length === 0) return [];
    const isOwn = ({ result }) => result.cells.every(({ function: name }) => name === OWN_RANK);
    const [asked, published] = [results.filter(isOwn), results.filter((one) => !isOwn(one))];
    const own = stands?.texts ?? {};
    const places = await desk.places({ results: asked, study, keyring, vault });
    const period = periodOf({ study, verified: published, texts: own });
    const before = changesSince(await records.periods(), period, { format, t });
    if (stands !== null) await records.savePeriod(study.termsDigest, period);
    const ask = async (tell) => {
      try {
        await desk.askPlaces({ study, keyring, onWait: (names) => tell(names.length ? t("own_place.waiting", { names: names.join(", ") }) : t("own_place.computing")), pause: () => sleep(POLL_MS) });
      } catch (error) {
        note(error);
        tell(error.refusal ? el("p", {}, t("own_place.refused"), ` ${error.whom}: `, decisionRefusal(error.refusal, t)) : this.frame.problem(error));
        return;
      }
      await this.#guarded(() => this.#open(study.termsDigest));
    };
    const mayAsk = stands !== null && !isRefused && asked.length === 0 && desk.tellsPlaces(study);
    const attributes = desk.membership.document.attributes;
    const shared = { words, format, t, own, attributes, places: placesOf(places, { words, t }), before };
    return [mayAsk && askCard({ t, onAsk: ask }), ...published.map((verified) => resultView({ verified, ...shared }))];
  }

  #askToWithdraw(words) {
    const { study, t } = this;
    const withdraw = async () => {
      await this.desk.withdraw({ study, keyring: this.keyring, records: this.records });
      await this.#open(study.termsDigest);
    };
    this.#show(el("div", {}, el("h1", {}, t("withdraw.heading")), el("section", { class: "card" }, el("p", { class: "lead" }, t("withdraw.lead", { title: words.title })),
      el("div", { class: "actions" }, el("button", { class: "danger", type: "button", onclick: () => this.#guarded(withdraw) }, t("withdraw.yes")),
        el("button", { type: "button", onclick: () => this.#guarded(() => this.#open(study.termsDigest)) }, t("withdraw.no"))))), { step: "figures" });
  }

  /** Do something again and again while a view is shown and it says so; trouble on the way is not worth a word. */
  #every(pause, view, action) {
    const again = async () => {
      if (this.shown !== view) return;
      let go = true;
      try {
        go = await action();
      } catch (error) {
        note(error);
      }
      if (go && this.shown === view) setTimeout(again, pause);
    };
    setTimeout(again, pause);
  }
}

/** What went wrong in the world is worth a line for whoever helps; what this page got wrong is an error of its own. */
function note(error) {
  if (error instanceof MpcCdeError) console.info("mpc-cde:", error.code, error.message);
  else console.error("mpc-cde:", error);
}

function sleep(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Plain decimal text as the person writes it; other text as it is. */
function shownText(text, format) {
  return /^-?\d+(\.\d+)?$/.test(text) ? showPlain(text, format) : text;
}

/** What was typed in one number format, in another; what is no number stays. */
function convert(typed, before, after) {
  if (before === after) return typed;
  return Object.fromEntries(Object.entries(typed).map(([name, text]) => {
    try {
      const plain = readTyped(text, before);
      return [name, plain === "" ? text : showPlain(plain, after)];
    } catch {
      return [name, text];
    }
  }));
}

const page = new Page({
  root: document.getElementById("page"), settings: await readFile("settings.json"), vault: await Vault.open().catch(() => null), randomBytes: systemRandomBytes,
});
await page.start();
