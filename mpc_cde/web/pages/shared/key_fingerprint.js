// A public key as people compare it: 25 characters in groups of five, as its owner prints them.

import { decodeBase64url } from "../core/bytes.js";
import { fingerprintOf, formatFingerprint } from "../core/documents.js";
import { el } from "./dom.js";

/** An element that shows the fingerprint of this key as soon as it is worked out. */
export function keyFingerprint(key) {
  const place = el("span", { class: "code" });
  fingerprintOf(decodeBase64url(key)).then((fingerprint) => { place.textContent = formatFingerprint(fingerprint); });
  return place;
}
