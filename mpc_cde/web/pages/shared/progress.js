// How far something has come, event by event: server-sent events over fetch, asked for again where a stream ends.

import { BadDocument, GatewayRefused, TransportError } from "../core/errors.js";

const FINAL = new Set(["published", "withheld", "declined", "failed"]);
const PAUSE_MS = 1000;
const MAX_CHARACTERS = 1 << 20;

/** The gateway's word on a query, again and again until nothing more can change; `signal` ends it. Not verified. */
export async function* progressOf(gatewayUrl, digest, { signal }) {
  for (;;) {
    let last = null;
    for await (const event of eventsOf(`${gatewayUrl}/v1/progress/${digest}`, signal)) {
      last = event;
      yield event;
      if (FINAL.has(event.state)) return;
    }
    if (signal.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, last === null ? 2 * PAUSE_MS : PAUSE_MS));
  }
}

async function* eventsOf(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal, credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
  } catch (error) {
    if (signal.aborted) return;
    throw new TransportError("the gateway cannot be reached", { hint: error.message });
  }
  if (answer.status === 429) return; // it says when to come again; the pause above is longer
  if (!answer.ok) throw new GatewayRefused(await answer.json());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch {
      return; // it was cut: asked for again
    }
    if (piece.done) return;
    kept += piece.value;
    if (kept.length > MAX_CHARACTERS) throw new BadDocument("the gateway's event has no end", { whom: "the gateway" });
    const lines = kept.split("\n");
    kept = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
  }
}
