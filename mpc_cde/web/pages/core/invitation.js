// A personal link: which community, which entry of its register, whom to answer. All of it stands behind the "#", which
// no server sees. It opens no door by itself: a registrar certifies the key that the member makes.

import { parseFingerprint } from "./documents.js";
import { BadDocument } from "./errors.js";

const MAX_CHARACTERS = 200;
const MAIL = /^[^\s@<>"'?&]{1,100}@[^\s@<>"'?&]{1,100}$/;

/** { community, registerId, name, replyTo } of a fragment; null if it is none. Throws BadDocument for a broken one. */
export function parseInvitation(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  if (!fields.has("community")) return null;
  const [registerId, name, replyTo] = ["register", "name", "reply"].map((key) => (fields.get(key) ?? "").trim());
  if (registerId === "" || [registerId, name].some((text) => text.length > MAX_CHARACTERS)) {
    throw new BadDocument("the personal link is not complete");
  }
  const mail = MAIL.test(replyTo) ? replyTo : null;
  return { community: parseFingerprint(fields.get("community")), registerId, name: name || null, replyTo: mail };
}
