// Calls of a room: a page that its own machine serves to whoever was shown the link with the token.

import { CallerError, TransportError } from "../core/errors.js";

const HEADER = "x-mpc-cde-room";
const KEPT = "mpc-cde/room-token";

/** What the room refused; `said` and `reasons` are sentences { code, values, text }. */
export class RoomRefused extends CallerError {
  constructor({ code, message, said, reasons }) {
    super(message);
    this.kind = code;
    this.said = said ?? [];
    this.reasons = reasons ?? [];
  }
}

export class RoomCalls {
  #token;

  /** The token from the link, which then leaves the address bar; on this tab it is remembered for a reload. */
  static enter() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given !== null) {
      sessionStorage.setItem(KEPT, given);
      history.replaceState(null, "", location.pathname);
    }
    return new RoomCalls(sessionStorage.getItem(KEPT) ?? "");
  }

  constructor(token) {
    this.#token = token;
  }

  /** Ask without changing anything. */
  look(name, asked = {}) {
    const query = new URLSearchParams(asked).toString();
    return this.#call(`/room/${name}${query === "" ? "" : `?${query}`}`, { method: "GET" });
  }

  /** Have something done. */
  act(name, asked = {}) {
    const headers = { "content-type": "application/json" };
    return this.#call(`/room/${name}`, { method: "POST", body: JSON.stringify(asked), headers });
  }

  async #call(path, { headers = {}, ...options }) {
    let answer;
    try {
      answer = await fetch(path, { ...options, headers: { ...headers, [HEADER]: this.#token }, cache: "no-store" });
    } catch {
      throw Object.assign(new TransportError("no answer on this machine"), { kind: "room_ended" });
    }
    const content = await answer.json();
    if (!answer.ok) throw new RoomRefused(content);
    return content;
  }
}
