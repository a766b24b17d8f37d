// What the pages of a room have in common: words, places behind the "#", one view after another, trouble told.

import { el, fill } from "./dom.js";
import { frameIn } from "./frame.js";
import { preferredLanguage } from "./language.js";
import { reasonsList } from "./refusals.js";
import { RoomCalls } from "./room.js";

const LOOK_AGAIN_MS = 4000;

export class RoomPage {
  /** `places`: name -> async (page, argument) => view; the first is where a visit begins. `prefix` is of its words. */
  constructor({ root, settings, places, prefix }) {
    Object.assign(this, { root, settings, places, prefix });
    this.room = RoomCalls.enter();
    this.shown = 0;
  }

  async start() {
    await this.#speak(preferredLanguage());
    addEventListener("hashchange", () => this.show());
    await this.show();
  }

  /** Where the address says that we are: [name, argument]. */
  place() {
    const [name, argument = null] = decodeURIComponent(location.hash.slice(1)).split("=");
    return name in this.places ? [name, argument] : [Object.keys(this.places)[0], null];
  }

  /** Show the place of the address; `notice` stands above it once. */
  async show(notice = null) {
    this.shown += 1;
    const view = this.shown;
    const [name, argument] = this.place();
    try {
      const content = await this.places[name](this, argument);
      if (this.shown !== view) return;
      this.frame.show(el("div", {}, this.#ways(name), notice && el("div", { class: "notice good", role: "status" }, el("p", {}, notice)), content));
    } catch (error) {
      console.info("mpc-cde:", error.kind ?? error.name, error.message);
      if (this.shown === view) this.frame.show(el("div", {}, this.#ways(name), el("h1", {}, this.t(`${this.prefix}.heading`)), this.trouble(error, () => this.show())));
    }
  }

  /** A problem in words, with the room's reasons one by one. */
  trouble(error, retry = null) {
    const told = this.frame.problem(error, { retry });
    if (error.reasons?.length) told.append(reasonsList(error.reasons, this.t));
    return told;
  }

  /** A button that does something once; what comes of it, good or bad, is told in `message`. */
  button(label, action, { message, ...properties }) {
    const button = el("button", { type: "button", ...properties, onclick: async () => {
      button.disabled = true;
      fill(message, el("p", { class: "quiet spinner", role: "status" }, this.t("room.working")));
      try {
        fill(message, await action());
        message.querySelector("[data-first]")?.focus(); // what has to be decided next
      } catch (error) {
        console.info("mpc-cde:", error.kind ?? error.name, error.message);
        fill(message, this.trouble(error));
      }
      button.disabled = false;
      if (document.activeElement === document.body) button.focus({ preventScroll: true }); // it lost the focus when it was disabled
    } }, label);
    return button;
  }

  /** Go to a place, with one sentence about what was done. */
  async go(hash, notice = null) {
    const same = location.hash === hash || (hash === "#" && location.hash === "");
    if (!same) history.pushState(null, "", hash);
    await this.show(notice);
  }

  /** Look again while this place is shown; show it anew only when `changed` says so and nobody is typing. */
  follow(view, look) {
    const again = async () => {
      if (this.shown !== view) return;
      const at = document.activeElement; // whoever is somewhere inside reads or types there, or has something unfolded
      const isBusy = document.hidden || (at !== null && at.id !== "main" && at.closest("main") !== null);
      const changed = isBusy ? false : await look().catch(() => false);
      if (this.shown !== view) return;
      if (changed) await this.show();
      else setTimeout(again, LOOK_AGAIN_MS);
    };
    setTimeout(again, LOOK_AGAIN_MS);
  }

  #ways(current) {
    const { t } = this;
    const shown = Object.keys(this.places).filter((name) => t.has(`${this.prefix}.way.${name}`));
    return el("nav", { class: "ways", "aria-label": t("room.ways") }, ...shown.map((name) => (
      el("a", { href: `#${name}`, "aria-current": name === current ? "page" : null }, t(`${this.prefix}.way.${name}`)))));
  }

  async #speak(language) {
    const again = async (chosen) => {
      await this.#speak(chosen);
      await this.show();
    };
    Object.assign(this, await frameIn(language, { root: this.root, settings: this.settings, again, isRoom: true }));
    this.frame.communityName = [this.settings.party, this.t(`${this.prefix}.heading`)].filter(Boolean).join(" – ");
  }
}

/** The settings that the room's own server gives. */
export async function roomSettings() {
  const answer = await fetch(new URL("../settings.json", import.meta.url), { cache: "no-store" });
  return answer.json();
}
