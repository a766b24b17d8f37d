// The node itself: whom it computes with, what it did, what is on its disk, its keys by fingerprint, its log.

import { el, scrolling, stackingTable } from "../shared/dom.js";
import { showTime } from "../shared/language.js";

export async function machineView(page) {
  const { room, t } = page;
  const found = await room.look("machine");
  const message = el("div", { "aria-live": "polite" });
  const check = page.button(t("machine.check"), async () => findingsTable((await room.act("check")).findings, t), { message });
  return el("div", {}, el("h1", {}, t("machine.heading")),
    el("section", { class: "card" }, el("h2", {}, t("machine.check_heading")), el("p", {}, t("machine.check_lead")), message, el("div", { class: "actions" }, check)),
    el("section", { class: "card" }, el("h2", {}, t("machine.peers")), el("p", { class: "quiet" }, t("machine.peers_lead")), peersList(found.peers, t)),
    el("section", { class: "card" }, el("h2", {}, t("machine.sessions")),
      found.sessions.length ? entriesTable(found.sessions, t) : el("p", {}, t("machine.no_sessions"))),
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
    return el("div", { class: "notice good", role: "status" }, el("p", {}, t("log.checkpointed", { length, delivery })));
  }, { message });
  return el("div", {}, el("h1", {}, t("log.heading")), el("p", { class: "lead" }, t("log.lead")),
    el("section", { class: "card" }, message, el("div", { class: "actions" }, verify, checkpoint)),
    el("section", { class: "card" }, el("h2", {}, t("log.last", { shown: found.entries.length, length: found.length })), entriesTable(found.entries, t)));
}

function findingsTable(findings, t) {
  const heads = ["what", "verdict", "found"].map((name) => t(`machine.${name}`));
  return stackingTable(t("machine.check_heading"), heads, findings.map(({ what, found, problem, hint }) => [
    el("th", { scope: "row", lang: "en" }, what),
    el("td", {}, el("span", { class: problem === null ? "good" : "bad" }, t(problem === null ? "machine.ok" : "machine.bad"))),
    el("td", { lang: "en" }, problem ?? found, hint ? el("small", {}, ` ${hint}`) : null),
  ]));
}

function peersList(peers, t) {
  return el("ul", { class: "plain" }, ...peers.map((peer) => el("li", {},
    el("h3", {}, peer.own ? t("sheet.own", { name: peer.name }) : peer.name, el("small", {}, ` ${peer.role} · ${peer.contact}`)),
    el("dl", {}, el("dt", {}, t("machine.mesh")), el("dd", { class: "code" }, peer.mesh),
      el("dt", {}, t("machine.identity")), el("dd", { class: "code" }, peer.identity),
      el("dt", {}, t("machine.certificate")), el("dd", { class: "code" }, peer.certificate)))));
}

function entriesTable(entries, t) {
  const details = (one) => Object.entries(one).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join("\n");
  const heads = ["number", "time", "event", "details"].map((name) => t(`log.${name}`));
  return stackingTable(t("log.entries"), heads, entries.map((entry) => [
    el("td", { class: "number" }, String(entry.number)),
    el("td", {}, showTime(entry.time, t.language, "medium")),
    el("td", { class: "code" }, entry.event),
    el("td", { class: "code details" }, details(entry.details)),
  ]));
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
