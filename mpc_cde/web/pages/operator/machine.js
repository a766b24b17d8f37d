// The node itself: whom it computes with, what it did, what is on its disk, its keys by fingerprint, its log.

import { el, scrolling, stackingTable } from "../shared/dom.js";
import { showTime } from "../shared/language.js";
import { said, sentence } from "../shared/refusals.js";

export async function machineView(page) {
  const { room, t } = page;
  const found = await room.look("machine");
  const message = el("div", { "aria-live": "polite" });
  const check = page.button(t("machine.check"), async () => findingsTable((await room.act("check")).findings, t), { message });
  return el("div", {}, el("h1", {}, t("machine.heading")),
    el("section", { class: "card" }, el("h2", {}, t("machine.check_heading")), el("p", {}, t("machine.check_lead")), message, el("div", { class: "actions" }, check)),
    el("section", { class: "card" }, el("h2", {}, t("machine.peers")), el("p", { class: "quiet" }, t("machine.peers_lead")), peersList(found.peers, t)),
    el("section", { class: "card" }, el("h2", {}, t("machine.sessions")),
      found.sessions.length ? el("ul", { class: "log" }, ...found.sessions.map((entry) => entryOf(entry, t))) : el("p", {}, t("machine.no_sessions"))),
    el("section", { class: "card" }, el("h2", {}, t("machine.disk")), diskTable(found.disk, t)),
    el("section", { class: "card" }, el("h2", {}, t("machine.keys")), el("p", { class: "quiet" }, t("machine.keys_lead")), keysTable(found.keys, t)));
}

export async function logView(page) {
  const { room, t } = page;
  const found = await room.look("log");
  const message = el("div", { "aria-live": "polite" });
  const verify = page.button(t("log.verify"), async () => {
    const { length, head } = await room.act("verify-log");
    return el("div", { class: "notice good", role: "status" }, el("p", {}, t("log.verified", { length })), el("p", { class: "code" }, head));
  }, { message, class: "primary" });
  const checkpoint = page.button(t("log.checkpoint"), async () => {
    const { length, delivery } = await room.act("checkpoint");
    return el("div", { class: "notice good", role: "status" }, el("p", {}, t("log.checkpointed", { length, delivery: sentence(delivery, t) })));
  }, { message });
  return el("div", {}, el("h1", {}, t("log.heading")), el("p", { class: "lead" }, t("log.lead")),
    el("section", { class: "card" }, message, el("div", { class: "actions" }, verify, checkpoint)),
    el("section", { class: "card" }, el("h2", {}, t("log.entries", { count: found.length })), ...entriesList(page, found)));
}

/** The newest entries, and older ones a few at a time. */
function entriesList(page, found) {
  const { room, t } = page;
  const list = el("ul", { class: "log" });
  const message = el("div", { "aria-live": "polite" });
  let oldest = null;
  const put = (entries) => {
    const items = entries.map((entry) => entryOf(entry, t));
    list.append(...items);
    oldest = entries.at(-1)?.number ?? 1;
    older.hidden = oldest <= 1;
    return items;
  };
  const older = page.button(t("log.older"), async () => {
    const [first] = put((await room.look("log", { before: oldest })).entries);
    first?.querySelector("summary").focus(); // reading goes on there
    return null;
  }, { message });
  put(found.entries);
  return [list, message, el("div", { class: "actions" }, older)];
}

function findingsTable(findings, t) {
  const heads = ["what", "verdict", "found"].map((name) => t(`machine.${name}`));
  return stackingTable(t("machine.check_heading"), heads, findings.map(({ what, found, problem, hint }) => [
    el("th", { scope: "row" }, said(what, t)),
    el("td", {}, el("span", { class: problem === null ? "good" : "bad" }, t(problem === null ? "machine.ok" : "machine.bad"))),
    el("td", {}, said(problem ?? found, t), hint && [" ", said(hint, t, "small")]),
  ]));
}

function peersList(peers, t) {
  return el("ul", { class: "plain" }, ...peers.map((peer) => el("li", {},
    el("h3", {}, peer.own ? t("sheet.own", { name: peer.name }) : peer.name, el("small", {}, ` ${peer.role} · ${peer.contact}`)),
    el("dl", {}, el("dt", {}, t("machine.mesh")), el("dd", { class: "code" }, peer.mesh),
      el("dt", {}, t("machine.identity")), el("dd", { class: "code" }, peer.identity),
      el("dt", {}, t("machine.certificate")), el("dd", { class: "code" }, peer.certificate)))));
}

function entryOf({ number, time, event, details }, t) {
  const key = `log.event.${event}`;
  const lines = Object.entries(details).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return el("li", {}, el("details", {},
    el("summary", {}, el("span", { class: "number" }, String(number)), " ", t.has(key) ? t(key) : event, " ", el("small", {}, showTime(time, t.language, "medium"))),
    el("p", { class: "code details" }, [event, ...lines].join("\n"))));
}

function diskTable(disk, t) {
  const megabytes = (bytes) => t("machine.megabytes", { count: new Intl.NumberFormat(t.language, { maximumFractionDigits: 1 }).format(bytes / 1e6) });
  return scrolling(t("machine.disk"), el("table", {}, el("tbody", {}, ...["free", "total", "store", "log", "columns"].map((name) => (
    el("tr", {}, el("th", { scope: "row" }, t(`machine.disk_${name}`)), el("td", { class: "number" }, megabytes(disk[name]))))))));
}

function keysTable(keys, t) {
  const note = (key) => {
    if (key.until) return t("machine.key_until", { time: showTime(key.until, t.language) });
    if (key.kind === "study") return t(key.here ? "machine.key_here" : "machine.key_gone");
    return "";
  };
  return stackingTable(t("machine.keys"), ["key", "fingerprint", "note"].map((name) => t(`machine.${name}`)), keys.map((key) => [
    el("th", { scope: "row" }, t(`machine.key.${key.kind}`), key.title ? el("small", {}, ` ${key.title}`) : null),
    el("td", { class: "code" }, key.fingerprint),
    el("td", {}, note(key)),
  ]));
}
