// What waits for a yes or a no, and every study at a glance.

import { el, fill, stackingTable } from "../shared/dom.js";
import { showTime } from "../shared/language.js";
import { reasonsList, sentence, technical } from "../shared/refusals.js";

export async function waitingView(page) {
  const { room, t } = page;
  const found = await room.look("overview");
  const view = page.shown;
  const seen = JSON.stringify([found.waiting, found.studies]);
  page.follow(view, async () => {
    const now = await room.look("overview");
    return JSON.stringify([now.waiting, now.studies]) !== seen;
  });
  return el("div", {}, el("h1", {}, t("operator.waiting.heading")),
    found.waiting.length ? found.waiting.map((one) => waitingCard(page, one)) : el("section", { class: "card" }, el("p", {}, t("operator.waiting.none"))),
    el("section", { class: "card" }, el("h2", {}, t("operator.studies.heading")), studiesTable(page, found)),
    el("section", { class: "card" }, el("h2", {}, t("operator.node.heading")), nodeList(page, found)));
}

function waitingCard(page, one) {
  const { t } = page;
  const when = one.closes ? showTime(one.closes, t.language) : "";
  const heading = `${t(`operator.kind.${one.kind}`)}: ${one.title || t("operator.amendment")}`;
  if (one.kind === "study") {
    return el("section", { class: "card" }, el("h2", {}, heading), el("p", {}, t("operator.waiting.study", { closes: when })),
      el("div", { class: "actions" }, el("a", { class: "button primary", href: `#study=${one.digest}` }, t("operator.read"))));
  }
  const lines = {
    closing: () => t("operator.waiting.closing", { steward: one.steward, time: when, count: one.members }),
    researcher: () => t(one.every_study ? "operator.waiting.researcher_every" : "operator.waiting.researcher", { functions: one.functions.join(", "), until: when }),
    amendment: () => t("operator.waiting.amendment", { closes: when }),
  };
  const message = el("div", { "aria-live": "polite" });
  const sure = el("input", { type: "checkbox" });
  const sign = page.button(t("operator.sign"), async () => {
    if (!sure.checked) return el("p", { class: "notice ask", role: "alert" }, t("operator.first_read"));
    const { delivery } = await page.room.act("approve", { digest: one.digest });
    await page.show(t("operator.signed", { delivery: sentence(delivery, t) }));
    return null;
  }, { message, class: "primary" });
  return el("section", { class: "card" }, el("h2", {}, heading), el("p", {}, lines[one.kind]()),
    one.remarks?.length ? el("div", { class: "notice ask" }, el("p", {}, t("operator.look_closely")), reasonsList(one.remarks, t)) : null,
    one.signed?.length ? el("p", { class: "quiet" }, t("operator.signed_by", { names: one.signed.join(", ") })) : null,
    el("label", { class: "check" }, sure, t("operator.have_read")), message, el("div", { class: "actions" }, sign));
}

function studiesTable(page, { studies }) {
  const { t } = page;
  if (studies.length === 0) return el("p", {}, t("operator.studies.none"));
  const heads = ["study", "state", "members", "waits"].map((name) => t(`operator.studies.${name}`));
  return stackingTable(t("operator.studies.heading"), heads, studies.map((one) => [
    el("th", { scope: "row" }, el("a", { href: `#study=${one.proposal}` }, one.title)),
    el("td", {}, t(t.has(`operator.state.${one.state}`) ? `operator.state.${one.state}` : "state.other")),
    el("td", { class: "number" }, String(one.members)),
    el("td", {}, one.waiting_for.join(", ") || "–"),
  ]));
}

function nodeList(page, found) {
  const { t } = page;
  const row = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  const list = el("dl", {});
  fill(list, ...row(t("operator.node.community"), `${found.community.name}, ${t("operator.node.version", { version: found.community.version })}`),
    ...row(t("operator.node.process"), found.node === null ? t("operator.node.stopped") : t("operator.node.running", { pid: found.node.pid })),
    ...row(t("operator.node.feed"), String(found.feed_number)),
    ...row(t("operator.node.outbox"), t("operator.node.outbox_counts", found.outbox)),
    ...(found.outbox_problems.length ? row(t("operator.node.problem"), technical(found.outbox_problems.join("\n"), t)) : []));
  return list;
}
