// What a member sees before the form: welcome, the key, the request to the registrar, the list of studies.

import { sha256 } from "../core/bytes.js";
import { formatFingerprint } from "../core/documents.js";
import { el, fill, saveFile } from "../shared/dom.js";
import { shortCode } from "../shared/gateway.js";
import { keyFingerprint } from "../shared/key_fingerprint.js";
import { keyForm, recoverCard } from "../shared/key_forms.js";
import { showTime } from "../shared/language.js";
import { wordsOf } from "../shared/words.js";

/** Nobody is known here: a way in by a personal link, and one by a recovery file. */
export function welcomeView({ t, onRecover, onLink }) {
  const link = el("input", { id: "personal-link", type: "text", autocomplete: "off", spellcheck: false, required: true });
  const message = el("div", { "aria-live": "polite" });
  const form = el("form", { onsubmit: async (event) => {
    event.preventDefault();
    fill(message, await onLink(link.value.trim()));
  } },
  el("div", { class: "field" }, el("label", { htmlFor: "personal-link" }, t("welcome.paste")), link),
  message, el("div", { class: "actions" }, el("button", { class: "primary", type: "submit" }, t("welcome.open"))));
  return el("div", {},
    el("section", { class: "card" }, el("h1", {}, t("welcome.heading")), el("p", { class: "lead" }, t("welcome.lead")), el("p", {}, t("welcome.link")), form),
    recovery({ t, onRecover }));
}

/** Who computes, in plain words, each with what they are to the members. */
export function partiesCard({ community, fingerprint, t }) {
  return el("section", { class: "card" }, el("h2", {}, t("parties.heading", { count: community.cards.length })),
    el("p", {}, t("parties.lead", { count: community.threshold, parties: community.cards.length })),
    el("ul", { class: "parties" }, ...community.cards.map(({ name, role, contact }, index) => (
      el("li", {}, el("span", { class: "sign", "aria-hidden": "true" }, String(index + 1)), el("strong", {}, name), el("small", {}, `${role} · ${contact}`))))),
    el("p", { class: "quiet" }, t("parties.fingerprint"), " ", el("span", { class: "code" }, formatFingerprint(fingerprint))),
    el("details", {}, el("summary", {}, t("parties.keys")), el("ul", {}, ...community.cards.map(({ name, identity_key: key }) => (
      el("li", {}, name, el("br"), keyFingerprint(key)))))));
}

/** The key is made here, under a passphrase; `onMake(passphrase, name)` gives it as a file, see keyForm. */
export function keyView({ t, invitation, community, fingerprint, made, onMake, onRecover, problem }) {
  const name = `recovery-${invitation.registerId.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
  const form = keyForm({
    t, problem, made,
    saved: t("key.saved", { name }),
    onMake: (passphrase) => onMake(passphrase, name),
  });
  return el("div", {}, el("h1", {}, invitation.name ? t("key.welcome", { name: invitation.name }) : t("key.welcome_you")),
    el("div", { class: "columns" },
      el("div", {}, el("section", { class: "card" }, el("p", { class: "lead" }, t("key.lead", { community: community.name })), el("p", { class: "prose" }, t("key.why")), form), recovery({ t, onRecover })),
      partiesCard({ community, fingerprint, t })));
}

/** The way in by a recovery file, with what to do when it is lost. */
function recovery({ t, onRecover }) {
  return recoverCard({ t, onRecover, lead: t("recover.lead"), lost: t("recover.lost") });
}

/** The public half for the registrar: a file, a mail, or text to copy. */
export async function requestView({ t, keyring, invitation, onLook, onForget }) {
  const card = new TextDecoder().decode(keyring.card());
  const code = shortCode(await sha256(keyring.card()));
  const name = `request-${keyring.registerId.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
  const replyTo = invitation?.replyTo ?? null;
  const copied = el("span", { class: "quiet", "aria-live": "polite" });
  const mail = replyTo && `mailto:${encodeURIComponent(replyTo)}?subject=${encodeURIComponent(t("request.subject", { id: keyring.registerId }))}&body=${encodeURIComponent(`${card}\n`)}`;
  const copy = async () => {
    await navigator.clipboard.writeText(card);
    copied.textContent = t("request.copied");
  };
  return el("div", {}, el("h1", {}, t("request.heading")),
    el("section", { class: "card" }, el("p", { class: "lead" }, t("request.lead")),
      el("p", { class: "prose" }, t("request.public"), " ", t("request.code"), " ", el("strong", { class: "code whole" }, code)),
      el("div", { class: "actions" },
        mail && el("a", { class: "button primary", href: mail }, t("request.mail")),
        el("button", { class: mail ? null : "primary", type: "button", onclick: () => saveFile(name, card) }, t("request.save")),
        el("button", { type: "button", onclick: copy }, t("request.copy")), copied),
      el("details", {}, el("summary", {}, t("request.show")), el("textarea", { class: "request code", readOnly: true, value: card, "aria-label": t("request.show") }))),
    el("section", { class: "card" }, el("p", { role: "status" }, t("request.waiting")), el("div", { class: "actions" }, el("button", { type: "button", onclick: onLook }, t("request.look")))),
    newKeyCard({ t, onForget }));
}

/** A key that was revoked, or that somebody else may have: another one, on this device; the old one is forgotten here. */
export function newKeyCard({ t, onForget }) {
  return el("details", { class: "card" }, el("summary", {}, t("new_key.heading")), el("p", { class: "prose" }, t("new_key.lead")),
    el("div", { class: "actions" }, el("button", { class: "danger", type: "button", onclick: onForget }, t("new_key.yes"))));
}

/** Studies that this member may see, the open ones first; and why it cannot take part in `others`. */
export function studiesView({ t, studies, others, onOpen }) {
  const entry = (study) => {
    const words = wordsOf(study, t.language);
    const open = study.state === "open";
    return el("li", {}, el("button", { type: "button", onclick: () => onOpen(study) },
      el("span", { class: open ? "tag" : "tag closed" }, t(t.has(`state.${study.state}`) ? `state.${study.state}` : "state.other")),
      el("h2", {}, words.title), el("small", {}, open ? t("studies.closes", { time: showTime(study.presentation.closes, t.language) }) : words.purpose.slice(0, 140))));
  };
  const sorted = [...studies].sort((a, b) => Number(b.state === "open") - Number(a.state === "open"));
  return el("div", {}, el("h1", {}, t("studies.heading")),
    sorted.length ? el("ul", { class: "studies" }, ...sorted.map(entry)) : el("section", { class: "card" }, el("p", {}, t("studies.none"))),
    ...others.map(({ study, rule }) => {
      const words = wordsOf(study, t.language);
      return el("p", { class: "quiet" }, t("studies.not_for_you", { title: words.title, attribute: words.label(rule.attribute) }));
    }));
}
