// A try-out with made-up figures: named so in the signed terms of its rules, and said on every page that shows it.

import { el } from "./dom.js";

const PILOT = "pilot"; // as mpc_cde/web/steward_room.py names the rules of one

export function isPilot({ disclosure }) {
  return disclosure.name === PILOT;
}

/** So loud that nobody takes its figures or numbers for real ones. */
export function pilotBanner(t) {
  return el("div", { class: "pilot", role: "note" }, el("strong", {}, t("pilot.heading")), " ", t("pilot.lead"));
}
