// A personal link: which community, which entry of its register, whom to answer. All of it stands behind the "#", which
// no server sees. It opens no door by itself: a registrar certifies the key that the member makes.

import { parseFingerprint } from "./documents.js";
import { BadDocument } from "./errors.js";
import * as s from "./schema.js";

const shown = s.shown({ max: 200 }); // a link comes by mail from anybody, and its texts are shown
const MAIL = /^[^\s@<>"'?&]{1,100}@[^\s@<>"'?&]{1,100}$/;

/** { community, registerId, name, replyTo } of a fragment; null if it is none. Throws BadDocument for a broken one. */
export function parseInvitation(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  if (!fields.has("community")) return null;
  const [registerId, name, replyTo] = ["register", "name", "reply"].map((key) => (fields.get(key) ?? "").trim());
  if (registerId === "") throw new BadDocument("the personal link is not complete", { said: "no_personal_link" });
  for (const text of [registerId, name]) shown(text.normalize("NFC"), "the personal link");
  const mail = MAIL.test(replyTo) ? replyTo : null;
  return { community: parseFingerprint(fields.get("community")), registerId, name: name || null, replyTo: mail };
}
